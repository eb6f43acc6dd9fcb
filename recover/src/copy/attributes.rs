//! Owner, mode, extended attributes and times, in this order: a change of owner takes set-id bits
//! and capabilities away, and everything changes times.

use super::CopyOptions;
use super::kind::Kind;
use super::policy::modified;
use super::report::{Item, Tally, Warning};
use super::run::Run;
use super::sidecar::{Descriptor, Loose};
use super::temp::TempEntry;
use crate::error::Error;
use crate::streams::{self, Value};
use crate::view::ViewNode;
use flr_fs::{FileKind, Metadata, Request, Sids, Timestamp, XattrName};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;

const SET_ID_BITS: u32 = 0o6000;
const CAPABILITIES: &[u8] = b"security.capability";

/// POSIX ACLs, in the form in which the kernel takes them.
const ACL_PREFIX: &[u8] = b"system.posix_acl_";

/// What NTFS hands out when it is asked for, and what it is called where there is no NTFS: `user.ntfs_…`.
const WINDOWS_NAMES: [&str; 6] = [
    "system.ntfs_acl",
    "system.ntfs_attrib",
    "system.ntfs_times",
    "system.ntfs_reparse_data",
    "system.ntfs_object_id",
    "system.ntfs_dos_name",
];

/// Which extended attributes are set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Acls,
    /// What new entries of a directory do not inherit.
    AllButAcls,
}

/// What attributes are set on.
enum Target<'a> {
    /// A file or directory open for more than its path.
    Open(BorrowedFd<'a>),
    /// A link, device or FIFO: these are not opened, since a device or FIFO would notice.
    Entry(&'a TempEntry<'a>),
}

impl Run<'_> {
    /// Attributes of a file or directory that is open. Returns what is to stand beside it.
    ///
    /// Of a directory, what [`Self::set_windows_of_directory`] has set is not set again.
    pub(super) fn set_attributes(
        &self,
        item: &Item,
        (fd, kind): (impl AsFd, Kind),
        node: ViewNode,
        metadata: &Metadata,
    ) -> Loose {
        self.set_all(item, (&Target::Open(fd.as_fd()), kind), node, metadata)
    }

    /// Attributes of a directory that has what NTFS alone has, but for ACLs. They are set before anything
    /// stands in it: what finds no room goes beside it, where its parent is still to get its time.
    pub(super) fn set_windows_of_directory(
        &self,
        item: &Item,
        directory: impl AsFd,
        node: ViewNode,
    ) -> Loose {
        let mut loose = Loose::default();
        if self.has_windows(node) {
            let target = Target::Open(directory.as_fd());
            self.set_xattrs(item, &target, node, (Part::AllButAcls, false), &mut loose);
        }
        loose
    }

    /// Whether what NTFS alone has is to be kept of this node, and may be there.
    pub(super) fn has_windows(&self, node: ViewNode) -> bool {
        let wanted = self.options.windows && self.options.xattrs;
        wanted && (self.view.filesystem(node)).is_ok_and(|filesystem| filesystem.has_streams())
    }

    /// Attributes of a link, device or FIFO that has been created just now. Returns what is to stand beside it.
    pub(super) fn set_entry_attributes(
        &self,
        item: &Item,
        (entry, kind): (&TempEntry<'_>, Kind),
        node: ViewNode,
        metadata: &Metadata,
    ) -> Loose {
        self.set_all(item, (&Target::Entry(entry), kind), node, metadata)
    }

    fn set_all(
        &self,
        item: &Item,
        (target, kind): (&Target<'_>, Kind),
        node: ViewNode,
        metadata: &Metadata,
    ) -> Loose {
        // Whoever it is set for would be whoever runs this.
        let mut owner_kept =
            metadata.uid != Metadata::NO_OWNER && metadata.gid != Metadata::NO_OWNER;
        if self.options.owner {
            let (uid, gid) = self.new_owner(item, node, metadata);
            if let Err(error) = target.set_owner(uid, gid) {
                owner_kept = false;
                self.tally.warning(item, &Warning::Owner(error));
            }
        }
        let mut mode_set = None;
        if metadata.kind != FileKind::Symlink {
            let mode = permitted_mode(self.options, &self.tally, item, metadata, owner_kept);
            match target.set_mode(mode) {
                Ok(()) => mode_set = Some(mode),
                Err(error) => self.tally.warning(item, &Warning::Mode(error)),
            }
        }
        let mut loose = Loose::default();
        if self.options.xattrs || self.options.acls {
            let is_dir = metadata.kind == FileKind::Directory;
            let part = match is_dir && self.has_windows(node) {
                true => Part::Acls,
                false => Part::All,
            };
            self.set_xattrs(item, target, node, (part, owner_kept), &mut loose);
        }
        let mut times_set = false;
        if self.options.times {
            match target.set_times(metadata) {
                Ok(()) => times_set = true,
                Err(error) => self.tally.warning(item, &Warning::Times(error)),
            }
        }
        if kind.is_foreign {
            let modified = times_set.then_some(metadata.mtime);
            self.check_kept(item, (target, kind), mode_set, modified);
        }
        loose
    }

    /// Owner and group of the copy. What NTFS says of them is read only if a table asks for it.
    fn new_owner(&self, item: &Item, node: ViewNode, metadata: &Metadata) -> (u32, u32) {
        let owners = &self.options.owners;
        let mut known = Sids::default();
        if owners.has_sids() {
            let stored = self.view.owner_sids(node).and_then(|stored| {
                let Some(stored) = stored else {
                    return Ok(Sids::default());
                };
                let mut sids = stored.sids?;
                // Numbers that WSL has written stand above them.
                sids.user = sids.user.filter(|_| !stored.has_uid);
                sids.group = sids.group.filter(|_| !stored.has_gid);
                Ok(sids)
            });
            match stored {
                Ok(stored) => known = stored,
                Err(error) => {
                    let name = Some(b"its owner".to_vec());
                    let unreadable = Warning::XattrUnreadable { name, error };
                    self.tally.warning(item, &unreadable);
                }
            }
        }
        owners.map((metadata.uid, metadata.gid), &known)
    }

    /// Looks whether the filesystem has kept what it was told without an error.
    fn check_kept(
        &self,
        item: &Item,
        (target, kind): (&Target<'_>, Kind),
        mode: Option<u32>,
        time: Option<Timestamp>,
    ) {
        // What cannot be looked at has been written a moment ago, and somebody has taken it away.
        let Ok(stat) = target.stat() else { return };
        let lost = |what| io::Error::new(io::ErrorKind::Unsupported, what);
        if mode.is_some_and(|mode| stat.st_mode & 0o7777 != mode) {
            let why = lost("this filesystem has no such permission bits");
            self.tally.warning(item, &Warning::Mode(why));
        }
        if time.is_some_and(|time| !kind.keeps(time, modified(&stat))) {
            let why = lost("this filesystem has no such time");
            self.tally.warning(item, &Warning::Times(why));
        }
    }

    fn set_xattrs(
        &self,
        item: &Item,
        target: &Target<'_>,
        node: ViewNode,
        (part, owner_kept): (Part, bool),
        loose: &mut Loose,
    ) {
        let names = match self.view.xattr_names(node) {
            Ok(names) => names,
            Err(error) => {
                let unreadable = Warning::XattrUnreadable { name: None, error };
                return self.tally.warning(item, &unreadable);
            }
        };
        for name in &names {
            let is_acl = name.as_bytes().starts_with(ACL_PREFIX);
            let wanted = match is_acl {
                true => self.options.acls && part != Part::AllButAcls,
                false => self.options.xattrs && part != Part::Acls,
            };
            if !wanted {
                continue;
            }
            if name.as_bytes() == CAPABILITIES && !(self.options.set_id && owner_kept) {
                self.tally.warning(item, &Warning::CapabilitiesStripped);
                continue;
            }
            self.set_xattr(item, target, node, name);
        }
        if self.options.xattrs && part != Part::Acls {
            // First descriptors: there may be little room for attributes, and they are what is looked for there.
            if self.has_windows(node) {
                self.set_windows(item, target, node, loose);
            }
            self.set_streams(item, target, node, &names, loose);
        }
    }

    /// What NTFS alone has, under its own name if the destination takes it, and as the user's otherwise.
    fn set_windows(&self, item: &Item, target: &Target<'_>, node: ViewNode, loose: &mut Loose) {
        for descriptor in self.descriptors(item, node) {
            let Descriptor { name, value } = &descriptor;
            let kept = target
                .set_xattr(name.as_bytes(), value)
                .or_else(|_| target.set_xattr(descriptor.foreign_name().as_bytes(), value));
            if kept.is_err() {
                loose.descriptors.push(descriptor);
            }
        }
    }

    /// What NTFS alone has of a node. What cannot be read is told.
    pub(super) fn descriptors(&self, item: &Item, node: ViewNode) -> Vec<Descriptor> {
        let read = WINDOWS_NAMES.into_iter().filter_map(|name| {
            match self.view.xattr(node, &XattrName::new(name.as_bytes())) {
                Ok(value) => value.map(|value| Descriptor { name, value }),
                Err(error) => {
                    let name = Some(name.as_bytes().to_vec());
                    let unreadable = Warning::XattrUnreadable { name, error };
                    self.tally.warning(item, &unreadable);
                    None
                }
            }
        });
        read.collect()
    }

    fn set_xattr(&self, item: &Item, target: &Target<'_>, node: ViewNode, name: &XattrName) {
        match self.view.xattr(node, name) {
            Ok(Some(value)) => {
                let is_acl = name.as_bytes().starts_with(ACL_PREFIX);
                let value = match is_acl {
                    true => self.options.owners.map_acl(&value),
                    false => value,
                };
                if let Err(source) = target.set_xattr(name.as_bytes(), &value) {
                    let name = name.as_bytes().to_vec();
                    self.tally.warning(item, &Warning::Xattr { name, source });
                }
            }
            // A name without a value, which no attribute is.
            Ok(None) => {}
            Err(error) => {
                let name = Some(name.as_bytes().to_vec());
                self.tally
                    .warning(item, &Warning::XattrUnreadable { name, error });
            }
        }
    }

    /// Named streams, which Linux has no place for but attributes. `listed` are those of the node.
    /// What no attribute holds is to stand beside it, if what NTFS alone has is to be kept.
    fn set_streams(
        &self,
        item: &Item,
        target: &Target<'_>,
        node: ViewNode,
        listed: &[XattrName],
        loose: &mut Loose,
    ) {
        let found = match streams::xattrs(self.view, node, listed) {
            Ok(found) => found,
            Err(error) => {
                let unreadable = Warning::XattrUnreadable { name: None, error };
                return self.tally.warning(item, &unreadable);
            }
        };
        for (stream, name) in found {
            let kept = match name {
                None => Err(Stream::NotKept(io::Error::other(
                    "no attribute can be called so",
                ))),
                Some(name) => self.set_stream(target, node, &name),
            };
            let Err(why) = kept else { continue };
            if let (true, Stream::NotKept(_)) = (self.options.windows, &why) {
                loose.streams.push(stream.name);
                continue;
            }
            let name = [b":", stream.name.as_slice()].concat();
            let warning = match why {
                Stream::NotKept(source) => Warning::Xattr { name, source },
                Stream::Unreadable(error) => Warning::XattrUnreadable {
                    name: Some(name),
                    error,
                },
            };
            self.tally.warning(item, &warning);
        }
    }

    fn set_stream(
        &self,
        target: &Target<'_>,
        node: ViewNode,
        name: &XattrName,
    ) -> Result<(), Stream> {
        let name = name.as_bytes();
        match streams::xattr(self.view, node, name).map_err(Stream::Unreadable)? {
            Some(Value::Bytes(value)) => target.set_xattr(name, &value).map_err(Stream::NotKept),
            Some(Value::TooLarge(size)) => {
                let what = format!("{size} bytes, more than an attribute holds");
                Err(Stream::NotKept(io::Error::other(what)))
            }
            // Listed a moment ago, and the image does not change.
            None => Err(Stream::Unreadable(Request::NoSuchStream.into())),
        }
    }
}

/// Why a stream is not with the copy.
enum Stream {
    NotKept(io::Error),
    Unreadable(Error),
}

/// The mode that the copy gets. Set-id bits on a file would lend the rights of whoever owns the copy
/// to a program that came out of an image.
fn permitted_mode(
    options: &CopyOptions,
    tally: &Tally<'_>,
    item: &Item,
    metadata: &Metadata,
    owner_kept: bool,
) -> u32 {
    let mode = metadata.mode & 0o7777;
    let set_id = mode & SET_ID_BITS;
    let is_dir = metadata.kind == FileKind::Directory;
    if set_id == 0 || is_dir || (options.set_id && owner_kept) {
        return mode;
    }
    tally.warning(item, &Warning::SetIdStripped(set_id));
    mode & !SET_ID_BITS
}

impl Target<'_> {
    fn stat(&self) -> io::Result<Stat> {
        match self {
            Self::Open(fd) => Ok(rustix::fs::fstat(fd)?),
            Self::Entry(entry) => entry.stat(),
        }
    }

    fn set_owner(&self, uid: u32, gid: u32) -> io::Result<()> {
        // The all-ones id means "leave as it is" to the kernel; as an id it is not valid.
        let uid = (uid != u32::MAX).then(|| Uid::from_raw(uid));
        let gid = (gid != u32::MAX).then(|| Gid::from_raw(gid));
        match self {
            Self::Open(fd) => rustix::fs::fchown(fd, uid, gid)?,
            Self::Entry(entry) => {
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(entry.directory(), entry.name(), uid, gid, flags)?;
            }
        }
        Ok(())
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode);
        match self {
            Self::Open(fd) => rustix::fs::fchmod(fd, mode)?,
            Self::Entry(entry) => {
                // There is no chmod that does not follow links before Linux 6.6. A descriptor that
                // only names the node is not followed further.
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(entry.directory(), entry.name(), flags, Mode::empty())?;
                let stat = rustix::fs::fstat(&fd)?;
                if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink() {
                    return Err(Errno::LOOP.into());
                }
                rustix::fs::chmod(proc_path(&fd), mode)?;
            }
        }
        Ok(())
    }

    fn set_xattr(&self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let flags = XattrFlags::empty();
        match self {
            Self::Open(fd) => rustix::fs::fsetxattr(fd, name, value, flags)?,
            Self::Entry(entry) => {
                // The directory is the open one; the last component is not followed.
                let mut path = proc_path(entry.directory());
                path.push("/");
                path.push(entry.name());
                rustix::fs::lsetxattr(path, name, value, flags)?;
            }
        }
        Ok(())
    }

    fn set_times(&self, metadata: &Metadata) -> io::Result<()> {
        let times = Timestamps {
            last_access: timespec(metadata.atime),
            last_modification: timespec(metadata.mtime),
        };
        match self {
            Self::Open(fd) => rustix::fs::futimens(fd, &times)?,
            Self::Entry(entry) => {
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::utimensat(entry.directory(), entry.name(), &times, flags)?;
            }
        }
        Ok(())
    }
}

pub(super) fn proc_path(fd: impl AsFd) -> OsString {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()).into()
}

fn timespec(time: Timestamp) -> Timespec {
    Timespec {
        tv_sec: time.seconds,
        // Values above mean "now" and "leave as it is" to the kernel.
        tv_nsec: time.nanoseconds.min(999_999_999).into(),
    }
}
