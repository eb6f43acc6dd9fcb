//! The logical partitions: a chain of boot records inside of an extended partition.
//!
//! ```text
//! extended partition   first record            second record
//!                      0: first logical   -.   0: second logical
//!                      1: link ------------'-> 1: link -> …
//! ```
//! A logical partition's start counts from its own record, a link's from the start of the extended
//! partition. The rules are those of `parse_extended()` in Linux `block/partitions/msdos.c`, so that
//! numbers match: OS/2 uses all four entries, DR-DOS puts the link first, and what stands in the
//! third and fourth entry counts only if it lies inside.

use super::entry::Entry;
use super::record::{BootRecord, LEN, entry_offset};
use super::{Placed, codes};
use crate::bytes::len_u64;
use crate::error::Fault;
use crate::format::OpenContext;
use crate::source::ByteSource;
use std::collections::HashSet;

/// The size of a sector, and the extended partition in sectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extended {
    pub(super) sector_size: u64,
    pub(super) first: u64,
    pub(super) count: u64,
}

/// Follows the chain of one extended partition. Appends what it finds, numbered from `*next` on; a
/// chain that breaks off ends with a note.
pub(super) fn walk(
    source: &dyn ByteSource,
    extended: Extended,
    ctx: &OpenContext<'_>,
    next: &mut u32,
    found: &mut Vec<Placed>,
    notes: &mut Vec<Fault>,
) {
    let mut seen = HashSet::new();
    let (mut this, mut this_count) = (extended.first, extended.count);
    for step in 0_u32.. {
        let at = this.saturating_mul(extended.sector_size);
        if step >= ctx.limits.ebr_count_max {
            let detail = format!(
                "more than {} extended boot records",
                ctx.limits.ebr_count_max
            );
            notes.push(Fault::new(codes::EBR_COUNT, at, detail));
            return;
        }
        if !seen.insert(this) {
            let detail = "the chain of extended boot records comes back to this one";
            notes.push(Fault::new(codes::EBR_LOOP, at, detail));
            return;
        }
        let record = match read(source, at) {
            Ok(record) => record,
            Err(fault) => {
                notes.push(fault);
                return;
            }
        };
        let link = Link {
            at,
            this,
            this_count,
        };
        take_partitions(&record, link, extended, next, found);
        let Some((_, link)) = record.used().find(|(_, entry)| entry.is_extended()) else {
            return;
        };
        this = extended.first.saturating_add(u64::from(link.start));
        this_count = u64::from(link.count);
    }
}

/// One record of the chain: its byte offset, its sector, and the length that the link to it named.
#[derive(Clone, Copy)]
struct Link {
    at: u64,
    this: u64,
    this_count: u64,
}

fn take_partitions(
    record: &BootRecord,
    link: Link,
    extended: Extended,
    next: &mut u32,
    found: &mut Vec<Placed>,
) {
    for (index, entry) in record.used().filter(|(_, entry)| !entry.is_extended()) {
        let first = link.this.saturating_add(u64::from(entry.start));
        if index >= 2 && !is_inside(entry, first, link, extended) {
            continue;
        }
        found.push(Placed {
            number: *next,
            entry: *entry,
            entry_at: link.at.saturating_add(len_u64(entry_offset(index))),
            table_at: link.at,
            start: first.saturating_mul(extended.sector_size),
            size: u64::from(entry.count).saturating_mul(extended.sector_size),
        });
        *next = next.saturating_add(1);
    }
}

/// The kernel's test for the third and fourth entry, which may hold garbage.
fn is_inside(entry: &Entry, first: u64, link: Link, extended: Extended) -> bool {
    let (start, count) = (u64::from(entry.start), u64::from(entry.count));
    let end_max = extended.first.saturating_add(extended.count);
    start.saturating_add(count) <= link.this_count && first.saturating_add(count) <= end_max
}

fn read(source: &dyn ByteSource, at: u64) -> Result<BootRecord, Fault> {
    let inside = at
        .checked_add(len_u64(LEN))
        .is_some_and(|end| end <= source.size());
    if !inside {
        let detail = format!(
            "an extended boot record lies past the end of the source, {:#x}; what it lists is not shown",
            source.size()
        );
        return Err(Fault::new(codes::EBR_OUTSIDE, at, detail));
    }
    let mut raw = [0; LEN];
    if let Err(error) = source.read_at(at, &mut raw) {
        let detail = format!("an extended boot record cannot be read: {error}");
        return Err(Fault::new(codes::EBR_UNREADABLE, at, detail));
    }
    BootRecord::parse(&raw).ok_or_else(|| {
        let detail = "an extended boot record should end in 55 aa; what it lists is not shown";
        Fault::new(codes::EBR_SIGNATURE, at, detail)
    })
}
