//! Bounds on requests a second.

use std::collections::BTreeMap;

/// A bound on requests a second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests a second.
    pub per_second: i64,
    /// Requests that may come at once after a rest.
    pub burst: i64,
}

#[derive(Clone, Debug)]
struct Bucket {
    /// Thousandths of requests.
    level: i64,
    at: i64,
}

/// What is left of each bound.
#[derive(Clone, Debug, Default)]
pub struct Buckets(BTreeMap<String, Bucket>);

impl Buckets {
    /// Whether there may be one more request of this kind now, in milliseconds since 1970.
    pub fn take(&mut self, what: &str, rate: Option<Rate>, now: i64) -> bool {
        let Some(Rate { per_second, burst }) = rate else {
            return true;
        };
        let full = burst.max(1) * 1000;
        let bucket = self.0.entry(what.to_owned());
        let bucket = bucket.or_insert(Bucket {
            level: full,
            at: now,
        });
        // So many requests a second are as many thousandths a millisecond.
        let level = bucket.level + (now - bucket.at).max(0) * per_second;
        bucket.at = now;
        bucket.level = level.min(full);
        let is_enough = bucket.level >= 1000;
        if is_enough {
            bucket.level -= 1000;
        }
        is_enough
    }
}
