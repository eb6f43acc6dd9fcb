//! Special files of Interix, which ntfs-3g also writes: system files whose content says what they are.
//!
//! ```text
//! 0 "IntxLNK\1"  8 target in UTF-16, to the end
//! 0 "IntxCHR\0" or "IntxBLK\0"  8 major number, 64 bits  0x10 minor number, 64 bits
//! ```
//!
//! A pipe is a system file of no byte, a socket one of a single zero byte; of both Windows has its own
//! (`MSDOS.SYS`, `BOOTNXT`), which are hidden. Source: ntfs-3g, `layout.h` and `dir.c`; unlike there, the
//! byte of a socket must be the zero that is written into it.

use super::codes;
use super::utf16;
use crate::bytes::get_le_u64;
use crate::error::{Error, Result};
use crate::node::{DeviceNumber, FileKind};

/// Longest content that can be one: a target of 4096 characters behind its signature.
pub const CONTENT_BYTES_MAX: u64 = 8 + 2 * 4096;

const ATTRIBUTE_HIDDEN: u32 = 0x2;
const ATTRIBUTE_SYSTEM: u32 = 0x4;

/// What a system file stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Special {
    /// A symbolic link to this path, as stored.
    Link(Vec<u8>),
    /// A device, pipe or socket.
    Node(FileKind, Option<DeviceNumber>),
}

/// Whether the content of a file with these `FILE_ATTRIBUTE_` flags and this size must be looked at.
#[must_use]
pub const fn may_be_special(attributes: u32, size: u64) -> bool {
    attributes & ATTRIBUTE_SYSTEM != 0 && size <= CONTENT_BYTES_MAX
}

/// What the whole content of a system file says about it. `None`: it is a file like any other.
///
/// # Errors
/// [`codes::INTERIX`] for a link whose target no path can hold.
pub fn special(attributes: u32, content: &[u8], at: u64) -> Result<Option<Special>> {
    if !may_be_special(attributes, crate::bytes::len_u64(content.len())) {
        return Ok(None);
    }
    let hidden = attributes & ATTRIBUTE_HIDDEN != 0;
    let (magic, rest) = match content {
        [] if !hidden => return Ok(Some(Special::Node(FileKind::Fifo, None))),
        [0] if !hidden => return Ok(Some(Special::Node(FileKind::Socket, None))),
        _ => match content.split_first_chunk::<8>() {
            Some(parts) => parts,
            None => return Ok(None),
        },
    };
    match magic {
        b"IntxLNK\x01" => link(rest, at).map(|target| Some(Special::Link(target))),
        b"IntxCHR\0" => Ok(device(FileKind::CharDevice, rest)),
        b"IntxBLK\0" => Ok(device(FileKind::BlockDevice, rest)),
        _ => Ok(None),
    }
}

fn link(rest: &[u8], at: u64) -> Result<Vec<u8>> {
    let target = utf16::to_wtf8(rest);
    if rest.is_empty() || !rest.len().is_multiple_of(2) || target.contains(&0) {
        let detail = "the target of an Interix link is empty, cut, or holds a NUL";
        return Err(Error::corrupt(codes::INTERIX, at, detail));
    }
    Ok(target)
}

/// A device, if its numbers are there and nothing else is; otherwise it is a file that happens to
/// begin like one, as for ntfs-3g.
fn device(kind: FileKind, rest: &[u8]) -> Option<Special> {
    if rest.len() != 0x10 {
        return None;
    }
    let number = |at| u32::try_from(get_le_u64(rest, at)?).ok();
    let (major, minor) = (number(0x0)?, number(0x8)?);
    Some(Special::Node(kind, Some(DeviceNumber { major, minor })))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: u32 = 0x24;

    fn link_to(target: &str) -> Vec<u8> {
        let units = target.encode_utf16().flat_map(u16::to_le_bytes);
        b"IntxLNK\x01".iter().copied().chain(units).collect()
    }

    #[test]
    fn links_devices_pipes_and_sockets() {
        let read = |content: &[u8]| special(SYSTEM, content, 0).unwrap();
        assert_eq!(
            read(&link_to("../ä/b")),
            Some(Special::Link("../ä/b".as_bytes().to_vec()))
        );
        // As ntfs-3g 2022.10.3 writes `mknod c 5 7`.
        let chr = b"IntxCHR\0\x05\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0";
        let number = DeviceNumber { major: 5, minor: 7 };
        assert_eq!(
            read(chr),
            Some(Special::Node(FileKind::CharDevice, Some(number)))
        );
        assert_eq!(read(b""), Some(Special::Node(FileKind::Fifo, None)));
        assert_eq!(read(b"\0"), Some(Special::Node(FileKind::Socket, None)));
    }

    #[test]
    fn files_of_windows_stay_files() {
        for (attributes, content) in [
            (0x26, &b""[..]),
            (0x26, b"\0"),
            (SYSTEM, b"p"),
            (SYSTEM, b"[.ShellClassInfo]"),
            (SYSTEM, b"IntxCHR\0\x05\0\0\0\0\0\0\0\x07\0\0\0\0\0\0"),
            (SYSTEM, b"IntxBLK\0\0\0\0\0\x01\0\0\0\x07\0\0\0\0\0\0\0"),
            (0x20, b"IntxLNK\x01a\0"),
            (0x20, b""),
        ] {
            assert_eq!(special(attributes, content, 0).unwrap(), None);
        }
        assert!(!may_be_special(SYSTEM, CONTENT_BYTES_MAX + 1));
    }

    #[test]
    fn targets_that_no_path_can_hold_are_damage() {
        for rest in [&b""[..], b"a", b"a\0\0\0", b"a\0b"] {
            let content = [b"IntxLNK\x01", rest].concat();
            let error = special(SYSTEM, &content, 9).unwrap_err();
            assert_eq!(error.code(), codes::INTERIX);
        }
    }
}
