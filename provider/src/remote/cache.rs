//! The chunks that are kept in memory: those that were read, and those that will be.

use super::budget::Held;
use lru::LruCache;
use std::ops::Range;
use std::sync::Arc;

/// Chunks, those first to go that were used longest ago. What was fetched ahead goes after all that has
/// been read: it has yet to be of use.
#[derive(Debug)]
pub(super) struct ChunkCache {
    read: LruCache<u64, Arc<Held>>,
    unread: LruCache<u64, (Arc<Held>, u64)>,
    unread_bytes: usize,
    clock: u64,
}

impl ChunkCache {
    pub(super) fn new() -> Self {
        Self {
            read: LruCache::unbounded(),
            unread: LruCache::unbounded(),
            unread_bytes: 0,
            clock: 0,
        }
    }

    /// A chunk for a reader.
    pub(super) fn get(&mut self, chunk: u64) -> Option<Arc<Held>> {
        if let Some(held) = self.read.get(&chunk) {
            return Some(Arc::clone(held));
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
        self.read.put(chunk, held);
    }

    /// Keeps a chunk that was fetched ahead.
    pub(super) fn insert_unread(&mut self, chunk: u64, held: Arc<Held>) {
        self.unread_bytes = self.unread_bytes.saturating_add(held.len());
        if let Some((old, _)) = self.unread.put(chunk, (held, self.clock)) {
            self.unread_bytes = self.unread_bytes.saturating_sub(old.len());
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
        self.read.pop_lru().is_some()
    }

    /// Drops what was fetched ahead longest ago, `false` if there is nothing.
    pub(super) fn evict_unread(&mut self) -> bool {
        let Some((_, (held, _))) = self.unread.pop_lru() else {
            return false;
        };
        self.unread_bytes = self.unread_bytes.saturating_sub(held.len());
        true
    }

    /// These were fetched ahead in vain: they are the next to go.
    pub(super) fn give_up(&mut self, chunks: Range<u64>) {
        for chunk in chunks {
            if let Some(held) = self.take_unread(chunk) {
                self.read.put(chunk, held);
                self.read.demote(&chunk);
            }
        }
    }

    /// The same for all that were fetched before the clock's time `before`.
    pub(super) fn give_up_old(&mut self, before: u64) {
        while let Some((chunk, (_, since))) = self.unread.peek_lru() {
            if *since >= before {
                return;
            }
            let chunk = *chunk;
            self.give_up(chunk..chunk.saturating_add(1));
        }
    }

    pub(super) fn clear(&mut self) {
        self.read.clear();
        self.unread.clear();
        self.unread_bytes = 0;
    }

    fn take_unread(&mut self, chunk: u64) -> Option<Arc<Held>> {
        let (held, _) = self.unread.pop(&chunk)?;
        self.unread_bytes = self.unread_bytes.saturating_sub(held.len());
        Some(held)
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
        assert!(cache.get(1).is_some());
        assert_eq!(cache.unread_bytes(), 100);
        assert!(cache.evict_read() && !cache.contains(3) && cache.contains(1));
        cache.give_up(2..3);
        assert!(cache.evict_read() && !cache.contains(2) && cache.contains(1));
        assert!(!cache.evict_unread());
        cache.insert_unread(4, room.hold(&[0; 100]));
        cache.give_up_old(cache.clock());
        assert_eq!(cache.unread_bytes(), 100);
        cache.give_up_old(cache.clock() + 1);
        assert_eq!(cache.unread_bytes(), 0);
        cache.clear();
        drop(room);
        assert_eq!(budget.used(), 0);
    }
}
