//! `$UpCase` (record 10): how a volume compares names without regard to case.
//!
//! The file holds one 16-bit unit for each of the 65 536: the unit's upper case. Windows writes it when
//! it makes a volume and sorts directories by it ever after, so the volume's own table counts and not
//! today's Unicode. Units beyond a short table, or all where it cannot be read, are taken from a table
//! of our own.

use super::upcase_table::RUNS;
use crate::bytes::get_le_u16;
use std::cmp::Ordering;

/// Units of a whole table.
const UNIT_COUNT: usize = 1 << 16;
/// Bytes of a whole table; what is longer is not looked at.
pub const UPCASE_LEN_MAX: usize = UNIT_COUNT * 2;

/// The upper case of every 16-bit unit.
#[derive(Clone, PartialEq, Eq)]
pub struct UpCase {
    table: Box<[u16]>,
}

impl UpCase {
    /// The table with these bytes of `$UpCase`; the built-in one takes over where they end.
    ///
    /// `None` for a table that cannot be one: every table has ASCII as everybody knows it, and nothing
    /// but 0 becomes 0. By one that is all zeros, each name would be any other of its length.
    #[must_use]
    pub fn new(stored: &[u8]) -> Option<Self> {
        let mut table = built_in();
        for (unit, stored) in table.iter_mut().zip(stored.chunks_exact(2)) {
            *unit = get_le_u16(stored, 0).unwrap_or(0);
        }
        let ascii = (0..=u8::MAX).take_while(u8::is_ascii);
        let is_ascii_right =
            (ascii.zip(&table)).all(|(unit, upper)| u16::from(unit.to_ascii_uppercase()) == *upper);
        let is_zero_alone = table.iter().skip(1).all(|upper| *upper != 0);
        (is_ascii_right && is_zero_alone).then_some(Self { table })
    }

    /// The upper case of one unit.
    #[must_use]
    pub fn of(&self, unit: u16) -> u16 {
        let upper = self.table.get(usize::from(unit)).copied();
        upper.unwrap_or(unit)
    }

    /// Whether two names differ at most in case.
    #[must_use]
    pub fn same(&self, name: &[u16], other: &[u16]) -> bool {
        self.compare_folded(name, other).is_eq()
    }

    /// The order of a directory (`COLLATION_FILE_NAME`): by upper case, and names that are the same in
    /// upper case by their units.
    #[must_use]
    pub fn compare(&self, name: &[u16], other: &[u16]) -> Ordering {
        self.compare_folded(name, other)
            .then_with(|| name.cmp(other))
    }

    /// The order by upper case only.
    #[must_use]
    pub fn compare_folded(&self, name: &[u16], other: &[u16]) -> Ordering {
        name.iter()
            .map(|unit| self.of(*unit))
            .cmp(other.iter().map(|unit| self.of(*unit)))
    }
}

impl Default for UpCase {
    /// The built-in table, for volumes whose own cannot be read.
    fn default() -> Self {
        Self { table: built_in() }
    }
}

impl std::fmt::Debug for UpCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpCase").finish_non_exhaustive()
    }
}

fn built_in() -> Box<[u16]> {
    let mut table: Box<[u16]> = (0..=u16::MAX).collect();
    for (first, last, step, distance) in RUNS {
        for unit in (*first..=*last).step_by(usize::from(*step)) {
            let upper = i32::from(unit).saturating_add(*distance);
            if let (Some(slot), Ok(upper)) =
                (table.get_mut(usize::from(unit)), u16::try_from(upper))
            {
                *slot = upper;
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    /// CRC-32C and number of letters of the `$UpCase` that mkntfs 2022.10.3 writes.
    #[test]
    fn the_built_in_table_is_that_of_mkntfs() {
        let table = built_in();
        let bytes: Vec<u8> = table.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        assert_eq!(bytes.len(), UPCASE_LEN_MAX);
        assert_eq!(crc32c::crc32c(&bytes), 0x54c1_14a0);
        let letters = (0..=u16::MAX)
            .zip(&table)
            .filter(|(unit, upper)| unit != *upper);
        assert_eq!(letters.count(), 973);
    }

    #[test]
    fn names_are_compared_by_upper_case() {
        let table = UpCase::default();
        for (name, other) in [
            ("readme.TXT", "README.txt"),
            ("Größe", "GRÖßE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("ÿ", "Ÿ"),
            ("ｆｕｌｌ", "ＦＵＬＬ"),
        ] {
            assert!(table.same(&units(name), &units(other)), "{name} {other}");
            assert!(table.compare(&units(name), &units(other)).is_ne());
        }
        // One unit to one unit: no final sigma, no double s, and nothing outside of the basic plane.
        for (name, other) in [("ς", "Σ"), ("ß", "SS"), ("𐐨", "𐐀"), ("a", "ab")] {
            assert!(!table.same(&units(name), &units(other)), "{name} {other}");
        }
    }

    #[test]
    fn the_order_is_that_of_directories() {
        let table = UpCase::default();
        // As ntfs-3g sorts them.
        let sorted = ["A", "a", "AB", "Ab", "aB", "b", "[", "_", "Ä", "ä"].map(units);
        for pair in sorted.windows(2) {
            assert!(table.compare(&pair[0], &pair[1]).is_lt(), "{pair:x?}");
        }
    }

    #[test]
    fn a_short_table_counts_as_far_as_it_goes() {
        // A table in which `ä` is its own upper case, and which ends before `ö`.
        let mut stored: Vec<u8> = (0..0xf6_u16)
            .map(|unit| u8::try_from(unit).map_or(unit, |unit| unit.to_ascii_uppercase().into()))
            .flat_map(u16::to_le_bytes)
            .collect();
        stored.push(0xff);
        let table = UpCase::new(&stored).unwrap();
        assert_eq!(table.of(0xe4), 0xe4);
        assert_eq!(table.of(0xf6), 0xd6);
        assert_eq!(UpCase::new(&[]), Some(UpCase::default()));
    }

    #[test]
    fn what_cannot_be_a_table_is_none() {
        let whole = |at: usize, unit: u16| {
            let mut table = built_in();
            table[at] = unit;
            let bytes: Vec<u8> = table.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            UpCase::new(&bytes)
        };
        assert_eq!(whole(0, 0), Some(UpCase::default()));
        assert_eq!(UpCase::new(&[0; UPCASE_LEN_MAX]), None);
        for (at, unit) in [
            (0, 1),
            (0x2f, 0x41),
            (0x61, 0x61),
            (0x7a, 0x59),
            (0xfffe, 0),
        ] {
            assert_eq!(whole(at, unit), None, "{at:#x} as {unit:#x}");
        }
    }
}
