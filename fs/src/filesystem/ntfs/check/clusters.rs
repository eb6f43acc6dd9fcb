//! Who owns which cluster, by the runs of all records in use, against `$Bitmap`.
//!
//! One bit says that a cluster is owned. That it has a second owner is seen when the second one comes;
//! who they are is looked up afterwards, for the few ranges that are told.

use super::super::attribute::Form;
use super::super::codes;
use super::super::record::Record;
use super::super::run_list::RunList;
use super::bits::StoredBits;
use super::records::{Bitmaps, Numbers, STEP};
use super::{Checker, Mft};
use crate::bytes::len_u64;
use crate::error::{Fault, Result};
use std::collections::BTreeSet;
use std::ops::Range;

/// Passes at most, with [`crate::Limits::check_bytes`] of bits each.
const PASS_COUNT_MAX: u64 = 16;
/// Ranges with two owners that are told.
const SHARED_COUNT_MAX: usize = 16;
/// Owners of one range that are told.
const OWNER_COUNT_MAX: usize = 4;

/// The clusters of one pass.
pub(super) struct Clusters {
    window: Range<u64>,
    owned: Vec<u64>,
    /// Clusters that may still be marked. Each has one owner, so a sound volume never uses them up.
    left: u64,
    shared: Vec<Range<u64>>,
    shared_count: u64,
}

impl Clusters {
    fn new(window: Range<u64>) -> Self {
        let len = window.end.saturating_sub(window.start);
        let words = usize::try_from(len.div_ceil(64)).unwrap_or(0);
        Self {
            owned: vec![0; words],
            // As many again for those with two owners: more are not counted.
            left: len.saturating_mul(2),
            window,
            shared: Vec::new(),
            shared_count: 0,
        }
    }

    /// Marks the clusters of a run that lie in the window.
    fn mark(&mut self, run: Range<u64>) {
        let start = run.start.max(self.window.start);
        let end = run.end.min(self.window.end);
        let len = end.saturating_sub(start);
        if len == 0 || len > self.left {
            return;
        }
        self.left = self.left.saturating_sub(len);
        let mut at = start;
        while at < end {
            let within = at.saturating_sub(self.window.start);
            let bit = within & 63;
            let count = (64_u64.saturating_sub(bit)).min(end.saturating_sub(at));
            let mask = (u64::MAX >> 64_u64.saturating_sub(count)) << bit;
            let index = usize::try_from(within >> 6).unwrap_or(usize::MAX);
            let Some(word) = self.owned.get_mut(index) else {
                return;
            };
            let shared = *word & mask;
            *word |= mask;
            if shared != 0 {
                self.share(at.saturating_sub(bit), shared);
            }
            at = at.saturating_add(count);
        }
    }

    /// Remembers clusters that have an owner already: bits of the word that begins at `base`.
    fn share(&mut self, base: u64, bits: u64) {
        self.shared_count = self.shared_count.saturating_add(bits.count_ones().into());
        for bit in (0..64_u64).filter(|bit| bits >> bit & 1 != 0) {
            let cluster = base.saturating_add(bit);
            let end = cluster.saturating_add(1);
            let has_room = self.shared.len() < SHARED_COUNT_MAX;
            match self.shared.last_mut() {
                Some(last) if last.end == cluster => last.end = end,
                _ if has_room => self.shared.push(cluster..end),
                _ => return,
            }
        }
    }
}

/// Clusters that `$Bitmap` and the runs do not agree about.
#[derive(Default)]
struct Disagreement {
    count: u64,
    first: u64,
}

impl Disagreement {
    fn add(&mut self, base: u64, bits: u64) {
        if bits == 0 {
            return;
        }
        if self.count == 0 {
            self.first = base.saturating_add(bits.trailing_zeros().into());
        }
        self.count = self.count.saturating_add(bits.count_ones().into());
    }
}

impl Checker<'_> {
    /// Looks at all records, and at the clusters that they own.
    pub(super) fn clusters(&mut self) -> Result<()> {
        let mut bitmaps = Bitmaps::open(self);
        let boot = &self.mft.disk.boot;
        let there = self.mft.disk.source.size();
        let there = there.div_ceil(boot.cluster_size.max(1).into());
        let mut count = boot.clusters.min(there);
        if let Some(bits) = &bitmaps.clusters
            && bits.len() < boot.clusters
        {
            let detail = format!(
                "$Bitmap has {} bits for {} clusters",
                bits.len(),
                boot.clusters
            );
            let at = bitmaps.clusters_at;
            self.damaged(Fault::new(codes::BITMAP, at, detail));
            count = count.min(bits.len());
        }
        // Whole words, of which there are pieces of a stored bitmap.
        let window = len_u64(self.mft.disk.limits.check_bytes & !7)
            .max(8)
            .saturating_mul(8);
        let passes = count.div_ceil(window).clamp(1, PASS_COUNT_MAX);
        let (mut free, mut lost) = (Disagreement::default(), Disagreement::default());
        for pass in 0..passes {
            let start = pass.saturating_mul(window);
            let end = start.saturating_add(window).min(count);
            let mut clusters = Clusters::new(start..end);
            self.records(&mut bitmaps, &mut clusters, pass == 0)?;
            self.shared(&clusters)?;
            if let Some(bits) = &mut bitmaps.clusters
                && let Err(error) = compare(&clusters, bits, &mut free, &mut lost)
            {
                self.damaged(Fault::new(
                    codes::BITMAP,
                    bitmaps.clusters_at,
                    error.to_string(),
                ));
                bitmaps.clusters = None;
            }
        }
        let checked = passes.saturating_mul(window);
        if checked < count {
            let detail = format!("only the first {checked} of {count} clusters were compared");
            self.remark(Fault::new(codes::BITMAP_LIMIT, bitmaps.clusters_at, detail));
        }
        self.disagreement(&bitmaps, &free, &lost);
        Ok(())
    }

    fn disagreement(&mut self, bitmaps: &Bitmaps, free: &Disagreement, lost: &Disagreement) {
        if free.count > 0 {
            let detail = format!(
                "{} clusters in use are marked free in $Bitmap, the first is {:#x}",
                free.count, free.first
            );
            let at = bitmaps.byte_of_cluster(free.first);
            self.unsettled(Fault::new(codes::BITMAP_FREE, at, detail));
        }
        // Records that could not be read own clusters too.
        if lost.count > 0 && self.unread == 0 {
            let detail = format!(
                "{} clusters are marked used in $Bitmap and no file has them, the first is {:#x}",
                lost.count, lost.first
            );
            let at = bitmaps.byte_of_cluster(lost.first);
            self.remark(Fault::new(codes::BITMAP_LOST, at, detail));
        }
    }

    /// Marks the clusters of a record. `is_told`: whether what makes no sense has been told already.
    pub(super) fn mark(&mut self, record: &Record, clusters: &mut Clusters, is_told: bool) {
        each_run(self.mft, record, &mut |run| match run {
            Ok(run) => clusters.mark(run),
            Err(error) if !is_told => self.failed(&error),
            Err(_) => {}
        });
    }

    /// Says who owns the clusters that have two owners.
    fn shared(&mut self, clusters: &Clusters) -> Result<()> {
        if clusters.shared.is_empty() {
            return Ok(());
        }
        let mut owners = vec![BTreeSet::new(); clusters.shared.len()];
        let mft = self.mft;
        for number in Numbers::of(mft) {
            if number.is_multiple_of(STEP) {
                self.go_on()?;
            }
            let Ok(record) = mft.record(number) else {
                continue;
            };
            let owner = record.base.map_or(record.number, |base| base.record());
            each_run(mft, &record, &mut |run| {
                let Ok(run) = run else { return };
                for (shared, owners) in clusters.shared.iter().zip(&mut owners) {
                    if run.start < shared.end && shared.start < run.end {
                        owners.insert(owner);
                    }
                }
            });
        }
        let mut told: u64 = 0;
        for (shared, owners) in clusters.shared.iter().zip(&owners) {
            let len = shared.end.saturating_sub(shared.start);
            told = told.saturating_add(len);
            let names: Vec<_> = (owners.iter().take(OWNER_COUNT_MAX))
                .map(|owner| self.shown(*owner))
                .collect();
            let whose = match owners.len() {
                1 => format!("belong twice to {}", names.join("")),
                count if count > OWNER_COUNT_MAX => format!("belong to {} …", names.join(", ")),
                _ => format!("belong to {}", names.join(" and to ")),
            };
            let detail = format!("{len} clusters from {:#x} on {whose}", shared.start);
            let at = self.mft.disk.boot.byte_of(shared.start);
            self.damaged(Fault::new(codes::CLUSTER_SHARED, at, detail));
        }
        if told < clusters.shared_count {
            let rest = clusters.shared_count.saturating_sub(told);
            let detail = format!("{rest} more clusters have two owners");
            self.damaged(Fault::new(codes::CLUSTER_SHARED, 0, detail));
        }
        Ok(())
    }
}

/// Every stored run of a record, as clusters of the volume, and what makes no sense in it.
fn each_run(mft: &Mft, record: &Record, visit: &mut dyn FnMut(Result<Range<u64>>)) {
    let bounds = mft.disk.run_bounds();
    for attribute in record.attributes() {
        let attribute = match attribute {
            Ok(attribute) => attribute,
            Err(error) => return visit(Err(error)),
        };
        let Form::NonResident(piece) = attribute.form else {
            continue;
        };
        let mut runs = RunList::default();
        let pushed = runs.push_pairs(
            piece.mapping_pairs,
            piece.lowest_vcn,
            piece.highest_vcn,
            &bounds,
            attribute.at,
        );
        if let Err(error) = pushed {
            visit(Err(error));
        }
        for run in runs.runs() {
            if let Some(lcn) = run.lcn {
                visit(Ok(lcn..lcn.saturating_add(run.clusters)));
            }
        }
    }
}

fn compare(
    clusters: &Clusters,
    stored: &mut StoredBits,
    free: &mut Disagreement,
    lost: &mut Disagreement,
) -> Result<()> {
    for (index, owned) in clusters.owned.iter().enumerate() {
        let base = (clusters.window.start).saturating_add(len_u64(index).saturating_mul(64));
        let left = clusters.window.end.saturating_sub(base).min(64);
        let mask = u64::MAX >> 64_u64.saturating_sub(left);
        let marked = stored.word(base)?;
        free.add(base, owned & !marked & mask);
        lost.add(base, marked & !owned & mask);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_noticed_and_the_first_is_not() {
        let mut clusters = Clusters::new(128..1000);
        clusters.mark(0..200);
        clusters.mark(300..301);
        assert_eq!((clusters.shared_count, clusters.shared.len()), (0, 0));
        clusters.mark(190..310);
        assert_eq!(clusters.shared, [190..200, 300..301]);
        assert_eq!(clusters.shared_count, 11);
        clusters.mark(999..5000);
        assert_eq!(clusters.owned.last(), Some(&(1 << 39)));
    }

    #[test]
    fn work_is_bounded() {
        let mut clusters = Clusters::new(0..1 << 20);
        for _ in 0..1_000_000 {
            clusters.mark(0..1 << 20);
        }
        assert_eq!(clusters.left, 0);
        assert_eq!(clusters.shared.first(), Some(&(0..1 << 20)));
        assert_eq!(clusters.shared.len(), 1);
    }
}
