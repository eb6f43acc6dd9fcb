//! Entries under temporary names: whole and under their final name, or gone.

use super::destination::{Directory, EntryName};
use rustix::fs::{AtFlags, Dev, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names tried before giving up. Only an adversary makes a second one necessary.
const ATTEMPT_COUNT_MAX: u32 = 16;

/// Hands out names that nothing else uses: `.flr-<random>-<count>.tmp`.
///
/// Uniqueness does not rest on them, it rests on `O_EXCL`; that they cannot be guessed keeps others
/// from blocking them. They stay recognisable, for whoever cleans up after a killed process.
#[derive(Debug)]
pub(super) struct TempNames {
    random: u64,
    count: AtomicU64,
}

impl TempNames {
    pub(super) fn new() -> Self {
        Self {
            // The standard library's hash keys come from the system's random numbers.
            random: RandomState::new().hash_one(std::process::id()),
            count: AtomicU64::new(0),
        }
    }

    fn next(&self) -> OsString {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!(".flr-{:016x}-{count:x}.tmp", self.random).into()
    }
}

/// Whether a name has exactly the form of our temporary names.
pub(super) fn is_temp_name(name: &[u8]) -> bool {
    let is_hex = |digits: &[u8]| {
        !digits.is_empty()
            && digits
                .iter()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let inner = name
        .strip_prefix(b".flr-")
        .and_then(|rest| rest.strip_suffix(b".tmp"));
    let Some((random, count)) = inner.and_then(|inner| inner.split_at_checked(16)) else {
        return false;
    };
    is_hex(random) && count.strip_prefix(b"-").is_some_and(is_hex)
}

/// An entry under a temporary name. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct TempEntry<'a> {
    directory: &'a Directory,
    name: OsString,
    published: bool,
}

/// How an entry takes its final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publish {
    /// Only if the name is free.
    New,
    /// In place of what has the name, unless that is a directory.
    Replace,
}

impl<'a> TempEntry<'a> {
    /// An empty file that only its owner may open.
    pub(super) fn file(directory: &'a Directory, names: &TempNames) -> io::Result<(Self, File)> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let (entry, fd) = Self::create(directory, names, |name| {
            rustix::fs::openat(directory, name, flags, mode)
        })?;
        Ok((entry, File::from(fd)))
    }

    pub(super) fn symlink(
        directory: &'a Directory,
        names: &TempNames,
        target: &[u8],
    ) -> io::Result<Self> {
        let (entry, ()) = Self::create(directory, names, |name| {
            rustix::fs::symlinkat(target, directory, name)
        })?;
        Ok(entry)
    }

    pub(super) fn special(
        directory: &'a Directory,
        names: &TempNames,
        kind: FileType,
        device: Dev,
    ) -> io::Result<Self> {
        let mode = Mode::RUSR | Mode::WUSR;
        let (entry, ()) = Self::create(directory, names, |name| {
            rustix::fs::mknodat(directory, name, kind, mode, device)
        })?;
        Ok(entry)
    }

    /// A further name of `from/from_name`, which is not followed if it is a link.
    pub(super) fn hard_link(
        directory: &'a Directory,
        names: &TempNames,
        from: &Directory,
        from_name: &EntryName,
    ) -> io::Result<Self> {
        let (entry, ()) = Self::create(directory, names, |name| {
            rustix::fs::linkat(
                from,
                from_name.as_os_str(),
                directory,
                name,
                AtFlags::empty(),
            )
        })?;
        Ok(entry)
    }

    fn create<T>(
        directory: &'a Directory,
        names: &TempNames,
        mut make: impl FnMut(&OsStr) -> rustix::io::Result<T>,
    ) -> io::Result<(Self, T)> {
        let mut attempts: u32 = 1;
        loop {
            let name = names.next();
            match make(&name) {
                Ok(made) => {
                    let entry = Self {
                        directory,
                        name,
                        published: false,
                    };
                    return Ok((entry, made));
                }
                Err(Errno::EXIST) if attempts < ATTEMPT_COUNT_MAX => {
                    attempts = attempts.saturating_add(1);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(super) fn directory(&self) -> &'a Directory {
        self.directory
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The entry itself, not what it links to.
    pub(super) fn stat(&self) -> io::Result<Stat> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::statat(self.directory, &self.name, flags)?)
    }

    /// Gives the entry its final name. After an error it still has the temporary one.
    pub(super) fn publish(&mut self, name: &EntryName, how: Publish) -> io::Result<()> {
        let (directory, name) = (self.directory, name.as_os_str());
        match how {
            Publish::Replace => {
                rustix::fs::renameat(directory, &self.name, directory, name)?;
            }
            Publish::New => {
                let flags = RenameFlags::NOREPLACE;
                match rustix::fs::renameat_with(directory, &self.name, directory, name, flags) {
                    Ok(()) => {}
                    // This filesystem does not know the flag (NFS, old FUSE).
                    Err(Errno::INVAL | Errno::NOSYS) => return self.publish_without_flag(name),
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        self.published = true;
        Ok(())
    }

    /// A link never replaces either; the temporary name then goes when `self` is dropped.
    fn publish_without_flag(&mut self, name: &OsStr) -> io::Result<()> {
        let directory = self.directory;
        let flags = AtFlags::empty();
        match rustix::fs::linkat(directory, &self.name, directory, name, flags) {
            Ok(()) => return Ok(()),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(errno) => return Err(errno.into()),
        }
        // Neither: look first. Who creates the name in between loses it, as with any `cp`.
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => return Err(Errno::EXIST.into()),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        rustix::fs::renameat(directory, &self.name, directory, name)?;
        self.published = true;
        Ok(())
    }
}

/// Gives `name` the name `backup` as well, or, where the filesystem has no hard links, instead. Never
/// replaces anything.
pub(super) fn back_up(
    directory: &Directory,
    name: &EntryName,
    backup: &EntryName,
) -> io::Result<()> {
    let (from, to) = (name.as_os_str(), backup.as_os_str());
    let taken = |errno| match errno {
        Errno::EXIST => {
            let name = to.to_string_lossy();
            let what = format!("its backup would replace {name}, which is there already");
            io::Error::new(io::ErrorKind::AlreadyExists, what)
        }
        errno => errno.into(),
    };
    match rustix::fs::linkat(directory, from, directory, to, AtFlags::empty()) {
        Ok(()) => Ok(()),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            let flags = RenameFlags::NOREPLACE;
            rustix::fs::renameat_with(directory, from, directory, to, flags).map_err(taken)
        }
        Err(errno) => Err(taken(errno)),
    }
}

impl Drop for TempEntry<'_> {
    fn drop(&mut self) {
        if !self.published {
            // The error that led here is the one to report. Should this one fail too, the name says
            // what the file is.
            let removed = rustix::fs::unlinkat(self.directory, &self.name, AtFlags::empty());
            if let Err(errno) = removed {
                tracing::debug!(name = ?self.name, %errno, "temporary file not removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn our_names_are_told_from_others() {
        let names = TempNames::new();
        for _ in 0..20 {
            assert!(is_temp_name(names.next().as_bytes()));
        }
        for other in [
            &b".flr-.tmp"[..],
            b".flr-0123456789abcdef.tmp",
            b".flr-0123456789abcdef-.tmp",
            b".flr-0123456789abcdef-0.tmp2",
            b"x.flr-0123456789abcdef-0.tmp",
            b".flr-0123456789ABCDEF-0.tmp",
            b".flr-0123456789abcdef-0 .tmp",
        ] {
            assert!(!is_temp_name(other), "{}", other.escape_ascii());
        }
    }
}
