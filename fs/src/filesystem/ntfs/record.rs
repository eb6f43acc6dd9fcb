//! Records of the `$MFT`: a header, then attributes.
//!
//! | at   | field                                                    |
//! |------|----------------------------------------------------------|
//! | 0x00 | `FILE`; `BAAD` where `chkdsk` found a torn write          |
//! | 0x04 | update sequence, see [`super::fixup`]                    |
//! | 0x10 | sequence number                                          |
//! | 0x12 | link count, names for DOS included                       |
//! | 0x14 | offset of the first attribute                            |
//! | 0x16 | flags: 1 in use, 2 directory, 4 in `$Extend`, 8 other index |
//! | 0x18 | bytes in use                                             |
//! | 0x1c | bytes allocated                                          |
//! | 0x20 | base record, for a record with the overflow of another   |
//! | 0x2c | number of the record (since NTFS 3.1)                    |
//!
//! Source: Linux-NTFS documentation, "FILE Record".

use super::attribute::{Attribute, Attributes};
use super::codes;
use super::reference::FileReference;
use crate::bytes::{get_le_u16, get_le_u32, get_le_u64, len_u64};
use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// Signature of a record.
pub const SIGNATURE: &[u8; 4] = b"FILE";
/// Signature of a record that a repair has given up.
pub const BAD_SIGNATURE: &[u8; 4] = b"BAAD";
/// Smallest header: without the record's own number, which the update sequence may overlap.
const HEADER_LEN: usize = 0x2a;

const FLAG_IN_USE: u16 = 1;
const FLAG_DIRECTORY: u16 = 2;
const FLAG_VIEW_INDEX: u16 = 8;

/// A record whose update sequence has been applied. Cheap to clone; keeps the bytes it lies in alive.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number.
    pub number: u64,
    /// Byte offset on the volume, for messages.
    pub at: u64,
    /// Sequence number.
    pub sequence: u16,
    /// The record this one holds overflow of; `None` for a record with a file of its own.
    pub base: Option<FileReference>,
    /// Number of names as the record counts them, those for DOS included.
    pub link_count: u16,
    flags: u16,
    unit: Arc<[u8]>,
    attributes: Range<usize>,
    /// Byte offset of the first attribute on the volume.
    attributes_at: u64,
}

impl Record {
    /// The record in `place` of `unit`. `number` and `at` are its number and its place on the volume.
    ///
    /// # Errors
    /// [`codes::RECORD`] for a header that makes no sense.
    pub fn parse(unit: &Arc<[u8]>, place: Range<usize>, number: u64, at: u64) -> Result<Self> {
        let bad = |detail: String| Error::corrupt(codes::RECORD, at, detail);
        let raw = unit.get(place.clone()).unwrap_or_default();
        if raw.len() < HEADER_LEN || !raw.starts_with(SIGNATURE) {
            let found = raw.get(..4).unwrap_or_default().escape_ascii();
            let detail = format!("record {number} starts with \"{found}\", not \"FILE\"");
            return Err(bad(detail));
        }
        let word = |offset| get_le_u16(raw, offset).unwrap_or(0);
        let attrs_offset = usize::from(word(0x14));
        let bytes_in_use = get_le_u32(raw, 0x18).unwrap_or(0);
        let used = usize::try_from(bytes_in_use).unwrap_or(usize::MAX);
        let sound = attrs_offset >= HEADER_LEN
            && attrs_offset.is_multiple_of(8)
            && attrs_offset <= used
            && used <= raw.len();
        if !sound {
            let detail = format!(
                "record {number} of {} bytes has attributes from {attrs_offset:#x} to {used:#x}",
                raw.len()
            );
            return Err(bad(detail));
        }
        // Only there if the update sequence stands behind it; mkntfs leaves 0 in the records it reserves.
        // A record that says that it is another one lies where that one should be.
        let own_number = get_le_u32(raw, 0x2c).filter(|own| word(0x4) >= 0x30 && *own != 0);
        if own_number.is_some_and(|own| u64::from(own) != number & 0xffff_ffff) {
            let detail = format!("record {number} has number {}", own_number.unwrap_or(0));
            return Err(bad(detail));
        }
        let base = FileReference::new(get_le_u64(raw, 0x20).unwrap_or(0));
        Ok(Self {
            number,
            at,
            sequence: word(0x10),
            base: (base != FileReference::new(0)).then_some(base),
            link_count: word(0x12),
            flags: word(0x16),
            unit: Arc::clone(unit),
            attributes: place.start.saturating_add(attrs_offset)..place.start.saturating_add(used),
            attributes_at: at.saturating_add(len_u64(attrs_offset)),
        })
    }

    /// Whether a file, or a part of one, lies here now.
    #[must_use]
    pub const fn is_in_use(&self) -> bool {
        self.flags & FLAG_IN_USE != 0
    }

    /// Whether the file is a directory.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        self.flags & FLAG_DIRECTORY != 0
    }

    /// Whether two records hold the same: header and attributes, but for their update sequences.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let of = |record: &Self| {
            (
                record.sequence,
                record.base,
                record.flags,
                record.link_count,
            )
        };
        let held = |record: &Self| {
            record
                .unit
                .get(record.attributes.clone())
                .map(<[u8]>::to_vec)
        };
        of(self) == of(other) && held(self) == held(other)
    }

    /// Whether the file is an index of something else than names.
    #[must_use]
    pub const fn is_index(&self) -> bool {
        self.flags & FLAG_VIEW_INDEX != 0
    }

    /// All attributes that lie in this record.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'_> {
        let bytes = self.unit.get(self.attributes.clone()).unwrap_or_default();
        Attributes::new(bytes, self.attributes_at)
    }

    /// The first attribute of this type and name (UTF-16 little-endian) in this record, whatever piece
    /// it is.
    ///
    /// # Errors
    /// Damage before it, or anywhere if there is none: it might have been behind the damage.
    pub fn attribute(&self, type_code: u32, name: &[u8]) -> Result<Option<Attribute<'_>>> {
        for attribute in self.attributes() {
            let attribute = attribute?;
            if attribute.type_code == type_code && attribute.name == name {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::ntfs::attribute::types;

    fn raw() -> Vec<u8> {
        let mut raw = vec![0; 1024];
        raw[..4].copy_from_slice(SIGNATURE);
        raw[0x4] = 0x30;
        raw[0x10] = 7;
        raw[0x14] = 0x38;
        raw[0x16] = 1;
        raw[0x18] = 0x60;
        raw[0x2c] = 30;
        raw[0x38..0x48].copy_from_slice(&[0x80, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        raw[0x48] = 1;
        raw[0x4c] = 0x18;
        raw[0x50] = b'x';
        raw[0x58..0x5c].fill(0xff);
        raw
    }

    fn parse(raw: &[u8], number: u64) -> Result<Record> {
        Record::parse(&Arc::from(raw), 0..raw.len(), number, 0x4000)
    }

    #[test]
    fn a_record_has_its_attributes() {
        let record = parse(&raw(), 30).unwrap();
        assert!(record.is_in_use() && !record.is_directory() && record.base.is_none());
        assert_eq!(record.sequence, 7);
        let data = record.attribute(types::DATA, &[]).unwrap().unwrap();
        assert_eq!((data.resident(), data.at), (Some(&b"x"[..]), 0x4038));
        assert!(record.attribute(types::DATA, b"n\0").unwrap().is_none());
    }

    #[test]
    fn damage_is_not_absence() {
        let mut raw = raw();
        raw[0x18] = 0x58;
        let record = parse(&raw, 30).unwrap();
        assert!(record.attribute(types::DATA, &[]).unwrap().is_some());
        let error = record.attribute(types::INDEX_ROOT, &[]).unwrap_err();
        assert_eq!(error.code(), codes::ATTRIBUTE);
    }

    #[test]
    fn a_record_need_not_say_its_number() {
        let mut raw = raw();
        raw[0x2c] = 0;
        assert!(parse(&raw, 30).is_ok());
    }

    #[test]
    fn headers_that_do_not_fit_are_refused() {
        let wrong = [
            (0, b'B'),
            (0x14, 0x28),
            (0x14, 0x39),
            (0x15, 1),
            (0x19, 5),
            (0x2c, 31),
        ];
        for (at, value) in wrong {
            let mut raw = raw();
            raw[at] = value;
            let error = parse(&raw, 30).unwrap_err();
            assert_eq!(error.code(), codes::RECORD, "byte {at:#x} is {value:#x}");
        }
        assert!(parse(&raw()[..0x20], 30).is_err());
    }
}
