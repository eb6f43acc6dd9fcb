//! Whether a table counts sectors of 512 or of 4096 bytes.
//!
//! The table does not say. The kernel asks the device; an image has none. So it is 512, as on almost
//! every disk, unless the disk's own bytes contradict: with an extended partition, where its first
//! record is found; without one, where anything at all is stored at the partitions' starts.

use super::entry::Entry;
use super::record::{BootRecord, LEN};
use crate::source::ByteSource;

/// Sizes in the order in which they are believed.
const USUAL: u64 = 512;
const LARGE: u64 = 4096;

/// How much of a partition must be empty to count against a size. The slowest common filesystem to
/// begin, btrfs, has its first structure at 64 KiB.
const START_LEN: u64 = 128 << 10;

/// The size of the sectors that `record` counts, in bytes. Sectors that cannot be read are no
/// evidence.
pub(super) fn guess(source: &dyn ByteSource, record: &BootRecord) -> u64 {
    let entries: Vec<&Entry> = (record.used())
        .map(|(_, entry)| entry)
        .filter(|entry| !entry.is_protective() && entry.start != 0)
        .collect();
    let fits = |entry: &&Entry| {
        let sectors = u64::from(entry.start).saturating_add(u64::from(entry.count));
        sectors.saturating_mul(LARGE) <= source.size()
    };
    if entries.is_empty() || !entries.iter().all(fits) {
        return USUAL;
    }
    let (links, partitions): (Vec<&Entry>, Vec<&Entry>) =
        (entries.iter()).partition(|entry| entry.is_extended());
    if !links.is_empty() {
        let found = |size| links.iter().any(|entry| is_link(source, entry, size));
        return if !found(USUAL) && found(LARGE) {
            LARGE
        } else {
            USUAL
        };
    }
    let blank = |size| (partitions.iter()).all(|entry| is_blank(source, entry, size));
    if blank(USUAL) && !blank(LARGE) {
        LARGE
    } else {
        USUAL
    }
}

/// Whether a boot record lies at the start of the entry.
fn is_link(source: &dyn ByteSource, entry: &Entry, sector_size: u64) -> bool {
    let mut raw = [0; LEN];
    let at = u64::from(entry.start).saturating_mul(sector_size);
    source.read_at(at, &mut raw).is_ok() && BootRecord::parse(&raw).is_some()
}

/// Whether the first bytes of the entry are all zero.
fn is_blank(source: &dyn ByteSource, entry: &Entry, sector_size: u64) -> bool {
    let start = u64::from(entry.start).saturating_mul(sector_size);
    let len = u64::from(entry.count).saturating_mul(sector_size);
    let end = start.saturating_add(len.min(START_LEN));
    let mut buf = [0; 4096];
    let mut at = start;
    while at < end {
        let part = crate::bytes::clamp_usize(end.saturating_sub(at), buf.len());
        let Some(part) = buf.get_mut(..part) else {
            return false;
        };
        if source.read_at(at, part).is_err() || part.iter().any(|byte| *byte != 0) {
            return false;
        }
        at = at.saturating_add(4096);
    }
    true
}
