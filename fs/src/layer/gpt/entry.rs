//! An entry: one partition.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x00 | PartitionTypeGUID | zero: the entry is not in use |
//! | 0x10 | UniquePartitionGUID | PARTUUID |
//! | 0x20 | StartingLBA | |
//! | 0x28 | EndingLBA | inclusive |
//! | 0x30 | Attributes | not read |
//! | 0x38 | PartitionName | 36 units of UTF-16LE, ends at the first zero; PARTLABEL |
//!
//! Specification: UEFI 2.10, section 5.3.3.

use super::guid::{self, Guid};
use crate::bytes::{array, le_u64};

/// Bytes of the fields that are defined. Larger entries have them at their start.
pub(super) const LEN: usize = 128;

/// An entry in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) type_guid: Guid,
    pub(super) unique_guid: Guid,
    pub(super) first_lba: u64,
    /// Inclusive.
    pub(super) last_lba: u64,
    /// Without the zeros behind it. A lone surrogate, which no tool makes, is U+FFFD.
    pub(super) name: String,
}

impl Entry {
    /// The entry, or `None` if it is not in use.
    pub(super) fn parse(raw: &[u8; LEN]) -> Option<Self> {
        let type_guid: Guid = array(raw, 0x0);
        if type_guid == guid::ZERO {
            return None;
        }
        let name: [u8; 72] = array(raw, 0x38);
        let (units, _) = name.as_chunks::<2>();
        let units: Vec<u16> = (units.iter())
            .map(|unit| u16::from_le_bytes(*unit))
            .take_while(|unit| *unit != 0)
            .collect();
        Some(Self {
            type_guid,
            unique_guid: array(raw, 0x10),
            first_lba: le_u64(raw, 0x20),
            last_lba: le_u64(raw, 0x28),
            name: String::from_utf16_lossy(&units),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_a_zero_or_after_36_units() {
        let mut raw = [1; LEN];
        raw[0x38..0x3e].copy_from_slice(&[0x41, 0, 0x3d, 0xd8, 0, 0]);
        assert_eq!(Entry::parse(&raw).unwrap().name, "A\u{fffd}");
        raw[0x38..].as_chunks_mut::<2>().0.fill([0x42, 0]);
        assert_eq!(Entry::parse(&raw).unwrap().name, "B".repeat(36));
        raw[..16].fill(0);
        assert_eq!(Entry::parse(&raw), None);
    }
}
