//! `$EA`: extended attributes of OS/2, in which the Windows Subsystem for Linux keeps owners and modes.
//!
//! | at  | field                                                   |
//! |-----|---------------------------------------------------------|
//! | 0x0 | offset of the next entry from this one; 0: the last one |
//! | 0x4 | flags                                                   |
//! | 0x5 | length of the name                                      |
//! | 0x6 | length of the value                                     |
//! | 0x8 | name, a NUL, value                                      |
//!
//! `$EA_INFORMATION` says how much of `$EA` counts: `0x0` length when packed, `0x2` entries that must
//! be understood, `0x4` length as it lies. Source: MS-FSCC 2.4.16, Linux-NTFS documentation; the
//! subsystem's names: Microsoft, "File Permissions for WSL".

use super::codes;
use crate::bytes::{get_le_u16, get_le_u32};
use crate::error::{Error, Result};
use crate::name::XattrName;
use crate::node::{DeviceNumber, FileKind, Metadata};

/// Longest list: the lengths in `$EA_INFORMATION` are those of OS/2, which had 64 KiB. Windows refuses
/// more; twice as much leaves room for writers that count in another way.
pub const LIST_BYTES_MAX: u64 = 128 << 10;

const HEADER_LEN: usize = 8;

/// One extended attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name, without the NUL.
    pub name: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
}

/// Takes the value of `$EA` apart. `information` is the value of `$EA_INFORMATION`, if there is one.
///
/// # Errors
/// [`codes::EA`] for anything that does not fit: a list with some left out would pass for the whole.
pub fn parse<'a>(list: &'a [u8], information: Option<&[u8]>, at: u64) -> Result<Vec<Entry<'a>>> {
    let bad = |what: &str| Error::corrupt(codes::EA, at, what);
    let list = match information {
        None => list,
        Some(information) => {
            let len = get_le_u32(information, 0x4)
                .ok_or_else(|| bad("information on extended attributes cut off"))?;
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            list.get(..len)
                .ok_or_else(|| bad("a list of extended attributes cut off"))?
        }
    };
    let mut entries = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (Some(next), Some(&[_, name_len]), Some(value_len)) = (
            get_le_u32(rest, 0x0),
            rest.get(0x4..0x6).and_then(|bytes| bytes.first_chunk()),
            get_le_u16(rest, 0x6),
        ) else {
            return Err(bad("an extended attribute cut off"));
        };
        let body = rest.get(HEADER_LEN..).unwrap_or_default();
        let (name, body) = body
            .split_at_checked(name_len.into())
            .ok_or_else(|| bad("the name of an extended attribute cut off"))?;
        let value = body
            .get(1..)
            .and_then(|value| value.get(..value_len.into()))
            .ok_or_else(|| bad("the value of an extended attribute cut off"))?;
        if name.is_empty() || name.contains(&0) {
            return Err(bad("an extended attribute without a proper name"));
        }
        let used = HEADER_LEN
            .saturating_add(name.len())
            .saturating_add(1)
            .saturating_add(value.len());
        entries.push(Entry { name, value });
        // The last entry says 0, or the place where the list ends.
        let next = usize::try_from(next).unwrap_or(usize::MAX);
        if next == 0 {
            break;
        }
        if next < used {
            return Err(bad("extended attributes that overlap"));
        }
        rest = rest
            .get(next..)
            .ok_or_else(|| bad("an extended attribute past the end of the list"))?;
    }
    Ok(entries)
}

/// The name under which Linux users see the attribute; `None` for those that are owner and mode.
///
/// The kernel's ntfs3 stores names of Linux in full, namespace included: they are shown as they are.
/// Others come from Windows or OS/2 and have no namespace: they get `user.`, so that a copy can keep them.
#[must_use]
pub fn shown_name(name: &[u8]) -> Option<XattrName> {
    const NAMESPACES: [&[u8]; 4] = [b"user.", b"trusted.", b"security.", b"system.posix_acl_"];
    if name.starts_with(b"$LX") {
        return None;
    }
    if NAMESPACES.iter().any(|space| {
        name.strip_prefix(*space)
            .is_some_and(|rest| !rest.is_empty())
    }) {
        return Some(XattrName::new(name));
    }
    Some(XattrName::new([b"user.", name].concat()))
}

/// What the Windows Subsystem for Linux keeps of a file. Each is absent unless its attribute is there
/// and has the right length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lx {
    /// `$LXUID`.
    pub uid: Option<u32>,
    /// `$LXGID`.
    pub gid: Option<u32>,
    /// `$LXMOD`: type and permission bits, as in `st_mode`.
    pub mode: Option<u32>,
    /// `$LXDEV`: major and minor number.
    pub device: Option<DeviceNumber>,
}

impl Lx {
    /// Picks them out of a list.
    #[must_use]
    pub fn from_entries(entries: &[Entry<'_>]) -> Self {
        let value = |name: &[u8]| {
            let entry = entries.iter().find(|entry| entry.name == name);
            entry.map(|entry| entry.value)
        };
        let number = |name: &[u8]| {
            let value = value(name).filter(|value| value.len() == 4)?;
            get_le_u32(value, 0x0)
        };
        let device = value(b"$LXDEV").filter(|value| value.len() == 8);
        let device = device.and_then(|value| {
            let (major, minor) = (get_le_u32(value, 0x0)?, get_le_u32(value, 0x4)?);
            Some(DeviceNumber { major, minor })
        });
        Self {
            uid: number(b"$LXUID"),
            gid: number(b"$LXGID"),
            mode: number(b"$LXMOD"),
            device,
        }
    }

    /// Puts owner, permissions and device number into `metadata`.
    ///
    /// The type in `$LXMOD` is not used: what a node is, its record and reparse tag say.
    pub fn apply(&self, metadata: &mut Metadata) {
        if let Some(uid) = self.uid {
            metadata.uid = uid;
        }
        if let Some(gid) = self.gid {
            metadata.gid = gid;
        }
        if let Some(mode) = self.mode {
            metadata.mode = mode & 0o7777;
        }
        if matches!(metadata.kind, FileKind::CharDevice | FileKind::BlockDevice) {
            metadata.rdev = self.device.or(metadata.rdev);
        }
    }
}

/// Whether the list is too long to be read.
///
/// # Errors
/// [`codes::EA`].
pub fn check_size(size: u64, at: u64) -> Result<()> {
    if size <= LIST_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("extended attributes of {size} bytes, at most {LIST_BYTES_MAX}");
    Err(Error::limit(codes::EA, at, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ntfs-3g 2022.10.3 keeps `$LXUID` 1000, `$LXMOD` 0100755 and `foo` = `bar`.
    const STORED: &[u8] = b"\x14\0\0\0\0\x06\x04\0$LXUID\0\xe8\x03\0\0\0\
\x14\0\0\0\0\x06\x04\0$LXMOD\0\xed\x81\0\0\0\
\x10\0\0\0\0\x03\x03\0foo\0bar\0";

    #[test]
    fn owners_and_modes_of_linux() {
        let entries = parse(STORED, None, 0).unwrap();
        let lx = Lx::from_entries(&entries);
        assert_eq!(
            (lx.uid, lx.gid, lx.mode),
            (Some(1000), None, Some(0o100_755))
        );
        assert_eq!(
            entries[2],
            Entry {
                name: b"foo",
                value: b"bar"
            }
        );
        assert_eq!(entries.len(), 3);
    }

    #[test]
    fn devices_of_linux() {
        // As ntfs-3g writes `mknod c 5 7` with `special_files=wsl`.
        let stored = b"\x14\0\0\0\0\x06\x04\0$LXMOD\0\xa4\x21\0\0\0\
\x18\0\0\0\0\x06\x08\0$LXDEV\0\x05\0\0\0\x07\0\0\0\0";
        let lx = Lx::from_entries(&parse(stored, None, 0).unwrap());
        assert_eq!(lx.device, Some(DeviceNumber { major: 5, minor: 7 }));
        assert_eq!(lx.mode, Some(0o20_644));
    }

    #[test]
    fn values_of_the_wrong_length_are_not_used() {
        let stored = b"\0\0\0\0\0\x06\x02\0$LXUID\0\xe8\x03";
        let entries = parse(stored, None, 0).unwrap();
        assert_eq!(Lx::from_entries(&entries), Lx::default());
    }

    #[test]
    fn the_list_ends_where_its_information_says() {
        let information = |len: u32| [&[0; 4][..], &len.to_le_bytes()].concat();
        assert_eq!(parse(STORED, Some(&information(20)), 0).unwrap().len(), 1);
        assert_eq!(parse(STORED, Some(&information(0)), 0).unwrap().len(), 0);
        for wrong in [&information(1000)[..], b"short"] {
            assert_eq!(parse(STORED, Some(wrong), 0).unwrap_err().code(), codes::EA);
        }
    }

    #[test]
    fn lists_that_make_no_sense_are_damage() {
        for len in 1..STORED.len() {
            // Cut between two entries it is a shorter list.
            if !matches!(len, 20 | 40) {
                assert!(parse(&STORED[..len], None, 0).is_err(), "{len}");
            }
        }
        for (at, value) in [
            (0, 8),
            (0, 0xff),
            (3, 0xff),
            (5, 0),
            (5, 0xff),
            (7, 0xff),
            (9, 0),
        ] {
            let mut list = STORED.to_vec();
            list[at] = value;
            let error = parse(&list, None, 0).unwrap_err();
            assert_eq!(error.code(), codes::EA, "byte {at} is {value:#x}");
        }
        assert_eq!(
            check_size(LIST_BYTES_MAX + 1, 0).unwrap_err().code(),
            codes::EA
        );
        check_size(LIST_BYTES_MAX, 0).unwrap();
    }

    #[test]
    fn names_are_shown_in_a_namespace() {
        let shown = |name: &[u8]| shown_name(name).map(|name| name.as_bytes().to_vec());
        assert_eq!(shown(b"foo"), Some(b"user.foo".to_vec()));
        assert_eq!(shown(b"user.foo"), Some(b"user.foo".to_vec()));
        assert_eq!(shown(b"user."), Some(b"user.user.".to_vec()));
        assert_eq!(shown(b"security.x"), Some(b"security.x".to_vec()));
        assert_eq!(shown(b"$LXUID"), None);
    }
}
