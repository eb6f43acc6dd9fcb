//! What stands on a block device, as `/sys` shows it, and whether any of it may write.
//!
//! ```text
//! sda ── sda1 ── dm-0 (LVM, LUKS) ── mounted read-write: writes to sda
//!     └─ sda2 ── loop0             ── swap space:         writes to sda
//! ```

use crate::mounted::{self, Mount};
use rustix::fs::{Mode, OFlags, major, minor};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Major and minor number.
pub(crate) type Number = (u32, u32);

/// How deep and how wide devices stack at most: a bound against a loop, far above any real stack.
const DEVICES_MAX: usize = 4096;

/// Who may write to a device.
#[derive(Debug, Default)]
struct Users {
    /// Somebody who may, in words.
    writer: Option<String>,
    /// Whether something that only reads, or only could write, is known: a read-only mount, an unmounted
    /// logical volume.
    known: bool,
}

/// Who may write to the block device `number`, in words. `node` is a name to open it by.
pub(crate) fn writer(number: Number, node: &Path) -> Option<String> {
    let users = users(number);
    if users.writer.is_none() && !users.known && is_claimed(node) {
        let by = "the kernel has given it to somebody else: \
            a mount in another namespace, a pool or an array";
        return Some(by.to_owned());
    }
    users.writer
}

/// Whether the device belongs to somebody exclusively, as mounted ones do. Asks by opening it
/// exclusively for a moment; somebody who does the same at that moment is told that it is busy.
fn is_claimed(node: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::EXCL;
    rustix::fs::open(node, flags, Mode::empty()).is_err_and(|error| error == Errno::BUSY)
}

/// Who uses the block device `number`, its partitions, or what is built from them.
fn users(number: Number) -> Users {
    let sys = Path::new("/sys");
    let stack = stack(sys, number);
    let mounts = mounted::mounts();
    let mut known = stack.iter().any(|device| has_holders(sys, *device));
    for mount in &mounts {
        if !is_on(mount, &stack) {
            continue;
        }
        if mount.writable {
            let by = describe(
                sys,
                mount.device,
                &format!("mounted read-write at {}", mount.mount_point.display()),
            );
            return Users {
                writer: Some(by),
                known: true,
            };
        }
        known = true;
    }
    for swap in mounted::swaps() {
        let on = fs::metadata(&swap).ok().map(|file| split(file.rdev()));
        if let Some(device) = on.filter(|device| stack.contains(device)) {
            return Users {
                writer: Some(describe(sys, device, "in use as swap space")),
                known: true,
            };
        }
    }
    Users {
        writer: None,
        known,
    }
}

/// Who may write to the regular file, through a loop device or as swap space.
pub(crate) fn file_writer(file: &fs::Metadata) -> Option<String> {
    for swap in mounted::swaps() {
        if fs::metadata(&swap).is_ok_and(|swap| is_same(&swap, file)) {
            return Some("it is in use as swap space".to_owned());
        }
    }
    loops(Path::new("/sys"))
        .into_iter()
        .filter(|attached| !attached.read_only)
        .filter(|attached| {
            // By inode: the name may be a link, or another one of the same file.
            fs::metadata(&attached.backing).is_ok_and(|backing| is_same(&backing, file))
        })
        .find_map(|attached| {
            let by = writer(attached.number, &attached.node)?;
            Some(format!("{by}, through a loop device"))
        })
}

fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// A device number as the kernel's files write it.
pub(crate) fn split(device: u64) -> Number {
    (major(device), minor(device))
}

fn describe(sys: &Path, device: Number, what: &str) -> String {
    let name = fs::read_link(directory(sys, device)).ok();
    let name = name.as_deref().and_then(Path::file_name);
    name.map_or_else(
        || format!("it is {what}"),
        |name| format!("it is {what} (/dev/{})", name.display()),
    )
}

fn directory(sys: &Path, (major, minor): Number) -> PathBuf {
    sys.join(format!("dev/block/{major}:{minor}"))
}

/// The device, the disk it is a part of, its own partitions, and everything built from them.
fn stack(sys: &Path, number: Number) -> HashSet<Number> {
    let mut todo = vec![number];
    let own = directory(sys, number);
    let mut disk = None;
    if own.join("partition").exists() {
        // The target of the link lies in the disk's directory.
        let target = fs::canonicalize(&own).ok();
        disk = target
            .as_deref()
            .and_then(Path::parent)
            .and_then(read_number);
        todo.extend(disk);
    }
    let loops = loops(sys);
    let mut found = HashSet::new();
    while let Some(device) = todo.pop() {
        if found.len() >= DEVICES_MAX || !found.insert(device) {
            continue;
        }
        let directory = directory(sys, device);
        // The other partitions of the disk share no byte with this one.
        if disk != Some(device) {
            todo.extend(
                children(&directory)
                    .filter(|child| child.join("partition").exists())
                    .filter_map(|child| read_number(&child)),
            );
        }
        todo.extend(children(&directory.join("holders")).filter_map(|holder| read_number(&holder)));
        todo.extend(
            (loops.iter())
                .filter(|attached| !attached.read_only)
                .filter(|attached| {
                    fs::metadata(&attached.backing).is_ok_and(|file| split(file.rdev()) == device)
                })
                .map(|attached| attached.number),
        );
    }
    found.extend(btrfs_members(sys, &found));
    found
}

/// The other devices of each btrfs that has one of `devices`: it is mounted by the name of any one.
fn btrfs_members(sys: &Path, devices: &HashSet<Number>) -> Vec<Number> {
    let members = |filesystem: PathBuf| -> Vec<Number> {
        children(&filesystem.join("devices"))
            .filter_map(|device| read_number(&device))
            .collect()
    };
    children(&sys.join("fs/btrfs"))
        .map(members)
        .filter(|members| members.iter().any(|member| devices.contains(member)))
        .flatten()
        .collect()
}

fn has_holders(sys: &Path, device: Number) -> bool {
    children(&directory(sys, device).join("holders"))
        .next()
        .is_some()
}

fn children(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| entry.path())
}

/// The `dev` file of a device's directory.
fn read_number(directory: &Path) -> Option<Number> {
    let text = fs::read_to_string(directory.join("dev")).ok()?;
    let (major, minor) = text.trim_end().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn is_on(mount: &Mount, stack: &HashSet<Number>) -> bool {
    if mount.device.0 != 0 {
        return stack.contains(&mount.device);
    }
    // File systems over several devices have a number of their own; the source names a device.
    if !matches!(mount.kind.as_str(), "btrfs" | "bcachefs") {
        return false;
    }
    let source = mount.source.to_string_lossy();
    source
        .split(':')
        .any(|name| fs::metadata(name).is_ok_and(|file| stack.contains(&split(file.rdev()))))
}

/// A loop device in use.
struct Attached {
    number: Number,
    node: PathBuf,
    backing: PathBuf,
    read_only: bool,
}

fn loops(sys: &Path) -> Vec<Attached> {
    let attached = |device: PathBuf| {
        let backing = fs::read(device.join("loop/backing_file")).ok()?;
        let backing = backing.strip_suffix(b"\n").unwrap_or(&backing);
        Some(Attached {
            number: read_number(&device)?,
            node: Path::new("/dev").join(device.file_name()?),
            backing: PathBuf::from(OsStr::from_bytes(backing)),
            // Unreadable: believed to be writable.
            read_only: fs::read(device.join("ro")).is_ok_and(|text| text.starts_with(b"1")),
        })
    };
    children(&sys.join("block")).filter_map(attached).collect()
}

#[cfg(test)]
mod tests;
