//! Which blocks two snapshots of a volume have in common, so that what was read of one need not be
//! fetched of the other.

use super::client::Client;
use super::coverage::Coverage;
use super::ebs::{PAGE_MAX, Page, Position, Volume, list_changed_blocks};
use super::listing::{Lister, list};
use super::snapshot::REGION;
use crate::fault::Fault;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Mutex as AsyncMutex;

/// Memory for indexes of blocks that changed: some millions.
const CHANGED_MAX: usize = 8 << 20;

/// Failures after which nobody asks any more. Each costs a call, and what is missed is a fetch.
const FAILURES_MAX: u32 = 3;

/// Another snapshot of the same volume.
#[derive(Debug)]
pub(super) struct Relative {
    source: Source,
    volume: Volume,
    cache_name: String,
    changed: Mutex<Coverage<()>>,
    /// Held while a listing is made.
    listing: AsyncMutex<()>,
    failures: AtomicU32,
}

#[derive(Debug)]
struct Source {
    client: Client,
    first: String,
    second: String,
}

impl Lister for Source {
    type Item = ();

    fn name(&self) -> String {
        format!("what changed from {} to {}", self.first, self.second)
    }

    async fn page(&self, position: Position<'_>) -> Result<Page<()>, Fault> {
        let (first, second) = (&self.first, &self.second);
        list_changed_blocks(&self.client, first, second, position, PAGE_MAX).await
    }
}

impl Relative {
    /// The relative `first` of a snapshot `second`. Makes no call.
    pub(super) fn new(
        client: &Client,
        first: String,
        second: String,
        cache_name: String,
        volume: Volume,
    ) -> Self {
        Self {
            source: Source {
                client: client.clone(),
                first,
                second,
            },
            volume,
            cache_name,
            changed: Mutex::new(Coverage::new(CHANGED_MAX)),
            listing: AsyncMutex::new(()),
            failures: AtomicU32::new(0),
        }
    }

    /// Under which name its blocks are kept.
    pub(super) fn cache_name(&self) -> &str {
        &self.cache_name
    }

    /// Whether a block is known to be the same in both. What cannot be found out is not the same.
    pub(super) async fn is_same(&self, index: u64) -> bool {
        if let Some(same) = self.known(index) {
            return same;
        }
        let _listing = self.listing.lock().await;
        if let Some(same) = self.known(index) {
            return same;
        }
        if self.failures.load(Ordering::Relaxed) >= FAILURES_MAX {
            return false;
        }
        match self.learn(index).await {
            Ok(()) => self.known(index).unwrap_or_else(|| {
                // The listing ends before it: the other volume was smaller.
                self.failures.fetch_add(1, Ordering::Relaxed);
                false
            }),
            Err(fault) => {
                // Snapshots that are not related will not be next time.
                let weight = if fault.is_temporary() {
                    1
                } else {
                    FAILURES_MAX
                };
                self.failures.fetch_add(weight, Ordering::Relaxed);
                tracing::debug!(%fault, "cannot list {}", self.source.name());
                false
            }
        }
    }

    fn known(&self, index: u64) -> Option<bool> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let stretch = changed.find(index)?;
        Some(stretch.get(index).is_none())
    }

    async fn learn(&self, index: u64) -> Result<(), Fault> {
        let changed = || self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = changed().gap(index, self.volume.blocks);
        let region = index
            .checked_div(REGION)
            .unwrap_or(0)
            .saturating_mul(REGION);
        let (mut stretch, volume) = list(&self.source, region.max(gap.start), index).await?;
        // A volume may have grown between the two. A block has the same length in both.
        if volume.announced != self.volume.announced {
            return Ok(());
        }
        stretch.clip(&gap);
        changed().insert(stretch);
        Ok(())
    }
}
