//! One tree out of one or several filesystems: the guest's own view, or the view of the volumes.
//!
//! A view is a root filesystem with others joined at directories, as mounts are. Its nodes are a
//! filesystem's index and a node of that filesystem. Names in a view are shown names
//! ([`crate::listing`]); paths are resolved inside of the view as under chroot: nothing leads out.

use crate::address::nearest;
use crate::error::{Error, NotFound, Result};
use crate::listing::{Listing, ListingBuilder};
use flr_fs::cache::Cache;
use flr_fs::name::may_be_escaped;
use flr_fs::{
    ByteSource, DirCursor, DirItem, FileKind, Filesystem, Metadata, NodeId, OwnerSids, Particular,
    RawName, Request, StreamInfo, StreamName, Want, XattrName,
};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Symbolic links followed in one path, as in Linux.
pub const LINK_COUNT_MAX: u32 = 40;

/// Bytes of listings kept in memory, in one shard: a single directory may take them all. About 1 400 000
/// short names; a larger directory is listed anew each time.
const LISTING_CACHE_BYTES: usize = 32 << 20;

/// Longest path that is resolved, links included, in bytes. A guard against link bombs; Linux stops
/// at 4096, which images of other systems may exceed.
const PATH_BYTES_MAX: usize = 1 << 16;

/// A node of a [`View`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewNode {
    /// Index of the filesystem in the view.
    pub filesystem: u16,
    /// The node in it.
    pub node: NodeId,
}

/// What is joined at a directory.
#[derive(Clone, Debug)]
pub enum Join {
    /// The root of another filesystem, which hides what the directory itself holds.
    To(ViewNode),
    /// A filesystem belongs here that could not be opened. Showing the directory below it would pass
    /// an empty mount point for the data: using it is this error.
    Broken(flr_fs::Error),
}

/// A tree of one or several filesystems.
#[derive(Debug)]
pub struct View {
    filesystems: Vec<Arc<dyn Filesystem>>,
    /// The root, if it is not that of the first filesystem.
    root: Option<ViewNode>,
    joins: HashMap<ViewNode, Join>,
    listings: Cache<ViewNode, Arc<Listing>>,
    /// Whether listings have the filesystems' own files, such as `$MFT`.
    shows_hidden: bool,
}

/// A resolved path.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The node.
    pub node: ViewNode,
    /// Its metadata.
    pub metadata: Metadata,
    /// Its path in the view without links in its directories: `/` and shown names, no slash at the end.
    pub path: Vec<u8>,
}

impl View {
    /// A view of one filesystem.
    #[must_use]
    pub fn new(root: Arc<dyn Filesystem>) -> Self {
        Self {
            filesystems: vec![root],
            root: None,
            joins: HashMap::new(),
            listings: Cache::with_shards(LISTING_CACHE_BYTES, 1),
            shows_hidden: false,
        }
    }

    /// The same view with the directory `dir` as its root, and what is joined below it. As after
    /// chroot, links to absolute paths lead from there.
    #[must_use]
    pub fn rooted_at(&self, dir: ViewNode) -> Self {
        Self {
            filesystems: self.filesystems.clone(),
            root: Some(dir),
            joins: self.joins.clone(),
            listings: Cache::with_shards(LISTING_CACHE_BYTES, 1),
            shows_hidden: self.shows_hidden,
        }
    }

    /// The same view whose listings have the filesystems' own files as well (`$MFT`). A path leads to
    /// them either way.
    #[must_use]
    pub fn with_hidden(&self) -> Self {
        Self {
            filesystems: self.filesystems.clone(),
            root: self.root,
            joins: self.joins.clone(),
            listings: Cache::with_shards(LISTING_CACHE_BYTES, 1),
            shows_hidden: true,
        }
    }

    /// The same view with one more filesystem, which no path leads to, and that one's root.
    ///
    /// # Errors
    /// As [`View::join`].
    pub(crate) fn with_node_of(&self, filesystem: Arc<dyn Filesystem>) -> Result<(Self, ViewNode)> {
        let node = ViewNode {
            filesystem: self.next_index()?,
            node: filesystem.root(),
        };
        let mut filesystems = self.filesystems.clone();
        filesystems.push(filesystem);
        let view = Self {
            filesystems,
            root: self.root,
            joins: self.joins.clone(),
            listings: Cache::with_shards(LISTING_CACHE_BYTES, 1),
            shows_hidden: self.shows_hidden,
        };
        Ok((view, node))
    }

    fn next_index(&self) -> Result<u16> {
        u16::try_from(self.filesystems.len())
            .map_err(|_| Error::TooDeep("more than 65535 filesystems in one view".into()))
    }

    /// Joins `filesystem` at the directory `at`.
    ///
    /// # Errors
    /// [`Error::TooDeep`] past 65 535 filesystems.
    pub fn join(&mut self, at: ViewNode, filesystem: Arc<dyn Filesystem>) -> Result<()> {
        let node = filesystem.root();
        self.join_dir(at, filesystem, node)
    }

    /// Joins the directory `from` at the directory `at`, as a bind mount does: what is joined below
    /// `from` does not come along.
    ///
    /// # Errors
    /// As [`View::join`].
    pub fn bind(&mut self, at: ViewNode, from: ViewNode) -> Result<()> {
        // The same filesystem under an index of its own. So its nodes are not those of the other
        // place: a walk sees both, and nothing can be bound below itself.
        let filesystem = Arc::clone(self.filesystem(from)?);
        self.join_dir(at, filesystem, from.node)
    }

    fn join_dir(
        &mut self,
        at: ViewNode,
        filesystem: Arc<dyn Filesystem>,
        node: NodeId,
    ) -> Result<()> {
        let root = ViewNode {
            filesystem: self.next_index()?,
            node,
        };
        self.filesystems.push(filesystem);
        self.joins.insert(at, Join::To(root));
        Ok(())
    }

    /// Says that a filesystem which cannot be opened belongs at the directory `at`.
    pub fn join_broken(&mut self, at: ViewNode, error: flr_fs::Error) {
        self.joins.insert(at, Join::Broken(error));
    }

    /// The filesystems of the view; a node's index counts here.
    #[must_use]
    pub fn filesystems(&self) -> &[Arc<dyn Filesystem>] {
        &self.filesystems
    }

    /// The filesystem that `node` belongs to.
    ///
    /// # Errors
    /// [`Request::NoSuchNode`] if the view has no such filesystem.
    pub fn filesystem(&self, node: ViewNode) -> Result<&Arc<dyn Filesystem>> {
        let filesystem = self.filesystems.get(usize::from(node.filesystem));
        filesystem.ok_or_else(|| Request::NoSuchNode.into())
    }

    /// The root directory.
    #[must_use]
    pub fn root(&self) -> ViewNode {
        if let Some(root) = self.root {
            return root;
        }
        let node = self
            .filesystems
            .first()
            .map_or(NodeId(0), |filesystem| filesystem.root());
        self.joined(ViewNode {
            filesystem: 0,
            node,
        })
    }

    /// The node's metadata.
    ///
    /// # Errors
    /// As [`Filesystem::metadata`].
    pub fn metadata(&self, node: ViewNode) -> Result<Metadata> {
        Ok(self.filesystem(node)?.metadata(node.node)?)
    }

    /// The whole directory. Kept in memory while there is room.
    ///
    /// # Errors
    /// As [`Filesystem::read_dir`]; the error of a broken join.
    pub fn listing(&self, dir: ViewNode) -> Result<Arc<Listing>> {
        self.check_join(dir)?;
        self.listings.get_or_insert(dir, || {
            let mut builder = ListingBuilder::default();
            self.filesystem(dir)?.read_dir(
                dir.node,
                DirCursor::default(),
                Want::Names,
                &mut |item| {
                    match item {
                        DirItem::Entry(entry) if entry.hidden && !self.shows_hidden => {}
                        DirItem::Entry(entry) => {
                            let node = ViewNode {
                                filesystem: dir.filesystem,
                                node: entry.node,
                            };
                            builder.push(entry.name, self.joined(node), entry.kind);
                        }
                        DirItem::Damaged(fault) => builder.push_damaged(fault),
                    }
                    ControlFlow::Continue(())
                },
            )?;
            let listing = Arc::new(builder.finish());
            let bytes = listing.bytes();
            Ok((listing, bytes))
        })
    }

    /// The entry of `dir` with this shown name.
    ///
    /// # Errors
    /// As [`Filesystem::lookup`]; the error of a broken join.
    pub fn lookup(&self, dir: ViewNode, name: &[u8]) -> Result<Option<(ViewNode, Metadata)>> {
        self.check_join(dir)?;
        if may_be_escaped(name) {
            // Only the listing knows what a name like this stands for.
            let listing = self.listing(dir)?;
            let Some(entry) = listing.find(name) else {
                return match listing.damaged().first() {
                    Some(fault) => Err(flr_fs::Error::Corrupt(fault.clone()).into()),
                    None => Ok(None),
                };
            };
            return Ok(Some((entry.node, self.metadata(entry.node)?)));
        }
        let Some(found) = self.filesystem(dir)?.lookup(dir.node, RawName::new(name))? else {
            return Ok(None);
        };
        let below = ViewNode {
            filesystem: dir.filesystem,
            node: found.node,
        };
        let node = self.joined(below);
        let metadata = if node == below {
            found.metadata
        } else {
            self.metadata(node)?
        };
        Ok(Some((node, metadata)))
    }

    /// The target of a symbolic link, as stored.
    ///
    /// # Errors
    /// As [`Filesystem::read_link`].
    pub fn read_link(&self, node: ViewNode) -> Result<Vec<u8>> {
        Ok(self.filesystem(node)?.read_link(node.node)?)
    }

    /// Names of the node's extended attributes.
    ///
    /// # Errors
    /// As [`Filesystem::xattr_names`].
    pub fn xattr_names(&self, node: ViewNode) -> Result<Vec<XattrName>> {
        Ok(self.filesystem(node)?.xattr_names(node.node)?)
    }

    /// Value of one extended attribute.
    ///
    /// # Errors
    /// As [`Filesystem::xattr`].
    pub fn xattr(&self, node: ViewNode, name: &XattrName) -> Result<Option<Vec<u8>>> {
        Ok(self.filesystem(node)?.xattr(node.node, name)?)
    }

    /// Named streams of the node.
    ///
    /// # Errors
    /// As [`Filesystem::streams`].
    pub fn streams(&self, node: ViewNode) -> Result<Vec<StreamInfo>> {
        Ok(self.filesystem(node)?.streams(node.node)?)
    }

    /// What only the node's format knows of it.
    ///
    /// # Errors
    /// As [`Filesystem::particulars`].
    pub fn particulars(&self, node: ViewNode) -> Result<Vec<Particular>> {
        Ok(self.filesystem(node)?.particulars(node.node)?)
    }

    /// Owner and group of the node in Windows' terms.
    ///
    /// # Errors
    /// As [`Filesystem::owner_sids`].
    pub fn owner_sids(&self, node: ViewNode) -> Result<Option<OwnerSids>> {
        Ok(self.filesystem(node)?.owner_sids(node.node)?)
    }

    /// The node's content.
    ///
    /// # Errors
    /// As [`Filesystem::open`].
    pub fn open(&self, node: ViewNode) -> Result<Arc<dyn ByteSource>> {
        Ok(self.filesystem(node)?.open(node.node, StreamName::Main)?)
    }

    /// Resolves a path from the root, as under chroot. Links in directories are followed; the last
    /// component's only if `follow_last`, or if the path ends in a slash.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the nearest names; [`Request::NotADirectory`] for a file amid the
    /// path; [`Error::TooDeep`] for too many links; damage on the way.
    pub fn resolve(&self, path: &[u8], follow_last: bool) -> Result<Resolved> {
        let mut walk = PathWalk::start(self)?;
        // Components still to be taken, the next one last.
        let mut todo = components(path);
        let must_be_dir = path.ends_with(b"/") || path.ends_with(b"/.");
        let mut links: u32 = 0;
        while let Some(name) = todo.pop() {
            match name.as_slice() {
                b"." => {
                    walk.expect_dir()?;
                    continue;
                }
                b".." => {
                    walk.expect_dir()?;
                    walk.up();
                    continue;
                }
                _ => {}
            }
            walk.expect_dir()?;
            let Some((node, metadata)) = self.lookup(walk.node(), &name)? else {
                return Err(self.not_found(&walk, &name, &todo));
            };
            let last = todo.is_empty();
            if metadata.kind == FileKind::Symlink && (!last || follow_last || must_be_dir) {
                links = links.saturating_add(1);
                if links > LINK_COUNT_MAX {
                    let shown = crate::shown::for_terminal(path);
                    return Err(Error::TooDeep(format!("{shown}: too many symbolic links")));
                }
                let target = self.read_link(node)?;
                let room = todo
                    .iter()
                    .map(|name| name.len().saturating_add(1))
                    .sum::<usize>();
                if target.len().saturating_add(room) > PATH_BYTES_MAX {
                    let shown = crate::shown::for_terminal(path);
                    return Err(Error::TooDeep(format!(
                        "{shown}: path too long through its links"
                    )));
                }
                if target.starts_with(b"/") {
                    walk.restart();
                }
                todo.append(&mut components(&target));
                continue;
            }
            walk.down(&name, node, metadata);
        }
        if must_be_dir {
            walk.expect_dir()?;
        }
        Ok(walk.finish())
    }

    fn not_found(&self, walk: &PathWalk, missing: &[u8], rest: &[Vec<u8>]) -> Error {
        let mut path = walk.path.clone();
        let found_len = path.len();
        for name in std::iter::once(missing).chain(rest.iter().rev().map(Vec::as_slice)) {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        // The answer is "not found" already; a directory that cannot be listed only has no hints.
        let nearest = self.listing(walk.node()).map_or_else(
            |_| Vec::new(),
            |listing| {
                let names = listing.iter().map(|entry| entry.name);
                nearest(missing, names, 5)
                    .into_iter()
                    .map(<[u8]>::to_vec)
                    .collect()
            },
        );
        Error::NotFound(NotFound {
            path,
            found_len,
            nearest,
        })
    }

    fn joined(&self, node: ViewNode) -> ViewNode {
        if self.joins.is_empty() {
            return node;
        }
        match self.joins.get(&node) {
            Some(Join::To(root)) => *root,
            Some(Join::Broken(_)) | None => node,
        }
    }

    fn check_join(&self, dir: ViewNode) -> Result<()> {
        match self.joins.get(&dir) {
            Some(Join::Broken(error)) => Err(error.clone().into()),
            Some(Join::To(_)) | None => Ok(()),
        }
    }
}

/// The components of a path, last one first, empty ones left out.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty());
    let mut parts: Vec<_> = parts.map(<[u8]>::to_vec).collect();
    parts.reverse();
    parts
}

/// The way from the root to where a path has got.
struct PathWalk {
    root: (ViewNode, Metadata),
    /// Directories passed, with the length of the path at each.
    trail: Vec<(usize, ViewNode, Metadata)>,
    path: Vec<u8>,
}

impl PathWalk {
    fn start(view: &View) -> Result<Self> {
        let root = view.root();
        let metadata = view.metadata(root)?;
        Ok(Self {
            root: (root, metadata),
            trail: Vec::new(),
            path: Vec::new(),
        })
    }

    fn node(&self) -> ViewNode {
        self.trail.last().map_or(self.root.0, |(_, node, _)| *node)
    }

    fn metadata(&self) -> &Metadata {
        self.trail
            .last()
            .map_or(&self.root.1, |(_, _, metadata)| metadata)
    }

    fn expect_dir(&self) -> Result<()> {
        match self.metadata().kind {
            FileKind::Directory => Ok(()),
            _ => Err(Request::NotADirectory.into()),
        }
    }

    fn down(&mut self, name: &[u8], node: ViewNode, metadata: Metadata) {
        let path_len = self.path.len();
        self.path.push(b'/');
        self.path.extend_from_slice(name);
        self.trail.push((path_len, node, metadata));
    }

    fn up(&mut self) {
        if let Some((path_len, _, _)) = self.trail.pop() {
            self.path.truncate(path_len);
        }
    }

    fn restart(&mut self) {
        self.trail.clear();
        self.path.clear();
    }

    fn finish(mut self) -> Resolved {
        let (node, metadata) = match self.trail.pop() {
            Some((_, node, metadata)) => (node, metadata),
            None => self.root,
        };
        if self.path.is_empty() {
            self.path.push(b'/');
        }
        Resolved {
            node,
            metadata,
            path: self.path,
        }
    }
}
