//! How many calls a second: a bucket of tokens whose filling follows what the provider bears.

use super::settings::Rate;
use std::time::{Duration, Instant};

/// Thousandths of a token.
const UNIT: u64 = 1000;

/// Calls that may come at once after a pause, at least: those of the first metadata.
const BURST_MIN: u64 = 16;

/// What a second full of successes adds to the calls per second.
const STEP: u64 = 10;

/// A bucket of tokens, one for a call.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: u64,
    max: u64,
    tokens: u64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        let max = u64::from(rate.max.max(1)).saturating_mul(UNIT);
        let start = u64::from(rate.start.max(1)).saturating_mul(UNIT);
        let mut bucket = Self {
            rate: start.min(max),
            max,
            tokens: 0,
            filled: now,
        };
        bucket.tokens = bucket.burst();
        bucket
    }

    /// A quarter of a second's calls may be saved up.
    fn burst(&self) -> u64 {
        let quarter = self.rate.checked_div(4).unwrap_or(0);
        quarter.max(BURST_MIN.saturating_mul(UNIT))
    }

    /// How long to wait for a token; nothing if there is one.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.filled);
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let new = self.rate.saturating_mul(micros).checked_div(1_000_000);
        let new = new.unwrap_or(0);
        if new > 0 {
            self.filled = now;
            self.tokens = self.tokens.saturating_add(new).min(self.burst());
        }
        let missing = UNIT
            .checked_sub(self.tokens)
            .filter(|missing| *missing > 0)?;
        let micros = missing.saturating_mul(1_000_000).div_ceil(self.rate.max(1));
        Some(Duration::from_micros(micros))
    }

    /// Takes a token that is there.
    pub(super) fn take(&mut self) {
        self.tokens = self.tokens.saturating_sub(UNIT);
    }

    /// A call succeeded.
    pub(super) fn succeeded(&mut self) {
        let step = STEP.saturating_mul(UNIT).saturating_mul(UNIT);
        let step = step.checked_div(self.rate).unwrap_or(1);
        self.rate = self.rate.saturating_add(step).min(self.max);
    }

    /// A call was turned down.
    pub(super) fn throttled(&mut self) {
        self.rate = self.rate.checked_div(2).unwrap_or(UNIT).max(UNIT);
        self.tokens = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_no_more_calls_than_the_rate() {
        let start = Instant::now();
        let rate = Rate {
            start: 100,
            max: 1000,
        };
        let mut bucket = Bucket::new(rate, start);
        let mut now = start;
        let mut calls = 0;
        while now < start + Duration::from_secs(10) {
            match bucket.wait(now) {
                None => {
                    bucket.take();
                    calls += 1;
                }
                Some(wait) => now += wait,
            }
        }
        assert!((990..=1030).contains(&calls), "{calls}");
        let _ = bucket.wait(now);
        bucket.throttled();
        assert!(bucket.wait(now) >= Some(Duration::from_millis(19)));
        for _ in 0..100_000 {
            bucket.succeeded();
        }
        assert_eq!(bucket.rate, 1_000_000);
    }
}
