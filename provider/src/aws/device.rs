//! The block device of an attached volume.
//!
//! A name proves nothing: a link can be stale, and the name that a volume was attached under is not the
//! kernel's. On NVMe the serial number is the volume's id, and it is read before and after the device is
//! opened. Only where no volume is an NVMe device does the name have to do, with the size.

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

/// How long the kernel and its helpers may take for a volume that EC2 says is attached.
pub const APPEAR_LIMIT: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_GAP: Duration = Duration::from_millis(100);

/// What every NVMe device of EBS says that it is.
const MODEL: &str = "Amazon Elastic Block Store";

/// Links that lead to links.
const LINKS_MAX: usize = 8;

/// Devices that are looked at: far above what an instance can have.
const DEVICES_MAX: usize = 4096;

/// A volume that was attached to this instance.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// `vol-…`
    pub volume_id: &'a str,
    /// Bytes.
    pub size: u64,
    /// The name that it was attached under, if that is known.
    pub name: Option<&'a str>,
}

/// Where devices are looked for: below `FLR_DEV_ROOT`, else at the root.
#[derive(Clone, Debug)]
pub struct Devices {
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
    #[must_use]
    pub fn from_env() -> Self {
        let root = std::env::var_os("FLR_DEV_ROOT").filter(|root| !root.is_empty());
        Self::below(root.unwrap_or_else(|| "/".into()))
    }

    /// Below a folder.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Opens the device of a volume, waiting for it to appear, and has the kernel refuse writes to it.
    /// Blocks, at most for `limit` and what opening takes.
    ///
    /// # Errors
    /// It does not appear, it is not the volume, somebody uses it, or `go_on` fails.
    pub fn open(
        &self,
        wanted: Wanted<'_>,
        limit: Duration,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<FileSource> {
        if !super::ec2::volumes::is_volume_id(wanted.volume_id) {
            return Err(refused(wanted, "its id makes no sense"));
        }
        let begun = Instant::now();
        loop {
            go_on()?;
            let tried = match self.find(wanted) {
                Some(candidate) => self.open_one(&candidate, wanted),
                None => Err(refused(wanted, "its device did not appear")),
            };
            match tried {
                Ok(source) if source.size() == wanted.size => {
                    set_read_only(&source);
                    return Ok(source);
                }
                Ok(source) => {
                    let (path, found) = (source.path().display(), source.size());
                    let what = format!("{path} has {found} bytes, not {}", wanted.size);
                    return Err(refused(wanted, &what));
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
        let text = fs::read_to_string(self.sys(name).join("device/serial")).ok()?;
        Some(text.trim().replace('-', ""))
    }

    fn find(&self, wanted: Wanted<'_>) -> Option<Candidate> {
        let serial = wanted.volume_id.replace('-', "");
        let by_id = self.root.join("dev/disk/by-id");
        let plain = format!("nvme-Amazon_Elastic_Block_Store_{serial}");
        // As udev has named it in the course of time.
        let links = ["", "_1", "-ns-1"].map(|suffix| by_id.join(format!("{plain}{suffix}")));
        let linked = links.iter().filter_map(|link| self.follow(link));
        let linked = linked.filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let name = Some(name);
            Some(Candidate { path, name })
        });
        linked
            .chain(self.by_serial(&serial))
            .find(|candidate| self.is_serial(candidate, &serial))
            .or_else(|| self.by_name(wanted))
    }

    fn is_serial(&self, candidate: &Candidate, serial: &str) -> bool {
        let name = candidate.name.as_deref();
        name.is_some_and(|name| self.serial(name).as_deref() == Some(serial))
    }

    /// Devices with a serial number, where nobody makes links.
    fn by_serial(&self, serial: &str) -> Option<Candidate> {
        let mut names = self.nvme_names();
        let name = names.find(|name| self.serial(name).as_deref() == Some(serial))?;
        Some(Candidate {
            path: self.root.join("dev").join(&name),
            name: Some(name),
        })
    }

    fn nvme_names(&self) -> impl Iterator<Item = String> {
        let entries = fs::read_dir(self.root.join("sys/block"));
        let entries = entries.into_iter().flatten().take(DEVICES_MAX);
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| name.starts_with("nvme"))
    }

    /// By the name that it was attached under, where no volume is an NVMe device.
    fn by_name(&self, wanted: Wanted<'_>) -> Option<Candidate> {
        let is_ebs = |name: String| {
            let model = fs::read_to_string(self.sys(&name).join("device/model"));
            model.is_ok_and(|model| model.trim() == MODEL)
        };
        if self.nvme_names().any(is_ebs) {
            return None;
        }
        let name = wanted.name?.strip_prefix("/dev/")?;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let path = self.root.join("dev").join(name);
        let there = plain && path.symlink_metadata().is_ok();
        there.then_some(Candidate { path, name: None })
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
            let serial = wanted.volume_id.replace('-', "");
            if !self.is_serial(candidate, &serial) {
                let found = self.serial(name).unwrap_or_else(|| "none".to_owned());
                let what = format!("{name} has the serial number {found}, not {serial}");
                return Err(refused(wanted, &what));
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
            _ => Err(refused(wanted, &format!("{name} is another device now"))),
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

fn refused(wanted: Wanted<'_>, why: &str) -> Error {
    Error::Refused {
        what: format!("cannot find {} on this machine: {why}", wanted.volume_id),
        hint: Some(
            "in a container, set FLR_DEV_ROOT to where the host's root is, or use --access direct"
                .to_owned(),
        ),
    }
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
