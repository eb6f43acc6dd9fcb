//! `$FILE_NAME` (0x30): one name of a file, and the key of a directory's index.
//!
//! | at   | field                                                           |
//! |------|-----------------------------------------------------------------|
//! | 0x00 | reference to the directory                                      |
//! | 0x08 | created, 0x10 content changed, 0x18 record changed, 0x20 accessed |
//! | 0x28 | allocated size, 0x30 size of the content                        |
//! | 0x38 | attribute flags, of which `DIRECTORY` is found only here        |
//! | 0x3c | tag of the reparse point, or length of the extended attributes  |
//! | 0x40 | length of the name in UTF-16 units (8 bits), 0x41 namespace (8), 0x42 name |
//!
//! All but directory, name and namespace are copies that Windows brings up to date when it likes: they
//! say nothing about the file of today. Source: Linux-NTFS documentation, "$FILE_NAME".

use super::codes;
use super::reference::FileReference;
use super::standard_information::flags;
use super::time;
use super::utf16;
use crate::bytes::{get_array, get_le_u32, get_le_u64};
use crate::error::{Error, Result};
use crate::node::{FileKind, Timestamp};

/// Bytes before the name.
const HEADER_LEN: usize = 0x42;

/// Which rules a name follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Any units but NUL and `/`; names may differ in case only.
    Posix,
    /// A name for Windows programs. The file has a second one in the namespace `Dos`.
    Win32,
    /// The short name of a file whose other name is in the namespace `Win32`.
    Dos,
    /// A name for Windows programs that is a short name as well.
    Win32AndDos,
}

/// A parsed name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileName<'a> {
    /// The directory.
    pub parent: FileReference,
    /// When the file was created, when it got this name.
    pub created: Timestamp,
    /// When its content was last changed, as of then.
    pub modified: Timestamp,
    /// When its record was last changed, as of then.
    pub record_changed: Timestamp,
    /// When it was last read, as of then.
    pub accessed: Timestamp,
    /// Size of the content in bytes, as of then.
    pub size: u64,
    /// [`flags`].
    pub flags: u32,
    /// Which rules the name follows.
    pub namespace: Namespace,
    /// The name in little-endian UTF-16; 0 to 255 units.
    pub name: &'a [u8],
}

impl<'a> FileName<'a> {
    /// Parses the value of the attribute or the key of an index entry, which lies at byte `at`.
    ///
    /// # Errors
    /// [`codes::FILE_NAME`] for a value that ends before its name does, and for an unknown namespace.
    pub fn parse(value: &'a [u8], at: u64) -> Result<Self> {
        Self::parse_words(value).map_err(|detail| Error::corrupt(codes::FILE_NAME, at, detail))
    }

    /// The same, with what is wrong in words.
    pub(super) fn parse_words(value: &'a [u8]) -> Result<Self, String> {
        let Some(head) = get_array::<HEADER_LEN>(value, 0) else {
            return Err(format!("a file name attribute of {} bytes", value.len()));
        };
        let time = |offset| time::decode(get_le_u64(&head, offset).unwrap_or(0));
        let [.., name_len, namespace] = head;
        let name_bytes = usize::from(name_len).saturating_mul(2);
        let name = value.get(HEADER_LEN..HEADER_LEN.saturating_add(name_bytes));
        let Some(name) = name else {
            let room = value.len().saturating_sub(HEADER_LEN);
            return Err(format!("a name of {name_len} units in {room} bytes"));
        };
        let namespace = match namespace {
            0 => Namespace::Posix,
            1 => Namespace::Win32,
            2 => Namespace::Dos,
            3 => Namespace::Win32AndDos,
            other => return Err(format!("namespace {other}, of 0 to 3")),
        };
        Ok(Self {
            parent: FileReference::new(get_le_u64(&head, 0x00).unwrap_or(0)),
            created: time(0x08),
            modified: time(0x10),
            record_changed: time(0x18),
            accessed: time(0x20),
            size: get_le_u64(&head, 0x30).unwrap_or(0),
            flags: get_le_u32(&head, 0x38).unwrap_or(0),
            namespace,
            name,
        })
    }

    /// The name as WTF-8.
    #[must_use]
    pub fn wtf8(&self) -> Vec<u8> {
        utf16::to_wtf8(self.name)
    }

    /// The kind, where the flags leave no doubt: whether a file is a directory never changes. Links,
    /// device nodes and the like are reparse points or, as ntfs-3g writes them, system files.
    #[must_use]
    pub const fn kind(&self) -> Option<FileKind> {
        if self.flags & flags::REPARSE_POINT != 0 {
            return None;
        }
        if self.flags & flags::DIRECTORY != 0 {
            return Some(FileKind::Directory);
        }
        if self.flags & flags::SYSTEM != 0 {
            return None;
        }
        Some(FileKind::File)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::ntfs::testing::bytes;

    /// Names of one file that ntfs-3g made: `f` and `second` in record 65.
    const OF_NTFS_3G: [&str; 2] = [
        "41000000000002007df0802ad379dd017df0802ad379dd017df0802ad379dd017df0802ad379dd01 \
        08000000000000000000000000000000200000000000000001006600",
        "41000000000002007df0802ad379dd018716a8bfa67bdd0170ff802ad379dd0101802a1aee26d7fe \
        08000000000000000100000000000000200000000000000006007300650063006f006e006400",
    ];

    #[test]
    fn names_of_one_file() {
        for (hex, expected) in OF_NTFS_3G.iter().zip([&b"f"[..], b"second"]) {
            let value = bytes(hex);
            let name = FileName::parse(&value, 0).unwrap();
            assert_eq!(name.wtf8(), expected);
            assert_eq!(
                (name.parent.record(), name.namespace),
                (65, Namespace::Posix)
            );
            assert_eq!(
                (name.flags, name.kind()),
                (flags::ARCHIVE, Some(FileKind::File))
            );
            assert_eq!(name.created.seconds, 1_795_277_574);
        }
    }

    #[test]
    fn kinds_are_told_only_when_they_are_sure() {
        let mut value = vec![0; HEADER_LEN];
        for (flags, kind) in [
            (0x20, Some(FileKind::File)),
            (0x1000_0010, Some(FileKind::Directory)),
            (0x1000_0006, Some(FileKind::Directory)),
            (0x1000_0400, None),
            (0x420, None),
            (0x24, None),
        ] {
            value[0x38..0x3c].copy_from_slice(&u32::to_le_bytes(flags));
            assert_eq!(
                FileName::parse(&value, 0).unwrap().kind(),
                kind,
                "{flags:#x}"
            );
        }
    }

    #[test]
    fn a_name_longer_than_its_value_is_refused() {
        let value = bytes(OF_NTFS_3G[1]);
        for len in 0..HEADER_LEN + 12 {
            let error = FileName::parse(&value[..len], 8).unwrap_err();
            assert_eq!(error.code(), codes::FILE_NAME);
        }
        let mut value = value;
        value[0x41] = 4;
        assert!(FileName::parse(&value, 0).is_err());
    }
}
