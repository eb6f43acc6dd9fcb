//! What a command has spent so far, at all its points together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Dollars are counted in units of 10⁻⁹: prices have seven digits behind the point.
const NANO: f64 = 1e9;

/// Dollars that were spent, or are about to be. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Spent(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    nano: AtomicU64,
    refused: AtomicBool,
}

impl Spent {
    /// Adds an amount and tells whether all of it together is within `max`. What is not, is not spent.
    #[must_use]
    pub fn add(&self, dollars: f64, max: f64) -> bool {
        let (amount, max) = (nano(dollars), nano(max));
        let add = |spent: u64| spent.checked_add(amount).filter(|sum| *sum <= max);
        let added = (self.0.nano).fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if added.is_err() {
            self.0.refused.store(true, Ordering::Relaxed);
        }
        added.is_ok()
    }

    /// Whether anything was refused. What a reader makes of that may look like damage.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
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
        assert!(spent.add(0.6e-6, 1e-6) && !spent.was_refused());
        assert!(!other.add(0.6e-6, 1e-6));
        assert!(spent.was_refused());
        // What was refused was not spent, and there is room for less.
        assert!(other.add(0.4e-6, 1e-6));
        assert!(!spent.add(1e-9, 1e-6));
        assert!((spent.dollars() - 1e-6).abs() < 1e-12);
        assert!(!Spent::default().add(f64::INFINITY, 1.0));
    }
}
