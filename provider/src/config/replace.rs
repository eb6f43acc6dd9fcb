//! Writing the user's file whole: the old one or the new one is there, never a part.

use crate::error::{Error, Result};
use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, Stat, fchmod, fchown, flock, fstat, fsync, open, openat,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A file and its folder, locked until this is dropped: two commands do not undo each other's work.
pub(super) struct Locked {
    folder: OwnedFd,
    name: OsString,
    /// The file itself, behind all links.
    pub(super) path: PathBuf,
}

impl Locked {
    /// Locks the folder of the file at `path`; both need not be there yet. Blocks while another
    /// command of this kind runs.
    pub(super) fn new(path: &Path) -> Result<Self> {
        // A link stays a link: what it leads to is replaced.
        let path = match std::fs::canonicalize(path) {
            Ok(real) => real,
            Err(_) => path.to_owned(),
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::Usage {
                what: format!("{}: expected the name of a file", path.display()),
                hint: None,
            });
        };
        let parent = match parent.as_os_str().is_empty() {
            true => Path::new("."),
            false => parent,
        };
        let failed = |error| Error::from_open(parent, error);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(parent, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        flock(&folder, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let name = name.to_owned();
        Ok(Self { folder, name, path })
    }

    /// Puts `text` in the file's place, with the mode and the owner that the file has; a new one is
    /// its user's alone.
    pub(super) fn replace(&self, text: &str) -> Result<()> {
        // Nobody else writes one of this name while the folder is locked, so what is there is left
        // from a command that was killed.
        let mut temporary = OsString::from(".");
        temporary.push(&self.name);
        temporary.push(".flr-new");
        let written = self.write(&temporary, text).and_then(|()| {
            renameat(&self.folder, &temporary, &self.folder, &self.name)?;
            fsync(&self.folder)?;
            Ok(())
        });
        written.map_err(|error| {
            // Gone already if only the last step failed.
            let _ = unlinkat(&self.folder, &temporary, AtFlags::empty());
            Error::Io {
                path: self.path.clone(),
                source: error,
            }
        })
    }

    fn write(&self, temporary: &OsStr, text: &str) -> std::io::Result<()> {
        match unlinkat(&self.folder, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let old = match statat(&self.folder, &self.name, AtFlags::empty()) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o600);
        let new = openat(&self.folder, temporary, flags | OFlags::CLOEXEC, mode)?;
        if let Some(old) = old {
            keep(&new, &old)?;
        }
        let mut new = File::from(new);
        new.write_all(text.as_bytes())?;
        new.sync_all()
    }
}

/// Gives the new file the owner and the mode of the old one.
fn keep(new: &OwnedFd, old: &Stat) -> std::io::Result<()> {
    let now = fstat(new)?;
    if (now.st_uid, now.st_gid) != (old.st_uid, old.st_gid) {
        let (owner, group) = (
            rustix::fs::Uid::from_raw(old.st_uid),
            rustix::fs::Gid::from_raw(old.st_gid),
        );
        fchown(new, Some(owner), Some(group))?;
    }
    fchmod(new, Mode::from_raw_mode(old.st_mode & 0o777))?;
    Ok(())
}
