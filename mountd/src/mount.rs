//! Making the mount, and taking it away.
//!
//! As root this is mount(2) itself, with our own type (`fuse.flr`), our flags, and the readahead of
//! the mount raised; everybody else goes through [`crate::fusermount`]. fuser's own mounting is not
//! used: it mounts as plain `fuse`, gives up when a mount is in use, and can take another
//! filesystem's mount for its own.

use crate::error::{Error, ErrorKind, Result};
use crate::fusermount;
use crate::mountinfo;
use crate::options::MountOptions;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

const DEVICE: &str = "/dev/fuse";

/// Bytes of an address that are shown as the source of the mount. The kernel takes a page.
const SOURCE_BYTES_MAX: usize = 256;

/// A mount of ours. It is taken away when this is dropped, in use or not.
#[derive(Debug)]
pub(crate) struct Mounted {
    point: PathBuf,
    /// Device of the mount as `major:minor`, to know it again.
    pub(crate) device: String,
}

/// Mounts on `point` (an absolute path without links) and returns the connection to the kernel.
pub(crate) fn mount(point: &Path, options: &MountOptions) -> Result<(OwnedFd, Mounted)> {
    let source = source(&options.address);
    let fd = match is_root() {
        true => mount_as_root(point, &source, options.allow_other)?,
        false => fusermount::mount(point, &source, options.allow_other)?,
    };
    let mounted = |device| Mounted {
        point: point.to_owned(),
        device,
    };
    // Nobody else can have mounted here in between without being on top now.
    let mounts = mountinfo::read();
    let top = mounts
        .as_ref()
        .ok()
        .and_then(|mounts| mountinfo::top_at(mounts, point));
    match top {
        Some(top) if top.is_flr() => Ok((fd, mounted(top.device.clone()))),
        _ => {
            let text = format!("{}: the mount is gone at once", point.display());
            Err(Error::new(ErrorKind::Failed, text))
        }
    }
}

impl Mounted {
    /// Takes the mount away. `lazy`: also if it is in use; it then ends with its last user.
    pub(crate) fn unmount(&self, lazy: bool) -> Result<()> {
        match self.is_on_top() {
            Ok(true) => unmount(&self.point, lazy),
            Ok(false) => Ok(()),
            Err(error) => Err(Error::system(
                "cannot look for the mount at",
                &self.point,
                error,
            )),
        }
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        &self.point
    }

    /// Sets how far the kernel reads ahead. Only root may; 128 KiB is what it offers by itself.
    pub(crate) fn set_read_ahead(&self, kib: u32) {
        let path = format!("/sys/class/bdi/{}/read_ahead_kb", self.device);
        if let Err(error) = write_file(&path, kib.to_string().as_bytes()) {
            tracing::debug!(path, %error, "readahead stays as it is");
        }
    }

    /// Ends the connection: every request under way fails. For a mount that nobody lets go of.
    pub(crate) fn abort(&self) -> io::Result<()> {
        let minor = self.device.rsplit(':').next().unwrap_or_default();
        write_file(&format!("/sys/fs/fuse/connections/{minor}/abort"), b"1")
    }

    fn is_on_top(&self) -> io::Result<bool> {
        let mounts = mountinfo::read()?;
        let top = mountinfo::top_at(&mounts, &self.point);
        Ok(top.is_some_and(|top| top.is_flr() && top.device == self.device))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.unmount(true) {
            tracing::warn!(%error, "the mount stays");
        }
    }
}

/// Takes the mount at `point` away, whoever made it. `lazy`: also if it is in use.
pub(crate) fn unmount(point: &Path, lazy: bool) -> Result<()> {
    if !is_root() {
        return fusermount::unmount(point, lazy);
    }
    let mut flags = UnmountFlags::NOFOLLOW;
    if lazy {
        flags |= UnmountFlags::DETACH;
    }
    rustix::mount::unmount(point, flags)
        .map_err(|error| Error::system("cannot unmount", point, error.into()))
}

/// Whether mount(2) is ours to call: root, also root of a user namespace.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn mount_as_root(point: &Path, source: &str, allow_other: bool) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let fd = rustix::fs::open(DEVICE, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => Error::new(
            ErrorKind::Unavailable,
            format!("{DEVICE}: this kernel has no FUSE"),
        )
        .hint("modprobe fuse; in a container, pass --device /dev/fuse"),
        error => Error::system("cannot open", Path::new(DEVICE), error.into()),
    })?;
    // A program started without standard streams would get one of their numbers.
    let fd = rustix::io::fcntl_dupfd_cloexec(&fd, 3)
        .map_err(|error| Error::system("cannot open", Path::new(DEVICE), error.into()))?;
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let mut data = format!(
        "fd={},rootmode=40000,user_id={},group_id={}",
        fd.as_raw_fd(),
        uid.as_raw(),
        gid.as_raw()
    );
    if allow_other {
        data.push_str(",allow_other,default_permissions");
    }
    let data = CString::new(data).unwrap_or_default();
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    match rustix::mount::mount(source, point, mountinfo::FS_TYPE, flags, data.as_c_str()) {
        Ok(()) => Ok(fd),
        Err(Errno::PERM) => Err(Error::new(
            ErrorKind::Denied,
            format!("{}: mounting is not permitted", point.display()),
        )
        .hint("in a container, add the capability CAP_SYS_ADMIN")),
        Err(error) => Err(Error::system("cannot mount on", point, error.into())),
    }
}

/// An address in a form that `findmnt` and `df` can show: control characters replaced, not too long.
fn source(address: &str) -> String {
    let mut source = String::from("flr:");
    for character in address.chars() {
        let character = match character.is_control() {
            true => '?',
            false => character,
        };
        if source.len().saturating_add(character.len_utf8()) > SOURCE_BYTES_MAX {
            break;
        }
        source.push(character);
    }
    source
}

/// Writes a setting of the kernel; these files take one write.
fn write_file(path: &str, value: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    rustix::io::write(&fd, value)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_short_and_printable() {
        assert_eq!(source("a,b\\c d.img:/x"), "flr:a,b\\c d.img:/x");
        assert_eq!(source("a\x1b[31m\nb"), "flr:a?[31m?b");
        assert!(source(&"ä".repeat(1000)).len() <= SOURCE_BYTES_MAX);
    }
}
