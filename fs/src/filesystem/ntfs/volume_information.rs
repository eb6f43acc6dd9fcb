//! `$VOLUME_INFORMATION` of `$Volume`: version of the format and what Windows means to do about it.
//!
//! `0x8` major version, `0x9` minor version, `0xa` flags. Source: Linux-NTFS documentation,
//! "$VOLUME_INFORMATION"; MS-FSCC 2.5 for the versions.

use super::codes;
use crate::bytes::get_le_u16;
use crate::error::{Error, Fault, Result};

const IS_DIRTY: u16 = 0x0001;

/// The flags by the names that `ntfsinfo` and others give them. The dirty one is [`VolumeInformation::is_dirty`].
const FLAGS: &[(u16, &str)] = &[
    (0x0002, "resize_log"),
    (0x0004, "upgrade_on_mount"),
    (0x0008, "mounted_on_nt4"),
    (0x0010, "delete_usn_underway"),
    (0x0020, "repair_object_id"),
    (0x4000, "chkdsk_underway"),
    (0x8000, "modified_by_chkdsk"),
];

/// What the volume says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeInformation {
    /// Major version: 1 up to Windows NT 4, 3 since Windows 2000.
    pub major: u8,
    /// Minor version: 3.1 since Windows XP.
    pub minor: u8,
    flags: u16,
}

/// Takes the value of `$VOLUME_INFORMATION` apart.
///
/// # Errors
/// [`codes::VOLUME_INFORMATION`] if it is cut.
pub fn parse(value: &[u8], at: u64) -> Result<VolumeInformation> {
    match (value.get(0x8..0xa), get_le_u16(value, 0xa)) {
        (Some(&[major, minor]), Some(flags)) => Ok(VolumeInformation {
            major,
            minor,
            flags,
        }),
        _ => {
            let detail = format!("information on the volume of {} bytes", value.len());
            Err(Error::corrupt(codes::VOLUME_INFORMATION, at, detail))
        }
    }
}

impl VolumeInformation {
    /// Whether the volume was in use when the image was taken, or Windows wants to check it.
    #[must_use]
    pub const fn is_dirty(&self) -> bool {
        self.flags & IS_DIRTY != 0
    }

    /// The version and the flags other than the dirty one, as words.
    #[must_use]
    pub fn features(&self) -> Vec<String> {
        let set = FLAGS.iter().filter(|(flag, _)| self.flags & flag != 0);
        let version = format!("version_{}.{}", self.major, self.minor);
        std::iter::once(version)
            .chain(set.map(|(_, word)| (*word).to_owned()))
            .collect()
    }

    /// The remark for a dirty volume.
    #[must_use]
    pub fn note(&self, at: u64) -> Option<Fault> {
        let detail = "the volume is marked dirty: it was in use, or Windows wants to check it";
        self.is_dirty()
            .then(|| Fault::new(codes::VOLUME_DIRTY, at, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_flags() {
        let value = b"\0\0\0\0\0\0\0\0\x03\x01\x05\x80";
        let information = parse(value, 0).unwrap();
        assert!(information.is_dirty());
        assert_eq!(information.note(7).unwrap().code, codes::VOLUME_DIRTY);
        assert_eq!(
            information.features(),
            ["version_3.1", "upgrade_on_mount", "modified_by_chkdsk"]
        );
        let clean = parse(b"\0\0\0\0\0\0\0\0\x03\x01\0\0", 0).unwrap();
        assert_eq!((clean.is_dirty(), clean.note(0)), (false, None));
    }

    #[test]
    fn a_cut_one_is_damage() {
        for len in 0..12 {
            let error = parse(&[0; 12][..len], 0).unwrap_err();
            assert_eq!(error.code(), codes::VOLUME_INFORMATION);
        }
    }
}
