//! The folder of the disk cache: the user's alone, and all that is done in it.

use rustix::fs::{AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Files of this form lie below it; another form has another folder.
const VERSION: &str = "v1";

/// How files that are being written are called.
const TEMPORARY: &str = "tmp-";

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// A file in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// When it was last of use, in nanoseconds since 1970.
    pub(super) used: i128,
    /// What it takes on the disk, about.
    pub(super) bytes: u64,
    pub(super) path: CString,
    /// It is being written, or was when its writer died.
    pub(super) temporary: bool,
}

impl Folder {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// It cannot be made, or others may look into it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let outer = open_own(CWD, path)?;
        make(&outer, VERSION)?;
        Ok(Self(open_own(&outer, Path::new(VERSION))?))
    }

    /// Opens a file for reading; `None` if there is none of this name.
    pub(super) fn read(&self, folder: &str, file: &str) -> io::Result<Option<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.0, path(folder, file), flags, Mode::empty()) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes a file: whole under its name, or not at all.
    pub(super) fn write(
        &self,
        (folder, file): (&str, &str),
        random: u64,
        write: impl FnOnce(&File) -> io::Result<()>,
    ) -> io::Result<()> {
        let temporary = format!("{TEMPORARY}{random:016x}");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&self.0, &temporary, flags, mode)?;
        let done = write(&File::from(fd)).and_then(|()| self.publish(&temporary, folder, file));
        if done.is_err() {
            // OK to ignore: the error before is the one to tell, and what stays has a name that says so.
            let _ = rustix::fs::unlinkat(&self.0, &temporary, AtFlags::empty());
        }
        done
    }

    fn publish(&self, temporary: &str, folder: &str, file: &str) -> io::Result<()> {
        let to = path(folder, file);
        match rustix::fs::renameat(&self.0, temporary, &self.0, &to) {
            Err(Errno::NOENT) => {
                make(&self.0, folder)?;
                Ok(rustix::fs::renameat(&self.0, temporary, &self.0, &to)?)
            }
            done => Ok(done?),
        }
    }

    /// Removes a file.
    pub(super) fn remove(&self, folder: &str, file: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, path(folder, file), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes a file that [`Folder::each`] has told of.
    pub(super) fn remove_entry(&self, entry: &Entry) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, &entry.path, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// All files. What disappears meanwhile is left out.
    pub(super) fn each(&self, mut visit: impl FnMut(Entry)) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name.starts_with(TEMPORARY) {
                self.visit(name.to_owned(), true, &mut visit);
            }
            if name.len() != 2 || name == ".." {
                continue;
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(inner) = rustix::fs::openat(&self.0, name, flags, Mode::empty()) else {
                continue;
            };
            for file in Dir::read_from(inner)? {
                let file = file?;
                if let Ok(file) = file.file_name().to_str()
                    && file.len() > 2
                {
                    self.visit(path(name, file), false, &mut visit);
                }
            }
        }
        Ok(())
    }

    fn visit(&self, path: String, temporary: bool, visit: &mut impl FnMut(Entry)) {
        let (Ok(path), flags) = (CString::new(path), AtFlags::SYMLINK_NOFOLLOW) else {
            return;
        };
        let Ok(stat) = rustix::fs::statat(&self.0, &path, flags) else {
            return;
        };
        let seconds = i128::from(stat.st_mtime).saturating_mul(1_000_000_000);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        visit(Entry {
            used: seconds.saturating_add(i128::from(stat.st_mtime_nsec)),
            bytes: on_disk(size),
            path,
            temporary,
        });
    }

    /// The right to remove files, until it is dropped; `None` while another process has it.
    pub(super) fn lock(&self) -> Option<Lock<'_>> {
        match rustix::fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => None,
            // Where there are no such locks, two may remove the same: nothing is lost but time.
            Ok(()) | Err(_) => Some(Lock(self)),
        }
    }
}

/// See [`Folder::lock`].
pub(super) struct Lock<'a>(&'a Folder);

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // OK to ignore: it ends with the folder at the latest.
        let _ = rustix::fs::flock(&self.0.0, FlockOperation::Unlock);
    }
}

/// What a file of so many bytes takes.
pub(super) fn on_disk(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(4096).unwrap_or(u64::MAX)
}

/// Notes that a file has been of use.
pub(super) fn touch(file: &File) -> io::Result<()> {
    let at = |nsec| Timespec {
        tv_sec: 0,
        tv_nsec: nsec,
    };
    let times = Timestamps {
        last_access: at(rustix::fs::UTIME_OMIT),
        last_modification: at(rustix::fs::UTIME_NOW),
    };
    Ok(rustix::fs::futimens(file, &times)?)
}

fn path(folder: &str, file: &str) -> String {
    format!("{folder}/{file}")
}

fn make(dir: &OwnedFd, name: &str) -> io::Result<()> {
    match rustix::fs::mkdirat(dir, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a folder that must be the user's and nobody else's to look into.
fn open_own(at: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(at, path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    let owner = rustix::process::geteuid().as_raw();
    if stat.st_uid != owner || stat.st_mode & 0o077 != 0 {
        let text = format!(
            "expected a private folder of user {owner}, found mode {:o} of user {}; chmod 700 it",
            stat.st_mode & 0o777,
            stat.st_uid
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(fd)
}
