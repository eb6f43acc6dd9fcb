//! Metadata in the form the kernel takes it.

use flr_fs::{DeviceNumber, FileKind, Metadata, Timestamp};
use fuser::{FileAttr, FileType, INodeNo};
use std::time::{Duration, SystemTime};

/// How long the kernel may believe what it was told: nothing ever changes. The kernel turns seconds
/// into ticks and caps them; 136 years are far from every overflow on the way.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(0xffff_ffff);

/// Not at all: the kernel must ask again.
pub(crate) const NOT_AT_ALL: Duration = Duration::ZERO;

/// Best size of a read, as `stat` says it. Programs with a buffer of this size read whole pages.
const BLOCK_SIZE: u32 = 4096;

/// Owner and group that replace the stored ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

/// What the kernel shows for an owner that it cannot tell (`/proc/sys/kernel/overflowuid`): it takes no id
/// that is none.
const NOBODY: u32 = 65_534;

const fn shown(id: u32) -> u32 {
    match id {
        Metadata::NO_OWNER => NOBODY,
        id => id,
    }
}

/// The attributes of a node.
pub(crate) fn attributes(number: u64, metadata: &Metadata, owner: Owner) -> FileAttr {
    FileAttr {
        ino: INodeNo(number),
        size: metadata.size,
        blocks: metadata.blocks,
        atime: system_time(metadata.atime),
        mtime: system_time(metadata.mtime),
        ctime: system_time(metadata.ctime),
        crtime: SystemTime::UNIX_EPOCH,
        kind: file_type(metadata.kind),
        perm: u16::try_from(metadata.mode & 0o7777).unwrap_or(0),
        nlink: metadata.nlink,
        uid: owner.uid.unwrap_or(shown(metadata.uid)),
        gid: owner.gid.unwrap_or(shown(metadata.gid)),
        rdev: metadata.rdev.map_or(0, device_number),
        blksize: BLOCK_SIZE,
        flags: 0,
    }
}

/// Attributes that say nothing but a number and a kind: for an absent entry, for `.` and `..`, and
/// for a node that is listed although its metadata cannot be read.
pub(crate) fn bare(number: u64, kind: FileType) -> FileAttr {
    FileAttr {
        ino: INodeNo(number),
        size: 0,
        blocks: 0,
        atime: SystemTime::UNIX_EPOCH,
        mtime: SystemTime::UNIX_EPOCH,
        ctime: SystemTime::UNIX_EPOCH,
        crtime: SystemTime::UNIX_EPOCH,
        kind,
        perm: 0,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK_SIZE,
        flags: 0,
    }
}

/// The kind in FUSE's words.
pub(crate) const fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::File => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::BlockDevice => FileType::BlockDevice,
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::Socket => FileType::Socket,
    }
}

/// Never fails on Linux, where both sides hold 64-bit seconds and nanoseconds.
fn system_time(time: Timestamp) -> SystemTime {
    let seconds = Duration::from_secs(time.seconds.unsigned_abs());
    let whole = if time.seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    whole
        .and_then(|whole| whole.checked_add(Duration::from_nanos(time.nanoseconds.into())))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The kernel's `new_encode_dev`: 12 bits of major and 20 of minor number.
const fn device_number(device: DeviceNumber) -> u32 {
    (device.minor & 0xff) | ((device.major & 0xfff) << 8) | ((device.minor & 0xfff00) << 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_after_2106_survive() {
        let nanos = 999_999_999;
        for seconds in [i64::MIN, -2_147_483_649, -1, 0, 0xffff_ffff, i64::MAX] {
            let time = system_time(Timestamp {
                seconds,
                nanoseconds: nanos,
            });
            let back = match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(after) => i64::try_from(after.as_secs()).unwrap(),
                Err(before) => {
                    let before = before.duration();
                    assert_eq!(before.subsec_nanos(), 1);
                    i64::try_from(-i128::from(before.as_secs()) - 1).unwrap()
                }
            };
            assert_eq!(back, seconds);
        }
    }

    #[test]
    fn device_numbers_are_packed_as_the_kernel_does() {
        let device = |major, minor| device_number(DeviceNumber { major, minor });
        assert_eq!(device(1, 3), 0x103);
        assert_eq!(device(259, 0x12345), 0x1231_0345);
    }
}
