//! Where reparse points lead: symbolic links and junctions of Windows, links of the Windows Subsystem
//! for Linux and of the NFS server.
//!
//! ```text
//! SYMLINK      0 substitute offset  2 length  4 print offset  6 length  8 flags  0xc names
//! MOUNT_POINT  0 substitute offset  2 length  4 print offset  6 length  8 names
//! LX_SYMLINK   0 version (2)  4 target in UTF-8
//! NFS          0 type, 64 bits  8 target in UTF-16, or major and minor number
//! ```
//!
//! Source: MS-FSCC 2.1.2.4 to 2.1.2.7; ntfs-3g, `reparse.c`, for `LX_SYMLINK`. Windows follows the
//! substitute name; the print name is for people and may be missing, and is not looked at.
//!
//! A target is handed out in a form that can be followed inside of a view: in WTF-8, with `/` for `\`.
//!
//! | stored                            | handed out                                      |
//! |-----------------------------------|-------------------------------------------------|
//! | `..\dir\file`, relative           | `../dir/file`                                   |
//! | `\dir\file`, relative             | `../../dir/file`, from where the link lies      |
//! | `\??\c:\dir`, `\\?\C:\dir`        | `/C:/dir`                                       |
//! | `\??\Volume{GUID}\dir`            | `/Volume{GUID}/dir`                             |
//! | `\??\UNC\server\share`            | `//server/share`                                |
//! | `\Device\HarddiskVolume2\dir`     | `/Device/HarddiskVolume2/dir`                   |

use super::codes;
use super::reparse::{LX_SYMLINK, MOUNT_POINT, NFS, ReparsePoint, SYMLINK};
use super::utf16;
use crate::bytes::{get_le_u16, get_le_u32, get_le_u64};
use crate::error::{Error, Result};
use crate::node::{DeviceNumber, FileKind};

/// The target is looked for from the link's directory (or, with a `\` in front, from the root of its
/// volume).
const SYMLINK_FLAG_RELATIVE: u32 = 1;

/// The `NFS_SPECFILE_` types, which are their names in ASCII.
const NFS_LNK: u64 = 0x014b_4e4c;
const NFS_CHR: u64 = 0x0052_4843;
const NFS_BLK: u64 = 0x004b_4c42;
const NFS_FIFO: u64 = 0x4f46_4946;
const NFS_SOCK: u64 = 0x4b43_4f53;

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this path, complete.
    Path(Vec<u8>),
    /// To this path below the root of the link's own volume; no slash in front.
    FromRoot(Vec<u8>),
}

impl Target {
    /// The target as a path, for a link in a directory that is so many directories below the root of
    /// its volume.
    ///
    /// A path that climbs is right wherever the volume's root is shown; one with `/` in front would be
    /// looked for on another volume in a view of several.
    #[must_use]
    pub fn into_path(self, depth: usize) -> Vec<u8> {
        match self {
            Self::Path(path) => path,
            Self::FromRoot(path) => {
                let mut climbing = b"../".repeat(depth);
                if climbing.is_empty() && path.is_empty() {
                    climbing.push(b'.');
                }
                climbing.extend_from_slice(&path);
                climbing
            }
        }
    }
}

/// What a reparse point says about its file, if it is one of those that say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Special {
    /// A symbolic link.
    Link(Target),
    /// A device, pipe or socket. The number of a device of the Windows Subsystem for Linux is an
    /// extended attribute.
    Node(FileKind, Option<DeviceNumber>),
}

/// Whether the tag stands for a link, device, pipe or socket, and which, as far as the tag says it.
///
/// # Errors
/// [`codes::REPARSE_LINK`] for data that makes no sense, [`codes::REPARSE_TAG`] for a version of them
/// that is not known.
pub fn special(point: &ReparsePoint<'_>, at: u64) -> Result<Option<Special>> {
    use super::reparse::{AF_UNIX, LX_BLK, LX_CHR, LX_FIFO};
    let node = |kind| Ok(Some(Special::Node(kind, None)));
    let link = |target| Ok(Some(Special::Link(target)));
    match point.tag {
        SYMLINK => link(symlink(point.data, at)?),
        MOUNT_POINT => link(absolute(&name(point.data, 0x8, at)?)),
        LX_SYMLINK => link(Target::Path(lx_symlink(point.data, at)?)),
        NFS => Ok(Some(nfs(point.data, at)?)),
        AF_UNIX => node(FileKind::Socket),
        LX_FIFO => node(FileKind::Fifo),
        LX_CHR => node(FileKind::CharDevice),
        LX_BLK => node(FileKind::BlockDevice),
        _ => Ok(None),
    }
}

fn symlink(data: &[u8], at: u64) -> Result<Target> {
    let flags = get_le_u32(data, 0x8).ok_or_else(|| bad(at, "a symbolic link cut off"))?;
    let name = name(data, 0xc, at)?;
    if flags & SYMLINK_FLAG_RELATIVE == 0 || is_absolute(&name) {
        return Ok(absolute(&name));
    }
    Ok(match name.strip_prefix(b"/") {
        Some(from_root) => Target::FromRoot(trimmed(from_root).to_vec()),
        None => Target::Path(trimmed(&name).to_vec()),
    })
}

/// The substitute name of a buffer whose names begin at `names`, in WTF-8 and with slashes.
fn name(data: &[u8], names: usize, at: u64) -> Result<Vec<u8>> {
    let (Some(offset), Some(len)) = (get_le_u16(data, 0x0), get_le_u16(data, 0x2)) else {
        return Err(bad(at, "a link cut off"));
    };
    let (offset, len) = (usize::from(offset), usize::from(len));
    let start = names.saturating_add(offset);
    let raw = data
        .get(start..start.saturating_add(len))
        .ok_or_else(|| bad(at, "the name of a link's target cut off"))?;
    path(raw, at)
}

/// UTF-16 bytes of Windows to a path.
fn path(raw: &[u8], at: u64) -> Result<Vec<u8>> {
    if !raw.len().is_multiple_of(2) {
        return Err(bad(at, "half a character in the target of a link"));
    }
    let mut name = utf16::to_wtf8(raw);
    for byte in &mut name {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    check(&name, at)?;
    Ok(name)
}

/// A target that a path can hold.
fn check(target: &[u8], at: u64) -> Result<()> {
    if target.is_empty() {
        return Err(bad(at, "a link without a target"));
    }
    if target.contains(&0) {
        return Err(bad(at, "a NUL in the target of a link"));
    }
    Ok(())
}

fn bad(at: u64, what: &str) -> Error {
    Error::corrupt(codes::REPARSE_LINK, at, what)
}

/// Whether a name is absolute whatever the flag says: a drive, a server or a name of the object manager.
fn is_absolute(name: &[u8]) -> bool {
    name.starts_with(b"//") || name.starts_with(b"/??/") || drive(name).is_some()
}

/// An absolute name, with slashes.
fn absolute(name: &[u8]) -> Target {
    let prefixes: [&[u8]; 4] = [b"/??/", b"//?/", b"//./", b"/DosDevices/"];
    let rest = prefixes
        .iter()
        .find_map(|prefix| name.strip_prefix(*prefix));
    let rest = rest.or_else(|| drive(name).is_some().then_some(name));
    let Some(rest) = rest else {
        return Target::Path(trimmed(name).to_vec());
    };
    let mut path = b"/".to_vec();
    if let Some((letter, below)) = drive(rest) {
        path.push(letter);
        path.push(b':');
        path.extend_from_slice(below);
    } else if let Some(server) = rest
        .get(..4)
        .filter(|unc| unc.eq_ignore_ascii_case(b"UNC/"))
    {
        path.push(b'/');
        path.extend_from_slice(rest.get(server.len()..).unwrap_or_default());
    } else {
        path.extend_from_slice(rest);
    }
    Target::Path(trimmed(&path).to_vec())
}

/// The letter of `C:` or `C:/…`, in upper case, and what follows the colon.
fn drive(name: &[u8]) -> Option<(u8, &[u8])> {
    let [letter, b':', below @ ..] = name else {
        return None;
    };
    let whole = below.is_empty() || below.starts_with(b"/");
    (letter.is_ascii_alphabetic() && whole).then(|| (letter.to_ascii_uppercase(), below))
}

/// Without the slash at the end that Windows writes behind the root of a volume.
fn trimmed(path: &[u8]) -> &[u8] {
    match path {
        [_, .., b'/'] => path.strip_suffix(b"/").unwrap_or(path),
        _ => path,
    }
}

fn lx_symlink(data: &[u8], at: u64) -> Result<Vec<u8>> {
    let version = get_le_u32(data, 0x0).ok_or_else(|| bad(at, "a link cut off"))?;
    if version != 2 {
        let detail = format!("a link of version {version} of LX_SYMLINK");
        return Err(Error::unsupported(codes::REPARSE_TAG, at, detail));
    }
    let target = data.get(0x4..).unwrap_or_default();
    check(target, at)?;
    Ok(target.to_vec())
}

fn nfs(data: &[u8], at: u64) -> Result<Special> {
    let kind = get_le_u64(data, 0x0).ok_or_else(|| bad(at, "a special file of NFS cut off"))?;
    let rest = data.get(0x8..).unwrap_or_default();
    let device = |kind| match (get_le_u32(rest, 0x0), get_le_u32(rest, 0x4)) {
        (Some(major), Some(minor)) => Ok(Special::Node(kind, Some(DeviceNumber { major, minor }))),
        _ => Err(bad(at, "the number of a device cut off")),
    };
    match kind {
        // A client's own target, not a path of Windows: its backslashes are its own.
        NFS_LNK if rest.len().is_multiple_of(2) => {
            let target = utf16::to_wtf8(rest);
            check(&target, at)?;
            Ok(Special::Link(Target::Path(target)))
        }
        NFS_LNK => Err(bad(at, "half a character in the target of a link")),
        NFS_CHR => device(FileKind::CharDevice),
        NFS_BLK => device(FileKind::BlockDevice),
        NFS_FIFO => Ok(Special::Node(FileKind::Fifo, None)),
        NFS_SOCK => Ok(Special::Node(FileKind::Socket, None)),
        other => {
            let detail = format!("a special file of NFS of the unknown type {other:#x}");
            Err(Error::unsupported(codes::REPARSE_TAG, at, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// A buffer with the print name first, as Windows writes it, and the substitute name behind.
    fn buffer(substitute: &str, flags: Option<u32>) -> Vec<u8> {
        let (print, substitute) = (units("print"), units(substitute));
        let mut data = Vec::new();
        for number in [print.len(), substitute.len(), 0, print.len()] {
            data.extend_from_slice(&u16::try_from(number).unwrap().to_le_bytes());
        }
        data.extend(flags.into_iter().flat_map(u32::to_le_bytes));
        [data, print, substitute].concat()
    }

    fn read(tag: u32, data: &[u8]) -> Result<Option<Special>> {
        let guid = None;
        special(&ReparsePoint { tag, guid, data }, 7)
    }

    fn target(tag: u32, data: &[u8], depth: usize) -> String {
        match read(tag, data).unwrap() {
            Some(Special::Link(target)) => String::from_utf8(target.into_path(depth)).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn targets_can_be_followed_inside_of_a_view() {
        for (stored, flags, expected) in [
            (r".\d\x", 1, "./d/x"),
            (r"..\a b\ä", 1, "../a b/ä"),
            (r"dir\", 1, "dir"),
            (r"\dir\file", 1, "../../dir/file"),
            (r"\", 1, "../../"),
            (r"\??\c:\plain", 0, "/C:/plain"),
            (r"\??\C:\", 0, "/C:"),
            (r"C:\plain", 1, "/C:/plain"),
            (r"C:plain", 1, "C:plain"),
            (r"\\?\D:\x\", 0, "/D:/x"),
            (r"\DosDevices\D:\x", 0, "/D:/x"),
            (r"\??\UNC\server\share\x", 0, "//server/share/x"),
            (r"\\server\share", 1, "//server/share"),
            (r"\??\Volume{0b1c-2d}\x", 0, "/Volume{0b1c-2d}/x"),
            (r"\Device\HarddiskVolume2\x", 0, "/Device/HarddiskVolume2/x"),
        ] {
            let data = buffer(stored, Some(flags));
            assert_eq!(target(SYMLINK, &data, 2), expected, "{stored}");
        }
    }

    #[test]
    fn junctions() {
        for (stored, expected) in [
            (r"\??\C:\d", "/C:/d"),
            (r"\??\Volume{0b1c-2d}\", "/Volume{0b1c-2d}"),
        ] {
            assert_eq!(target(MOUNT_POINT, &buffer(stored, None), 0), expected);
        }
    }

    #[test]
    fn links_from_the_root_climb() {
        let from_root = |depth| Target::FromRoot(b"x".to_vec()).into_path(depth);
        assert_eq!(from_root(0), b"x");
        assert_eq!(from_root(3), b"../../../x");
        assert_eq!(Target::FromRoot(Vec::new()).into_path(0), b".");
    }

    #[test]
    fn unpaired_surrogates_survive() {
        let mut data = buffer("x", Some(1));
        let len = data.len();
        data[len - 2..].copy_from_slice(&0xd800_u16.to_le_bytes());
        let expected = Special::Link(Target::Path(b"\xed\xa0\x80".to_vec()));
        assert_eq!(read(SYMLINK, &data).unwrap(), Some(expected));
    }

    #[test]
    fn links_and_nodes_of_linux() {
        assert_eq!(target(LX_SYMLINK, b"\x02\0\0\0../l\\x", 5), "../l\\x");
        let unknown = read(LX_SYMLINK, b"\x01\0\0\0x").unwrap_err();
        assert_eq!(unknown.code(), codes::REPARSE_TAG);
        for (tag, kind) in [
            (0x8000_0023, FileKind::Socket),
            (0x8000_0024, FileKind::Fifo),
            (0x8000_0025, FileKind::CharDevice),
            (0x8000_0026, FileKind::BlockDevice),
        ] {
            assert_eq!(read(tag, b"").unwrap(), Some(Special::Node(kind, None)));
        }
        assert_eq!(read(0x8000_0017, b"").unwrap(), None);
    }

    #[test]
    fn special_files_of_the_nfs_server() {
        let nfs = |kind: &[u8; 8], rest: &[u8]| read(NFS, &[kind, rest].concat());
        let link = Special::Link(Target::Path(b"../a\\b".to_vec()));
        let stored = units(r"../a\b");
        assert_eq!(nfs(b"LNK\x01\0\0\0\0", &stored).unwrap(), Some(link));
        let number = DeviceNumber { major: 5, minor: 7 };
        for (stored, kind) in [
            (b"CHR\0\0\0\0\0", FileKind::CharDevice),
            (b"BLK\0\0\0\0\0", FileKind::BlockDevice),
        ] {
            let node = Special::Node(kind, Some(number));
            assert_eq!(nfs(stored, b"\x05\0\0\0\x07\0\0\0").unwrap(), Some(node));
            assert!(nfs(stored, b"\x05\0\0\0\x07\0\0").is_err());
        }
        let fifo = Special::Node(FileKind::Fifo, None);
        assert_eq!(nfs(b"FIFO\0\0\0\0", b"").unwrap(), Some(fifo));
        let socket = Special::Node(FileKind::Socket, None);
        assert_eq!(nfs(b"SOCK\0\0\0\0", b"").unwrap(), Some(socket));
        assert_eq!(
            nfs(b"WHAT\0\0\0\0", b"").unwrap_err().code(),
            codes::REPARSE_TAG
        );
        assert!(nfs(b"LNK\x01\0\0\0\0", b"").is_err());
        assert!(nfs(b"LNK\x01\0\0\0\0", b"abc").is_err());
        assert!(read(NFS, b"LNK\x01").is_err());
    }

    #[test]
    fn links_that_make_no_sense_are_damage() {
        let whole = buffer(r"\??\C:\d", Some(0));
        for len in 0..whole.len() {
            let error = read(SYMLINK, &whole[..len]).unwrap_err();
            assert_eq!(error.code(), codes::REPARSE_LINK, "{len}");
        }
        for (at, value) in [(0, 0xff), (1, 0xff), (2, 0xff), (2, 3), (2, 0), (3, 0xff)] {
            let mut data = whole.clone();
            data[at] = value;
            let error = read(SYMLINK, &data).unwrap_err();
            assert_eq!(error.code(), codes::REPARSE_LINK, "byte {at} is {value:#x}");
        }
        for (tag, data) in [
            (SYMLINK, buffer("a\0b", Some(1))),
            (MOUNT_POINT, buffer("", None)),
            (LX_SYMLINK, b"\x02\0\0\0".to_vec()),
            (LX_SYMLINK, b"\x02\0\0\0a\0".to_vec()),
            (LX_SYMLINK, b"\x02".to_vec()),
        ] {
            assert_eq!(read(tag, &data).unwrap_err().code(), codes::REPARSE_LINK);
        }
    }
}
