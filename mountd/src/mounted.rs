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

    /// Logs what failed beside the answer.
    pub(crate) fn report(&self, doing: &'static str, node: ViewNode, error: &Error) {
        self.reports.error(doing, Some(node), error);
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
        if self.directories.is_end(dir, offset) {
            return Ok(());
        }
        let listing = self.directories.listing(&self.view, dir)?;
        self.reports.damaged_directory(dir, listing.damaged());
        for (behind, item) in items(&listing, offset) {
            if tell(self, behind, item) {
                return Ok(());
            }
        }
        self.directories.done(dir, &listing);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use flr_fs::{
        ByteSource, CaseRule, DirCursor, DirEntry, DirItem, Filesystem, Found, FsInfo, FsState,
        Metadata, NodeId, RawName, Request, StreamName, Want, XattrName,
    };
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NAME_COUNT: u64 = 40_000;

    /// One directory, whose names are so long that nobody keeps its listing.
    #[derive(Debug)]
    struct Wide {
        info: FsInfo,
        lists: AtomicUsize,
    }

    impl Filesystem for Wide {
        fn info(&self) -> &FsInfo {
            &self.info
        }

        fn root(&self) -> NodeId {
            NodeId(2)
        }

        fn metadata(&self, _: NodeId) -> flr_fs::Result<Metadata> {
            Err(Request::NoSuchNode.into())
        }

        fn lookup(&self, _: NodeId, _: RawName<'_>) -> flr_fs::Result<Option<Found>> {
            Ok(None)
        }

        fn read_dir(
            &self,
            _: NodeId,
            _: DirCursor,
            _: Want,
            visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
        ) -> flr_fs::Result<()> {
            self.lists.fetch_add(1, Ordering::Relaxed);
            for number in 0..NAME_COUNT {
                let name = format!("{number:0>900}");
                let _ = visit(DirItem::Entry(DirEntry {
                    name: RawName::new(name.as_bytes()),
                    node: NodeId(number.saturating_add(10)),
                    kind: Some(FileKind::File),
                    next: DirCursor(number.saturating_add(1)),
                    metadata: None,
                    hidden: false,
                }));
            }
            Ok(())
        }

        fn read_link(&self, _: NodeId) -> flr_fs::Result<Vec<u8>> {
            Err(Request::NotALink.into())
        }

        fn xattr_names(&self, _: NodeId) -> flr_fs::Result<Vec<XattrName>> {
            Ok(Vec::new())
        }

        fn xattr(&self, _: NodeId, _: &XattrName) -> flr_fs::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        fn open(&self, _: NodeId, _: StreamName<'_>) -> flr_fs::Result<Arc<dyn ByteSource>> {
            Err(Request::NoContent.into())
        }
    }

    fn wide() -> Arc<Wide> {
        let info = FsInfo {
            kind: "wide",
            label: Vec::new(),
            uuid: None,
            size: 0,
            block_size: 4096,
            blocks_free: 0,
            nodes: 0,
            nodes_free: 0,
            case_rule: CaseRule::Sensitive,
            state: FsState::Clean,
            notes: Vec::new(),
            features: Vec::new(),
            last_mounted: Vec::new(),
        };
        Arc::new(Wide {
            info,
            lists: AtomicUsize::new(0),
        })
    }

    #[test]
    fn a_large_directory_is_listed_once_for_one_reader() {
        let filesystem = wide();
        let dir = tempfile::tempdir().unwrap();
        let options = MountOptions {
            mount_point: dir.path().into(),
            address: String::new(),
            images: Vec::new(),
            sessions: Vec::new(),
            state_dirs: Vec::new(),
            allow_other: false,
            uid: None,
            gid: None,
            owners: None,
            registry: Registry::below(dir.path()),
            tuning: Tuning::measured(),
        };
        let shown: Arc<dyn Filesystem> = filesystem.clone();
        let view = View::new(shown);
        let root = view.root();
        let view = MountedView::new(Arc::new(view), &options).unwrap();
        let (mut offset, mut count) = (0, 0);
        // As the kernel does: piece by piece, until a piece is empty.
        loop {
            let mut room = 1000;
            let before = offset;
            view.list(root, before, |_, behind, _| {
                if room == 0 {
                    return true;
                }
                room -= 1;
                count += 1;
                offset = behind;
                false
            })
            .unwrap();
            if offset == before {
                break;
            }
        }
        assert_eq!(count, NAME_COUNT + 2);
        assert_eq!(filesystem.lists.load(Ordering::Relaxed), 1);
    }
}
