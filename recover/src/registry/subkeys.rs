//! The list of a key's subkeys, in one of four forms.
//!
//! | signature | elements behind the 16-bit count at 0x2 |
//! |---|---|
//! | `lf` | offset of a key node, first four letters of its name |
//! | `lh` | offset of a key node, hash of its name |
//! | `li` | offset of a key node |
//! | `ri` | offset of a list of one of the forms above |
//!
//! Letters and hashes are not looked at: they save reads where there are many keys, and hide a key
//! where they are wrong. Source: Maxim Suhanov, "Windows registry file format specification",
//! sections "Index leaf" to "Index root".

use super::{Hive, cell, codes};
use flr_fs::bytes::{get_le_u16, get_le_u32};
use flr_fs::{Error, Result};
use std::collections::HashSet;

/// Subkeys of one key that are read. The largest keys of real systems have tens of thousands.
const COUNT_MAX: usize = 1 << 18;

/// Offsets of the key nodes in the list at `at`. `expected`: how many the key says there are.
pub(super) fn offsets(hive: &Hive, at: u32, expected: u32) -> Result<Vec<u32>> {
    let place = Hive::place(at.into());
    let mut found = Vec::new();
    match List::read(hive, at)? {
        List::Leaf(offsets) => found = offsets,
        List::Root(lists) => {
            let mut seen = HashSet::new();
            for list in lists {
                let twice = !seen.insert(list);
                let place = Hive::place(list.into());
                let corrupt = |detail| Err(Error::corrupt(codes::SUBKEYS, place, detail));
                match List::read(hive, list)? {
                    _ if twice => return corrupt("a list of subkeys that is listed twice"),
                    List::Root(_) => return corrupt("a list of lists inside of another"),
                    List::Leaf(mut offsets) => found.append(&mut offsets),
                }
                check_count(found.len(), place)?;
            }
        }
    }
    check_count(found.len(), place)?;
    if usize::try_from(expected) != Ok(found.len()) {
        let detail = format!("{expected} subkeys expected, {} listed", found.len());
        return Err(Error::corrupt(codes::SUBKEYS, place, detail));
    }
    Ok(found)
}

fn check_count(count: usize, place: u64) -> Result<()> {
    if count > COUNT_MAX {
        let detail = format!("more than {COUNT_MAX} subkeys of one key");
        return Err(Error::limit(codes::COUNT, place, detail));
    }
    Ok(())
}

/// One list.
enum List {
    /// Offsets of key nodes.
    Leaf(Vec<u32>),
    /// Offsets of lists.
    Root(Vec<u32>),
}

impl List {
    fn read(hive: &Hive, at: u32) -> Result<Self> {
        let raw = cell::read(hive, at)?;
        let corrupt = |detail| Error::corrupt(codes::SUBKEYS, Hive::place(at.into()), detail);
        let count = get_le_u16(&raw, 0x2).ok_or_else(|| corrupt("too short for a list"))?;
        let (is_root, step) = match raw.first_chunk() {
            Some(b"lf" | b"lh") => (false, 8),
            Some(b"li") => (false, 4),
            Some(b"ri") => (true, 4),
            _ => return Err(corrupt("lf, lh, li or ri expected")),
        };
        let elements = (4_usize..).step_by(step).take(count.into());
        let offsets = elements.map(|element| get_le_u32(&raw, element));
        let offsets: Option<Vec<_>> = offsets.collect();
        let offsets = offsets.ok_or_else(|| corrupt("more subkeys than the list has room for"))?;
        Ok(if is_root {
            Self::Root(offsets)
        } else {
            Self::Leaf(offsets)
        })
    }
}
