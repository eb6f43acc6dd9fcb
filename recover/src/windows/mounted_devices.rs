//! `HKEY_LOCAL_MACHINE\SYSTEM\MountedDevices`: which volume has which drive letter.
//!
//! Each value is named after a letter (`\DosDevices\C:`) or a volume (`\??\Volume{GUID}`), and says
//! which partition that is:
//!
//! | data | partition |
//! |---|---|
//! | disk signature (32 bits), offset in bytes (64 bits) | of a disk with an MBR |
//! | `DMIO:ID:`, GUID | of a disk with a GPT; a volume of a dynamic disk |
//! | anything else, such as a device path in UTF-16 | no disk of the machine: a CD drive, a stick |
//!
//! Source: Microsoft, "Supporting Mount Manager Requests in a Storage Class Driver"; the forms of the
//! data as systems from Windows 2000 on write them.

use crate::registry::{Hive, Value};
use flr_fs::bytes::{get_array, get_le_u32, get_le_u64, uuid_text};
use flr_fs::{Error, Result};

/// How the data begins that names a partition by its GUID.
const GUID_PREFIX: &[u8] = b"DMIO:ID:";

/// What a value is named after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// A drive letter, in upper case.
    Letter(char),
    /// `Volume{GUID}`.
    Volume(String),
}

/// Which partition a value means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Device {
    /// Of a disk with this signature, so many bytes from its start.
    Mbr {
        /// Disk signature.
        signature: u32,
        /// Offset in bytes.
        offset: u64,
    },
    /// With this GUID, as text in lower case.
    Gpt(String),
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) name: Name,
    pub(super) device: Device,
}

impl Device {
    /// Whether a partition with this PARTUUID, which begins so many bytes from its disk's start, is
    /// the one.
    pub(super) fn is(&self, partuuid: Option<&str>, start: Option<u64>) -> bool {
        match (self, partuuid) {
            (Self::Gpt(guid), Some(partuuid)) => partuuid.eq_ignore_ascii_case(guid),
            // The PARTUUID of an MBR's partition is its disk's signature and a number.
            (Self::Mbr { signature, offset }, Some(partuuid)) => {
                let disk = partuuid.split_once('-').map(|(disk, _)| disk);
                disk == Some(&format!("{signature:08x}")) && start == Some(*offset)
            }
            (_, None) => false,
        }
    }

    /// In words, for messages.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Mbr { signature, offset } => {
                format!("the partition at byte {offset} of the disk with signature {signature:08x}")
            }
            Self::Gpt(guid) => format!("the partition with GUID {guid}"),
        }
    }
}

/// The values that name partitions of disks, in stored order, and what of them cannot be read. `None`:
/// there is no such key.
pub(super) fn read(system: &Hive) -> Result<Option<(Vec<Mapping>, Vec<Error>)>> {
    let Some(key) = system.root()?.subkey("MountedDevices")? else {
        return Ok(None);
    };
    let (mut mappings, mut unread) = (Vec::new(), Vec::new());
    for value in key.values()? {
        match value.and_then(|value| mapping(&value)) {
            Ok(mapping) => mappings.extend(mapping),
            Err(error) => unread.push(error),
        }
    }
    Ok(Some((mappings, unread)))
}

fn mapping(value: &Value<'_>) -> Result<Option<Mapping>> {
    let Some(name) = name(value.name()) else {
        return Ok(None);
    };
    let device = device(&value.data()?);
    Ok(device.map(|device| Mapping { name, device }))
}

fn name(name: &str) -> Option<Name> {
    let rest = |prefix: &str| {
        let (start, rest) = name.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(rest)
    };
    if let Some(drive) = rest(r"\DosDevices\") {
        let mut chars = drive.chars();
        let letter = chars.next().filter(char::is_ascii_alphabetic)?;
        return (chars.as_str() == ":").then(|| Name::Letter(letter.to_ascii_uppercase()));
    }
    let volume = rest(r"\??\")?;
    let is_volume = volume.starts_with("Volume{") && volume.ends_with('}');
    is_volume.then(|| Name::Volume(volume.to_owned()))
}

fn device(data: &[u8]) -> Option<Device> {
    if let Some(guid) = data.strip_prefix(GUID_PREFIX) {
        // The first three fields of a GUID are little-endian.
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..]: [u8; 16] = guid.try_into().ok()?;
        let [d0, d1, d2, d3, d4, d5, d6, d7] = rest;
        let text = [
            a3, a2, a1, a0, b1, b0, c1, c0, d0, d1, d2, d3, d4, d5, d6, d7,
        ];
        return Some(Device::Gpt(uuid_text(&text)));
    }
    let data: [u8; 12] = get_array(data, 0).filter(|_| data.len() == 12)?;
    Some(Device::Mbr {
        signature: get_le_u32(&data, 0x0)?,
        offset: get_le_u64(&data, 0x4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_volumes_are_told_apart_from_the_rest() {
        let volume = "Volume{5a0ee5b1-0000-0000-0000-100000000000}";
        for (text, expected) in [
            (r"\DosDevices\C:", Some(Name::Letter('C'))),
            (r"\DOSDEVICES\d:", Some(Name::Letter('D'))),
            (r"\DosDevices\CC:", None),
            (r"\DosDevices\1:", None),
            (r"\DosDevices\", None),
            (&format!(r"\??\{volume}"), Some(Name::Volume(volume.into()))),
            (r"\??\C:", None),
            ("#{5a0ee5b1-0000-0000-0000-100000000000}", None),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn partitions_are_named_in_two_forms() {
        let mbr = [0x4d, 0x3c, 0x2b, 0x1a, 0, 0, 0x10, 0, 0, 0, 0, 0];
        let expected = Device::Mbr {
            signature: 0x1a2b_3c4d,
            offset: 1 << 20,
        };
        assert_eq!(device(&mbr), Some(expected.clone()));
        let start = Some(1 << 20);
        assert!(expected.is(Some("1a2b3c4d-01"), start));
        assert!(!expected.is(Some("1a2b3c4d-01"), Some(1 << 21)));
        assert!(!expected.is(Some("1a2b3c4e-01"), start));
        assert!(!expected.is(None, start));
        let gpt = *b"DMIO:ID:\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4";
        let expected = Device::Gpt("0fc63daf-8483-4772-8e79-3d69d8477de4".into());
        assert_eq!(device(&gpt), Some(expected.clone()));
        assert!(expected.is(Some("0FC63DAF-8483-4772-8E79-3D69D8477DE4"), None));
        // A stick, in UTF-16; either form cut short; nothing.
        for other in [&b"_\0?\0?\0_\0U\0S\0B\0"[..], &mbr[..11], &gpt[..23], b""] {
            assert_eq!(device(other), None);
        }
    }
}
