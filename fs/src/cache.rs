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

/// What an entry takes beside its value, in bytes: its place in the list and in the table, and what the
/// allocator adds to three pieces. Without it, a million maps of empty files take four times what they say.
const ENTRY_BYTES: usize = 128;

/// A map from immutable ids to values that are cheap to clone (an `Arc`).
pub struct Cache<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
    shard_bytes_max: usize,
    entry_bytes: usize,
}

struct Shard<K, V> {
    entries: LruCache<K, (V, usize)>,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// A cache that holds at most `bytes_max` bytes, by the sizes told to [`Cache::insert`] and what each entry
    /// takes beside its value.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self::with_shards(bytes_max, SHARD_COUNT)
    }

    /// The same in so many shards, at least one: a value can be as large as its shard.
    #[must_use]
    pub fn with_shards(bytes_max: usize, shard_count: usize) -> Self {
        Self::with(bytes_max, shard_count, ENTRY_BYTES)
    }

    /// A cache whose entries are counted in units of the caller's, not in bytes.
    #[must_use]
    pub fn counted(count_max: usize) -> Self {
        Self::with(count_max, SHARD_COUNT, 0)
    }

    fn with(bytes_max: usize, shard_count: usize, entry_bytes: usize) -> Self {
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
            entry_bytes,
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
    /// A value larger than a shard's share is not kept; one that is as large is, alone.
    pub fn insert(&self, key: K, value: V, bytes: usize) {
        if bytes > self.shard_bytes_max {
            return;
        }
        let Some(mut shard) = self.shard(&key) else {
            return;
        };
        let bytes = bytes.saturating_add(self.entry_bytes);
        if let Some((_, old)) = shard.entries.put(key, (value, bytes)) {
            shard.bytes = shard.bytes.saturating_sub(old);
        }
        shard.bytes = shard.bytes.saturating_add(bytes);
        while shard.bytes > self.shard_bytes_max && shard.entries.len() > 1 {
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
        let cache = Cache::counted(SHARD_COUNT * 100);
        for key in 0..10_000_u32 {
            cache.insert(key, key, 10);
            assert_eq!(cache.get(&key), Some(key));
        }
        let held: usize = (0..10_000).filter(|key| cache.get(key).is_some()).count();
        assert!(held <= SHARD_COUNT * 10, "{held} entries of 10 bytes held");
        assert!(held >= SHARD_COUNT * 5, "only {held} entries held");
    }

    #[test]
    fn small_values_count_with_what_they_take() {
        let cache = Cache::new(SHARD_COUNT * 100 * ENTRY_BYTES);
        for key in 0..10_000_u32 {
            cache.insert(key, key, 0);
        }
        let held = (0..10_000).filter(|key| cache.get(key).is_some()).count();
        assert!(
            (SHARD_COUNT * 90..=SHARD_COUNT * 100).contains(&held),
            "{held}"
        );
        // A value of the whole share displaces all others, and stays.
        let cache = Cache::with_shards(1000, 1);
        cache.insert(1, 1, 10);
        cache.insert(2, 2, 1000);
        assert_eq!((cache.get(&1), cache.get(&2)), (None, Some(2)));
        cache.insert(3, 3, 1001);
        assert_eq!((cache.get(&2), cache.get(&3)), (Some(2), None));
    }

    #[test]
    fn replacing_a_value_does_not_count_it_twice() {
        let cache = Cache::counted(SHARD_COUNT * 100);
        for _ in 0..1000 {
            cache.insert(1, 1, 60);
        }
        assert_eq!(cache.get(&1), Some(1));
        cache.insert(2, 2, 101);
        assert_eq!(cache.get(&2), None);
    }
}
