//! A bound on what reading may cost: calls are counted at their prices, and refused beyond it.

use super::prices::{EBS_GET, EBS_LIST};
use crate::engine::BoxFuture;
use crate::fault::{Fault, FaultKind};
use crate::point::OpenHow;
use crate::remote::{ChunkRun, ChunkStore};
use crate::spent::Spent;
use bytes::Bytes;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// Our own name for the fault of a call that would cost too much.
pub const OVER_COST: &str = "flr.max-cost";

/// What was spent, and what may be.
#[derive(Debug)]
pub(super) struct Meter {
    spent: Spent,
    max_dollars: f64,
}

impl Meter {
    /// Counts calls into what the command has spent, within what it may; `None`: it may spend anything.
    pub(super) fn of(how: &OpenHow) -> Option<Arc<Self>> {
        let max_dollars = how.max_cost.filter(|_| !how.yes)?;
        Some(Arc::new(Self {
            spent: how.spent.clone(),
            max_dollars,
        }))
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
        if self.spent.add(dollars, self.max_dollars) {
            return Ok(());
        }
        let what = format!("reading on would cost more than ${}", self.max_dollars);
        Err(Fault::new(FaultKind::Refused, what).with_code(OVER_COST))
    }
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
