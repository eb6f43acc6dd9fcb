//! What is mounted, by whom, and which process serves it: one small JSON file per mount.
//!
//! The files lie in `$XDG_RUNTIME_DIR/flr/mounts`, for root in `/run/flr/mounts`, and where neither
//! can be written in `/tmp/flr-UID/mounts`. The folders are ours alone: one that belongs to somebody
//! else, or that others may write or read, is not used. A file is written before the mount is made
//! and removed after it is gone, so that no mount of ours is ever without one; what a killed process
//! leaves behind is recognised by its number, start time and boot.

use crate::error::{Error, ErrorKind, Result};
use crate::mountinfo::{self, Mount};
use crate::process::Process;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A record is a few hundred bytes; an address may be long.
const RECORD_BYTES_MAX: u64 = 64 << 10;

const SUFFIX: &str = ".json";

/// Where mounts are written down. The first place that can be used is written to, all are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    places: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    base: PathBuf,
    folder: String,
    owner: u32,
}

/// A mount, as written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form: 1.
    pub v: u32,
    /// The mount point, with `\ooo` for what is not plain ASCII, as in `/proc/self/mountinfo`.
    pub mount_point: String,
    /// What is mounted, as the user wrote it.
    pub address: String,
    /// The process that serves the mount.
    #[serde(flatten)]
    pub process: Process,
    /// Device of the mount as `major:minor`; absent until it is made.
    pub device: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// Whether other users may look.
    pub allow_other: bool,
    /// Owner of every node, instead of the stored one.
    pub uid: Option<u32>,
    /// Group of every node, instead of the stored one.
    pub gid: Option<u32>,
    /// Sessions whose resources the mount needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<String>,
}

impl Record {
    /// The mount point as a path.
    #[must_use]
    pub fn mount_point(&self) -> PathBuf {
        OsString::from_vec(mountinfo::unescape(self.mount_point.as_bytes())).into()
    }

    /// Whether `mount` is the one that this record was written for.
    #[must_use]
    pub fn is_of(&self, mount: &Mount) -> bool {
        mount.is_flr()
            && mount.mount_point == self.mount_point()
            && self
                .device
                .as_ref()
                .is_none_or(|device| *device == mount.device)
    }
}

/// A record's file. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    dir: OwnedFd,
    name: String,
}

impl Registry {
    /// The registry of the user who runs this process.
    #[must_use]
    pub fn of_user() -> Self {
        let owner = rustix::process::geteuid().as_raw();
        let runtime = match owner {
            0 => Some(PathBuf::from("/run")),
            _ => std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
        };
        Self::new(runtime.filter(|dir| dir.is_absolute()), owner)
    }

    /// The registry of another user, as far as it is known where it lies.
    #[must_use]
    pub fn of_other(owner: u32) -> Self {
        let runtime = match owner {
            0 => PathBuf::from("/run"),
            _ => PathBuf::from(format!("/run/user/{owner}")),
        };
        Self::new(Some(runtime), owner)
    }

    /// A registry below `base`, for tests.
    #[must_use]
    pub fn below(base: &Path) -> Self {
        let owner = rustix::process::geteuid().as_raw();
        Self {
            places: vec![Place {
                base: base.to_owned(),
                folder: "flr".into(),
                owner,
            }],
        }
    }

    fn new(runtime: Option<PathBuf>, owner: u32) -> Self {
        let runtime = runtime.map(|base| Place {
            base,
            folder: "flr".into(),
            owner,
        });
        let temporary = Place {
            base: "/tmp".into(),
            folder: format!("flr-{owner}"),
            owner,
        };
        Self {
            places: runtime.into_iter().chain([temporary]).collect(),
        }
    }

    /// Writes a record down.
    pub(crate) fn add(&self, record: &Record) -> Result<Entry> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut failed = None;
        for place in &self.places {
            let made = place.open(true).and_then(|dir| {
                let (pid, start) = (record.process.pid, record.process.start_time);
                let n = COUNT.fetch_add(1, Ordering::Relaxed);
                let name = format!("{pid}-{start}-{n}{SUFFIX}");
                let entry = Entry { dir, name };
                entry.write(record)?;
                Ok(entry)
            });
            match made {
                Ok(entry) => return Ok(entry),
                Err(error) => failed = failed.or(Some((place.path(), error))),
            }
        }
        let (path, error) =
            failed.unwrap_or_else(|| (PathBuf::new(), io::ErrorKind::NotFound.into()));
        let error = Error::system("cannot write down the mount in", &path, error);
        Err(error.hint("set XDG_RUNTIME_DIR to a folder of your own"))
    }

    /// All records that can be read.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let places = self
            .places
            .iter()
            .filter_map(|place| place.open(false).ok());
        places
            .flat_map(|dir| read_all(&dir))
            .map(|(_, record)| record)
            .collect()
    }

    /// Removes the records whose mount is gone and whose process is too.
    pub fn prune(&self, mounts: &[Mount]) {
        self.remove(|record| {
            let top = mountinfo::top_at(mounts, &record.mount_point());
            !record.process.is_alive() && !top.is_some_and(|top| record.is_of(top))
        });
    }

    fn remove(&self, unwanted: impl Fn(&Record) -> bool) {
        for dir in self
            .places
            .iter()
            .filter_map(|place| place.open(false).ok())
        {
            for (name, record) in read_all(&dir) {
                if unwanted(&record) {
                    // OK to ignore: another process may have removed it, or will.
                    let _ = rustix::fs::unlinkat(&dir, &name, AtFlags::empty());
                }
            }
        }
    }
}

impl Place {
    fn path(&self) -> PathBuf {
        self.base.join(&self.folder)
    }

    /// Opens the folder for records; both levels must be ours and nobody else's.
    fn open(&self, create: bool) -> io::Result<OwnedFd> {
        let base = open_dir(CWD, &self.base, false)?;
        let outer = self.open_own(&base, &self.folder, create)?;
        self.open_own(&outer, "mounts", create)
    }

    fn open_own(&self, dir: &OwnedFd, name: &str, create: bool) -> io::Result<OwnedFd> {
        if create {
            match rustix::fs::mkdirat(dir, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let opened = open_dir(dir, Path::new(name), true)?;
        let stat = rustix::fs::fstat(&opened)?;
        if stat.st_uid != self.owner || stat.st_mode & 0o077 != 0 {
            let text = format!(
                "{} is not a private folder of user {}",
                self.path().display(),
                self.owner
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Ok(opened)
    }
}

impl Entry {
    /// Replaces the record.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let temporary = format!(".{}", self.name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.dir, &temporary, flags, mode)?;
        let written = File::from(file).write_all(&serde_json::to_vec(record)?);
        let renamed = written.and_then(|()| {
            Ok(rustix::fs::renameat(
                &self.dir, &temporary, &self.dir, &self.name,
            )?)
        });
        if renamed.is_err() {
            let _ = rustix::fs::unlinkat(&self.dir, &temporary, AtFlags::empty());
        }
        renamed
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        match rustix::fs::unlinkat(&self.dir, &self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => tracing::warn!(name = self.name, %error, "record of a mount stays"),
        }
    }
}

fn open_dir(at: impl std::os::fd::AsFd, path: &Path, nofollow: bool) -> io::Result<OwnedFd> {
    let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if nofollow {
        flags |= OFlags::NOFOLLOW;
    }
    Ok(rustix::fs::openat(at, path, flags, Mode::empty())?)
}

fn read_all(dir: &OwnedFd) -> Vec<(String, Record)> {
    let Ok(entries) = Dir::read_from(dir) else {
        return Vec::new();
    };
    let names = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned))
        .filter(|name| name.ends_with(SUFFIX) && !name.starts_with('.'));
    names
        .filter_map(|name| match read_one(dir, &name) {
            Ok(record) => Some((name, record)),
            // Removed since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(name, %error, "record of a mount cannot be read");
                None
            }
        })
        .collect()
}

fn read_one(dir: &OwnedFd, name: &str) -> io::Result<Record> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?);
    let mut text = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// An error for a mount that is not in the registry.
pub(crate) fn not_recorded(path: &Path) -> Error {
    let text = format!("{}: no mount of flr is known here", path.display());
    Error::new(ErrorKind::NotMounted, text).hint("findmnt -t fuse.flr lists all mounts of flr")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::DirBuilderExt;
    use tempfile::TempDir;

    fn record(process: Process) -> Record {
        Record {
            v: 1,
            mount_point: mountinfo::escape(Path::new("/no/such mount")),
            address: "disk.img:/".into(),
            process,
            device: None,
            created: 1,
            allow_other: false,
            uid: Some(7),
            gid: None,
            sessions: Vec::new(),
        }
    }

    #[test]
    fn records_come_back_and_go_with_their_entry() {
        let base = TempDir::new().unwrap();
        let registry = Registry::below(base.path());
        assert_eq!(registry.records(), []);
        let mut written = record(Process::current().unwrap());
        let entry = registry.add(&written).unwrap();
        assert_eq!(registry.records(), std::slice::from_ref(&written));
        written.device = Some("0:99".into());
        entry.write(&written).unwrap();
        let second = registry.add(&written).unwrap();
        assert_eq!(registry.records(), [written.clone(), written.clone()]);
        assert_eq!(written.mount_point(), Path::new("/no/such mount"));
        drop((entry, second));
        assert_eq!(registry.records(), []);
    }

    #[test]
    fn only_records_of_the_dead_are_pruned() {
        let base = TempDir::new().unwrap();
        let registry = Registry::below(base.path());
        let alive = record(Process::current().unwrap());
        let mut dead = alive.clone();
        dead.process.start_time = 0;
        let entries = [registry.add(&alive).unwrap(), registry.add(&dead).unwrap()];
        registry.prune(&[]);
        assert_eq!(registry.records(), [alive]);
        drop(entries);
    }

    #[test]
    fn a_folder_that_others_can_enter_is_not_used() {
        let base = TempDir::new().unwrap();
        let open = base.path().join("flr");
        std::fs::DirBuilder::new()
            .mode(0o755)
            .create(&open)
            .unwrap();
        let registry = Registry::below(base.path());
        let error = registry
            .add(&record(Process::current().unwrap()))
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied);
        let (base, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), base.path().join("flr")).unwrap();
        let registry = Registry::below(base.path());
        assert!(registry.add(&record(Process::current().unwrap())).is_err());
    }
}
