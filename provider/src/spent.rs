//! What a command has spent so far, at all its points together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Dollars are counted in units of 10⁻⁹: prices have seven digits behind the point.
const NANO: f64 = 1e9;

/// Dollars that were spent, or are about to be. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Spent(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    nano: AtomicU64,
    /// What it may be, if anything was refused.
    refused: OnceLock<f64>,
}

impl Spent {
    /// Adds an amount and tells whether all of it together is within `max`. What is not, is not spent.
    #[must_use]
    pub fn add(&self, dollars: f64, max: f64) -> bool {
        let (amount, most) = (nano(dollars), nano(max));
        let add = |spent: u64| spent.checked_add(amount).filter(|sum| *sum <= most);
        let added = (self.0.nano).fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if added.is_err() {
            let _known = self.0.refused.set(max);
        }
        added.is_ok()
    }

    /// What may be spent, if more than that was asked for. What a reader makes of that may look like damage.
    #[must_use]
    pub fn refused(&self) -> Option<f64> {
        self.0.refused.get().copied()
    }

    /// Dollars so far.
    #[must_use]
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "exact below nine million dollars, and there is no other way to make a float of it"
    )]
    pub fn dollars(&self) -> f64 {
        self.0.nano.load(Ordering::Relaxed) as f64 / NANO
    }
}

/// Dollars in whole units; what is no amount is nothing, and what is too much is all there can be.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates, and there is no other way to make one an integer"
)]
fn nano(dollars: f64) -> u64 {
    (dollars * NANO).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_together_is_within_the_bound() {
        let spent = Spent::default();
        let other = spent.clone();
        assert!(spent.add(0.6e-6, 1e-6) && spent.refused().is_none());
        assert!(!other.add(0.6e-6, 1e-6));
        assert_eq!(spent.refused(), Some(1e-6));
        // What was refused was not spent, and there is room for less.
        assert!(other.add(0.4e-6, 1e-6));
        assert!(!spent.add(1e-9, 1e-6));
        assert!((spent.dollars() - 1e-6).abs() < 1e-12);
        assert!(!Spent::default().add(f64::INFINITY, 1.0));
    }
}
