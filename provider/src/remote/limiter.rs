//! How many calls run at once: more while they succeed, half as many when the provider says so.

/// Thousandths, so that a limit can grow by less than one.
const UNIT: u64 = 1000;

/// Additive increase, multiplicative decrease. Before the first throttle each success adds one, so that
/// the limit doubles in the time of a call; after it, one in the time of a call.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: u64,
    max: u64,
    fast: bool,
    epoch: u64,
}

impl Limiter {
    pub(super) fn new(start: u32, max: u32) -> Self {
        let max = u64::from(max.max(1)).saturating_mul(UNIT);
        let start = u64::from(start.max(1)).saturating_mul(UNIT);
        Self {
            limit: start.min(max),
            max,
            fast: true,
            epoch: 0,
        }
    }

    pub(super) fn limit(&self) -> u32 {
        let limit = self.limit.checked_div(UNIT).unwrap_or(1);
        u32::try_from(limit).unwrap_or(u32::MAX)
    }

    /// What a call is to remember of the time when it was started.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A call succeeded, and the limit was what held others back.
    pub(super) fn succeeded(&mut self) {
        let step = match self.fast {
            true => UNIT,
            false => UNIT
                .saturating_mul(UNIT)
                .checked_div(self.limit)
                .unwrap_or(1),
        };
        self.limit = self.limit.saturating_add(step).min(self.max);
    }

    /// A call that was started in `epoch` was turned down. `false` if the limit has been halved since:
    /// what was started before says nothing about the new one.
    pub(super) fn throttled(&mut self, epoch: u64) -> bool {
        if !self.is_news(epoch) {
            return false;
        }
        self.fast = false;
        self.limit = self.limit.checked_div(2).unwrap_or(UNIT).max(UNIT);
        true
    }

    /// The same where not the calls at once are too many but those of a second: the limit stays.
    pub(super) fn is_news(&mut self, epoch: u64) -> bool {
        if epoch != self.epoch {
            return false;
        }
        self.epoch = self.epoch.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_once_for_calls_of_one_time_and_grows_slowly_after() {
        let mut limiter = Limiter::new(16, 64);
        for _ in 0..100 {
            limiter.succeeded();
        }
        assert_eq!(limiter.limit(), 64);
        let epoch = limiter.epoch();
        assert!(limiter.throttled(epoch));
        assert!(!limiter.throttled(epoch));
        assert_eq!(limiter.limit(), 32);
        for _ in 0..34 {
            limiter.succeeded();
        }
        assert_eq!(limiter.limit(), 33);
        for _ in 0..10 {
            limiter.throttled(limiter.epoch());
        }
        assert_eq!(limiter.limit(), 1);
    }
}
