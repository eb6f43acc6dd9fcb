//! Security descriptors: owner, group and access lists, in one piece.
//!
//! | at   | field                                                        |
//! |------|--------------------------------------------------------------|
//! | 0x00 | revision (1)                                                 |
//! | 0x02 | control; bit 15: the parts lie behind this header            |
//! | 0x04 | offset of the owner, 0x08 group, 0x0c SACL, 0x10 DACL; 0: none |
//!
//! An access list: `0x0` revision, `0x2` length, `0x4` number of entries, `0x8` entries, each `0x0` type,
//! `0x1` flags, `0x2` length. Source: MS-DTYP 2.4.6, 2.4.5, 2.4.4.1.

use super::codes;
use super::sid;
use crate::bytes::{get_le_u16, get_le_u32};
use crate::error::{Error, Result};

/// Longest descriptor: its access lists hold at most 64 KiB each, its identifiers 68 bytes each.
pub const DESCRIPTOR_BYTES_MAX: u32 = 2 * 0xffff + 2 * 68 + HEADER_LEN;

const HEADER_LEN: u32 = 0x14;
const SE_SELF_RELATIVE: u16 = 0x8000;

/// A descriptor whose parts all lie inside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// The owner's identifier.
    pub owner: Option<&'a [u8]>,
    /// The group's identifier.
    pub group: Option<&'a [u8]>,
}

/// Checks a descriptor whole and finds its owner and group. `at` is where it was found.
///
/// # Errors
/// [`codes::SECURITY_DESCRIPTOR`] if it is not self-relative or a part of it lies outside of it.
pub fn parse(bytes: &[u8], at: u64) -> Result<Descriptor<'_>> {
    let bad = |what: &str| Error::corrupt(codes::SECURITY_DESCRIPTOR, at, what);
    let header: Option<[u32; 4]> = (|| {
        Some([
            get_le_u32(bytes, 0x4)?,
            get_le_u32(bytes, 0x8)?,
            get_le_u32(bytes, 0xc)?,
            get_le_u32(bytes, 0x10)?,
        ])
    })();
    let (Some([1, ..]), Some(control), Some([owner, group, sacl, dacl])) =
        (bytes.first_chunk::<2>(), get_le_u16(bytes, 0x2), header)
    else {
        return Err(bad("no security descriptor of revision 1"));
    };
    if control & SE_SELF_RELATIVE == 0 {
        return Err(bad("a security descriptor that is not in one piece"));
    }
    let identifier = |offset: u32, what: &str| match part(bytes, offset) {
        Part::None => Ok(None),
        Part::At(rest) => sid::first(rest).map(Some).ok_or_else(|| bad(what)),
        Part::Outside => Err(bad(what)),
    };
    for (offset, what) in [
        (sacl, "a damaged audit list"),
        (dacl, "a damaged access list"),
    ] {
        match part(bytes, offset) {
            Part::None => {}
            Part::At(rest) if list_fits(rest) => {}
            Part::At(_) | Part::Outside => return Err(bad(what)),
        }
    }
    Ok(Descriptor {
        owner: identifier(owner, "a damaged owner")?,
        group: identifier(group, "a damaged group")?,
    })
}

enum Part<'a> {
    None,
    At(&'a [u8]),
    Outside,
}

fn part(bytes: &[u8], offset: u32) -> Part<'_> {
    match usize::try_from(offset).ok().and_then(|at| bytes.get(at..)) {
        _ if offset == 0 => Part::None,
        Some(rest) if offset >= HEADER_LEN && !rest.is_empty() => Part::At(rest),
        _ => Part::Outside,
    }
}

/// Whether an access list with all of its entries lies inside of `rest`.
fn list_fits(rest: &[u8]) -> bool {
    let (Some(len), Some(count)) = (get_le_u16(rest, 0x2), get_le_u16(rest, 0x4)) else {
        return false;
    };
    let Some(mut entries) = rest.get(..len.into()).and_then(|list| list.get(0x8..)) else {
        return false;
    };
    for _ in 0..count {
        let Some(len) = get_le_u16(entries, 0x2).map(usize::from) else {
            return false;
        };
        match entries.get(len..) {
            Some(behind) if len >= 4 => entries = behind,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ntfs-3g 2022.10.3 writes it for a file of user 1234 and group 5678 with mode 0640, shown by
    /// `ntfssecaudit -bv` (which reads each four bytes as they lie).
    const STORED: &str = "01000490a4000000c000000000000000\
        14000000020090000500000000042400\
        9f011f00010500000000000515000000\
        4de640bbd6872723f76d961bb4300000\
        00042400890012000105000000000005\
        150000004de640bbd6872723f76d961b\
        6d530000000414008800120001010000\
        000000010000000000041800bf011f00\
        01020000000000052000000020020000\
        00041400bf011f000101000000000005\
        12000000010500000000000515000000\
        4de640bbd6872723f76d961bb4300000\
        010500000000000515000000\
        4de640bbd6872723f76d961b6d530000";

    fn stored() -> Vec<u8> {
        let hex: Vec<u8> = STORED.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = hex.chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn owner_and_group() {
        let bytes = stored();
        let descriptor = parse(&bytes, 0).unwrap();
        assert_eq!(
            sid::text(descriptor.owner.unwrap()).unwrap(),
            "S-1-5-21-3141592653-589793238-462843383-12468"
        );
        assert_eq!(
            sid::text(descriptor.group.unwrap()).unwrap(),
            "S-1-5-21-3141592653-589793238-462843383-21357"
        );
    }

    #[test]
    fn descriptors_that_make_no_sense_are_damage() {
        let whole = stored();
        for len in 0..whole.len() {
            let error = parse(&whole[..len], 0).unwrap_err();
            assert_eq!(error.code(), codes::SECURITY_DESCRIPTOR, "{len} bytes");
        }
        for (at, value) in [
            (0, 2),
            (3, 0),
            (4, 4),
            (5, 0xff),
            (7, 0xff),
            (8, 0xda),
            (0x10, 0x13),
            (0x16, 7),
            (0x17, 0xff),
            (0x18, 0xff),
            (0x1e, 3),
            (0x1f, 1),
            (0xa4, 2),
            (0xa5, 16),
        ] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            assert!(parse(&bytes, 0).is_err(), "byte {at:#x} is {value:#x}");
        }
    }

    #[test]
    fn parts_may_be_missing() {
        let mut bytes = vec![0; 0x14];
        bytes[0] = 1;
        bytes[3] = 0x80;
        let none = Descriptor {
            owner: None,
            group: None,
        };
        assert_eq!(parse(&bytes, 0).unwrap(), none);
    }
}
