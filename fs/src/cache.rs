//! A cache of parsed structures: sharded, least recently used out first, bounded in bytes.
//!
//! Sources never change while they are open, so nothing is ever invalidated. A lock is held around
//! the map only, never across a read of the source.

use lru::LruCache;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Enough to keep the threads of a mount apart; each shard has its share of the bytes.
const SHARD_COUNT: usize = 8;

/// A map from immutable ids to values that are cheap to clone (an `Arc`).
pub struct Cache<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
    shard_bytes_max: usize,
}

struct Shard<K, V> {
    entries: LruCache<K, (V, usize)>,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// A cache that holds at most `bytes_max` bytes, by the sizes told to [`Cache::insert`].
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self::with_shards(bytes_max, SHARD_COUNT)
    }

    /// The same in so many shards, at least one: a value can be as large as its shard.
    #[must_use]
    pub fn with_shards(bytes_max: usize, shard_count: usize) -> Self {
        let shard_count = shard_count.max(1);
        let shard = || {
            Mutex::new(Shard {
                entries: LruCache::unbounded(),
                bytes: 0,
            })
        };
        Self {
            shards: std::iter::repeat_with(shard).take(shard_count).collect(),
            hasher: RandomState::new(),
            shard_bytes_max: bytes_max.checked_div(shard_count).unwrap_or(0),
        }
    }

    /// The value of `key`, if it is still held.
    pub fn get(&self, key: &K) -> Option<V> {
        self.shard(key)?
            .entries
            .get(key)
            .map(|(value, _)| value.clone())
    }

    /// Keeps `value`, which takes `bytes` bytes, and drops what was used longest ago to make room.
    /// A value larger than a shard's share is not kept.
    pub fn insert(&self, key: K, value: V, bytes: usize) {
        if bytes > self.shard_bytes_max {
            return;
        }
        let Some(mut shard) = self.shard(&key) else {
            return;
        };
        if let Some((_, old)) = shard.entries.put(key, (value, bytes)) {
            shard.bytes = shard.bytes.saturating_sub(old);
        }
        shard.bytes = shard.bytes.saturating_add(bytes);
        while shard.bytes > self.shard_bytes_max {
            let Some((_, (_, old))) = shard.entries.pop_lru() else {
                break;
            };
            shard.bytes = shard.bytes.saturating_sub(old);
        }
    }

    /// The value of `key`, or the one that `make` makes, which is then kept. Two threads that ask at
    /// once may both make it; the values are equal.
    ///
    /// # Errors
    /// Those of `make`; errors are not kept.
    pub fn get_or_insert<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<(V, usize), E>,
    ) -> Result<V, E> {
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let (value, bytes) = make()?;
        self.insert(key, value.clone(), bytes);
        Ok(value)
    }

    fn shard(&self, key: &K) -> Option<MutexGuard<'_, Shard<K, V>>> {
        let count = u64::try_from(self.shards.len()).ok()?;
        let index = usize::try_from(self.hasher.hash_one(key).checked_rem(count)?).ok()?;
        // A panic while the map was locked leaves at worst a wrong sum of bytes.
        self.shards
            .get(index)
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("shard_bytes_max", &self.shard_bytes_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bytes_and_keeps_what_is_used() {
        let cache = Cache::new(SHARD_COUNT * 100);
        for key in 0..10_000_u32 {
            cache.insert(key, key, 10);
            assert_eq!(cache.get(&key), Some(key));
        }
        let held: usize = (0..10_000).filter(|key| cache.get(key).is_some()).count();
        assert!(held <= SHARD_COUNT * 10, "{held} entries of 10 bytes held");
        assert!(held >= SHARD_COUNT * 5, "only {held} entries held");
    }

    #[test]
    fn replacing_a_value_does_not_count_it_twice() {
        let cache = Cache::new(SHARD_COUNT * 100);
        for _ in 0..1000 {
            cache.insert(1, 1, 60);
        }
        assert_eq!(cache.get(&1), Some(1));
        cache.insert(2, 2, 101);
        assert_eq!(cache.get(&2), None);
    }
}
