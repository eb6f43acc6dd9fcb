//! A view as the kernel sees it: numbers for nodes, attributes, entries, errno for errors.
//!
//! [`crate::filesystem`] takes the requests and sends the replies; the work between is here and in
//! the modules beside.

use crate::attributes::{FOR_EVER, NOT_AT_ALL, attributes, bare, file_type};
use crate::directory::{Directories, Item, items};
use crate::errno;
use crate::inode::Inodes;
use crate::options::{MountOptions, Tuning};
use crate::owners::Owners;
use crate::read::Sources;
use crate::reports::Reports;
use flr_fs::FileKind;
use flr_recover::{Error, View, ViewNode};
use fuser::{Errno, FileAttr, FileType, Generation, INodeNo};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A view as the kernel sees it.
#[derive(Debug)]
pub(crate) struct MountedView {
    pub(crate) view: Arc<View>,
    pub(crate) inodes: Inodes,
    owners: Owners,
    /// Whether the kernel is to check permissions by access control lists too.
    pub(crate) acls: bool,
    pub(crate) tuning: Tuning,
    pub(crate) sources: Sources,
    pub(crate) directories: Directories,
    reports: Reports,
}

/// Why a request is refused.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The view cannot answer.
    Point(Error),
    /// The view cannot answer about an extended attribute.
    Xattr(Error),
    /// The answer is an errno by its nature, and nothing is wrong.
    Errno(Errno),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Point(error)
    }
}

impl From<flr_fs::Error> for Failure {
    fn from(error: flr_fs::Error) -> Self {
        Self::Point(error.into())
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl MountedView {
    /// `None` if the root's number is beyond what FUSE can say.
    pub(crate) fn new(view: Arc<View>, options: &MountOptions) -> Option<Self> {
        let inodes = Inodes::new(view.root(), view.filesystems().len() > 1)?;
        Some(Self {
            inodes,
            owners: Owners::new(options),
            acls: options.allow_other,
            tuning: options.tuning.clone(),
            sources: Sources::new(),
            directories: Directories::new(),
            reports: Reports::default(),
            view,
        })
    }

    /// Runs the body of a callback: no panic gets out, and what fails is logged.
    pub(crate) fn guarded<T>(
        &self,
        doing: &'static str,
        ino: INodeNo,
        body: impl FnOnce(ViewNode) -> Result<T, Failure>,
    ) -> Result<T, Errno> {
        let Some(node) = self.inodes.node(ino.0) else {
            return Err(Errno::EIO);
        };
        match catch_unwind(AssertUnwindSafe(|| body(node))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::Errno(errno))) => Err(errno),
            Ok(Err(Failure::Point(error))) => {
                self.reports.error(doing, Some(node), &error);
                Err(errno::of(&error))
            }
            Ok(Err(Failure::Xattr(error))) => {
                self.reports.error(doing, Some(node), &error);
                Err(errno::of_xattr(&error))
            }
            Err(panic) => {
                Reports::panic(doing, Some(node), panic.as_ref());
                Err(Errno::EIO)
            }
        }
    }

    fn number(&self, node: ViewNode) -> Result<u64, Failure> {
        self.inodes.number(node).ok_or(Errno::EIO.into())
    }

    pub(crate) fn attributes_of(&self, node: ViewNode) -> Result<(FileAttr, Generation), Failure> {
        let metadata = self.view.metadata(node)?;
        let owner = self.owners.of(&self.view, node, &self.reports);
        let attributes = attributes(self.number(node)?, &metadata, owner);
        Ok((attributes, Generation(metadata.generation)))
    }

    pub(crate) fn find(
        &self,
        dir: ViewNode,
        name: &OsStr,
    ) -> Result<(FileAttr, Generation), Failure> {
        let Some((node, metadata)) = self.view.lookup(dir, name.as_bytes())? else {
            // Number 0 with a lifetime: the kernel remembers that there is no such entry.
            return Ok((bare(0, FileType::RegularFile), Generation(0)));
        };
        if metadata.kind == FileKind::Directory {
            self.directories.set_parent(node, dir);
        }
        let owner = self.owners.of(&self.view, node, &self.reports);
        let attributes = attributes(self.number(node)?, &metadata, owner);
        Ok((attributes, Generation(metadata.generation)))
    }

    /// An entry with its attributes, or a stand-in that the kernel must not believe: an entry whose
    /// node cannot be read is listed, and using it is the error.
    pub(crate) fn listed(&self, dir: ViewNode, item: Item<'_>) -> (FileAttr, Generation, Duration) {
        let dot = |node| {
            let number = self.inodes.number(node).unwrap_or(1);
            let attributes = bare(number, FileType::Directory);
            (attributes, Generation(0), NOT_AT_ALL)
        };
        let entry = match item {
            Item::Itself => return dot(dir),
            Item::Parent => return dot(self.directories.parent(dir)),
            Item::Entry(entry) => entry,
        };
        let node = entry.node;
        let own = INodeNo(self.inodes.number(node).unwrap_or(0));
        match self.guarded("list", own, |node| self.attributes_of(node)) {
            Ok((attributes, generation)) => {
                if attributes.kind == FileType::Directory {
                    self.directories.set_parent(node, dir);
                }
                (attributes, generation, FOR_EVER)
            }
            Err(_) => {
                let kind = entry.kind.map_or(FileType::RegularFile, file_type);
                let attributes = bare(self.inodes.stand_in(node), kind);
                (attributes, Generation(0), NOT_AT_ALL)
            }
        }
    }

    /// Tells the items of `dir` from `offset` on to `tell`, until it says that it is full.
    pub(crate) fn list(
        &self,
        dir: ViewNode,
        offset: u64,
        mut tell: impl FnMut(&Self, u64, Item<'_>) -> bool,
    ) -> Result<(), Failure> {
        let listing = self.directories.listing(&self.view, dir)?;
        self.reports.damaged_directory(dir, listing.damaged());
        for (behind, item) in items(&listing, offset) {
            if tell(self, behind, item) {
                return Ok(());
            }
        }
        self.directories.done(dir);
        Ok(())
    }
}
