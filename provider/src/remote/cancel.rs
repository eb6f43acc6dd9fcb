//! Ending all reads at once: Ctrl-C, unmounting.

use super::hub::Hub;
use super::lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Ends the reads of every source that was made with it, now and for ever. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    sources: Mutex<Vec<Weak<Hub>>>,
}

impl Cancel {
    /// Makes all waiting and all future reads fail with
    /// [`Request::Cancelled`](flr_fs::error::Request::Cancelled). Does not block; not for a signal
    /// handler, which may not lock.
    pub fn cancel(&self) {
        let sources = {
            let mut sources = lock(&self.0.sources);
            self.0.cancelled.store(true, Ordering::SeqCst);
            std::mem::take(&mut *sources)
        };
        for hub in sources.iter().filter_map(Weak::upgrade) {
            hub.cancel();
        }
    }

    /// Whether it has been called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Adds a source.
    pub(super) fn add(&self, hub: &Arc<Hub>) {
        let mut sources = lock(&self.0.sources);
        if self.is_cancelled() {
            drop(sources);
            hub.cancel();
            return;
        }
        sources.retain(|source| source.strong_count() > 0);
        sources.push(Arc::downgrade(hub));
    }
}
