//! GPT, the GUID partition table: a checksummed header and array of entries at the start of the
//! disk, and both again at its end.
//!
//! | file | structure |
//! |---|---|
//! | `protective` | sector 0 |
//! | `header` | the header |
//! | `entry`, `guid` | an entry, its type and name |
//! | `table` | which of the two copies is believed |
//! | `cut` | a partition that the source ends inside of |
//!
//! Specification: UEFI 2.10, section 5.3. Read with sectors of 512 and of 4096 bytes.

pub mod codes;
mod crc;
mod entry;
mod guid;
mod header;
mod protective;
mod table;

use crate::bytes::{get_array, len_u64};
use crate::cut::Cut;
use crate::error::{Code, Error, Fault, Result};
use crate::format::{
    ChecksumPolicy, Confidence, Format, Layer, Match, OpenContext, Opened, Volume, only_member,
};
use crate::source::{ByteSource, Slice};
use entry::Entry;
use header::Header;
use protective::Sector0;
use std::sync::Arc;
use table::{Headers, Table};

/// The GUID partition table.
#[derive(Debug)]
pub struct Gpt;

impl Format for Gpt {
    fn name(&self) -> &'static str {
        "gpt"
    }

    fn codes(&self) -> &'static [Code] {
        codes::ALL
    }

    fn probe(&self, source: &dyn ByteSource) -> Result<Option<Match>> {
        let headers = Headers::locate(source);
        let (primary, backup) = (&headers.primary, &headers.backup);
        let begins = primary.candidate.is_some() || backup.candidate.is_some();
        if !begins {
            let unreadable = primary.unreadable.as_ref().or(backup.unreadable.as_ref());
            return unreadable.map_or(Ok(None), |error| Err(error.clone()));
        }
        // A sector 0 that cannot be read is no reason to pass over a header that can.
        let sector_0 = protective::read(source).unwrap_or(Sector0::NoTable);
        let confidence = confidence(sector_0, primary.is_whole(), backup.is_whole());
        Ok(confidence.map(|confidence| Match { confidence }))
    }
}

/// A header alone proves little: tools that partition or format a disk anew often leave one behind,
/// the backup above all. Sector 0 says whether it is in use.
const fn confidence(sector_0: Sector0, primary: bool, backup: bool) -> Option<Confidence> {
    match (sector_0, primary, backup) {
        (Sector0::Protective | Sector0::Hybrid, true, _) => Some(Confidence::Certain),
        (Sector0::Protective | Sector0::Hybrid, false, true) => Some(Confidence::Certain),
        (Sector0::Protective | Sector0::Hybrid, false, false) => Some(Confidence::Likely),
        (Sector0::NoTable, true, _) => Some(Confidence::Likely),
        (Sector0::NoTable, false, _) => Some(Confidence::Weak),
        (Sector0::OtherTable, false, false) => None,
        (Sector0::OtherTable, _, _) => Some(Confidence::Weak),
    }
}

impl Layer for Gpt {
    fn open(&self, members: &[Arc<dyn ByteSource>], ctx: &OpenContext<'_>) -> Result<Opened> {
        let source = only_member(members)?;
        let mut notes = Vec::new();
        match protective::read(source.as_ref()).unwrap_or(Sector0::NoTable) {
            Sector0::Protective => {}
            Sector0::Hybrid => {
                let detail = "sector 0 lists partitions as well; those of the GPT are shown";
                notes.push(Fault::new(codes::HYBRID, 0, detail));
            }
            Sector0::OtherTable | Sector0::NoTable => {
                let detail = "sector 0 should hold a protective entry";
                notes.push(Fault::new(codes::NOT_PROTECTED, 0, detail));
            }
        }
        let headers = Headers::locate(source.as_ref());
        let table = Table::choose(source.as_ref(), &headers, &ctx.limits, &mut notes)?;
        let found = entries(&table, ctx.checksums);
        note_overlaps(&found, &mut notes);
        let volumes = (found.iter())
            .map(|listed| listed.volume(source, &table.header, &mut notes))
            .collect();
        Ok(Opened { volumes, notes })
    }
}

/// An entry in use and where it stands.
#[derive(Debug)]
struct Listed {
    number: usize,
    at: u64,
    entry: Entry,
    /// Whether a checksum or a second copy stands behind it.
    confirmed: bool,
}

/// Entries in use. Numbers are those of the entries, gaps stay.
///
/// Where both arrays are damaged, an entry in which they differ is listed all the same, so that it is
/// not taken for absent; under [`ChecksumPolicy::Strict`] it gives no bytes.
fn entries(table: &Table, checksums: ChecksumPolicy) -> Vec<Listed> {
    let header = &table.header;
    let size = usize::try_from(header.entry_size).unwrap_or(usize::MAX);
    let at = header.entries_lba.saturating_mul(header.sector_size);
    let second = table.second.as_deref().unwrap_or(&[]);
    let mut second = second.chunks_exact(size);
    let mut found = Vec::new();
    for (index, raw) in table.entries.chunks_exact(size).enumerate() {
        let other = second.next();
        let confirmed = table.whole || other == Some(raw) || checksums == ChecksumPolicy::Ignore;
        let parse = |raw| get_array(raw, 0).and_then(|raw| Entry::parse(&raw));
        if let Some(entry) = parse(raw).or_else(|| other.and_then(parse)) {
            let offset = index.saturating_mul(size);
            found.push(Listed {
                number: index.saturating_add(1),
                at: at.saturating_add(len_u64(offset)),
                entry,
                confirmed,
            });
        }
    }
    found
}

/// Two partitions that share sectors: both are shown, which of them is right is not known.
fn note_overlaps(found: &[Listed], notes: &mut Vec<Fault>) {
    let mut sorted: Vec<&Listed> = (found.iter())
        .filter(|listed| listed.entry.first_lba <= listed.entry.last_lba)
        .collect();
    sorted.sort_by_key(|listed| (listed.entry.first_lba, listed.number));
    let mut longest: Option<&Listed> = None;
    for listed in sorted {
        match longest {
            Some(before) if listed.entry.first_lba <= before.entry.last_lba => {
                let detail = format!(
                    "partition {} starts inside of partition {}",
                    listed.number, before.number
                );
                notes.push(Fault::new(codes::ENTRY_OVERLAP, listed.at, detail));
                if listed.entry.last_lba > before.entry.last_lba {
                    longest = Some(listed);
                }
            }
            _ => longest = Some(listed),
        }
    }
}

impl Listed {
    fn volume(
        &self,
        source: &Arc<dyn ByteSource>,
        header: &Header,
        notes: &mut Vec<Fault>,
    ) -> Volume {
        let entry = &self.entry;
        let size = (entry.last_lba.checked_sub(entry.first_lba))
            .map_or(0, |more| more.saturating_add(1))
            .saturating_mul(header.sector_size);
        let start = entry.first_lba.saturating_mul(header.sector_size);
        Volume {
            name: format!("part/{}", self.number),
            kind: "partition",
            source: self.bytes_of(source, header, start, size, notes),
            size,
            offset: Some(start),
            uuid: Some(guid::text(&entry.unique_guid)),
            label: (!entry.name.is_empty()).then(|| entry.name.clone()),
            type_name: Some(guid::type_name(&entry.type_guid)),
            may_be_container: false,
        }
    }

    fn bytes_of(
        &self,
        source: &Arc<dyn ByteSource>,
        header: &Header,
        start: u64,
        size: u64,
        notes: &mut Vec<Fault>,
    ) -> Result<Arc<dyn ByteSource>> {
        let (first, last) = (self.entry.first_lba, self.entry.last_lba);
        let corrupt = |code, detail: String| Err(Error::corrupt(code, self.at, detail));
        let disk = source.size();
        if !self.confirmed {
            let detail = "the table is damaged and no second copy confirms this entry".to_owned();
            return corrupt(codes::ENTRY_UNCONFIRMED, detail);
        }
        if first > last {
            let detail = format!("the partition starts in sector {first} and ends in {last}");
            return corrupt(codes::ENTRY_REVERSED, detail);
        }
        if first == 0 {
            // Opened, it would show the same table again, without end.
            let detail = "the partition starts at the table that lists it".to_owned();
            return corrupt(codes::ENTRY_START, detail);
        }
        if start >= disk {
            let detail =
                format!("the partition starts in sector {first}, the source ends at {disk:#x}");
            return corrupt(codes::ENTRY_OUTSIDE, detail);
        }
        if first < header.first_usable_lba || last > header.last_usable_lba {
            let detail = format!(
                "partition {} in sectors {first} to {last} leaves the usable range {} to {}",
                self.number, header.first_usable_lba, header.last_usable_lba
            );
            notes.push(Fault::new(codes::ENTRY_UNUSABLE, self.at, detail));
        }
        let end = start.saturating_add(size);
        if end <= disk {
            return Ok(Arc::new(Slice::new(Arc::clone(source), start, size)?));
        }
        let stored = Slice::new(Arc::clone(source), start, disk.saturating_sub(start))?;
        let detail = format!(
            "partition {} should end at {end:#x}, the source ends at {disk:#x}",
            self.number
        );
        let fault = Fault::new(codes::ENTRY_CUT, self.at, detail);
        notes.push(fault.clone());
        Ok(Arc::new(Cut::new(stored, size, fault)))
    }
}

#[cfg(test)]
mod tests;
