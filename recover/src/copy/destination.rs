//! The destination as open directories: every step goes from an open directory to a single name in
//! it, and no step follows a link.
//!
//! A path that was checked is worth nothing a moment later, when somebody has put a link in its
//! place. An open directory cannot be swapped.

use super::kind::Kind;
use super::run::write_error;
use crate::error::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest name of a directory entry on Linux, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A directory of the host that is copied into.
#[derive(Clone, Debug)]
pub struct DestinationDir {
    directory: Directory,
    path: PathBuf,
    fresh: bool,
}

impl DestinationDir {
    /// Opens an existing directory. Links in `path` are followed: it is the user's own.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn open(path: &Path) -> Result<Self> {
        // O_PATH: nothing is ever listed, and a directory may be writable without being readable.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let named = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let directory = rustix::fs::open(named, flags, Mode::empty())
            .map_err(io::Error::from)
            .and_then(|fd| Directory::new(fd, None))
            .map_err(|error| write_error(path, error))?;
        Ok(Self {
            directory,
            path: path.to_path_buf(),
            fresh: false,
        })
    }

    /// Opens a directory, creating it if it is missing. What it lies in must exist.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn create(path: &Path) -> Result<Self> {
        match rustix::fs::mkdir(path, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
            Ok(()) | Err(Errno::EXIST) => Self::open(path),
            Err(errno) => Err(write_error(path, errno.into())),
        }
    }

    /// Opens a directory, creating it and whatever it lies in where that is missing. `closed`: one that
    /// was created is closed to everybody else, until its real mode is set.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn create_all(path: &Path, closed: bool) -> Result<Self> {
        let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        let own = if closed { Mode::RWXU } else { all };
        let failed = |path: &Path, errno: Errno| write_error(path, errno.into());
        let mut missing = Vec::new();
        let mut above = path;
        let fresh = loop {
            let mode = if missing.is_empty() { own } else { all };
            match rustix::fs::mkdir(above, mode) {
                Ok(()) => break missing.is_empty(),
                Err(Errno::EXIST) => break false,
                Err(Errno::NOENT) => match above.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => {
                        missing.push(above);
                        above = parent;
                    }
                    _ => return Err(failed(path, Errno::NOENT)),
                },
                Err(errno) => return Err(failed(above, errno)),
            }
        };
        let mut fresh = fresh;
        while let Some(below) = missing.pop() {
            let mode = if missing.is_empty() { own } else { all };
            fresh = match rustix::fs::mkdir(below, mode) {
                Ok(()) => missing.is_empty(),
                Err(Errno::EXIST) => false,
                Err(errno) => return Err(failed(below, errno)),
            };
        }
        if !fresh {
            return Self::open(path);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())
            .map_err(io::Error::from)
            .and_then(|fd| Directory::new(fd, None))
            .map_err(|error| write_error(path, error))?;
        let path = path.to_path_buf();
        Ok(Self {
            directory,
            path,
            fresh,
        })
    }

    /// The directory at a path below this one, reached without following a link. `None`: there is none.
    #[must_use]
    pub fn below(&self, path: &[u8]) -> Option<Self> {
        let names = path.split(|byte| *byte == b'/');
        let (mut directory, mut shown) = (self.directory.clone(), self.path.clone());
        for name in names.filter(|name| !name.is_empty()) {
            let name = EntryName::new(name).ok()?;
            shown.push(name.as_os_str());
            directory = directory.open_child(&name).ok()?;
        }
        Some(Self {
            directory,
            path: shown,
            fresh: false,
        })
    }

    /// Whether it was created by [`Self::create_all`].
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that can still be written there. `None`: the filesystem does not say.
    #[must_use]
    pub fn bytes_free(&self) -> Option<u64> {
        self.directory.bytes_free()
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }
}

/// An open directory. Cheap to clone; the clones share one descriptor.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    fd: Arc<OwnedFd>,
    identity: Identity,
    kind: Kind,
}

/// Which inode, as the host numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Identity {
    pub(super) const fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }

    /// Of an open file. `None`: it cannot be told.
    pub(super) fn of_file(file: impl AsFd) -> Option<Self> {
        rustix::fs::fstat(file).ok().map(|stat| Self::of(&stat))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Directory {
    fn new(fd: OwnedFd, parent: Option<&Self>) -> io::Result<Self> {
        let identity = Identity::of(&rustix::fs::fstat(&fd)?);
        let kind = match parent {
            Some(parent) if parent.identity.device == identity.device => parent.kind,
            _ => Kind::of(&fd),
        };
        Ok(Self {
            fd: Arc::new(fd),
            identity,
            kind,
        })
    }

    pub(super) const fn identity(&self) -> Identity {
        self.identity
    }

    /// What its filesystem is like.
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Opens the directory `name` in this one. A link in its place is an error.
    pub(super) fn open_child(&self, name: &EntryName) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let name = name.as_os_str();
        let fd = match rustix::fs::openat2(self, name, flags, Mode::empty(), resolve) {
            // Before Linux 5.6. For a single name O_NOFOLLOW says the same.
            Err(Errno::NOSYS) => rustix::fs::openat(self, name, flags, Mode::empty()),
            opened => opened,
        }?;
        Self::new(fd, Some(self))
    }

    /// Creates the directory `name`, closed to everybody else until its real mode is set.
    pub(super) fn make_child(&self, name: &EntryName) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(self, name.as_os_str(), Mode::RWXU)?)
    }

    /// The name as this directory takes it: another one if it refuses names that Windows does not take.
    pub(super) fn fitting(&self, name: EntryName) -> EntryName {
        match name.without_forbidden() {
            Some(other) if self.kind.has_strict_names => other,
            Some(other) if self.kind.is_foreign && self.refuses(&name) => other,
            _ => name,
        }
    }

    /// As [`Self::fitting`], for a plan, which makes nothing to try a name. Where only that tells, the other name
    /// holds if something has it and nothing has the first: a copy was refused that one.
    pub(super) fn fitting_untried(&self, name: EntryName) -> EntryName {
        let stands = |name: &EntryName| matches!(self.stat(name), Ok(Some(_)));
        match name.without_forbidden() {
            Some(other) if self.kind.has_strict_names => other,
            Some(other) if self.kind.is_foreign && !stands(&name) && stands(&other) => other,
            _ => name,
        }
    }

    /// Tries with a directory, which goes at once. What is there already was not refused.
    fn refuses(&self, name: &EntryName) -> bool {
        match rustix::fs::mkdirat(self, name.as_os_str(), Mode::RWXU) {
            Ok(()) => {
                let removed = rustix::fs::unlinkat(self, name.as_os_str(), AtFlags::REMOVEDIR);
                if let Err(errno) = removed {
                    tracing::debug!(?name, %errno, "a directory made to try a name stays");
                }
                false
            }
            Err(errno) => matches!(errno, Errno::INVAL | Errno::ILSEQ | Errno::NOENT),
        }
    }

    /// What stands under `name`, itself and not what it links to.
    pub(super) fn stat(&self, name: &EntryName) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(self, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Bytes that can still be written. `None` where the filesystem does not say.
    pub(super) fn bytes_free(&self) -> Option<u64> {
        let stat = rustix::fs::fstatvfs(self).ok()?;
        if stat.f_blocks == 0 {
            return None;
        }
        let blocks = if rustix::process::geteuid().is_root() {
            stat.f_bfree
        } else {
            stat.f_bavail
        };
        Some(blocks.saturating_mul(stat.f_frsize))
    }
}

/// A name that is one component of a path: no slash, no NUL, not `.` or `..`, short enough.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct EntryName(OsString);

impl EntryName {
    /// Checks a shown name. One that is too long is shortened, with a hash of the whole to tell it
    /// from others with the same beginning.
    pub(super) fn new(name: &[u8]) -> Result<Self> {
        let bad = matches!(name, b"" | b"." | b"..") || name.iter().any(|b| matches!(b, b'/' | 0));
        if bad {
            let shown = crate::shown::for_terminal(name);
            return Err(Error::Usage(format!("\"{shown}\" cannot name a file")));
        }
        Ok(Self(OsString::from_vec(shortened(name))))
    }

    /// The same with what Windows does not take in a name as `%XX`: `"*:<>?|\` and control characters, and a
    /// space or dot at the end ("Naming Files, Paths, and Namespaces", Microsoft); then `%` too, so that it can
    /// be read back. A name that looks like that already is in the way of one that would: that one fails.
    /// `None`: Windows takes it.
    fn without_forbidden(&self) -> Option<Self> {
        let name = self.as_bytes();
        let is_bad = |byte: u8| byte < 0x20 || b"\"*:<>?|\\".contains(&byte);
        let bad_end = matches!(name.last(), Some(b' ' | b'.'));
        if !bad_end && !name.iter().any(|byte| is_bad(*byte)) {
            return None;
        }
        let mut out = Vec::with_capacity(name.len());
        let last = name.len().saturating_sub(1);
        for (at, byte) in name.iter().enumerate() {
            if is_bad(*byte) || *byte == b'%' || (at == last && bad_end) {
                out.extend(format!("%{byte:02X}").bytes());
            } else {
                out.push(*byte);
            }
        }
        Some(Self(OsString::from_vec(shortened(&out))))
    }

    /// A form that is the same for names which a filesystem may take for one: small letters.
    pub(super) fn folded(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).to_lowercase()
    }

    pub(super) fn as_os_str(&self) -> &OsStr {
        &self.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn shortened(name: &[u8]) -> Vec<u8> {
    if name.len() <= NAME_BYTES_MAX {
        return name.to_vec();
    }
    let suffix = format!("~{:016x}", fnv1a(name));
    let room = NAME_BYTES_MAX.saturating_sub(suffix.len());
    let mut kept = name.get(..room).unwrap_or(name);
    // Not in the middle of a character, if these are characters.
    if std::str::from_utf8(name).is_ok() {
        while let [rest @ .., _] = kept
            && std::str::from_utf8(kept).is_err()
        {
            kept = rest;
        }
    }
    [kept, suffix.as_bytes()].concat()
}

/// FNV-1a, 64 bits: the same name gets the same suffix in every version. Two names made to collide
/// are not mixed up: the second one finds its place taken and fails.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [&b""[..], b".", b"..", b"a/b", b"/", b"a\0"] {
            assert!(EntryName::new(name).is_err(), "{}", name.escape_ascii());
        }
        for name in [&b"..."[..], b".a", b"\xff", b"a\nb"] {
            assert_eq!(EntryName::new(name).unwrap().as_bytes(), name);
        }
    }

    #[test]
    fn only_filesystems_known_to_report_errors_early_are_not_synced() {
        let must_sync = |path: &str| {
            let opened = DestinationDir::open(Path::new(path)).unwrap();
            opened.directory().kind().must_sync
        };
        assert!(must_sync("/proc"));
        assert!(!must_sync("/dev/shm"));
    }

    #[test]
    fn what_windows_does_not_take_is_spelled_out() {
        let other = |name: &[u8]| {
            let name = EntryName::new(name).unwrap().without_forbidden();
            name.map(|name| name.as_bytes().to_vec())
        };
        assert_eq!(other(b"plain 100%.txt"), None);
        assert_eq!(other(b"a:b%3A"), Some(b"a%3Ab%253A".to_vec()));
        assert_eq!(other(b"end. "), Some(b"end.%20".to_vec()));
        assert_eq!(other(b"tab\t\xff"), Some(b"tab%09\xff".to_vec()));
        assert_eq!(other(&[b'?'; 255]).unwrap().len(), 255);
    }

    #[test]
    fn a_plan_gives_the_names_that_the_copy_gives() {
        const FAT: u64 = 0x4d44;
        const FUSE: u64 = 0x6573_5546;
        let place = tempfile::tempdir().unwrap();
        let opened = DestinationDir::open(place.path()).unwrap();
        let fitted = |magic, name: &str| {
            let directory = Directory {
                kind: Kind::known(magic),
                ..opened.directory().clone()
            };
            let name = EntryName::new(name.as_bytes()).unwrap();
            let planned = directory.fitting_untried(name);
            String::from_utf8(planned.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(fitted(FAT, "a:b"), "a%3Ab");
        assert_eq!(fitted(FAT, "dir."), "dir%2E");
        assert_eq!(fitted(FAT, "plain"), "plain");
        assert_eq!(fitted(FUSE, "a:b"), "a:b");
        opened
            .directory()
            .make_child(&EntryName::new(b"a%3Ab").unwrap())
            .unwrap();
        assert_eq!(fitted(FUSE, "a:b"), "a%3Ab");
        assert_eq!(fitted(0xef53, "a:b"), "a:b");
        // Nothing was made to try it.
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        let long = "ä".repeat(300);
        let one = EntryName::new(long.as_bytes()).unwrap();
        let other = EntryName::new(format!("{long}x").as_bytes()).unwrap();
        assert_ne!(one, other);
        for name in [&one, &other] {
            let text = std::str::from_utf8(name.as_bytes()).unwrap();
            assert!(text.len() <= 255 && text.starts_with("ää") && text.contains('~'));
        }
        assert_eq!(
            EntryName::new(&[b'a'; 255]).unwrap().as_bytes(),
            [b'a'; 255]
        );
        let binary = EntryName::new(&[0xff; 256]).unwrap();
        assert_eq!(binary.as_bytes().len(), 255);
    }
}
