//! The kernel's requests: each is taken apart, answered from the view, and replied to.
//!
//! Every body runs under [`MountedView::guarded`]: a panic becomes `EIO`, since a thread that dies
//! would leave its share of the requests unanswered for ever. Nothing here decides what a name or an
//! error means; that is `flr-recover`'s work and [`crate::errno`]'s.

use crate::attributes::{FOR_EVER, file_type};
use crate::directory::Item;
use crate::mounted::MountedView;
use crate::read::{self, BUFFER, Sized, Whence};
use crate::xattr;
use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, FileType, FopenFlags, INodeNo, InitFlags,
    IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyBmap, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs, ReplyWrite,
    ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

/// Requests that the kernel may have under way in the background (readahead), and from how many on
/// it calls itself congested. 12 and 9 are the kernel's own, chosen for one disk.
const BACKGROUND_COUNT_MAX: u16 = 128;
const CONGESTION_COUNT: u16 = 96;

impl fuser::Filesystem for MountedView {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let mut wanted = InitFlags::FUSE_ASYNC_READ
            | InitFlags::FUSE_ASYNC_DIO
            | InitFlags::FUSE_PARALLEL_DIROPS
            | InitFlags::FUSE_CACHE_SYMLINKS
            | InitFlags::FUSE_DO_READDIRPLUS;
        if self.tuning.readdirplus_auto {
            wanted |= InitFlags::FUSE_READDIRPLUS_AUTO;
        }
        if self.tuning.no_open {
            wanted |= InitFlags::FUSE_NO_OPEN_SUPPORT;
        }
        if self.tuning.no_opendir {
            wanted |= InitFlags::FUSE_NO_OPENDIR_SUPPORT;
        }
        if self.acls {
            // The kernel switches `default_permissions` on with it, so only where that is on anyway:
            // who mounts for himself may read all of the image, whoever owned its files.
            wanted |= InitFlags::FUSE_POSIX_ACL;
        }
        // One bit that the kernel does not know would refuse them all.
        let wanted = wanted & config.capabilities();
        // OK to ignore: only what the kernel offers is asked for.
        let _ = config.add_capabilities(wanted);
        self.tuning.no_open &= wanted.contains(InitFlags::FUSE_NO_OPEN_SUPPORT);
        self.tuning.no_opendir &= wanted.contains(InitFlags::FUSE_NO_OPENDIR_SUPPORT);
        // OK to ignore: none of these is 0 or above fuser's own bound, the only errors there are.
        let _ = config.set_max_background(BACKGROUND_COUNT_MAX);
        let _ = config.set_congestion_threshold(CONGESTION_COUNT);
        let _ = config.set_max_write(self.tuning.request_kib.saturating_mul(1024));
        Ok(())
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.guarded("lookup", parent, |dir| self.find(dir, name)) {
            Ok((attributes, generation)) => reply.entry(&FOR_EVER, &attributes, generation),
            Err(errno) => reply.error(errno),
        }
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.guarded("getattr", ino, |node| self.attributes_of(node)) {
            Ok((attributes, _)) => reply.attr(&FOR_EVER, &attributes),
            Err(errno) => reply.error(errno),
        }
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        match self.guarded("readlink", ino, |node| Ok(self.view.read_link(node)?)) {
            Ok(target) => reply.data(&target),
            Err(errno) => reply.error(errno),
        }
    }

    fn open(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if self.tuning.no_open {
            return reply.error(Errno::ENOSYS);
        }
        match self.guarded("open", ino, |node| {
            Ok(self.sources.open(&self.view, node)?)
        }) {
            Ok(_) => {
                let cache = match self.tuning.direct_io {
                    true => FopenFlags::FOPEN_DIRECT_IO,
                    false => FopenFlags::FOPEN_KEEP_CACHE,
                };
                reply.opened(FileHandle(0), cache | FopenFlags::FOPEN_NOFLUSH);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        BUFFER.with_borrow_mut(|buffer| {
            let data = self.guarded("read", ino, |node| {
                let source = self.sources.open(&self.view, node)?;
                Ok(read::read(source.as_ref(), offset, size, buffer)?)
            });
            match data {
                Ok(data) => reply.data(data),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn flush(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        // Told once, the kernel does not ask again.
        reply.error(Errno::ENOSYS);
    }

    fn lseek(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let found = self.guarded("lseek", ino, |node| {
            let offset = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
            let whence = Whence::from_raw(whence).ok_or(Errno::EINVAL)?;
            let source = self.sources.open(&self.view, node)?;
            let found = read::seek(source.as_ref(), offset, whence)?;
            Ok(i64::try_from(found).map_err(|_| Errno::EOVERFLOW)?)
        });
        match found {
            Ok(offset) => reply.offset(offset),
            Err(errno) => reply.error(errno),
        }
    }

    fn opendir(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if self.tuning.no_opendir {
            return reply.error(Errno::ENOSYS);
        }
        match self.guarded("opendir", ino, |node| {
            self.directories.listing(&self.view, node)
        }) {
            Ok(_) => reply.opened(
                FileHandle(0),
                FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_CACHE_DIR,
            ),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = self.guarded("readdir", ino, |dir| {
            self.list(dir, offset, |this, behind, item| match item {
                Item::Entry(entry) if entry.kind.is_some() => {
                    let number = this.inodes.number(entry.node);
                    let number = number.unwrap_or_else(|| this.inodes.stand_in(entry.node));
                    let kind = entry.kind.map_or(FileType::RegularFile, file_type);
                    let name = OsStr::from_bytes(entry.name);
                    reply.add(INodeNo(number), behind, kind, name)
                }
                item => {
                    let (attributes, _, _) = this.listed(dir, item);
                    reply.add(attributes.ino, behind, attributes.kind, name_of(&item))
                }
            })
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let listed = self.guarded("readdirplus", ino, |dir| {
            self.list(dir, offset, |this, behind, item| {
                let (attributes, generation, ttl) = this.listed(dir, item);
                let name = name_of(&item);
                reply.add(attributes.ino, behind, name, &ttl, &attributes, generation)
            })
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn statfs(&self, _req: &Request, ino: INodeNo, reply: ReplyStatfs) {
        let info = self.guarded("statfs", ino, |node| {
            let filesystem = self.view.filesystem(node)?;
            // Numbers for people: that one of them cannot be read must not take the others away.
            let free = filesystem.blocks_free().unwrap_or_else(|error| {
                self.report("statfs", node, &error.into());
                0
            });
            Ok((filesystem.info().clone(), free))
        });
        match info {
            Ok((info, free)) => {
                let blocks = info
                    .size
                    .checked_div(info.block_size.into())
                    .unwrap_or_default();
                let free = free.min(blocks);
                let nodes_free = info.nodes_free.min(info.nodes);
                let unit = info.block_size;
                reply.statfs(blocks, free, free, info.nodes, nodes_free, unit, 255, unit);
            }
            Err(errno) => reply.error(errno),
        }
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let value = self.guarded("getxattr", ino, |node| {
            xattr::value(&self.view, node, name.as_bytes())
        });
        reply_sized(value, size, reply);
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let names = self.guarded("listxattr", ino, |node| xattr::names(&self.view, node));
        reply_sized(names, size, reply);
    }

    fn access(&self, _req: &Request, _ino: INodeNo, _mask: fuser::AccessFlags, reply: ReplyEmpty) {
        // Told once, the kernel does not ask again. Without `default_permissions` the one user who
        // can get here may read everything; writing and executing are refused by the mount's flags.
        reply.error(Errno::ENOSYS);
    }

    // What follows cannot happen on a mount that is read-only, unless somebody remounts it.

    fn setattr(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mknod(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mkdir(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        reply.error(Errno::EROFS);
    }

    fn unlink(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn rmdir(&self, _req: &Request, _parent: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn symlink(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _link_name: &OsStr,
        _target: &Path,
        reply: ReplyEntry,
    ) {
        reply.error(Errno::EROFS);
    }

    fn rename(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _newparent: INodeNo,
        _newname: &OsStr,
        _flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn link(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _newparent: INodeNo,
        _newname: &OsStr,
        reply: ReplyEntry,
    ) {
        reply.error(Errno::EROFS);
    }

    fn write(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        _data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }

    fn create(
        &self,
        _req: &Request,
        _parent: INodeNo,
        _name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        reply.error(Errno::EROFS);
    }

    fn setxattr(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _name: &OsStr,
        _value: &[u8],
        _flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn removexattr(&self, _req: &Request, _ino: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn fallocate(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn copy_file_range(
        &self,
        _req: &Request,
        _ino_in: INodeNo,
        _fh_in: FileHandle,
        _offset_in: u64,
        _ino_out: INodeNo,
        _fh_out: FileHandle,
        _offset_out: u64,
        _len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }

    // Programs try these on every file and expect a plain no.

    fn ioctl(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn bmap(&self, _req: &Request, _ino: INodeNo, _blocksize: u32, _idx: u64, reply: ReplyBmap) {
        reply.error(Errno::ENOSYS);
    }

    fn poll(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _ph: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn fsync(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }
}

fn name_of<'a>(item: &Item<'a>) -> &'a OsStr {
    OsStr::from_bytes(match item {
        Item::Itself => b".",
        Item::Parent => b"..",
        Item::Entry(entry) => entry.name,
    })
}

fn reply_sized(value: Result<Vec<u8>, Errno>, size: u32, reply: ReplyXattr) {
    let value = match value {
        Ok(value) => value,
        Err(errno) => return reply.error(errno),
    };
    match read::sized(&value, size, xattr::BYTES_MAX) {
        Ok(Sized::Length(len)) => reply.size(len),
        Ok(Sized::Value(value)) => reply.data(value),
        Err(errno) => reply.error(errno),
    }
}
