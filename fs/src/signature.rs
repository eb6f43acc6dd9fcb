//! Formats that are known by their signature and not read yet.
//!
//! Saying "an LVM physical volume, which is not read yet" is an answer; saying nothing about it, or
//! "empty", is not. Only looked at where no format of the registry recognised a volume. When a format
//! gets a reader, its line here goes.

use crate::bytes::{clamp_usize, len_u64};
use crate::error::{Error, Result};
use crate::source::ByteSource;

/// Codes of formats that are only named.
pub mod codes {
    use crate::error::Code;

    /// A format that is known by its signature only.
    pub const FORMAT: Code = Code::new("unsupported.format");

    /// All of them.
    pub const ALL: &[Code] = &[FORMAT];
}

/// Where a signature stands.
enum At {
    /// Bytes from the start.
    Start(u64),
    /// Bytes before the end.
    End(u64),
}

/// What carries the signature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// A disk image, which only a file can be.
    Container,
    /// A filesystem, a member of a volume group, an encrypted volume.
    Data,
    /// Nothing that files could be in.
    Swap,
}

const SIGNATURES: &[(At, &[u8], Sort, &str)] = &[
    (
        At::Start(0),
        b"QFI\xfb",
        Sort::Container,
        "a qcow or qcow2 image",
    ),
    (At::Start(0), b"KDMV", Sort::Container, "a VMDK image"),
    (At::Start(0), b"COWD", Sort::Container, "a VMDK image"),
    (
        At::Start(0),
        b"# Disk DescriptorFile",
        Sort::Container,
        "a VMDK descriptor",
    ),
    (At::Start(0), b"vhdxfile", Sort::Container, "a VHDX image"),
    (At::Start(0), b"conectix", Sort::Container, "a VHD image"),
    (At::End(512), b"conectix", Sort::Container, "a VHD image"),
    (
        At::Start(0),
        b"EVF\x09\x0d\x0a\xff\x00",
        Sort::Container,
        "an E01 image",
    ),
    (
        At::Start(0x40),
        b"\x7f\x10\xda\xbe",
        Sort::Container,
        "a VDI image",
    ),
    (At::Start(0), b"XFSB", Sort::Data, "an XFS filesystem"),
    (
        At::Start(0x1_0040),
        b"_BHRfS_M",
        Sort::Data,
        "a btrfs filesystem",
    ),
    (At::Start(3), b"EXFAT   ", Sort::Data, "an exFAT filesystem"),
    (At::Start(3), b"-FVE-FS-", Sort::Data, "a BitLocker volume"),
    (
        At::Start(3),
        b"ReFS\0\0\0\0",
        Sort::Data,
        "a ReFS filesystem",
    ),
    (At::Start(82), b"FAT32   ", Sort::Data, "a FAT filesystem"),
    (At::Start(54), b"FAT16   ", Sort::Data, "a FAT filesystem"),
    (At::Start(54), b"FAT12   ", Sort::Data, "a FAT filesystem"),
    (At::Start(0), b"LUKS\xba\xbe", Sort::Data, "a LUKS volume"),
    (
        At::Start(512),
        b"LABELONE",
        Sort::Data,
        "an LVM physical volume",
    ),
    (
        At::Start(0),
        b"LABELONE",
        Sort::Data,
        "an LVM physical volume",
    ),
    (
        At::Start(4096),
        b"\xfc\x4e\x2b\xa9",
        Sort::Data,
        "a member of an md array",
    ),
    (
        At::Start(0),
        b"\xfc\x4e\x2b\xa9",
        Sort::Data,
        "a member of an md array",
    ),
    (
        At::Start(0x8001),
        b"CD001",
        Sort::Data,
        "an ISO 9660 filesystem",
    ),
    (At::Start(0), b"hsqs", Sort::Data, "a squashfs filesystem"),
    (
        At::Start(1024),
        b"\xe2\xe1\xf5\xe0",
        Sort::Data,
        "an EROFS filesystem",
    ),
    (
        At::Start(1024),
        b"\x10\x20\xf5\xf2",
        Sort::Data,
        "an F2FS filesystem",
    ),
    (
        At::Start(0x1_0034),
        b"ReIsEr",
        Sort::Data,
        "a ReiserFS filesystem",
    ),
    (
        At::Start(1024),
        b"H+\x00\x04",
        Sort::Data,
        "an HFS+ filesystem",
    ),
    (At::Start(32), b"NXSB", Sort::Data, "an APFS container"),
    (At::Start(4086), b"SWAPSPACE2", Sort::Swap, "swap space"),
    (At::Start(65526), b"SWAPSPACE2", Sort::Swap, "swap space"),
];

/// What a volume carries that no reader recognised.
#[derive(Debug)]
pub enum Named {
    /// Data that cannot be read, as the error says.
    Unread(Error),
    /// Nothing that files could be in.
    Empty(&'static str),
}

/// Looks for known signatures.
///
/// # Errors
/// Those of the source.
pub fn name(source: &dyn ByteSource, may_be_container: bool) -> Result<Option<Named>> {
    for (at, signature, sort, words) in SIGNATURES {
        if *sort == Sort::Container && !may_be_container {
            continue;
        }
        if let Some(offset) = found_at(source, at, signature)? {
            return Ok(Some(match sort {
                Sort::Swap => Named::Empty(words),
                Sort::Container | Sort::Data => Named::Unread(unread(words, offset)),
            }));
        }
    }
    Ok(None)
}

/// The error for a file that begins as a container does, if it does.
///
/// Looked at before anything else: what lies behind such a header is not a disk as it is, though it may
/// look like one here and there. The copy of a GPT at the end of a qcow2 image is at the end of the file,
/// where a disk has it.
///
/// # Errors
/// Those of the source.
pub fn container(source: &dyn ByteSource) -> Result<Option<Error>> {
    for (at, signature, sort, words) in SIGNATURES {
        if matches!((at, sort), (At::Start(_), Sort::Container))
            && let Some(offset) = found_at(source, at, signature)?
        {
            return Ok(Some(unread(words, offset)));
        }
    }
    Ok(None)
}

fn unread(words: &str, offset: u64) -> Error {
    Error::unsupported(
        codes::FORMAT,
        offset,
        format!("{words}, which is not read yet"),
    )
}

/// Where the signature stands, if it is there.
fn found_at(source: &dyn ByteSource, at: &At, signature: &[u8]) -> Result<Option<u64>> {
    let offset = match at {
        At::Start(offset) => Some(*offset),
        At::End(distance) => source.size().checked_sub(*distance),
    };
    let Some(offset) = offset else {
        return Ok(None);
    };
    let end = offset.saturating_add(len_u64(signature.len()));
    if end > source.size() {
        return Ok(None);
    }
    let mut found = vec![0; clamp_usize(len_u64(signature.len()), 64)];
    source.read_at(offset, &mut found)?;
    Ok((found == signature).then_some(offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Memory;

    #[test]
    fn a_container_on_a_raw_disk_is_not_one() {
        let mut disk = vec![0; 4096];
        disk[..4].copy_from_slice(b"QFI\xfb");
        let disk = Memory::new(disk);
        let Some(Named::Unread(error)) = name(&disk, true).unwrap() else {
            panic!("not named")
        };
        assert_eq!(error.code(), codes::FORMAT);
        assert!(name(&disk, false).unwrap().is_none());
    }

    #[test]
    fn swap_and_nothing() {
        let mut disk = vec![0; 4096];
        assert!(name(&Memory::new(disk.clone()), true).unwrap().is_none());
        disk[4086..].copy_from_slice(b"SWAPSPACE2");
        let named = name(&Memory::new(disk), true).unwrap();
        assert!(matches!(named, Some(Named::Empty("swap space"))));
        assert!(name(&Memory::new(*b"LUK"), true).unwrap().is_none());
    }
}
