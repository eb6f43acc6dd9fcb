//! A bound on what reading may cost: calls are counted at their prices, and refused beyond it.

use super::prices::{EBS_GET, EBS_LIST};
use crate::engine::BoxFuture;
use crate::fault::{Fault, FaultKind};
use crate::remote::{ChunkRun, ChunkStore};
use bytes::Bytes;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Our own name for the fault of a call that would cost too much.
pub const OVER_COST: &str = "flr.max-cost";

/// Dollars are counted in units of 10⁻⁹: prices have seven digits behind the point.
const NANO: f64 = 1e9;

/// What was spent, and what may be.
#[derive(Debug)]
pub(super) struct Meter {
    spent: AtomicU64,
    max: u64,
    max_dollars: f64,
}

impl Meter {
    /// Calls for at most so many dollars.
    #[must_use]
    pub(super) fn new(max_dollars: f64) -> Self {
        Self {
            spent: AtomicU64::new(0),
            max: nano(max_dollars),
            max_dollars,
        }
    }

    /// The same store, with its calls counted.
    #[must_use]
    pub(super) fn over(self: &Arc<Self>, store: Arc<dyn ChunkStore>) -> Arc<dyn ChunkStore> {
        Arc::new(Metered {
            store,
            meter: Arc::clone(self),
        })
    }

    /// One more call that lists.
    pub(super) fn listing(&self) -> Result<(), Fault> {
        self.spend(EBS_LIST)
    }

    fn spend(&self, dollars: f64) -> Result<(), Fault> {
        let spent = self.spent.fetch_add(nano(dollars), Ordering::Relaxed);
        if spent.saturating_add(nano(dollars)) <= self.max {
            return Ok(());
        }
        let what = format!("reading on would cost more than ${}", self.max_dollars);
        Err(Fault::new(FaultKind::Refused, what).with_code(OVER_COST))
    }
}

/// Dollars in whole units; what is no amount is nothing, and what is too much is all there can be.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates, and there is no other way to make one an integer"
)]
fn nano(dollars: f64) -> u64 {
    (dollars * NANO).round() as u64
}

#[derive(Debug)]
struct Metered {
    store: Arc<dyn ChunkStore>,
    meter: Arc<Meter>,
}

impl ChunkStore for Metered {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn size(&self) -> u64 {
        self.store.size()
    }

    fn chunk_len(&self) -> NonZeroU32 {
        self.store.chunk_len()
    }

    fn coalesce_max(&self) -> NonZeroU32 {
        self.store.coalesce_max()
    }

    fn map(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Vec<ChunkRun>, Fault>> {
        // Counted as one call each: a page that is known already costs nothing, and is seldom asked for.
        match self.meter.spend(EBS_LIST) {
            Ok(()) => self.store.map(chunks),
            Err(fault) => Box::pin(std::future::ready(Err(fault))),
        }
    }

    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>> {
        match self.meter.spend(EBS_GET) {
            Ok(()) => self.store.fetch(chunks),
            Err(fault) => Box::pin(std::future::ready(Err(fault))),
        }
    }

    fn cache_names(&self, chunk: u64) -> BoxFuture<'_, Vec<String>> {
        self.store.cache_names(chunk)
    }
}
