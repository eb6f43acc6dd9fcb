//! The `$MFT`: the file that holds all records, its own among them.
//!
//! Record 0 tells where the others are. Its map may be in several pieces, listed like those of any
//! file; the extension records that hold them lie in the part of the `$MFT` that the earlier pieces
//! map. Records 0 to 3 have copies in the `$MFTMirr`.
//!
//! Records are read in units of 4 KiB, which are kept; the second unit that is asked for of the same
//! 64 KiB brings all of them. So a walk, which stays near where it is whatever the names are, reads large
//! pieces, and a directory whose files lie all over the `$MFT` does not read what it has no use for.

use super::attribute::types;
use super::attribute_list::{AttributeList, Entry};
use super::content::Content;
use super::disk::Disk;
use super::record::Record;
use super::reference::FileReference;
use super::stream::Stream;
use super::{codes, file, fixup, record};
use crate::bytes::{clamp_usize, len_u64};
use crate::cache::Cache;
use crate::error::{Error, Fault, Request, Result};
use crate::source::ByteSource;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Record of the `$MFT` itself.
pub const MFT: u64 = 0;
/// Record of `$Volume`.
pub const VOLUME: u64 = 3;
/// Record of the root directory.
pub const ROOT: u64 = 5;
/// Records below this one are the format's own.
pub const FIRST_USER_RECORD: u64 = 24;

/// Records that the `$MFTMirr` has copies of, at least.
pub const MIRRORED_COUNT: u64 = 4;
/// Smallest unit of the cache: four records of 1 KiB.
const UNIT_LEN: u64 = 4 << 10;
/// Bytes read at once where units lie near each other.
const PIECE_LEN: u64 = 64 << 10;
/// Pieces that are remembered: 4 MiB of records, some thousand files.
const TOUCHED_COUNT: u64 = 64;

/// All records of a volume.
#[derive(Debug)]
pub struct Mft {
    /// The volume.
    pub disk: Arc<Disk>,
    content: Content,
    data_size: u64,
    initialized_size: u64,
    units: Cache<u64, Arc<Unit>>,
    /// Which pieces a unit was read of lately, by their numbers. A lost update costs a read, no more.
    touched: Box<[AtomicU64]>,
}

/// Some records, with their update sequences applied.
#[derive(Debug)]
struct Unit {
    bytes: Arc<[u8]>,
    /// Records that cannot be had, by their place in the unit.
    torn: Vec<(usize, Fault)>,
}

impl Mft {
    /// Finds all of the `$MFT`. Notes tell of a copy in use and of parts of the map that are missing:
    /// the records there are errors.
    ///
    /// # Errors
    /// A record 0 that makes no sense, nor its copy.
    pub fn open(disk: &Arc<Disk>) -> Result<(Self, Vec<Fault>)> {
        let mut notes = Vec::new();
        let at = disk.boot.byte_of(disk.boot.mft_lcn);
        let (record, stream) = match bootstrap(disk, at) {
            Ok(found) => found,
            Err(error) => {
                let mirror_at = mirror_at(disk, MFT).ok_or_else(|| error.clone())?;
                let found = bootstrap(disk, mirror_at).map_err(|_| error.clone())?;
                notes.push(mirror_note(MFT, mirror_at, &error));
                found
            }
        };
        let mut mft = Self::new(disk, stream.clone());
        match file::list_of(disk, &record) {
            None => {}
            Some(list) => {
                let stream = mft.join(&list, &record, stream);
                notes.extend(stream.missing.clone());
                mft = Self::new(disk, stream);
            }
        }
        for number in MFT.saturating_add(1)..MIRRORED_COUNT {
            if let Err(error @ Error::Corrupt(_)) = mft.first_hand(number)
                && let Some(at) = mirror_at(disk, number)
                && mft.mirrored(number).is_some()
            {
                notes.push(mirror_note(number, at, &error));
            }
        }
        Ok((mft, notes))
    }

    fn new(disk: &Arc<Disk>, stream: Stream) -> Self {
        Self {
            disk: Arc::clone(disk),
            data_size: stream.data_size,
            initialized_size: stream.initialized_size,
            content: Content::new(Arc::clone(disk), Arc::new(stream)),
            units: Cache::new(disk.limits.cache_bytes),
            touched: (0..TOUCHED_COUNT)
                .map(|_| AtomicU64::new(u64::MAX))
                .collect(),
        }
    }

    /// Adds the pieces that `list` names to `stream`, in their order. Each must lie in the part of
    /// the `$MFT` that those before it map.
    fn join(&self, list: &AttributeList, base: &Record, mut stream: Stream) -> Stream {
        let mut entries: Vec<&Entry> = (list.entries().iter())
            .filter(|entry| entry.type_code == types::DATA && list.name(entry).is_empty())
            .filter(|entry| entry.lowest_vcn > 0)
            .collect();
        entries.sort_by_key(|entry| entry.lowest_vcn);
        let bounds = self.disk.run_bounds();
        for entry in entries {
            // A fresh reader over what is known by now.
            let so_far = Self::new(&self.disk, stream.clone());
            let pushed = so_far.extension(base, entry.reference).and_then(|record| {
                let piece = file::piece_in(&record, list, entry)?;
                stream.push(&piece, &bounds)
            });
            if let Err(error) = pushed {
                stream.lose(file::lost_piece(entry, base.at, &error));
            }
        }
        if let Some(error) = list.damage() {
            let detail = format!("the list of pieces of the MFT ends early: {error}");
            stream.lose(Fault::new(codes::MISSING_PIECE, base.at, detail));
        }
        stream
    }

    /// Number of records that there is room for.
    #[must_use]
    pub fn record_count(&self) -> u64 {
        self.data_size
            .checked_div(self.disk.boot.record_size.into())
            .unwrap_or(0)
    }

    /// The `$MFT`'s content as stored.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// A record in use, whatever is in it.
    ///
    /// # Errors
    /// [`Request::NoSuchNode`] for one that is not in use or does not exist; damage.
    pub fn record(&self, number: u64) -> Result<Record> {
        let found = self.first_hand(number);
        match found {
            Err(Error::Corrupt(_) | Error::Io { .. }) if number < MIRRORED_COUNT => {
                self.mirrored(number).map_or(found, Ok)
            }
            found => found,
        }
    }

    /// The extension record of `base` that a reference leads to, or `base` itself.
    ///
    /// # Errors
    /// [`codes::MISSING_PIECE`] if it belongs to another file, or to none; damage.
    pub fn extension(&self, base: &Record, reference: FileReference) -> Result<Record> {
        if reference.record() == base.number {
            return Ok(base.clone());
        }
        let foreign = |found: String| {
            let detail = format!(
                "record {reference} should hold a part of record {}, but {found}",
                base.number
            );
            Err(Error::corrupt(codes::MISSING_PIECE, base.at, detail))
        };
        let record = match self.record(reference.record()) {
            Ok(record) => record,
            Err(Error::Request(Request::NoSuchNode)) => {
                return foreign("is not in use".to_owned());
            }
            Err(error) => return Err(error),
        };
        let owner = record.base;
        let fits =
            owner.is_some_and(|owner| owner.record() == base.number && owner.fits(base.sequence));
        if !fits || !reference.fits(record.sequence) {
            let owner = owner.map_or("itself".to_owned(), |owner| owner.to_string());
            return foreign(format!("belongs to {owner}"));
        }
        Ok(record)
    }

    /// A record as the `$MFT` has it, without its copy.
    fn first_hand(&self, number: u64) -> Result<Record> {
        let record_size = u64::from(self.disk.boot.record_size);
        let offset = number
            .checked_mul(record_size)
            .filter(|offset| {
                let end = offset.checked_add(record_size);
                end.is_some_and(|end| end <= self.initialized_size.min(self.data_size))
            })
            .ok_or(Request::NoSuchNode)?;
        let at = self.content.location(offset).unwrap_or(0);
        let unit_len = UNIT_LEN.max(record_size);
        let index = offset.checked_div(unit_len).unwrap_or(0);
        let within = offset.checked_rem(unit_len).unwrap_or(0);
        let (unit, within) = match self.unit(index, unit_len) {
            Ok(unit) if len_u64(unit.bytes.len()) >= within.saturating_add(record_size) => {
                (unit, within)
            }
            // Part of the unit is unreadable. That is no matter if it is not our part.
            Ok(_) | Err(_) => (Arc::new(self.read_units(offset, record_size)?), 0),
        };
        let within = clamp_usize(within, usize::MAX);
        if let Some((_, fault)) = unit.torn.iter().find(|(place, _)| *place == within) {
            let fault = Fault {
                at,
                ..fault.clone()
            };
            return Err(Error::Corrupt(fault));
        }
        let end = within.saturating_add(clamp_usize(record_size, usize::MAX));
        in_use(&unit.bytes, within..end, number, at)
    }

    /// The copy of a record in the `$MFTMirr`, if it is sound.
    fn mirrored(&self, number: u64) -> Option<Record> {
        let at = mirror_at(&self.disk, number)?;
        read_record(&self.disk, number, at).ok()
    }

    /// A record as the `$MFT` has it, though there is a copy.
    ///
    /// # Errors
    /// As [`Mft::record`].
    pub fn original(&self, number: u64) -> Result<Record> {
        self.first_hand(number)
    }

    /// The copy of a record in the `$MFTMirr` and its place. `None` if that lies outside of the volume.
    #[must_use]
    pub fn copy_of(&self, number: u64) -> Option<(u64, Result<Record>)> {
        let at = mirror_at(&self.disk, number)?;
        Some((at, read_record(&self.disk, number, at)))
    }

    fn unit(&self, index: u64, unit_len: u64) -> Result<Arc<Unit>> {
        if let Some(unit) = self.units.get(&index) {
            return Ok(unit);
        }
        // Both lengths are powers of two, and a unit is no longer than a piece.
        let per_piece = PIECE_LEN.checked_div(unit_len).unwrap_or(1).max(1);
        let piece = index.checked_div(per_piece).unwrap_or(0);
        if self.touch(piece) {
            let first = piece.saturating_mul(per_piece);
            let within = clamp_usize(index.saturating_sub(first), usize::MAX);
            let base = first.saturating_mul(unit_len);
            if let Ok(unit) = self.keep(first, base, PIECE_LEN, unit_len, within) {
                return Ok(unit);
            }
        }
        self.keep(index, index.saturating_mul(unit_len), unit_len, unit_len, 0)
    }

    /// Whether a unit of this piece was read lately. Remembers that one is read now.
    fn touch(&self, piece: u64) -> bool {
        let slot = clamp_usize(piece.checked_rem(TOUCHED_COUNT).unwrap_or(0), usize::MAX);
        let slot = self.touched.get(slot);
        slot.is_some_and(|slot| slot.swap(piece, Ordering::Relaxed) == piece)
    }

    /// Reads `len` bytes, keeps all units in them, and returns the one that stands at `wanted`.
    fn keep(
        &self,
        index: u64,
        base: u64,
        len: u64,
        unit_len: u64,
        wanted: usize,
    ) -> Result<Arc<Unit>> {
        let whole = self.read_units(base, len)?;
        let step = clamp_usize(unit_len, usize::MAX);
        if len == unit_len {
            let (unit, bytes) = (Arc::new(whole), step);
            self.units.insert(index, Arc::clone(&unit), bytes);
            return Ok(unit);
        }
        let mut found = None;
        for (n, bytes) in whole.bytes.chunks(step).enumerate() {
            let start = n.saturating_mul(step);
            let torn = (whole.torn.iter())
                .filter_map(|(place, fault)| Some((place.checked_sub(start)?, fault.clone())))
                .filter(|(place, _)| *place < step);
            let unit = Arc::new(Unit {
                torn: torn.collect(),
                bytes: Arc::from(bytes),
            });
            let index = index.saturating_add(len_u64(n));
            self.units.insert(index, Arc::clone(&unit), step);
            if n == wanted {
                found = Some(unit);
            }
        }
        found.ok_or_else(|| Request::NoSuchNode.into())
    }

    /// Reads records, as far as the `$MFT` goes, and applies their update sequences.
    fn read_units(&self, offset: u64, len: u64) -> Result<Unit> {
        let left = self.data_size.saturating_sub(offset);
        let mut bytes = vec![0; clamp_usize(len.min(left), usize::MAX)];
        self.content.read_at(offset, &mut bytes)?;
        let record_size = clamp_usize(self.disk.boot.record_size.into(), usize::MAX);
        let mut torn = Vec::new();
        for (n, raw) in bytes.chunks_exact_mut(record_size).enumerate() {
            // Records that were never used have no signature; others are told apart later.
            if raw.starts_with(record::SIGNATURE)
                && let Err(error) = fixup::apply(raw, 0)
                && let Some(fault) = error.fault()
            {
                torn.push((n.saturating_mul(record_size), fault.clone()));
            }
        }
        Ok(Unit {
            bytes: Arc::from(bytes),
            torn,
        })
    }
}

/// The record at `place` of `unit`, if it is in use.
fn in_use(unit: &Arc<[u8]>, place: std::ops::Range<usize>, number: u64, at: u64) -> Result<Record> {
    let raw = unit.get(place.clone()).unwrap_or_default();
    // A record that was never used is left as it was found, which is zeros as a rule.
    if raw.get(..4).is_some_and(|signature| signature == [0; 4]) && number > ROOT {
        return Err(Request::NoSuchNode.into());
    }
    let record = Record::parse(unit, place, number, at)?;
    match record.is_in_use() {
        true => Ok(record),
        false => Err(Request::NoSuchNode.into()),
    }
}

/// Reads one record at byte `at` of the volume.
fn read_record(disk: &Disk, number: u64, at: u64) -> Result<Record> {
    let len = clamp_usize(disk.boot.record_size.into(), usize::MAX);
    let mut raw = vec![0; len];
    disk.read(at, &mut raw)?;
    if !raw.starts_with(record::SIGNATURE) {
        let found = raw.get(..4).unwrap_or_default().escape_ascii();
        let detail = format!("record {number} starts with \"{found}\", not \"FILE\"");
        return Err(Error::corrupt(codes::RECORD, at, detail));
    }
    fixup::apply(&mut raw, at)?;
    in_use(&Arc::from(raw), 0..len, number, at)
}

/// Record 0 at byte `at` and the first piece of its content.
fn bootstrap(disk: &Disk, at: u64) -> Result<(Record, Stream)> {
    let record = match read_record(disk, MFT, at) {
        Err(Error::Request(_)) => {
            let detail = "record 0, the MFT itself, is not in use";
            return Err(Error::corrupt(codes::RECORD, at, detail));
        }
        found => found?,
    };
    let first = record.attribute(types::DATA, &[])?;
    let first = first.ok_or_else(|| {
        let detail = "record 0 has no data attribute";
        Error::corrupt(codes::RECORD, at, detail)
    })?;
    let stream = Stream::start(&first, &disk.run_bounds())?;
    Ok((record, stream))
}

/// Place of a record in the `$MFTMirr`.
fn mirror_at(disk: &Disk, number: u64) -> Option<u64> {
    let boot = &disk.boot;
    (boot.mirror_lcn < boot.clusters && boot.mirror_lcn > 0).then(|| {
        let within = number.saturating_mul(boot.record_size.into());
        boot.byte_of(boot.mirror_lcn).saturating_add(within)
    })
}

fn mirror_note(number: u64, at: u64, error: &Error) -> Fault {
    let detail = format!("the copy of record {number} is used, because: {error}");
    Fault::new(codes::MIRROR, at, detail)
}
