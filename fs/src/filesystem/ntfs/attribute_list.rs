//! `$ATTRIBUTE_LIST`: where the attributes of a file are that has more of them than one record holds.
//!
//! | at   | field of an entry                                 |
//! |------|---------------------------------------------------|
//! | 0x00 | type                                              |
//! | 0x04 | length of the entry                               |
//! | 0x06 | length of the name in words                       |
//! | 0x07 | offset of the name                                |
//! | 0x08 | lowest VCN: which piece of a stream it is         |
//! | 0x10 | record that holds it; may be the base record      |
//! | 0x18 | instance                                          |
//!
//! The list names every attribute of the file but itself. Source: Linux-NTFS documentation,
//! "`$ATTRIBUTE_LIST`".

use super::attribute::{Attribute, types};
use super::codes;
use super::reference::FileReference;
use crate::bytes::{get_le_u16, get_le_u32, get_le_u64, len_u64};
use crate::error::{Error, Result};
use std::ops::Range;

/// Longest list that Windows makes.
pub const SIZE_MAX: u64 = 256 << 10;

const ENTRY_LEN_MIN: usize = 0x1a;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Type of the attribute.
    pub type_code: u32,
    /// First cluster of the piece; 0 for the first and for resident ones.
    pub lowest_vcn: u64,
    /// Record that holds it.
    pub reference: FileReference,
    /// Instance in that record.
    pub instance: u16,
    name: Range<usize>,
}

/// A whole list, as far as it makes sense.
#[derive(Clone, Debug, Default)]
pub struct AttributeList {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// What ended the list too early. An attribute that is not in the entries may have stood behind it.
    damage: Option<Error>,
}

impl AttributeList {
    /// The list in `bytes`; `at` is the place of the attribute on the volume, for messages.
    #[must_use]
    pub fn parse(bytes: Vec<u8>, at: u64) -> Self {
        let mut list = Self::default();
        let mut start = 0_usize;
        while start < bytes.len() {
            match entry(&bytes, start, at) {
                Ok((entry, len)) => {
                    list.entries.push(entry);
                    start = start.saturating_add(len);
                }
                Err(error) => {
                    list.damage = Some(error);
                    break;
                }
            }
        }
        list.bytes = bytes;
        list
    }

    /// A list that ends with `error` before its first entry.
    #[must_use]
    pub fn unreadable(error: Error) -> Self {
        Self {
            damage: Some(error),
            ..Self::default()
        }
    }

    /// The entries in stored order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The name of an entry of this list, UTF-16 little-endian.
    #[must_use]
    pub fn name(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(entry.name.clone()).unwrap_or_default()
    }

    /// What ended the list too early.
    #[must_use]
    pub const fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }

    /// Whether `attribute`, found in the record of `entry`, is the one that is meant.
    ///
    /// Pieces are told apart by type, name and lowest VCN. Instances count only among names, of which
    /// a file has several: they are unique in one record, not in one file.
    #[must_use]
    pub fn is_meant(&self, entry: &Entry, attribute: &Attribute<'_>) -> bool {
        entry.type_code == attribute.type_code
            && entry.lowest_vcn == attribute.lowest_vcn()
            && (entry.type_code != types::FILE_NAME || entry.instance == attribute.instance)
            && self.name(entry) == attribute.name
    }
}

/// The entry at `start`, and its length.
fn entry(bytes: &[u8], start: usize, at: u64) -> Result<(Entry, usize)> {
    let bad = |detail: String| Error::corrupt(codes::ATTRIBUTE_LIST, at, detail);
    let raw = bytes.get(start..).unwrap_or_default();
    let len = usize::from(get_le_u16(raw, 0x4).unwrap_or(0));
    let raw = raw
        .get(..len)
        .filter(|_| len >= ENTRY_LEN_MIN && len.is_multiple_of(8))
        .ok_or_else(|| bad(format!("an entry of {len} bytes at {:#x}", len_u64(start))))?;
    let name_len = usize::from(raw.get(0x6).copied().unwrap_or(0)).saturating_mul(2);
    let name_offset = usize::from(raw.get(0x7).copied().unwrap_or(0));
    let name_end = name_offset.saturating_add(name_len);
    if name_len > 0 && (name_offset < ENTRY_LEN_MIN || name_end > len) {
        let detail = format!("a name of {name_len} bytes at {name_offset:#x} of an entry of {len}");
        return Err(bad(detail));
    }
    let name = match name_len {
        0 => 0..0,
        _ => start.saturating_add(name_offset)..start.saturating_add(name_end),
    };
    let entry = Entry {
        type_code: get_le_u32(raw, 0x0).unwrap_or(0),
        lowest_vcn: get_le_u64(raw, 0x8).unwrap_or(0),
        reference: FileReference::new(get_le_u64(raw, 0x10).unwrap_or(0)),
        instance: get_le_u16(raw, 0x18).unwrap_or(0),
        name,
    };
    Ok((entry, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(type_code: u8, name: &[u8], lowest_vcn: u8, record: u8) -> Vec<u8> {
        let mut raw = vec![0; ENTRY_LEN_MIN];
        raw.extend(name);
        raw.resize(raw.len().next_multiple_of(8), 0);
        raw[0] = type_code;
        raw[4] = u8::try_from(raw.len()).unwrap();
        raw[6] = u8::try_from(name.len() / 2).unwrap();
        raw[7] = 0x1a;
        raw[8] = lowest_vcn;
        raw[0x10] = record;
        raw
    }

    #[test]
    fn entries_have_names_and_places() {
        let bytes = [raw(0x80, b"", 0, 30), raw(0x80, b"a\0b\0", 7, 40)].concat();
        let list = AttributeList::parse(bytes, 0);
        let [first, second] = list.entries() else {
            panic!("two entries")
        };
        assert_eq!((list.name(first), first.reference.record()), (&b""[..], 30));
        assert_eq!((list.name(second), second.lowest_vcn), (&b"a\0b\0"[..], 7));
        assert!(list.damage().is_none());
    }

    #[test]
    fn what_stands_before_the_damage_counts() {
        for (at, value) in [(4, 0), (4, 0x18), (4, 0x21), (5, 1), (6, 4), (7, 0x10)] {
            let mut bytes = [raw(0x80, b"", 0, 30), raw(0x80, b"a\0b\0", 7, 40)].concat();
            bytes[0x20 + at] = value;
            let list = AttributeList::parse(bytes, 0);
            assert_eq!(list.entries().len(), 1);
            let damage = list.damage().unwrap();
            assert_eq!(damage.code(), codes::ATTRIBUTE_LIST, "byte {at:#x}");
        }
    }
}
