//! What may go wrong in a run, and how often.

use super::rng::Rng;

/// Probabilities in a thousand, drawn from the seed; all zero in a healed world.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    /// Refused with "too many calls", no effect.
    pub(super) throttle: u64,
    /// 5xx without an effect.
    pub(super) error_before: u64,
    /// 5xx with an effect, now or later.
    pub(super) error_after: u64,
    /// No answer, no effect.
    pub(super) timeout_before: u64,
    /// No answer, and an effect.
    pub(super) timeout_after: u64,
    /// The call arrives twice.
    pub(super) duplicate: u64,
    /// The credentials have run out.
    pub(super) expired: u64,
    /// A delete that is answered with success and does nothing.
    pub(super) lying_delete: u64,
    /// A delete that takes up to twenty minutes.
    pub(super) stuck_delete: u64,
    /// A resource whose making fails after it was accepted.
    pub(super) failed_make: u64,
    /// The journal's disk is full.
    pub(super) disk_full: u64,
    /// The journal's disk fails, before or after the change is there.
    pub(super) disk_error: u64,
    /// Somebody sets a host's clock.
    pub(super) clock_jump: u64,
}

impl Rates {
    /// Each kind of fault is there in half of all runs, seldom or often.
    #[must_use]
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut rate = |often: u64| match rng.below(4) {
            0 | 1 => 0,
            2 => often / 5,
            _ => often,
        };
        Self {
            throttle: rate(150),
            error_before: rate(100),
            error_after: rate(100),
            timeout_before: rate(50),
            timeout_after: rate(80),
            duplicate: rate(200),
            expired: rate(50),
            lying_delete: rate(300),
            stuck_delete: rate(200),
            failed_make: rate(60),
            disk_full: rate(20),
            disk_error: rate(20),
            clock_jump: rate(500),
        }
    }
}
