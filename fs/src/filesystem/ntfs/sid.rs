//! Security identifiers: who owns a file, in Windows' terms.
//!
//! `0x0` revision (1), `0x1` number of sub-authorities (at most 15), `0x2` authority, 48 bits, big-endian,
//! `0x8` sub-authorities, 32 bits each. Source: MS-DTYP 2.4.2.

use crate::bytes::get_le_u32;
use std::fmt::Write as _;

const SUB_AUTHORITY_COUNT_MAX: u8 = 15;

/// The identifier that `bytes` begin with, and nothing behind it. `None` if they begin with none.
#[must_use]
pub fn first(bytes: &[u8]) -> Option<&[u8]> {
    let &[revision, count] = bytes.first_chunk()?;
    if revision != 1 || count > SUB_AUTHORITY_COUNT_MAX {
        return None;
    }
    let len = usize::from(count).saturating_mul(4).saturating_add(8);
    bytes.get(..len)
}

/// The identifier as text, `S-1-5-21-…` (MS-DTYP 2.4.2.1). `None` if `bytes` begin with none.
#[must_use]
pub fn text(bytes: &[u8]) -> Option<String> {
    let sid = first(bytes)?;
    let authority = sid
        .get(2..8)?
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut text = String::from("S-1-");
    // Authorities of more than 32 bits are written in hex.
    let written = match u32::try_from(authority) {
        Ok(authority) => write!(text, "{authority}"),
        Err(_) => write!(text, "{authority:#014x}"),
    };
    written.ok()?;
    for sub in sid.get(8..)?.chunks_exact(4) {
        write!(text, "-{}", get_le_u32(sub, 0)?).ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_as_windows_writes_them() {
        for (bytes, expected) in [
            (&b"\x01\x01\0\0\0\0\0\x05\x12\0\0\0"[..], "S-1-5-18"),
            (
                b"\x01\x02\0\0\0\0\0\x05\x20\0\0\0\x20\x02\0\0",
                "S-1-5-32-544",
            ),
            (b"\x01\x00\x01\0\0\0\0\x05behind", "S-1-0x010000000005"),
            (b"\x01\x01\0\0\0\0\0\x01\0\0\0\0", "S-1-1-0"),
        ] {
            assert_eq!(text(bytes).as_deref(), Some(expected));
        }
    }

    #[test]
    fn bytes_that_are_none() {
        for bytes in [
            &b""[..],
            b"\x01",
            b"\x02\x01\0\0\0\0\0\x05\x12\0\0\0",
            b"\x01\x02\0\0\0\0\0\x05\x12\0\0\0",
            b"\x01\x10\0\0\0\0\0\x05",
        ] {
            assert_eq!(first(bytes), None);
            assert_eq!(text(bytes), None);
        }
    }
}
