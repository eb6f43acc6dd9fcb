//! What is mounted where, from `/proc/self/mountinfo` (proc(5)).

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The type of our mounts.
pub const FS_TYPE: &str = "fuse.flr";

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Unique among what is mounted now.
    pub id: u64,
    /// The mount that this one lies on.
    pub parent: u64,
    /// The filesystem's device as `major:minor`.
    pub device: String,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Options of the mount, such as `ro,nosuid`.
    pub options: String,
    /// Type of the filesystem, such as `ext4` or `fuse.flr`.
    pub fs_type: String,
    /// What is mounted.
    pub source: OsString,
    /// Options of the filesystem, such as `rw,user_id=0`.
    pub fs_options: String,
}

impl Mount {
    /// Whether it is a mount of ours, by its type.
    #[must_use]
    pub fn is_flr(&self) -> bool {
        self.fs_type == FS_TYPE
    }

    /// The user who mounted a FUSE filesystem.
    #[must_use]
    pub fn user_id(&self) -> Option<u32> {
        self.fs_options
            .split(',')
            .find_map(|option| option.strip_prefix("user_id="))
            .and_then(|id| id.parse().ok())
    }
}

/// All mounts that this process can see.
///
/// # Errors
/// `/proc` is not there.
pub fn read() -> io::Result<Vec<Mount>> {
    let text = std::fs::read("/proc/self/mountinfo")?;
    Ok(text
        .split(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect())
}

/// The mount that one sees at `path` itself, if it is a mount point. Mounts can lie on each other;
/// this is the uppermost.
#[must_use]
pub fn top_at<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let at = |mount: &&Mount| mount.mount_point == path;
    let hidden = |mount: &&Mount| {
        let above = |other: &Mount| other.parent == mount.id && other.mount_point == path;
        mounts.iter().any(above)
    };
    mounts.iter().rev().filter(at).find(|mount| !hidden(mount))
}

/// The mount that `path` lies in.
#[must_use]
pub fn containing<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    path.ancestors().find_map(|dir| top_at(mounts, dir))
}

fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let mut next = || fields.next();
    let id = number(next()?)?;
    let parent = number(next()?)?;
    let device = text(next()?);
    let _root = next()?;
    let mount_point = PathBuf::from(OsString::from_vec(unescape(next()?)));
    let options = text(next()?);
    // Optional fields end with a dash.
    while next()? != b"-" {}
    Some(Mount {
        id,
        parent,
        device,
        mount_point,
        options,
        fs_type: text(next()?),
        source: OsString::from_vec(unescape(next()?)),
        fs_options: text(next().unwrap_or_default()),
    })
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).into_owned()
}

/// Bytes with `\ooo` for those that the kernel writes so: space, tab, newline, backslash, `#`.
pub(crate) fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind
            .get(..3)
            .filter(|digits| *first == b'\\' && digits.iter().all(|d| matches!(d, b'0'..=b'7')));
        let byte = octal.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match byte {
            Some(byte) => {
                plain.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    plain
}

/// A path as text that [`unescape`] turns back: `\ooo` for everything that is not plain ASCII.
pub(crate) fn escape(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'\\' | 0..=b' ' | 0x7f.. => text.push_str(&format!("\\{byte:03o}")),
            byte => text.push(char::from(*byte)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_and_without_optional_fields() {
        let line = br"36 25 0:57 / /mnt/a\040b\134c rw,nosuid shared:1 master:2 - fuse.flr x\012y ro,user_id=1000,group_id=0";
        let mount = parse(line).unwrap();
        assert_eq!((mount.id, mount.parent), (36, 25));
        assert_eq!(mount.device, "0:57");
        assert_eq!(mount.mount_point, Path::new("/mnt/a b\\c"));
        assert_eq!(mount.source, "x\ny");
        assert_eq!(mount.user_id(), Some(1000));
        assert!(mount.is_flr());
        let line = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw";
        assert_eq!(parse(line).unwrap().fs_type, "ext4");
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"22 1 8:1 / / rw"), None);
    }

    #[test]
    fn the_uppermost_mount_is_the_one_on_no_other() {
        let mount = |id, parent, path: &str| Mount {
            id,
            parent,
            device: String::new(),
            mount_point: path.into(),
            options: String::new(),
            fs_type: id.to_string(),
            source: OsString::new(),
            fs_options: String::new(),
        };
        let mounts = [
            mount(1, 0, "/"),
            mount(5, 1, "/mnt"),
            mount(9, 7, "/mnt"),
            mount(7, 5, "/mnt"),
        ];
        assert_eq!(top_at(&mounts, Path::new("/mnt")).unwrap().id, 9);
        assert_eq!(top_at(&mounts, Path::new("/mnt/x")), None);
        assert_eq!(containing(&mounts, Path::new("/mnt/x/y")).unwrap().id, 9);
        assert_eq!(containing(&mounts, Path::new("/var")).unwrap().id, 1);
    }

    #[test]
    fn escaped_paths_come_back() {
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/a b\\040/\xff\n\xc3\xa4"));
        assert_eq!(
            unescape(escape(path).as_bytes()),
            path.as_os_str().as_bytes()
        );
        assert!(escape(path).is_ascii());
    }
}
