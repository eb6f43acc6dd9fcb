//! All records of the `$MFT`: their own bitmap, and whether the pieces of a file agree.

use super::super::attribute::types;
use super::super::file::{self, File};
use super::super::mft::{self, FIRST_USER_RECORD, Mft};
use super::super::record::Record;
use super::super::{codes, free_space};
use super::bits::StoredBits;
use super::clusters::Clusters;
use super::{Checker, fault_of};
use crate::error::{Error, Fault, Result};
use crate::node::NodeId;
use crate::source::{ByteSource, SegmentKind};
use std::collections::BTreeSet;

/// Records between two questions whether to go on.
pub(super) const STEP: u64 = 1024;
/// Records with overflow of no file that are told.
const OVERFLOW_COUNT_MAX: usize = 64;

/// The two bitmaps of a volume, those that can be had.
pub(super) struct Bitmaps {
    /// `$Bitmap`: clusters in use.
    pub(super) clusters: Option<StoredBits>,
    /// Where its map begins, for messages.
    pub(super) clusters_at: u64,
    /// `$BITMAP` of the `$MFT`: records in use.
    records: Option<StoredBits>,
    records_at: u64,
}

impl Bitmaps {
    pub(super) fn open(checker: &mut Checker<'_>) -> Self {
        let (clusters, clusters_at) = checker.bitmap(free_space::BITMAP, types::DATA);
        let (records, records_at) = checker.bitmap(mft::MFT, types::BITMAP);
        Self {
            clusters,
            clusters_at,
            records,
            records_at,
        }
    }

    /// Whether the bitmap of records says that one is in use. `None` if it cannot be asked.
    fn is_marked(&mut self, checker: &mut Checker<'_>, number: u64) -> Option<bool> {
        match self.records.as_mut()?.get(number) {
            Ok(marked) => Some(marked),
            Err(error) => {
                checker.failed(&error);
                self.records = None;
                None
            }
        }
    }

    /// Byte of the volume with the bit of a cluster.
    pub(super) fn byte_of_cluster(&self, cluster: u64) -> u64 {
        let bits = self.clusters.as_ref();
        bits.and_then(|bits| bits.place(cluster))
            .unwrap_or(self.clusters_at)
    }
}

/// Records that their own bitmap says something else of.
#[derive(Default)]
struct Disagreement {
    count: u64,
    first: u64,
}

impl Disagreement {
    fn add(&mut self, number: u64) {
        if self.count == 0 {
            self.first = number;
        }
        self.count = self.count.saturating_add(1);
    }
}

/// Numbers of the records that are stored, ascending. Holes of the `$MFT` hold none, and a part of it
/// that cannot be found has one for all of them.
pub(super) struct Numbers<'a> {
    mft: &'a Mft,
    next: u64,
    /// Byte of the `$MFT` up to which records are known to be stored.
    stored_to: u64,
    /// Runs may name the same clusters again and again: no more records than there is room for.
    left: u64,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(mft: &'a Mft) -> Self {
        let size = u64::from(mft.disk.boot.record_size).max(1);
        Self {
            mft,
            next: 0,
            stored_to: 0,
            left: mft.disk.source.size().checked_div(size).unwrap_or(0),
        }
    }
}

impl Iterator for Numbers<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let size = u64::from(self.mft.disk.boot.record_size).max(1);
        let content = self.mft.content();
        while self.next < self.mft.record_count() && self.left > 0 {
            let number = self.next;
            let offset = number.saturating_mul(size);
            self.next = number.saturating_add(1);
            if offset >= self.stored_to
                && let Ok(segment) = content.segment_at(offset..content.size())
            {
                let whole = segment.len.checked_div(size).unwrap_or(1).max(1);
                match segment.kind {
                    SegmentKind::Hole | SegmentKind::Unwritten if segment.len >= size => {
                        self.next = number.saturating_add(whole);
                        continue;
                    }
                    SegmentKind::Missing(_) => self.next = number.saturating_add(whole),
                    _ => self.stored_to = offset.saturating_add(segment.len),
                }
            }
            self.left = self.left.saturating_sub(1);
            return Some(number);
        }
        None
    }
}

impl Checker<'_> {
    fn bitmap(&mut self, record: u64, type_code: u32) -> (Option<StoredBits>, u64) {
        let file = match self.volume.file(NodeId(record)) {
            Ok(file) => file,
            Err(error) => {
                self.failed(&error);
                return (None, 0);
            }
        };
        let at = file.base.at;
        match file.stream(type_code, &[]) {
            Ok(Some(stream)) => (Some(StoredBits::new(&self.mft.disk, stream)), at),
            Ok(None) => {
                let detail = format!("record {record} has no bitmap");
                self.damaged(Fault::new(codes::BITMAP, at, detail));
                (None, at)
            }
            Err(error) => {
                self.failed(&error);
                (None, at)
            }
        }
    }

    /// Looks at every record. `is_first`: all of it, else at its clusters only.
    pub(super) fn records(
        &mut self,
        bitmaps: &mut Bitmaps,
        clusters: &mut Clusters,
        is_first: bool,
    ) -> Result<()> {
        let (mut free, mut lost) = (Disagreement::default(), Disagreement::default());
        let mut unread: Option<(Fault, u64)> = None;
        for number in Numbers::of(self.mft) {
            if number.is_multiple_of(STEP) {
                self.go_on()?;
            }
            let record = self.mft.record(number);
            let marked = match is_first {
                true => bitmaps.is_marked(self, number),
                false => None,
            };
            match record {
                Ok(record) => {
                    self.mark(&record, clusters, !is_first);
                    if is_first {
                        // Those of the format are nobody else's whatever the bitmap says, and ntfs-3g
                        // puts overflow of the `$MFT` there without a word to it.
                        if marked == Some(false) && number >= FIRST_USER_RECORD {
                            free.add(number);
                        }
                        self.pieces(&record);
                    }
                }
                Err(Error::Request(_)) => {
                    if marked == Some(true) && number >= FIRST_USER_RECORD {
                        lost.add(number);
                    }
                }
                Err(error) if is_first => self.unreadable(number, &error, marked, &mut unread),
                Err(_) => {}
            }
        }
        if is_first {
            if let Some((mut fault, count)) = unread {
                fault.detail = format!("{count} records from here on: {}", fault.detail).into();
                self.damaged(fault);
            }
            self.record_bitmap(bitmaps, &free, &lost);
            self.overflow();
            self.tell_unreachable();
        }
        Ok(())
    }

    /// A record that makes no sense or cannot be read.
    fn unreadable(
        &mut self,
        number: u64,
        error: &Error,
        marked: Option<bool>,
        unread: &mut Option<(Fault, u64)>,
    ) {
        let reached = (self.ctx.reached)(NodeId(number));
        // What lies in a record that was never used is no matter.
        if marked == Some(false) && !reached {
            return;
        }
        self.unread = self.unread.saturating_add(1);
        let mut fault = fault_of(error);
        if matches!(error, Error::Io { .. }) {
            // One message for all of them: a dead disk has many.
            let (_, count) = unread.get_or_insert((fault, 0));
            *count = count.saturating_add(1);
            return;
        }
        if !reached {
            fault.detail = format!("{} (no name leads to it)", fault.detail).into();
        }
        self.damaged(fault);
    }

    fn record_bitmap(&mut self, bitmaps: &Bitmaps, free: &Disagreement, lost: &Disagreement) {
        let bits = bitmaps.records.as_ref();
        let place = |number| bits.and_then(|bits| bits.place(number));
        let at = |number| place(number).unwrap_or(bitmaps.records_at);
        if free.count > 0 {
            let detail = format!(
                "{} records in use are marked free in the bitmap of the MFT, the first is {}",
                free.count, free.first
            );
            self.unsettled(Fault::new(codes::MFT_BITMAP_FREE, at(free.first), detail));
        }
        if lost.count > 0 {
            let detail = format!(
                "{} records are marked used in the bitmap of the MFT and are not, the first is {}",
                lost.count, lost.first
            );
            self.remark(Fault::new(codes::MFT_BITMAP_LOST, at(lost.first), detail));
        }
    }

    /// Whether the pieces of one file agree. `record` may be any of them.
    fn pieces(&mut self, record: &Record) {
        if record.base.is_some() {
            return self.overflow.toggle(record.number);
        }
        let list = file::list_of(&self.mft.disk, record);
        let (mut seen, mut damaged) = (BTreeSet::new(), false);
        if let Some(list) = &list {
            for entry in list.entries() {
                let number = entry.reference.record();
                if number == record.number || !seen.insert(number) {
                    continue;
                }
                match self.mft.extension(record, entry.reference) {
                    Ok(_) => self.overflow.toggle(number),
                    Err(error) => {
                        damaged = true;
                        self.failed(&error);
                    }
                }
            }
            if let Some(error) = list.damage() {
                damaged = true;
                self.failed(error);
            }
        }
        if record.number >= FIRST_USER_RECORD && !damaged {
            self.names(&File::new(self.mft, record.clone()));
        }
    }

    /// Records with overflow that no file has, now that all files have been seen.
    fn overflow(&mut self) {
        let numbers: Vec<_> = self.overflow.iter().take(OVERFLOW_COUNT_MAX).collect();
        for number in numbers {
            let Ok(record) = self.mft.record(number) else {
                continue;
            };
            let Some(base) = record.base else { continue };
            let owner = self.mft.record(base.record());
            let why = match &owner {
                Err(Error::Request(_)) => "which is not in use",
                // Told already, and its list with it.
                Err(_) => continue,
                Ok(owner) if owner.base.is_some() => "which is overflow itself",
                Ok(owner) if !base.fits(owner.sequence) => "which is another file by now",
                Ok(owner) => match file::list_of(&self.mft.disk, owner) {
                    Some(list) if list.damage().is_some() => continue,
                    Some(_) | None => "which does not know of it",
                },
            };
            let detail = format!("record {number} holds overflow of record {base}, {why}");
            self.unsettled(Fault::new(codes::RECORD_BASE, record.at, detail));
        }
    }
}
