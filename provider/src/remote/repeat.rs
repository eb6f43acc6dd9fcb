//! Whether a call that failed is made again, and when.

use super::settings::Settings;
use crate::engine::{Rand, SystemRand};
use crate::fault::{Fault, FaultKind};
use std::time::Duration;

/// Credentials that were just renewed and have run out again are not going to get better.
const EXPIRED_MAX: u32 = 2;

/// What becomes of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made again after so long.
    Again(Duration),
    /// It would fail again.
    Ends,
}

/// How often a call has failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    others: u32,
    expired: u32,
}

impl Failures {
    /// Counts a failure and decides.
    pub(super) fn add(&mut self, fault: &Fault, settings: &Settings) -> Verdict {
        match fault.kind {
            FaultKind::Expired if self.expired < EXPIRED_MAX => {
                self.expired = self.expired.saturating_add(1);
                Verdict::Again(Duration::ZERO)
            }
            FaultKind::Unknown | FaultKind::Throttled => {
                let wait = backoff(self.others, settings, SystemRand.next_u64());
                self.others = self.others.saturating_add(1);
                match fault.retry_after {
                    // Whoever waits is gone by then.
                    Some(after) if after >= settings.deadline => Verdict::Ends,
                    Some(after) => Verdict::Again(after.saturating_add(wait)),
                    None => Verdict::Again(wait),
                }
            }
            _ => Verdict::Ends,
        }
    }
}

/// Chance between nothing and a bound that doubles: those who failed together do not return together.
fn backoff(failures: u32, settings: &Settings, random: u64) -> Duration {
    let factor = 1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX);
    let most = settings.backoff_min.saturating_mul(factor);
    let most = most.min(settings.backoff_max);
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(random.checked_rem(nanos.saturating_add(1)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind) -> Fault {
        Fault::new(kind, "no")
    }

    #[test]
    fn waits_double_up_to_their_bound() {
        let settings = Settings::default();
        let most = |failures| backoff(failures, &settings, 100_000_000_u64 << failures);
        assert_eq!(most(0), Duration::from_millis(100));
        assert_eq!(most(3), Duration::from_millis(800));
        for failures in 0..100 {
            for random in [0, 1, u64::MAX, u64::MAX / 3] {
                assert!(backoff(failures, &settings, random) <= settings.backoff_max);
            }
        }
    }

    #[test]
    fn every_kind_is_repeated_or_not() {
        use FaultKind::*;
        let settings = Settings::default();
        for kind in [Unavailable, Denied, Quota, Exists, NotFound, InUse, Refused] {
            let verdict = Failures::default().add(&fault(kind), &settings);
            assert_eq!(verdict, Verdict::Ends, "{kind:?}");
        }
        let mut failures = Failures::default();
        for _ in 0..100 {
            let verdict = failures.add(&fault(Unknown), &settings);
            assert!(matches!(verdict, Verdict::Again(_)));
        }
        let expired = |failures: &mut Failures| failures.add(&fault(Expired), &settings);
        assert_eq!(expired(&mut failures), Verdict::Again(Duration::ZERO));
        assert_eq!(expired(&mut failures), Verdict::Again(Duration::ZERO));
        assert_eq!(expired(&mut failures), Verdict::Ends);
        let mut after = fault(Throttled);
        after.retry_after = Some(Duration::from_secs(3));
        let verdict = failures.add(&after, &settings);
        assert!(matches!(verdict, Verdict::Again(wait) if wait >= Duration::from_secs(3)));
        after.retry_after = Some(Duration::from_secs(60));
        assert_eq!(failures.add(&after, &settings), Verdict::Ends);
    }
}
