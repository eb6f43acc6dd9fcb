//! The provider's clock: signatures are good for minutes, so a machine whose clock is wrong goes by it.

use crate::engine::{Clock, SystemClock, UnixTime};
use crate::http::fault;
use reqwest::header::{DATE, HeaderMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// A difference that explains why a signature was refused: AWS accepts five minutes.
const SKEW: u64 = 240;

/// The provider's clock as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct ProviderClock {
    /// Seconds that the provider is ahead of this machine, once that has mattered.
    offset: AtomicI64,
    /// When the last answer was given, and how long this machine was up when it came.
    last: Mutex<Option<(UnixTime, Duration)>>,
}

impl ProviderClock {
    /// The time to sign with.
    pub(crate) fn now(&self) -> SystemTime {
        let offset = self.offset.load(Ordering::Relaxed);
        let by = Duration::from_secs(offset.unsigned_abs());
        let now = SystemTime::now();
        let shifted = if offset < 0 {
            now.checked_sub(by)
        } else {
            now.checked_add(by)
        };
        shifted.unwrap_or(now)
    }

    /// Notes when an answer was given.
    pub(crate) fn heard(&self, headers: &HeaderMap) {
        if let Some(time) = date(headers) {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((time, SystemClock.since_boot()));
        }
    }

    /// The provider's time now, reckoned from its last answer.
    pub(crate) fn provider(&self) -> Option<UnixTime> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, then) = last?;
        Some(time.plus(SystemClock.since_boot().saturating_sub(then)))
    }

    /// Goes by the provider's clock from now on, if it differs enough from what signatures were made with
    /// to be why one was refused. Whether it does.
    pub(crate) fn correct(&self, headers: &HeaderMap) -> bool {
        let Some(theirs) = date(headers) else {
            return false;
        };
        let since = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH);
        let (Ok(signed), Ok(ours)) = (since(self.now()), since(SystemTime::now())) else {
            return false;
        };
        if theirs.0.abs_diff(signed.as_secs()) <= SKEW {
            return false;
        }
        let (theirs, ours) = (i64::try_from(theirs.0), i64::try_from(ours.as_secs()));
        let (Ok(theirs), Ok(ours)) = (theirs, ours) else {
            return false;
        };
        self.offset
            .store(theirs.saturating_sub(ours), Ordering::Relaxed);
        true
    }
}

fn date(headers: &HeaderMap) -> Option<UnixTime> {
    fault::date(headers.get(DATE)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(date: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))])
    }

    #[test]
    fn a_wrong_clock_is_corrected_once() {
        // date -u -d @4102444800 -R
        let theirs = headers("Fri, 01 Jan 2100 00:00:00 GMT");
        let clock = ProviderClock::default();
        assert!(clock.provider().is_none());
        clock.heard(&theirs);
        assert_eq!(clock.provider(), Some(UnixTime(4_102_444_800)));
        let before = clock.now();
        assert!(
            before.duration_since(SystemTime::now()).unwrap_or_default() < Duration::from_secs(1)
        );
        assert!(clock.correct(&theirs));
        let now = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!(now.as_secs().abs_diff(4_102_444_800) < 10);
        assert!(!clock.correct(&theirs), "another reason than the clock");
        assert!(!clock.correct(&headers("soon")));
        assert!(!clock.correct(&HeaderMap::new()));
        // date -u -d @1000000000 -R
        assert!(clock.correct(&headers("Sun, 09 Sep 2001 01:46:40 GMT")));
        let now = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!(now.as_secs().abs_diff(1_000_000_000) < 10);
    }
}
