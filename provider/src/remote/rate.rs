//! How many calls a second: a bucket of tokens whose filling follows what the provider bears.

use super::settings::Rate;
use std::time::{Duration, Instant};

/// Thousandths of a token.
const UNIT: u64 = 1000;

/// Calls that may come at once after a pause, at least: those of the first metadata.
const BURST_MIN: u64 = 16;

/// Throttles that follow one sooner than this are of calls that it has come too late for.
const CUT_GAP: Duration = Duration::from_millis(250);

/// A bucket of tokens, one for a call.
///
/// Before the first throttle the rate doubles in a second. A throttle takes an eighth off it. What it was then is the
/// ceiling: the rate returns quickly to its neighbourhood, goes on slowly there, and quickly beyond, where it
/// was none. So it stays near what the provider bears.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: u64,
    max: u64,
    tokens: u64,
    filled: Instant,
    /// The rate at the last throttle; `None` before the first one.
    ceiling: Option<u64>,
    cut: Option<Instant>,
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
            ceiling: None,
            cut: None,
        };
        bucket.tokens = bucket.burst();
        bucket
    }

    /// An eighth of a second's calls may be saved up.
    fn burst(&self) -> u64 {
        part(self.rate, 1, 8).max(BURST_MIN.saturating_mul(UNIT))
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
        // Of each success a part of a call: so many hundredths of the rate in a second.
        let hundredths = match self.ceiling {
            None => 100,
            Some(ceiling) if self.rate < part(ceiling, 3, 4) => 50,
            Some(ceiling) if self.rate > part(ceiling, 51, 50) => 50,
            Some(_) => 5,
        };
        let step = part(UNIT, hundredths, 100);
        self.rate = self.rate.saturating_add(step).min(self.max);
    }

    /// A call was turned down that was made since the last time.
    pub(super) fn throttled(&mut self, now: Instant) {
        self.tokens = 0;
        let late = (self.cut).is_some_and(|cut| now.saturating_duration_since(cut) < CUT_GAP);
        if !late {
            self.ceiling = Some(self.rate);
            self.rate = part(self.rate, 7, 8).max(UNIT);
            self.cut = Some(now);
        }
    }
}

/// So many parts of `whole`.
fn part(whole: u64, parts: u64, of: u64) -> u64 {
    let parts = whole.saturating_mul(parts);
    parts.checked_div(of).unwrap_or(whole)
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
        bucket.throttled(now);
        assert!(bucket.wait(now) >= Some(Duration::from_millis(11)));
        for _ in 0..100_000 {
            bucket.succeeded();
        }
        assert_eq!(bucket.rate, 1_000_000);
    }

    /// Calls that succeed in 20 s with a provider that bears `bears` a second and saves up a tenth of that.
    #[expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
    fn calls_in_20_s(bears: u64) -> u64 {
        let start = Instant::now();
        let rate = Rate {
            start: 100,
            max: 1000,
        };
        let mut bucket = Bucket::new(rate, start);
        let (mut now, mut done) = (start, 0);
        let (mut allowed, mut filled) = (bears * 100, start);
        while now < start + Duration::from_secs(20) {
            if let Some(wait) = bucket.wait(now) {
                now += wait;
                continue;
            }
            bucket.take();
            let since = u64::try_from((now - filled).as_micros()).unwrap();
            allowed = (allowed + bears * since / 1000).min(bears * 100);
            filled = now;
            if allowed >= 1000 {
                allowed -= 1000;
                done += 1;
                bucket.succeeded();
            } else {
                bucket.throttled(now);
            }
        }
        done
    }

    #[test]
    fn it_finds_what_the_provider_bears_and_stays_there() {
        for bears in [20, 50, 200, 500, 1000] {
            let done = calls_in_20_s(bears);
            assert!(done * 10 >= bears * 20 * 9, "{bears}: {done} calls");
        }
    }
}
