//! Reparse points: a tag, and data for the driver that the tag stands for.
//!
//! | at   | field                                                            |
//! |------|------------------------------------------------------------------|
//! | 0x00 | tag; bit 31: Microsoft's, bit 29: stands for another name        |
//! | 0x04 | length of the data                                               |
//! | 0x06 | reserved                                                         |
//! | 0x08 | GUID of the owner, if the tag is not Microsoft's                 |
//! | 0x08 | data (0x18 behind a GUID)                                        |
//!
//! Source: MS-FSCC 2.1.2 (tags 2.1.2.1, buffers 2.1.2.2 and 2.1.2.3). Windows opens a reparse point
//! only through the driver of its tag; without it, it answers that the file cannot be accessed. So
//! does this reader for tags that may keep the content elsewhere: what `$DATA` holds then is often a
//! hole of the file's full length, which would read as zeros.

use super::codes;
use crate::bytes::{get_array, get_le_u16, get_le_u32, len_u64};
use crate::error::{Error, Result};
use std::borrow::Cow;

/// A directory that leads to another place: a junction, or a volume mounted there.
pub const MOUNT_POINT: u32 = 0xa000_0003;
/// A symbolic link of Windows.
pub const SYMLINK: u32 = 0xa000_000c;
/// A symbolic link of the Windows Subsystem for Linux.
pub const LX_SYMLINK: u32 = 0xa000_001d;
/// A Unix socket.
pub const AF_UNIX: u32 = 0x8000_0023;
/// A named pipe of the Windows Subsystem for Linux.
pub const LX_FIFO: u32 = 0x8000_0024;
/// A character device of the Windows Subsystem for Linux.
pub const LX_CHR: u32 = 0x8000_0025;
/// A block device of the Windows Subsystem for Linux.
pub const LX_BLK: u32 = 0x8000_0026;
/// Special files of the NFS server.
pub const NFS: u32 = 0x8000_0014;
/// Content compressed by the Windows Overlay Filter.
pub const WOF: u32 = 0x8000_0017;

/// Longest attribute: MS-FSCC allows 16 KiB of data, its header and a GUID come on top.
pub const ATTRIBUTE_BYTES_MAX: u64 = (16 << 10) + 0x18;

/// Set in tags of Microsoft, which have no GUID.
const MICROSOFT: u32 = 0x8000_0000;
/// The bits of a cloud tag that number its providers.
const CLOUD_PROVIDER: u32 = 0x0000_f000;
const CLOUD: u32 = 0x9000_001a;

/// `FILE_ATTRIBUTE_OFFLINE`, `_RECALL_ON_OPEN`, `_RECALL_ON_DATA_ACCESS` (MS-FSCC 2.6): a part of the
/// content, or all of it, is not on this disk.
const AWAY: u32 = 0x0000_1000 | 0x0004_0000 | 0x0040_0000;

/// Where the content of a file with a reparse point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// In `$DATA`, as without a reparse point.
    Here,
    /// In `$DATA` if that has neither holes nor an unwritten end. Files of a cloud service keep their
    /// tag when they are downloaded; what is still missing of them is a hole.
    HereIfWhole,
    /// In the stream of the Windows Overlay Filter.
    Overlay,
    /// Somewhere else.
    Elsewhere,
    /// Nobody knows: the tag is not known.
    Unknown,
    /// There is none: a link, a device, a pipe, a socket.
    None,
}

/// The parts of a reparse point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReparsePoint<'a> {
    /// What the data is for.
    pub tag: u32,
    /// Who made it, if it was not Microsoft.
    pub guid: Option<[u8; 16]>,
    /// The data.
    pub data: &'a [u8],
}

/// Takes the value of `$REPARSE_POINT` apart. `at` is where the file's record lies.
///
/// # Errors
/// [`codes::REPARSE`] for a header that is cut, a tag that is reserved, data longer than the attribute.
pub fn parse(value: &[u8], at: u64) -> Result<ReparsePoint<'_>> {
    let bad = |detail: String| Error::corrupt(codes::REPARSE, at, detail);
    let (Some(tag), Some(data_len)) = (get_le_u32(value, 0x0), get_le_u16(value, 0x4)) else {
        return Err(bad(format!("a reparse point of {} bytes", value.len())));
    };
    if tag <= 2 {
        return Err(bad(format!("the reserved reparse tag {tag:#x}")));
    }
    // Some writers count the GUID as data, some do not (ntfs-3g: not). Where the length leaves no
    // room for one there is none.
    let rest = value.get(0x8..).unwrap_or_default();
    let data_len = usize::from(data_len);
    let has_guid = tag & MICROSOFT == 0 && rest.len() >= data_len.saturating_add(16);
    let guid = if has_guid { get_array(rest, 0) } else { None };
    let start = if has_guid { 16 } else { 0 };
    let data = rest
        .get(start..)
        .and_then(|rest| rest.get(..data_len))
        .ok_or_else(|| {
            let there = len_u64(rest.len());
            bad(format!("{data_len} bytes of reparse data in {there}"))
        })?;
    Ok(ReparsePoint { tag, guid, data })
}

/// The tag by its name in MS-FSCC (without `IO_REPARSE_TAG_`), or as a number.
#[must_use]
pub fn tag_name(tag: u32) -> Cow<'static, str> {
    match row(tag) {
        Some((_, name, _)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("{tag:#010x}")),
    }
}

/// Where the content of a file is that has this tag and these `FILE_ATTRIBUTE_` flags.
#[must_use]
pub fn content(tag: u32, attributes: u32) -> Content {
    match row(tag).map(|(_, _, content)| content) {
        Some(Content::HereIfWhole) if attributes & AWAY != 0 => Content::Elsewhere,
        Some(content) => content,
        None => Content::Unknown,
    }
}

/// The error for a file of which [`content`] says that it cannot be read.
#[must_use]
pub fn not_here(tag: u32, at: u64) -> Error {
    let name = tag_name(tag);
    match row(tag) {
        Some(_) => {
            let detail = format!("content that is not on this disk (reparse tag {name})");
            Error::unsupported(codes::REPARSE_CONTENT, at, detail)
        }
        None => {
            let detail = format!("content behind the unknown reparse tag {name}");
            Error::unsupported(codes::REPARSE_TAG, at, detail)
        }
    }
}

fn row(tag: u32) -> Option<(u32, &'static str, Content)> {
    let tag = match tag & !CLOUD_PROVIDER {
        CLOUD => CLOUD,
        _ => tag,
    };
    TAGS.iter().find(|(known, ..)| *known == tag).copied()
}

/// MS-FSCC 2.1.2.1. What a tag means for the content is from the descriptions there and of the products.
const TAGS: &[(u32, &str, Content)] = &[
    (MOUNT_POINT, "MOUNT_POINT", Content::None),
    (SYMLINK, "SYMLINK", Content::None),
    (LX_SYMLINK, "LX_SYMLINK", Content::None),
    (AF_UNIX, "AF_UNIX", Content::None),
    (LX_FIFO, "LX_FIFO", Content::None),
    (LX_CHR, "LX_CHR", Content::None),
    (LX_BLK, "LX_BLK", Content::None),
    (NFS, "NFS", Content::None),
    (WOF, "WOF", Content::Overlay),
    // The placeholder of an app: the file is empty, all there is stands in the reparse data.
    (0x8000_001b, "APPEXECLINK", Content::Here),
    // Named by a link target in the data, but read through the DFS and IIS drivers from here.
    (0x8000_000a, "DFS", Content::Here),
    (0x8000_0012, "DFSR", Content::Here),
    (0xa000_0010, "IIS_CACHE", Content::Here),
    (CLOUD, "CLOUD", Content::HereIfWhole),
    (0x8000_0021, "ONEDRIVE", Content::HereIfWhole),
    (0x8000_001e, "STORAGE_SYNC", Content::HereIfWhole),
    (0x9000_0027, "STORAGE_SYNC_FOLDER", Content::HereIfWhole),
    (0x8000_0015, "FILE_PLACEHOLDER", Content::HereIfWhole),
    (0x9000_001c, "PROJFS", Content::HereIfWhole),
    (0x8000_0013, "DEDUP", Content::Elsewhere),
    (0xc000_0004, "HSM", Content::Elsewhere),
    (0x8000_0006, "HSM2", Content::Elsewhere),
    (0x8000_0007, "SIS", Content::Elsewhere),
    (0x8000_0005, "DRIVE_EXTENDER", Content::Elsewhere),
    (0x8000_0008, "WIM", Content::Elsewhere),
    (0x8000_0009, "CSV", Content::Elsewhere),
    (0x8000_000b, "FILTER_MANAGER", Content::Elsewhere),
    (0xc000_0014, "APPXSTRM", Content::Elsewhere),
    (0x8000_0016, "DFM", Content::Elsewhere),
    (0x8000_0018, "WCI", Content::Elsewhere),
    (0x9000_1018, "WCI_1", Content::Elsewhere),
    (0xa000_0027, "WCI_LINK", Content::Elsewhere),
    (0xa000_1027, "WCI_LINK_1", Content::Elsewhere),
    (0xa000_001f, "WCI_TOMBSTONE", Content::Elsewhere),
    (0xa000_0019, "GLOBAL_REPARSE", Content::Elsewhere),
    (0xa000_0022, "PROJFS_TOMBSTONE", Content::Elsewhere),
    (0x8000_0020, "UNHANDLED", Content::Elsewhere),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a reparse point before `data`.
    fn point(tag: u32, data: &[u8]) -> Vec<u8> {
        let mut value = tag.to_le_bytes().to_vec();
        value.extend_from_slice(&u16::try_from(data.len()).unwrap().to_le_bytes());
        value.extend_from_slice(&[0; 2]);
        value.extend_from_slice(data);
        value
    }

    #[test]
    fn the_parts_of_a_reparse_point() {
        let value = point(WOF, b"0123");
        let parsed = parse(&value, 0).unwrap();
        assert_eq!(
            (parsed.tag, parsed.guid, parsed.data),
            (WOF, None, &b"0123"[..])
        );
        // Padding behind the data is none of it.
        let padded = [&value[..], &[0; 4]].concat();
        assert_eq!(parse(&padded, 0).unwrap().data, b"0123");
    }

    #[test]
    fn tags_of_others_carry_a_guid() {
        let mut value = point(0x0000_1234, &[]);
        value[4..6].copy_from_slice(&4_u16.to_le_bytes());
        value.extend_from_slice(&[7; 16]);
        value.extend_from_slice(b"data");
        let parsed = parse(&value, 0).unwrap();
        assert_eq!((parsed.guid, parsed.data), (Some([7; 16]), &b"data"[..]));
    }

    #[test]
    fn headers_that_make_no_sense_are_damage() {
        let whole = point(SYMLINK, &[0; 12]);
        for len in 0..whole.len() {
            assert_eq!(parse(&whole[..len], 0).unwrap_err().code(), codes::REPARSE);
        }
        for tag in [0, 1, 2] {
            let error = parse(&point(tag, &[]), 5).unwrap_err();
            assert_eq!(
                (error.code(), error.fault().unwrap().at),
                (codes::REPARSE, 5)
            );
        }
    }

    #[test]
    fn content_that_is_elsewhere_is_refused_by_name() {
        let name_of = |tag| not_here(tag, 0).to_string();
        assert_eq!(content(0x8000_0013, 0), Content::Elsewhere);
        assert!(name_of(0x8000_0013).contains("DEDUP"));
        assert_eq!(not_here(0x8000_0013, 0).code(), codes::REPARSE_CONTENT);
        assert_eq!(content(0x8000_00ff, 0), Content::Unknown);
        assert!(name_of(0x8000_00ff).contains("0x800000ff"));
        assert_eq!(not_here(0x8000_00ff, 0).code(), codes::REPARSE_TAG);
    }

    #[test]
    fn cloud_files_count_if_they_were_downloaded() {
        for provider in [0x0000, 0x1000, 0x6000, 0xf000] {
            let tag = CLOUD | provider;
            assert_eq!(tag_name(tag), "CLOUD");
            assert_eq!(content(tag, 0x20), Content::HereIfWhole);
            for away in [0x1000, 0x4_0000, 0x40_0000] {
                assert_eq!(content(tag, 0x20 | away), Content::Elsewhere);
            }
        }
    }

    #[test]
    fn no_tag_stands_twice_in_the_table() {
        for (index, (tag, ..)) in TAGS.iter().enumerate() {
            assert!(TAGS.iter().skip(index + 1).all(|(other, ..)| other != tag));
        }
    }
}
