//! MBR, the DOS partition table: four primary partitions in sector 0, logical ones in a chain of
//! further records, numbered as Linux numbers them.
//!
//! | file | structure |
//! |---|---|
//! | `record` | the sector with its signature, and how it differs from a filesystem's boot sector |
//! | `entry` | one of its four entries, and the names of the types |
//! | `chain` | extended boot records |
//! | `sector_size` | 512 or 4096 |
//! | `cut` | a partition that the source ends inside of |
//!
//! Specification: Linux `block/partitions/msdos.c`. Not read: the BSD, Solaris, Minix and UnixWare
//! tables that may lie inside of a primary partition.

mod chain;
pub mod codes;
mod entry;
mod record;
mod sector_size;

use crate::bytes::len_u64;
use crate::cut::Cut;
use crate::error::{Code, Error, Fault, Result};
use crate::format::{Confidence, Format, Layer, Match, OpenContext, Opened, Volume, only_member};
use crate::source::{ByteSource, Slice};
use entry::Entry;
use record::{BootRecord, LEN, entry_offset};
use std::sync::Arc;

/// The DOS partition table.
#[derive(Debug)]
pub struct Mbr;

/// An entry, and where what it describes lies in bytes.
#[derive(Clone, Copy, Debug)]
struct Placed {
    number: u32,
    entry: Entry,
    entry_at: u64,
    table_at: u64,
    start: u64,
    size: u64,
}

impl Placed {
    const fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }
}

impl Format for Mbr {
    fn name(&self) -> &'static str {
        "mbr"
    }

    fn codes(&self) -> &'static [Code] {
        codes::ALL
    }

    fn probe(&self, source: &dyn ByteSource) -> Result<Option<Match>> {
        if source.size() < len_u64(LEN) {
            return Ok(None);
        }
        let mut raw = [0; LEN];
        source.read_at(0, &mut raw)?;
        let confidence = BootRecord::parse(&raw).and_then(|record| confidence(&record, source));
        Ok(confidence.map(|confidence| Match { confidence }))
    }
}

/// Likely: every entry in use starts behind the table and inside of the source, and none overlaps
/// another. A GPT's guard and a filesystem's boot sector are never more than weak.
fn confidence(record: &BootRecord, source: &dyn ByteSource) -> Option<Confidence> {
    if record.bad_flag().is_some() || record.used().next().is_none() {
        return None;
    }
    // The smallest sectors give the smallest offsets: what lies outside with them always does.
    let inside = |entry: &Entry| {
        entry.start != 0 && u64::from(entry.start).saturating_mul(512) < source.size()
    };
    let sane = record.used().all(|(_, entry)| inside(entry))
        && overlaps(&primaries(record, 512)).is_empty();
    let guard = record.used().any(|(_, entry)| entry.is_protective());
    match (record.is_boot_sector, sane) {
        (true, false) => None,
        (false, true) if !guard => Some(Confidence::Likely),
        _ => Some(Confidence::Weak),
    }
}

impl Layer for Mbr {
    fn open(&self, members: &[Arc<dyn ByteSource>], ctx: &OpenContext<'_>) -> Result<Opened> {
        let source = only_member(members)?;
        let mut raw = [0; LEN];
        if source.size() >= len_u64(LEN) {
            source.read_at(0, &mut raw)?;
        }
        let Some(record) = BootRecord::parse(&raw) else {
            let detail = "sector 0 should end in 55 aa";
            return Err(Error::corrupt(codes::SIGNATURE, 0, detail));
        };
        if let Some(index) = record.bad_flag() {
            let detail = "a boot flag should be 0x00 or 0x80";
            let at = len_u64(entry_offset(index));
            return Err(Error::corrupt(codes::FLAG, at, detail));
        }
        let mut notes = Vec::new();
        if record.is_boot_sector {
            let detail = "sector 0 is also the boot sector of a filesystem";
            notes.push(Fault::new(codes::BOOT_SECTOR, 0, detail));
        }
        let sector_size = sector_size::guess(source.as_ref(), &record);
        if sector_size != 512 {
            let detail = format!("the table counts sectors of {sector_size} bytes");
            notes.push(Fault::new(codes::SECTOR_SIZE, 0, detail));
        }
        let found = collect(source.as_ref(), &record, sector_size, ctx, &mut notes);
        for (first, second) in overlaps(&found) {
            let detail = format!(
                "partition {} starts inside of partition {}",
                second.number, first.number
            );
            notes.push(Fault::new(codes::ENTRY_OVERLAP, second.entry_at, detail));
        }
        let volumes = (found.iter())
            .map(|placed| volume(source, &record, placed, &mut notes))
            .collect();
        Ok(Opened { volumes, notes })
    }
}

/// Primary partitions without the extended ones, in the order of the table.
fn primaries(record: &BootRecord, sector_size: u64) -> Vec<Placed> {
    (record.used())
        .filter(|(_, entry)| !entry.is_extended())
        .map(|(index, entry)| Placed {
            number: u32::try_from(index.saturating_add(1)).unwrap_or(u32::MAX),
            entry: *entry,
            entry_at: len_u64(entry_offset(index)),
            table_at: 0,
            start: u64::from(entry.start).saturating_mul(sector_size),
            size: u64::from(entry.count).saturating_mul(sector_size),
        })
        .collect()
}

/// Primary and logical partitions by number. The extended ones only hold others and are not listed;
/// their numbers stay free.
fn collect(
    source: &dyn ByteSource,
    record: &BootRecord,
    sector_size: u64,
    ctx: &OpenContext<'_>,
    notes: &mut Vec<Fault>,
) -> Vec<Placed> {
    let mut found = primaries(record, sector_size);
    let mut next = 5;
    for (_, entry) in record.used().filter(|(_, entry)| entry.is_extended()) {
        let extended = chain::Extended {
            sector_size,
            first: u64::from(entry.start),
            count: u64::from(entry.count),
        };
        chain::walk(source, extended, ctx, &mut next, &mut found, notes);
    }
    found
}

/// Pairs of which the second starts inside of the first. A protective entry spans the others on
/// purpose.
fn overlaps(found: &[Placed]) -> Vec<(Placed, Placed)> {
    let mut sorted: Vec<Placed> = (found.iter())
        .filter(|placed| !placed.entry.is_protective())
        .copied()
        .collect();
    sorted.sort_by_key(|placed| (placed.start, placed.number));
    let mut longest: Option<Placed> = None;
    let mut pairs = Vec::new();
    for placed in sorted {
        match longest {
            Some(before) if placed.start < before.end() => {
                pairs.push((before, placed));
                if placed.end() > before.end() {
                    longest = Some(placed);
                }
            }
            _ => longest = Some(placed),
        }
    }
    pairs
}

fn volume(
    source: &Arc<dyn ByteSource>,
    record: &BootRecord,
    placed: &Placed,
    notes: &mut Vec<Fault>,
) -> Volume {
    let uuid = (record.disk_signature != 0)
        .then(|| format!("{:08x}-{:02x}", record.disk_signature, placed.number));
    Volume {
        name: format!("part/{}", placed.number),
        kind: "partition",
        source: bytes_of(source, placed, notes),
        size: placed.size,
        offset: Some(placed.start),
        uuid,
        label: None,
        type_name: Some(placed.entry.type_name()),
        may_be_container: false,
    }
}

fn bytes_of(
    source: &Arc<dyn ByteSource>,
    placed: &Placed,
    notes: &mut Vec<Fault>,
) -> Result<Arc<dyn ByteSource>> {
    let disk = source.size();
    if placed.entry.is_protective() {
        let detail = "a protective entry, but no GPT was recognised on this disk";
        return Err(Error::corrupt(codes::PROTECTIVE, placed.entry_at, detail));
    }
    if placed.start == placed.table_at {
        // Opened, it would show the same table again, without end.
        let detail = "the partition starts at the table that lists it";
        return Err(Error::corrupt(codes::ENTRY_START, placed.entry_at, detail));
    }
    if placed.start >= disk {
        let detail = format!(
            "the partition starts at {:#x}, the source ends at {disk:#x}",
            placed.start
        );
        return Err(Error::corrupt(
            codes::ENTRY_OUTSIDE,
            placed.entry_at,
            detail,
        ));
    }
    if placed.end() <= disk {
        return Ok(Arc::new(Slice::new(
            Arc::clone(source),
            placed.start,
            placed.size,
        )?));
    }
    let stored = Slice::new(
        Arc::clone(source),
        placed.start,
        disk.saturating_sub(placed.start),
    )?;
    let detail = format!(
        "partition {} should end at {:#x}, the source ends at {disk:#x}",
        placed.number,
        placed.end()
    );
    let fault = Fault::new(codes::ENTRY_CUT, placed.entry_at, detail);
    notes.push(fault.clone());
    Ok(Arc::new(Cut::new(stored, placed.size, fault)))
}

#[cfg(test)]
mod tests;
