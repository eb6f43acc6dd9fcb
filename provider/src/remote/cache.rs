//! The chunks that are kept in memory: those that were read, and those that will be.

use super::budget::Held;
use lru::LruCache;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Chunks, those first to go that were used longest ago. What was fetched ahead goes after all that has
/// been read: it has yet to be of use.
#[derive(Debug)]
pub(super) struct ChunkCache {
    read: LruCache<u64, Arc<Held>>,
    unread: LruCache<u64, Unread>,
    read_bytes: usize,
    unread_bytes: usize,
    clock: u64,
}

/// A chunk that was fetched ahead, and when.
#[derive(Debug)]
struct Unread {
    held: Arc<Held>,
    clock: u64,
    time: Instant,
}

impl ChunkCache {
    pub(super) fn new() -> Self {
        Self {
            read: LruCache::unbounded(),
            unread: LruCache::unbounded(),
            read_bytes: 0,
            unread_bytes: 0,
            clock: 0,
        }
    }

    /// A chunk for a reader. One that was fetched ahead has been of use once it is read to its end.
    pub(super) fn get(&mut self, chunk: u64, to_end: bool) -> Option<Arc<Held>> {
        if let Some(held) = self.read.get(&chunk) {
            return Some(Arc::clone(held));
        }
        if !to_end {
            return self
                .unread
                .peek(&chunk)
                .map(|unread| Arc::clone(&unread.held));
        }
        let held = self.take_unread(chunk)?;
        self.insert_read(chunk, Arc::clone(&held));
        Some(held)
    }

    pub(super) fn contains(&self, chunk: u64) -> bool {
        self.read.contains(&chunk) || self.unread.contains(&chunk)
    }

    /// Keeps a chunk that somebody has asked for.
    pub(super) fn insert_read(&mut self, chunk: u64, held: Arc<Held>) {
        self.clock = self.clock.saturating_add(len(&held));
        self.take_unread(chunk);
        self.put_read(chunk, held);
    }

    fn put_read(&mut self, chunk: u64, held: Arc<Held>) {
        self.read_bytes = self.read_bytes.saturating_add(held.len());
        if let Some(old) = self.read.put(chunk, held) {
            self.read_bytes = self.read_bytes.saturating_sub(old.len());
        }
    }

    /// Bytes of all chunks.
    pub(super) const fn bytes(&self) -> usize {
        self.read_bytes.saturating_add(self.unread_bytes)
    }

    /// Keeps a chunk that was fetched ahead.
    pub(super) fn insert_unread(&mut self, chunk: u64, held: Arc<Held>) {
        self.unread_bytes = self.unread_bytes.saturating_add(held.len());
        let unread = Unread {
            held,
            clock: self.clock,
            time: Instant::now(),
        };
        if let Some(old) = self.unread.put(chunk, unread) {
            self.unread_bytes = self.unread_bytes.saturating_sub(old.held.len());
        }
    }

    /// Bytes of what was fetched ahead and has not been read.
    pub(super) const fn unread_bytes(&self) -> usize {
        self.unread_bytes
    }

    /// Bytes that were brought into use so far: how old something is, by what came after it.
    pub(super) const fn clock(&self) -> u64 {
        self.clock
    }

    /// Drops what was read longest ago, `false` if there is nothing.
    pub(super) fn evict_read(&mut self) -> bool {
        let Some((_, held)) = self.read.pop_lru() else {
            return false;
        };
        self.read_bytes = self.read_bytes.saturating_sub(held.len());
        true
    }

    /// Drops what was fetched ahead longest ago, `false` if there is nothing.
    pub(super) fn evict_unread(&mut self) -> bool {
        let Some((_, unread)) = self.unread.pop_lru() else {
            return false;
        };
        self.unread_bytes = self.unread_bytes.saturating_sub(unread.held.len());
        true
    }

    /// These were fetched ahead in vain: they are the next to go.
    pub(super) fn give_up(&mut self, chunks: Range<u64>) {
        for chunk in chunks {
            if let Some(held) = self.take_unread(chunk) {
                self.put_read(chunk, held);
                self.read.demote(&chunk);
            }
        }
    }

    /// The same for all that were fetched before `clock` and `time`.
    pub(super) fn give_up_old(&mut self, clock: u64, time: Instant) {
        while let Some((chunk, unread)) = self.unread.peek_lru() {
            if unread.clock >= clock || unread.time > time {
                return;
            }
            let chunk = *chunk;
            self.give_up(chunk..chunk.saturating_add(1));
        }
    }

    pub(super) fn clear(&mut self) {
        self.read.clear();
        self.unread.clear();
        self.read_bytes = 0;
        self.unread_bytes = 0;
    }

    fn take_unread(&mut self, chunk: u64) -> Option<Arc<Held>> {
        let unread = self.unread.pop(&chunk)?;
        self.unread_bytes = self.unread_bytes.saturating_sub(unread.held.len());
        Some(unread.held)
    }
}

fn len(held: &Held) -> u64 {
    u64::try_from(held.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    #[test]
    fn what_has_yet_to_be_read_stays_longest() {
        let budget = Budget::new(1000);
        let mut room = budget.reserve(1000).unwrap();
        let mut cache = ChunkCache::new();
        cache.insert_unread(1, room.hold(&[0; 100]));
        cache.insert_unread(2, room.hold(&[0; 100]));
        cache.insert_read(3, room.hold(&[0; 100]));
        assert_eq!(cache.unread_bytes(), 200);
        assert!(cache.get(1, false).is_some());
        assert_eq!(cache.unread_bytes(), 200);
        assert!(cache.get(1, true).is_some());
        assert_eq!(cache.unread_bytes(), 100);
        assert!(cache.evict_read() && !cache.contains(3) && cache.contains(1));
        cache.give_up(2..3);
        assert!(cache.evict_read() && !cache.contains(2) && cache.contains(1));
        assert!(!cache.evict_unread());
        cache.insert_unread(4, room.hold(&[0; 100]));
        cache.give_up_old(cache.clock(), Instant::now());
        assert_eq!(cache.unread_bytes(), 100);
        cache.give_up_old(cache.clock() + 1, Instant::now());
        assert_eq!(cache.unread_bytes(), 0);
        cache.clear();
        drop(room);
        assert_eq!(budget.used(), 0);
    }
}
