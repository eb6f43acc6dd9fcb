//! What a source has cost so far.

use super::budget::Budget;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one source since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls that asked for a map, repetitions included.
    pub map_calls: u64,
    /// Calls that asked for bytes, repetitions included.
    pub fetch_calls: u64,
    /// Bytes that these brought.
    pub fetched_bytes: u64,
    /// Chunks that were fetched before somebody asked for them.
    pub ahead_chunks: u64,
    /// Parts of reads that were served from memory.
    pub cache_hits: u64,
    /// Chunks that came from the disk cache.
    pub disk_hits: u64,
    /// Chunks that were written to the disk cache.
    pub disk_stores: u64,
    /// Blocks of the disk cache that were damaged or foreign, and dropped.
    pub disk_dropped: u64,
    /// Times that the disk cache failed; no read does for it.
    pub disk_errors: u64,
    /// Calls that were made again.
    pub retries: u64,
    /// Calls that the provider turned down because they were too many.
    pub throttles: u64,
    /// How many calls may run at once, now.
    pub calls_limit: u64,
    /// Bytes of chunks in memory, now.
    pub held_bytes: u64,
    /// The most there ever were.
    pub held_bytes_max: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted as it happens.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) map_calls: Counter,
    pub(super) fetch_calls: Counter,
    pub(super) fetched_bytes: Counter,
    pub(super) ahead_chunks: Counter,
    pub(super) cache_hits: Counter,
    pub(super) disk_hits: Counter,
    pub(super) disk_stores: Counter,
    pub(super) disk_dropped: Counter,
    pub(super) disk_errors: Counter,
    pub(super) retries: Counter,
    pub(super) throttles: Counter,
}

impl Counters {
    pub(super) fn stats(&self, budget: &Budget, calls_limit: u32) -> Stats {
        let bytes = |bytes| u64::try_from(bytes).unwrap_or(u64::MAX);
        Stats {
            map_calls: self.map_calls.get(),
            fetch_calls: self.fetch_calls.get(),
            fetched_bytes: self.fetched_bytes.get(),
            ahead_chunks: self.ahead_chunks.get(),
            cache_hits: self.cache_hits.get(),
            disk_hits: self.disk_hits.get(),
            disk_stores: self.disk_stores.get(),
            disk_dropped: self.disk_dropped.get(),
            disk_errors: self.disk_errors.get(),
            retries: self.retries.get(),
            throttles: self.throttles.get(),
            calls_limit: u64::from(calls_limit),
            held_bytes: bytes(budget.used()),
            held_bytes_max: bytes(budget.peak()),
        }
    }
}
