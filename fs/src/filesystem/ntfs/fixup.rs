//! The update sequence: how a torn write of a record or an index block is noticed.
//!
//! The last two bytes of every 512 bytes are kept aside in an array in the structure's header, and a
//! number that changes with each write stands in their places. A structure of which only a part
//! reached the disk has two different numbers in it. The stride is 512 bytes whatever the sector size
//! of the volume is, 256 to 4096 (Linux-NTFS documentation, "Fixup"; `fs/ntfs3/fsntfs.c`,
//! `ntfs_fix_post_read`).
//!
//! | at  | field                                            |
//! |-----|--------------------------------------------------|
//! | 0x0 | signature: `FILE`, `INDX`, `RCRD`, `RSTR`        |
//! | 0x4 | offset of the array                              |
//! | 0x6 | its length in 16-bit words: the number, then one word for each stride |

use super::codes;
use crate::bytes::{get_le_u16, len_u64};
use crate::error::{Error, Result};

/// Bytes that one word of the array protects.
pub const STRIDE: usize = 512;

/// Puts the kept bytes back into `structure`, which lies at byte `at` of the volume.
///
/// The caller has checked the signature. `structure` must be whole: an array for fewer or more strides
/// than it has is refused.
///
/// # Errors
/// [`codes::FIXUP`] for an array that lies outside of the structure or does not fit its length, and
/// for a structure that was written in part. What `structure` holds then is not specified.
pub fn apply(structure: &mut [u8], at: u64) -> Result<()> {
    let bad = |detail: String| Error::corrupt(codes::FIXUP, at, detail);
    let field = |offset| get_le_u16(structure, offset).map(usize::from);
    let (Some(usa_offset), Some(usa_count)) = (field(0x4), field(0x6)) else {
        return Err(bad(format!("a structure of {} bytes", structure.len())));
    };
    let strides = structure.len() / STRIDE;
    let whole = strides > 0 && structure.len().is_multiple_of(STRIDE);
    if !whole || usa_count.checked_sub(1) != Some(strides) {
        let detail = format!(
            "an update sequence of {usa_count} words in {} bytes",
            structure.len()
        );
        return Err(bad(detail));
    }
    let usa_end = usa_offset.saturating_add(usa_count.saturating_mul(2));
    // The array may not reach the end of the first stride: it would restore a part of itself.
    if !usa_offset.is_multiple_of(2) || usa_end > STRIDE.saturating_sub(2) {
        let detail = format!("an update sequence at {usa_offset:#x} of {usa_count} words");
        return Err(bad(detail));
    }
    let (head, _) = structure.split_at(usa_end.min(structure.len()));
    let array: Vec<[u8; 2]> = (head.get(usa_offset..).unwrap_or_default())
        .chunks_exact(2)
        .filter_map(|word| word.try_into().ok())
        .collect();
    let Some((number, kept)) = array.split_first() else {
        return Err(bad("an empty update sequence".to_owned()));
    };
    for (index, (stride, kept)) in structure.chunks_exact_mut(STRIDE).zip(kept).enumerate() {
        let Some(end) = stride.last_chunk_mut::<2>() else {
            continue;
        };
        if end != number {
            let detail = format!(
                "the update sequence of stride {index} is {:#x}, not {:#x}: a write that was torn",
                u16::from_le_bytes(*end),
                u16::from_le_bytes(*number)
            );
            let within = len_u64(index.saturating_mul(STRIDE));
            return Err(Error::corrupt(
                codes::FIXUP,
                at.saturating_add(within),
                detail,
            ));
        }
        *end = *kept;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure() -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[..8].copy_from_slice(b"FILE\x30\0\x03\0");
        bytes[0x30..0x36].copy_from_slice(&[7, 1, 0xaa, 0xbb, 0xcc, 0xdd]);
        for end in [510, 1022] {
            bytes[end..][..2].copy_from_slice(&[7, 1]);
        }
        bytes
    }

    #[test]
    fn the_kept_bytes_come_back() {
        let mut bytes = structure();
        apply(&mut bytes, 0).unwrap();
        assert_eq!(
            (&bytes[510..512], &bytes[1022..]),
            (&[0xaa, 0xbb][..], &[0xcc, 0xdd][..])
        );
    }

    #[test]
    fn a_torn_write_names_the_stride() {
        let mut bytes = structure();
        bytes[1022] = 6;
        let error = apply(&mut bytes, 0x1000).unwrap_err();
        assert_eq!(error.code(), codes::FIXUP);
        assert_eq!(error.fault().unwrap().at, 0x1200);
    }

    #[test]
    fn an_array_that_does_not_fit_is_refused() {
        for (at, value) in [
            (4, 0xff),
            (5, 2),
            (4, 0x31),
            (6, 2),
            (6, 4),
            (7, 0xff),
            (6, 0),
        ] {
            let mut bytes = structure();
            bytes[at] = value;
            let error = apply(&mut bytes, 0).unwrap_err();
            assert_eq!(error.code(), codes::FIXUP, "byte {at} is {value:#x}");
        }
        assert!(apply(&mut [], 0).is_err());
        assert!(apply(&mut structure()[..1000], 0).is_err());
    }
}
