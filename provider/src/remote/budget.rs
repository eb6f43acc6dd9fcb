//! The bytes of chunks in memory, counted wherever they are: kept, being fetched, being handed over.

use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound on bytes. What is reserved comes back when it is dropped.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicUsize,
    peak: AtomicUsize,
    max: usize,
}

impl Budget {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            max,
        })
    }

    pub(super) const fn max(&self) -> usize {
        self.max
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }

    /// The most that was ever used.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    /// So many bytes, if they are left.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        let add = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.max);
        let before = self
            .used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, add)
            .ok()?;
        self.peak
            .fetch_max(before.saturating_add(bytes), Ordering::SeqCst);
        Some(Reservation {
            budget: Arc::clone(self),
            bytes,
        })
    }
}

/// Bytes of a budget that nobody else can have.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    /// Takes `bytes` of these off, or all there are.
    fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        Self {
            budget: Arc::clone(&self.budget),
            bytes,
        }
    }

    /// A chunk in these bytes, which are no longer than it.
    pub(super) fn hold_vec(&mut self, bytes: Vec<u8>) -> Arc<Held> {
        Arc::new(Held {
            _reservation: self.split(bytes.len()),
            bytes: bytes.into_boxed_slice().into(),
        })
    }

    /// A chunk in bytes of its own: what a fetch gives may be a small part of a large buffer.
    pub(super) fn hold(&mut self, bytes: &[u8]) -> Arc<Held> {
        Arc::new(Held {
            _reservation: self.split(bytes.len()),
            bytes: Bytes::copy_from_slice(bytes),
        })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

/// The bytes of a chunk.
pub(super) struct Held {
    bytes: Bytes,
    _reservation: Reservation,
}

impl fmt::Debug for Held {
    /// Without the bytes: they are the user's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({} bytes)", self.bytes.len())
    }
}

impl Held {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_comes_back() {
        let budget = Budget::new(100);
        let mut first = budget.reserve(60).unwrap();
        assert!(budget.reserve(41).is_none());
        let held = first.hold(&[7; 20]);
        drop(first);
        assert_eq!(budget.used(), 20);
        let again = Arc::clone(&held);
        drop(held);
        assert_eq!((budget.used(), again.bytes()), (20, &[7; 20][..]));
        drop(again);
        assert_eq!((budget.used(), budget.peak()), (0, 60));
        assert!(budget.reserve(usize::MAX).is_none());
    }
}
