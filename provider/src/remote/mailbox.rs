//! Where a thread waits for what it asked for.

use super::budget::Held;
use super::lock;
use crate::fault::Fault;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    /// What is stored of a region of chunks.
    Region(u64),
    /// The bytes of a chunk.
    Chunk(u64),
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// The region is in the map now.
    Region,
    /// The chunk's bytes.
    Chunk(Arc<Held>),
}

/// Why nothing came of it.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The store's last word.
    Fault(Fault),
    /// The reads of this source have been ended.
    Cancelled,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) key: Key,
    pub(super) outcome: Result<Found, Failure>,
}

/// Answers for one thread, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    arrived: Condvar,
}

impl Mailbox {
    pub(super) fn deliver(&self, letter: Letter) {
        lock(&self.letters).push(letter);
        self.arrived.notify_one();
    }

    /// Throws away what nobody is going to read.
    pub(super) fn clear(&self) {
        lock(&self.letters).clear();
    }

    /// Waits for letters. None have come by `until` if the answer is empty.
    pub(super) fn wait(&self, until: Instant) -> Vec<Letter> {
        let mut letters = lock(&self.letters);
        while letters.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.arrived.wait_timeout(letters, left);
            letters = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut *letters)
    }
}
