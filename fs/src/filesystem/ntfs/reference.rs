//! References to records of the `$MFT`.
//!
//! 64 bits: a record number in the lower 48, and in the upper 16 the sequence number that the record
//! had when the reference was made. The sequence number of a record grows each time it is used anew,
//! so a reference to a file that has been deleted since does not lead to its successor.

use std::fmt;

const RECORD_BITS: u32 = 48;

/// A reference to a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileReference(u64);

impl FileReference {
    /// A reference from its stored form.
    #[must_use]
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The reference to a record that has this sequence number.
    #[must_use]
    pub fn of(record: u64, sequence: u16) -> Self {
        let number = record & ((1 << RECORD_BITS) - 1);
        Self(number | u64::from(sequence) << RECORD_BITS)
    }

    /// Number of the record: 0 to 2^48 - 1.
    #[must_use]
    pub const fn record(self) -> u64 {
        self.0 & ((1 << RECORD_BITS) - 1)
    }

    /// Sequence number that the record must have; 0 leaves it open.
    #[must_use]
    pub fn sequence(self) -> u16 {
        let [.., low, high] = self.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Whether a record with this sequence number is the one that is meant.
    #[must_use]
    pub fn fits(self, sequence: u16) -> bool {
        matches!(self.sequence(), 0) || self.sequence() == sequence
    }
}

impl fmt::Debug for FileReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.record(), self.sequence())
    }
}

impl fmt::Display for FileReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_told_apart() {
        let reference = FileReference::new(0x1234_ffff_0000_0005);
        assert_eq!(reference.record(), 0xffff_0000_0005);
        assert_eq!(reference.sequence(), 0x1234);
        assert!(reference.fits(0x1234) && !reference.fits(0x1235));
        assert!(FileReference::new(5).fits(7));
    }
}
