//! A disk that records: a file, served by FUSE, below a loop device, on which the kernel's ext4 is
//! mounted. Every write and every flush that reaches the disk is kept in order, so that what a power
//! cut may leave can be built afterwards.

use crate::mounted::{Loop, Mount};
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite,
    Request, WriteFlags,
};
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const ROOT: u64 = 1;
const DISK: u64 = 2;
const NAME: &str = "disk";
/// What a disk writes as a whole, in bytes.
pub(crate) const SECTOR: usize = 512;
const TTL: Duration = Duration::from_secs(3600);

/// What reached the disk.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes at an offset.
    Write(usize, Vec<u8>),
    /// All writes before this one are on the platter.
    Flush,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(offset, bytes) => write!(f, "{offset:#x}+{:#x}", bytes.len()),
            Self::Flush => f.write_str("flush"),
        }
    }
}

/// Everything that happened to a disk.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The disk before.
    pub start: Vec<u8>,
    /// What happened then, in order.
    pub events: Vec<Event>,
}

impl Recording {
    /// The disk after the first `count` events.
    #[must_use]
    pub fn prefix(&self, count: usize) -> Vec<u8> {
        self.state(count, |_, _| true)
    }

    /// The disk after a power cut behind the first `count` events: of the writes since the last flush
    /// only those sectors that `kept` says of, by the index of the write and of the sector in it, have
    /// reached the platter. A disk promises no more than whole sectors.
    #[must_use]
    pub fn state(&self, count: usize, mut kept: impl FnMut(usize, usize) -> bool) -> Vec<u8> {
        let events = &self.events[..count];
        let flushed = events.iter().rposition(|event| *event == Event::Flush);
        let mut disk = self.start.clone();
        for (index, event) in events.iter().enumerate() {
            let Event::Write(offset, bytes) = event else {
                continue;
            };
            let on_disk = flushed.is_some_and(|flush| index < flush);
            for (sector, bytes) in bytes.chunks(SECTOR).enumerate() {
                if on_disk || kept(index, sector) {
                    let at = offset + sector * SECTOR;
                    disk[at..at + bytes.len()].copy_from_slice(bytes);
                }
            }
        }
        disk
    }
}

/// What the disk holds now, and what happened to it.
#[derive(Debug)]
struct Disk {
    now: Vec<u8>,
    events: Vec<Event>,
}

/// The filesystem with the one file.
#[derive(Clone, Debug)]
struct Recorder(Arc<Mutex<Disk>>);

impl Recorder {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().expect("nobody panics with it")
    }

    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let directory = ino == INodeNo(ROOT);
        let size = u64::try_from(self.disk().now.len()).expect("a size");
        let epoch = SystemTime::UNIX_EPOCH;
        FileAttr {
            ino,
            size: if directory { 0 } else { size },
            blocks: size / 512,
            atime: epoch,
            mtime: epoch,
            ctime: epoch,
            crtime: epoch,
            kind: match directory {
                true => FileType::Directory,
                false => FileType::RegularFile,
            },
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Recorder {
    fn lookup(&self, _: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&TTL, &self.attributes(INodeNo(DISK)), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(ino));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let disk = self.disk();
        let start = usize::try_from(offset).expect("an offset");
        let start = start.min(disk.now.len());
        let end = start + usize::try_from(size).expect("a length");
        reply.data(&disk.now[start..end.min(disk.now.len())]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut disk = self.disk();
        let start = usize::try_from(offset).expect("an offset");
        let Some(place) = disk.now.get_mut(start..start + data.len()) else {
            return reply.error(Errno::ENOSPC);
        };
        place.copy_from_slice(data);
        disk.events.push(Event::Write(start, data.to_vec()));
        reply.written(u32::try_from(data.len()).expect("a length"));
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.disk().events.push(Event::Flush);
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}

/// Runs `load` on the ext filesystem in `disk`, mounted by the kernel with `options`, and records what
/// reaches the disk until `load` returns; not the unmount.
///
/// # Panics
/// If it cannot be mounted. Wants root, FUSE and a loop device.
#[must_use]
pub fn record(disk: Vec<u8>, options: &str, load: impl FnOnce(&Path)) -> Recording {
    let start = disk.clone();
    let recorder = Recorder(Arc::new(Mutex::new(Disk {
        now: disk,
        events: Vec::new(),
    })));
    let below = TempDir::new().expect("a folder");
    let above = TempDir::new().expect("a folder");
    let session = fuser::spawn_mount(recorder.clone(), below.path(), &Config::default());
    let session = session.expect("a FUSE mount");
    let device = Loop::new(&below.path().join(NAME));
    let mount = Mount::new(&device, "ext4", above.path(), options).expect(options);
    load(above.path());
    let events = recorder.disk().events.clone();
    drop(mount);
    drop(device);
    drop(session);
    Recording { start, events }
}
