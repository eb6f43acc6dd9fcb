//! The block device of a volume that a provider says is attached.
//!
//! A name proves nothing: a link can be stale, and the name that a volume was attached under is not the
//! kernel's. The serial number is the volume's own, and it is read before and after the device is opened.
//! Only where a provider has volumes without one does the name have to do, with the size.

use crate::error::{Error, Result};
use crate::file::{FileSource, OpenOptions};
use flr_fs::ByteSource;
use rustix::fs::{FileType, fstat, major, minor};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long the kernel and its helpers may take for a volume that is said to be attached.
pub(crate) const APPEAR_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_GAP: Duration = Duration::from_millis(100);

/// How the volumes of a provider show.
#[derive(Debug)]
pub(crate) struct Family {
    /// Names of links in `/dev/disk/by-id`, with `{}` for the serial number, as udev has named them in
    /// the course of time.
    pub(crate) links: &'static [&'static str],
    /// Where a device in `/sys/block` has its serial number.
    pub(crate) serials: &'static [&'static str],
    /// How its devices are called there.
    pub(crate) names: &'static [&'static str],
    /// Its volumes have no serial number where none of its devices is of this model.
    pub(crate) model: Option<&'static str>,
    /// What to try where a device cannot be found.
    pub(crate) hint: &'static str,
}

/// Links that lead to links.
const LINKS_MAX: usize = 8;

/// Devices that are looked at: far above what an instance can have.
const DEVICES_MAX: usize = 4096;

/// A volume that was attached to this instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// `vol-…`, for messages.
    pub(crate) volume_id: &'a str,
    /// Its serial number, as the kernel has it.
    pub(crate) serial: &'a str,
    /// Bytes.
    pub(crate) size: u64,
    /// The name that it was attached under, if that is known.
    pub(crate) name: Option<&'a str>,
}

/// Where devices are looked for: below `FLR_DEV_ROOT`, else at the root.
#[derive(Clone, Debug)]
pub(crate) struct Devices {
    family: &'static Family,
    root: PathBuf,
}

/// A device that may be the one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    /// What to open.
    path: PathBuf,
    /// Its name in `/sys/block`, if its serial number can be read there.
    name: Option<String>,
}

impl Devices {
    /// As the environment says.
    pub(crate) fn from_env(family: &'static Family) -> Self {
        let root = std::env::var_os("FLR_DEV_ROOT").filter(|root| !root.is_empty());
        Self::below(family, root.unwrap_or_else(|| "/".into()))
    }

    /// Below a folder.
    pub(crate) fn below(family: &'static Family, root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { family, root }
    }

    /// Opens the device of a volume, waiting for it to appear, and has the kernel refuse writes to it.
    /// Blocks, at most for `limit` and what opening takes.
    ///
    /// # Errors
    /// It does not appear, it is not the volume, somebody uses it, or `go_on` fails.
    pub(crate) fn open(
        &self,
        wanted: Wanted<'_>,
        limit: Duration,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<FileSource> {
        if !is_serial(wanted.serial) {
            return Err(self.refused(wanted, "its serial number makes no sense"));
        }
        let begun = Instant::now();
        loop {
            go_on()?;
            let tried = match self.find(wanted) {
                Some(candidate) => self.open_one(&candidate, wanted),
                None => Err(self.refused(wanted, "its device did not appear")),
            };
            match tried {
                Ok(source) if source.size() == wanted.size => {
                    set_read_only(&source);
                    return Ok(source);
                }
                Ok(source) => {
                    let (path, found) = (source.path().display(), source.size());
                    let what = format!("{path} has {found} bytes, not {}", wanted.size);
                    return Err(self.refused(wanted, &what));
                }
                Err(error @ Error::Denied { .. }) => return Err(error),
                // Who looks at every new device for a moment has it then.
                Err(error) if begun.elapsed() >= limit => return Err(error),
                Err(_) => thread::sleep(LOOK_GAP),
            }
        }
    }

    fn sys(&self, name: &str) -> PathBuf {
        self.root.join("sys/block").join(name)
    }

    /// The serial number of a device, without what only fills it up.
    fn serial(&self, name: &str) -> Option<String> {
        let files = self.family.serials.iter();
        let texts = files.filter_map(|file| fs::read_to_string(self.sys(name).join(file)).ok());
        let mut serials = texts.map(|text| text.trim().replace('-', ""));
        serials.find(|serial| !serial.is_empty())
    }

    fn find(&self, wanted: Wanted<'_>) -> Option<Candidate> {
        let serial = wanted.serial;
        let by_id = self.root.join("dev/disk/by-id");
        let links = self.family.links.iter();
        let links = links.map(|link| by_id.join(link.replace("{}", serial)));
        let linked = links.filter_map(|link| self.follow(&link));
        let linked = linked.filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let name = Some(name);
            Some(Candidate { path, name })
        });
        linked
            .chain(self.by_serial(serial))
            .find(|candidate| self.is_serial(candidate, serial))
            .or_else(|| self.by_name(wanted))
    }

    fn is_serial(&self, candidate: &Candidate, serial: &str) -> bool {
        let name = candidate.name.as_deref();
        name.is_some_and(|name| self.serial(name).as_deref() == Some(serial))
    }

    /// Devices with a serial number, where nobody makes links.
    fn by_serial(&self, serial: &str) -> Option<Candidate> {
        let mut names = self.names();
        let name = names.find(|name| self.serial(name).as_deref() == Some(serial))?;
        Some(Candidate {
            path: self.root.join("dev").join(&name),
            name: Some(name),
        })
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let entries = fs::read_dir(self.root.join("sys/block"));
        let entries = entries.into_iter().flatten().take(DEVICES_MAX);
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let prefixes = self.family.names;
        names.filter(move |name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    }

    /// By the name that it was attached under, where no volume has a serial number.
    fn by_name(&self, wanted: Wanted<'_>) -> Option<Candidate> {
        let expected = self.family.model?;
        let has_serials = |name: String| {
            let model = fs::read_to_string(self.sys(&name).join("device/model"));
            model.is_ok_and(|model| model.trim() == expected)
        };
        if self.names().any(has_serials) {
            return None;
        }
        let name = wanted.name?.strip_prefix("/dev/")?;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let path = self.root.join("dev").join(name);
        let there = plain && path.symlink_metadata().is_ok();
        there.then_some(Candidate { path, name: None })
    }

    fn refused(&self, wanted: Wanted<'_>, why: &str) -> Error {
        Error::Refused {
            what: format!("cannot find {} on this machine: {why}", wanted.volume_id),
            hint: Some(self.family.hint.to_owned()),
        }
    }

    /// What a link leads to, as it would below the root, were it that of the system.
    fn follow(&self, link: &Path) -> Option<PathBuf> {
        let mut path = link.to_owned();
        for _ in 0..LINKS_MAX {
            let to = match fs::read_link(&path) {
                Ok(to) => to,
                // No link: this is it, if it is there at all.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Some(path),
                Err(_) => return None,
            };
            path = match to.strip_prefix("/") {
                Ok(_) if to.starts_with(&self.root) => plain(&to)?,
                Ok(inside) => plain(&self.root.join(inside))?,
                Err(_) => plain(&path.parent()?.join(to))?,
            };
            if !path.starts_with(&self.root) {
                return None;
            }
        }
        None
    }

    fn open_one(&self, candidate: &Candidate, wanted: Wanted<'_>) -> Result<FileSource> {
        let source = FileSource::open(&candidate.path, OpenOptions { live: false })?;
        if let Some(name) = &candidate.name {
            self.check_number(name, &source, wanted)?;
            let serial = wanted.serial;
            if !self.is_serial(candidate, serial) {
                let found = self.serial(name).unwrap_or_else(|| "none".to_owned());
                let what = format!("{name} has the serial number {found}, not {serial}");
                return Err(self.refused(wanted, &what));
            }
        }
        Ok(source)
    }

    /// Whether what is open is what `/sys` calls by this name. A file is taken as it is.
    fn check_number(&self, name: &str, source: &FileSource, wanted: Wanted<'_>) -> Result<()> {
        let io = |error: rustix::io::Errno| Error::Io {
            path: source.path().to_owned(),
            source: error.into(),
        };
        let stat = fstat(source).map_err(io)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::BlockDevice {
            return Ok(());
        }
        let opened = format!("{}:{}", major(stat.st_rdev), minor(stat.st_rdev));
        let known = fs::read_to_string(self.sys(name).join("dev"));
        match known {
            Ok(known) if known.trim() == opened => Ok(()),
            _ => Err(self.refused(wanted, &format!("{name} is another device now"))),
        }
    }
}

/// A path without `.` and `..`, which are taken as names alone: no folder here is a link.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    Some(plain)
}

/// Whether it may be a serial number; it becomes part of a path.
fn is_serial(serial: &str) -> bool {
    (1..=64).contains(&serial.len()) && serial.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Has the kernel refuse writes to the device, by whoever finds it: volume managers do at times. It is a
/// belt; nothing of ours writes.
fn set_read_only(source: &FileSource) {
    let is_device = fstat(source)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice);
    if !is_device {
        return;
    }
    // By the open descriptor, not by a name that may have become another's.
    let set = source.as_fd().try_clone_to_owned().and_then(|device| {
        Command::new("blockdev")
            .args(["--setro", "/proc/self/fd/0"])
            .stdin(Stdio::from(device))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    });
    let path = source.path().display();
    match set {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!("{path} could not be set read-only: blockdev: {status}"),
        Err(error) => tracing::warn!("{path} could not be set read-only: blockdev: {error}"),
    }
}

#[cfg(test)]
mod tests;
