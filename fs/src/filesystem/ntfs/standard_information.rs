//! `$STANDARD_INFORMATION` (0x10): times and attribute flags of a file.
//!
//! | at   | field                                              |
//! |------|----------------------------------------------------|
//! | 0x00 | created, 0x08 content changed, 0x10 record changed, 0x18 accessed |
//! | 0x20 | attribute flags                                    |
//! | 0x24 | maximum number of versions (unused)                |
//! | 0x28 | version number; bit 0 of a directory: names are compared by case |
//! | 0x2c | class id (unused)                                  |
//! | 0x30 | owner id (quota), 0x34 security id: key into `$Secure` |
//! | 0x38 | quota charged, 0x40 update sequence number: offset in `$UsnJrnl` |
//!
//! NTFS 1.2 (Windows NT 4) wrote the first 48 bytes only; a volume that was upgraded has both forms.
//! Sources: Linux-NTFS documentation, "$STANDARD_INFORMATION". Microsoft does not document where the
//! case flag of Windows 10 is kept; that it is the version number is what forensic tools found
//! (`Flags2` of MFTECmd).

use super::codes;
use super::time;
use crate::bytes::{get_array, get_le_u32, get_le_u64};
use crate::error::{Error, Result};
use crate::node::Timestamp;

/// Attribute flags (MS-FSCC 2.6). The upper ones occur in [`super::file_name`] only.
pub mod flags {
    /// `FILE_ATTRIBUTE_READONLY`.
    pub const READ_ONLY: u32 = 0x1;
    /// `FILE_ATTRIBUTE_HIDDEN`.
    pub const HIDDEN: u32 = 0x2;
    /// `FILE_ATTRIBUTE_SYSTEM`. Interix and ntfs-3g mark device nodes and links with it.
    pub const SYSTEM: u32 = 0x4;
    /// `FILE_ATTRIBUTE_ARCHIVE`.
    pub const ARCHIVE: u32 = 0x20;
    /// `FILE_ATTRIBUTE_TEMPORARY`.
    pub const TEMPORARY: u32 = 0x100;
    /// `FILE_ATTRIBUTE_SPARSE_FILE`.
    pub const SPARSE: u32 = 0x200;
    /// `FILE_ATTRIBUTE_REPARSE_POINT`.
    pub const REPARSE_POINT: u32 = 0x400;
    /// `FILE_ATTRIBUTE_COMPRESSED`.
    pub const COMPRESSED: u32 = 0x800;
    /// `FILE_ATTRIBUTE_OFFLINE`.
    pub const OFFLINE: u32 = 0x1000;
    /// `FILE_ATTRIBUTE_NOT_CONTENT_INDEXED`.
    pub const NOT_CONTENT_INDEXED: u32 = 0x2000;
    /// `FILE_ATTRIBUTE_ENCRYPTED`.
    pub const ENCRYPTED: u32 = 0x4000;
    /// In `$FILE_NAME`: the record has an index of file names, it is a directory.
    pub const DIRECTORY: u32 = 0x1000_0000;
    /// In `$FILE_NAME`: the record has an index of something else.
    pub const VIEW_INDEX: u32 = 0x2000_0000;
}

/// Bytes of the form of NTFS 1.2.
const LEN_V1: usize = 0x30;
/// Bytes of the form of NTFS 3.0 and later.
const LEN_V3: usize = 0x48;
/// Bit of the version number.
const CASE_SENSITIVE: u32 = 1;

/// The parsed attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardInformation {
    /// When the file was created.
    pub created: Timestamp,
    /// When its content was last changed.
    pub modified: Timestamp,
    /// When its record was last changed.
    pub record_changed: Timestamp,
    /// When it was last read, as far as Windows keeps that up to date.
    pub accessed: Timestamp,
    /// [`flags`].
    pub flags: u32,
    /// Whether a directory tells names apart that differ in case only. Of no meaning for other files.
    pub case_sensitive: bool,
    /// What only the longer form has.
    pub extended: Option<Extended>,
}

/// What NTFS 3.0 added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    /// Key of the owner in `$Quota`; 0 for none.
    pub owner_id: u32,
    /// Key of the security descriptor in `$Secure`; 0 for none there.
    pub security_id: u32,
    /// Bytes that count towards the owner's quota.
    pub quota_charged: u64,
    /// Offset of the file's last entry in the change journal; 0 for none.
    pub usn: u64,
}

impl StandardInformation {
    /// Parses the attribute's value, which lies at byte `at` of the volume.
    ///
    /// # Errors
    /// [`codes::STANDARD_INFORMATION`] for a value of fewer than 48 bytes.
    pub fn parse(value: &[u8], at: u64) -> Result<Self> {
        let Some(head) = get_array::<LEN_V1>(value, 0) else {
            let detail = format!(
                "expected {LEN_V1} bytes of standard information, found {}",
                value.len()
            );
            return Err(Error::corrupt(codes::STANDARD_INFORMATION, at, detail));
        };
        let time = |offset| time::decode(get_le_u64(&head, offset).unwrap_or(0));
        let word = |offset| get_le_u32(&head, offset).unwrap_or(0);
        let extended = get_array::<LEN_V3>(value, 0).map(|whole| Extended {
            owner_id: get_le_u32(&whole, 0x30).unwrap_or(0),
            security_id: get_le_u32(&whole, 0x34).unwrap_or(0),
            quota_charged: get_le_u64(&whole, 0x38).unwrap_or(0),
            usn: get_le_u64(&whole, 0x40).unwrap_or(0),
        });
        Ok(Self {
            created: time(0x00),
            modified: time(0x08),
            record_changed: time(0x10),
            accessed: time(0x18),
            flags: word(0x20),
            case_sensitive: word(0x28) & CASE_SENSITIVE != 0,
            extended,
        })
    }

    /// Whether all of these [`flags`] are set.
    #[must_use]
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::ntfs::testing::bytes;

    /// Of a file that ntfs-3g made: accessed in 1336, changed on 2026-11-24 (`ntfsinfo`, `stat`).
    const OF_NTFS_3G: &str = "7df0802ad379dd018716a8bfa67bdd01fa05812ad379dd0101802a1aee26d7fe2000000000000000 \
        0000000000000000";

    #[test]
    fn the_short_form_has_times_and_flags() {
        let info = StandardInformation::parse(&bytes(OF_NTFS_3G), 0).unwrap();
        let at = |seconds, nanoseconds| Timestamp {
            seconds,
            nanoseconds,
        };
        assert_eq!(info.modified, at(1_795_478_400, 123_456_700));
        assert_eq!(info.accessed, at(-20_000_000_000, 100));
        assert_eq!(info.created.seconds, 1_795_277_574);
        assert_eq!((info.flags, info.extended), (flags::ARCHIVE, None));
        assert!(info.has(flags::ARCHIVE) && !info.has(flags::ARCHIVE | flags::HIDDEN));
        assert!(!info.case_sensitive);
    }

    #[test]
    fn the_long_form_has_keys_as_well() {
        let mut value = vec![0; LEN_V3];
        value[0x28] = 1;
        value[0x30..0x34].copy_from_slice(&7_u32.to_le_bytes());
        value[0x34..0x38].copy_from_slice(&0x101_u32.to_le_bytes());
        value[0x38..0x40].copy_from_slice(&4096_u64.to_le_bytes());
        value[0x40..0x48].copy_from_slice(&0x1_0000_0000_u64.to_le_bytes());
        let info = StandardInformation::parse(&value, 0).unwrap();
        let expected = Extended {
            owner_id: 7,
            security_id: 0x101,
            quota_charged: 4096,
            usn: 0x1_0000_0000,
        };
        assert_eq!((info.case_sensitive, info.extended), (true, Some(expected)));
        value.truncate(LEN_V3 - 1);
        let cut = StandardInformation::parse(&value, 0).unwrap();
        assert_eq!(cut.extended, None);
    }

    #[test]
    fn a_cut_value_is_refused() {
        let error = StandardInformation::parse(&[0; LEN_V1 - 1], 0x40).unwrap_err();
        assert_eq!(error.code(), codes::STANDARD_INFORMATION);
    }
}
