//! Which blocks two snapshots of a volume have in common, so that what was read of one need not be
//! fetched, or not even looked at, of the other.
//!
//! The list of what changed is the service's word, and there is no way to check it: a block that it leaves
//! out is taken for the same.

use super::client::Client;
use super::coverage::Coverage;
use super::ebs::{BLOCK_LEN, PAGE_MAX, Page, Position, Volume, list_changed_blocks};
use super::listing::{Lister, list};
use super::meter::Meter;
use super::snapshot::REGION;
use crate::fault::Fault;
use crate::point::{Access, AccessMode, CommonDisk, DiskInfo, OpenHow, PointInfo, Unchanged};
use crate::remote::block_on;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Mutex as AsyncMutex;

/// Memory for indexes of blocks that changed: some millions.
const CHANGED_MAX: usize = 8 << 20;

/// Failures after which nobody asks any more. Each costs a call, and what is missed is a fetch.
const FAILURES_MAX: u32 = 3;

/// Two snapshots of one volume.
#[derive(Debug)]
pub(super) struct Changed {
    source: Source,
    volume: Volume,
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
    meter: Option<Arc<Meter>>,
}

impl Lister for Source {
    type Item = ();

    fn name(&self) -> String {
        format!("what changed from {} to {}", self.first, self.second)
    }

    async fn page(&self, position: Position<'_>) -> Result<Page<()>, Fault> {
        if let Some(meter) = &self.meter {
            meter.listing()?;
        }
        let (first, second) = (&self.first, &self.second);
        list_changed_blocks(&self.client, first, second, position, PAGE_MAX).await
    }
}

impl Changed {
    /// What changed from `first` to `second`, of which `volume` holds. Makes no call.
    pub(super) fn new(
        client: &Client,
        (first, second): (String, String),
        volume: Volume,
        meter: Option<Arc<Meter>>,
    ) -> Self {
        Self {
            source: Source {
                client: client.clone(),
                first,
                second,
                meter,
            },
            volume,
            changed: Mutex::new(Coverage::new(CHANGED_MAX)),
            listing: AsyncMutex::new(()),
            failures: AtomicU32::new(0),
        }
    }

    /// Whether a block is known to be the same in both. What cannot be found out is not the same.
    pub(super) async fn is_same(&self, index: u64) -> bool {
        if index >= self.volume.blocks {
            return false;
        }
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
                tracing::info!(%fault, "cannot list {}", self.source.name());
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

impl Unchanged for Changed {
    fn stretch(&self, range: Range<u64>) -> (u64, bool) {
        let block = u64::from(BLOCK_LEN);
        let index_of = |at: u64| at.checked_div(block).unwrap_or(0);
        block_on(async {
            let mut index = index_of(range.start);
            let is_same = self.is_same(index).await;
            loop {
                index = index.saturating_add(1);
                let at = index.saturating_mul(block).min(range.end);
                if at >= range.end || self.is_same(index).await != is_same {
                    return (at.saturating_sub(range.start).max(1), is_same);
                }
            }
        })
    }
}

/// A snapshot and itself.
#[derive(Debug)]
struct Itself;

impl Unchanged for Itself {
    fn stretch(&self, range: Range<u64>) -> (u64, bool) {
        (range.end.saturating_sub(range.start).max(1), true)
    }
}

/// Disks of two points that are snapshots of one volume and can be asked what changed.
pub(super) fn common(
    client: &Client,
    before: &PointInfo,
    after: &PointInfo,
    how: &OpenHow,
) -> Vec<CommonDisk> {
    let direct = |point: &PointInfo| point.access == Access::Direct;
    let place = |point: &PointInfo| (point.account.clone(), point.region.clone());
    if how.access == AccessMode::Clone
        || !(direct(before) && direct(after))
        || place(before) != place(after)
    {
        return Vec::new();
    }
    let meter = Meter::of(how);
    let is_older = before.time <= after.time;
    let mut common = Vec::new();
    for (before, old) in before.disks.iter().enumerate() {
        for (after, new) in after.disks.iter().enumerate() {
            let pair = if is_older { (old, new) } else { (new, old) };
            if let Some(unchanged) = between(client, pair, meter.clone()) {
                common.push(CommonDisk {
                    before,
                    after,
                    unchanged,
                });
            }
        }
    }
    common
}

/// What did not change between two snapshots, the older one first, if they are of one volume.
fn between(
    client: &Client,
    (first, second): (&DiskInfo, &DiskInfo),
    meter: Option<Arc<Meter>>,
) -> Option<Arc<dyn Unchanged>> {
    if first.id == second.id {
        return Some(Arc::new(Itself));
    }
    if first.volume.is_none() || first.volume != second.volume {
        return None;
    }
    // A block behind the end of the smaller one is not in both.
    let blocks = first.size.min(second.size).checked_div(BLOCK_LEN.into());
    let volume = Volume {
        blocks: blocks.unwrap_or(0),
        announced: BLOCK_LEN.into(),
    };
    let ids = (first.id.clone(), second.id.clone());
    Some(Arc::new(Changed::new(client, ids, volume, meter)))
}
