//! Mounts and swap space, as `/proc` lists them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A line of `mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Number of the device, major and minor. Major 0: the file system is on no single device.
    pub(crate) device: (u32, u32),
    pub(crate) mount_point: PathBuf,
    pub(crate) kind: String,
    /// The name that the device was mounted by.
    pub(crate) source: PathBuf,
    /// Whether the file system, not only this mount of it, is writable: its journal writes even when
    /// every mount is read-only.
    pub(crate) writable: bool,
}

/// All mounts that this process sees. Those of other mount namespaces are not among them.
pub(crate) fn mounts() -> Vec<Mount> {
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    text.split(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect()
}

/// `36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue`
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let mount_point = path(fields.nth(1)?);
    // Optional fields end with a dash.
    fields.find(|field| *field == b"-")?;
    let kind = String::from_utf8_lossy(fields.next()?).into_owned();
    let source = path(fields.next()?);
    let writable = fields
        .next()?
        .split(|byte| *byte == b',')
        .any(|option| option == b"rw");
    Some(Mount {
        device: (major.parse().ok()?, minor.parse().ok()?),
        mount_point,
        kind,
        source,
        writable,
    })
}

/// Files and devices that are swapped to.
pub(crate) fn swaps() -> Vec<PathBuf> {
    let text = fs::read("/proc/swaps").unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n').skip(1);
    lines
        .filter_map(|line| line.split(|byte| matches!(byte, b' ' | b'\t')).next())
        .filter(|name| name.starts_with(b"/"))
        .map(path)
        .collect()
}

/// A name in which blanks, tabs, line ends and backslashes are written in octal.
fn path(field: &[u8]) -> PathBuf {
    let mut name = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = (rest.get(1..4))
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        name.push(octal.unwrap_or(*first));
        rest = match octal {
            Some(_) => rest.get(4..).unwrap_or(&[]),
            None => tail,
        };
    }
    Path::new(&OsString::from_vec(name)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_and_without_optional_fields() {
        let line =
            b"36 35 98:1 /root /mnt/a\\040b rw,noatime shared:1 master:2 - ext4 /dev/s\\134a ro,x";
        let mount = parse(line).unwrap();
        assert_eq!(mount.device, (98, 1));
        assert_eq!(mount.mount_point, Path::new("/mnt/a b"));
        assert_eq!((mount.kind.as_str(), mount.writable), ("ext4", false));
        assert_eq!(mount.source, Path::new("/dev/s\\a"));
        let plain = parse(b"22 27 0:21 / /proc rw,relatime - proc proc rw").unwrap();
        assert!(plain.writable);
        assert_eq!(parse(b"garbage"), None);
        assert_eq!(parse(b""), None);
        assert!(!mounts().is_empty());
    }
}
