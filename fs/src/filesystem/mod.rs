//! Filesystems: node ids in, metadata, entries and streams out.
//!
//! One folder per format. A driver knows no partition, no container, and no other driver.

use self::check::{CheckContext, CheckItem, StartSecondReader};
use crate::error::{Fault, Request, Result};
use crate::name::{RawName, XattrName};
use crate::node::{FileKind, FsInfo, Metadata, NodeId};
use crate::source::ByteSource;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

pub mod check;
pub mod ext;
pub mod ntfs;

/// A read-only view of one filesystem by node id.
///
/// Every call is independent of the others and may come from any thread. Calls block on the source
/// below. Absence, damage and lack of support are three different answers; no call turns one into
/// another.
pub trait Filesystem: fmt::Debug + Send + Sync {
    /// What the filesystem says about itself. Free; read when it was opened.
    fn info(&self) -> &FsInfo;

    /// Free space in blocks, as last recorded by the source machine. Formats that keep it nowhere but in
    /// a map of all blocks count it when they are first asked, which reads; 0 if that map is so long that
    /// it is not read for this.
    ///
    /// # Errors
    /// Those of reading such a map.
    fn blocks_free(&self) -> Result<u64> {
        Ok(self.info().blocks_free)
    }

    /// The root directory.
    fn root(&self) -> NodeId;

    /// Everything `stat` shows.
    ///
    /// # Errors
    /// [`Request::NoSuchNode`] for a number that no live node has, damage of the node itself.
    fn metadata(&self, node: NodeId) -> Result<Metadata>;

    /// The entry of `dir` with this stored name, by the directory's own case rule.
    ///
    /// `Ok(None)` means that the directory has been searched as far as its rules demand and has no
    /// such entry; a part that could not be searched is an error.
    ///
    /// # Errors
    /// [`Request::NotADirectory`]; damage that leaves the answer open.
    fn lookup(&self, dir: NodeId, name: RawName<'_>) -> Result<Option<Found>>;

    /// Hands the entries after `from` to `visit`, in a stable order (their physical position), until
    /// it breaks; the entry it broke at is not consumed.
    ///
    /// `.` and `..` are left out. A damaged part is one [`DirItem::Damaged`] between the entries
    /// before and after it. Names are as stored: duplicates and names that no path can hold come as
    /// they are.
    ///
    /// # Errors
    /// Only what makes the whole directory unreadable.
    fn read_dir(
        &self,
        dir: NodeId,
        from: DirCursor,
        want: Want,
        visit: &mut dyn FnMut(DirItem<'_>) -> ControlFlow<()>,
    ) -> Result<()>;

    /// The target of a symbolic link, as stored.
    ///
    /// # Errors
    /// [`Request::NotALink`]; damage.
    fn read_link(&self, node: NodeId) -> Result<Vec<u8>>;

    /// Names of all extended attributes, as the source machine's kernel shows them, in stored order.
    ///
    /// # Errors
    /// Damage of the node or of its attributes.
    fn xattr_names(&self, node: NodeId) -> Result<Vec<XattrName>>;

    /// Value of one extended attribute in the form the kernel hands out (POSIX ACLs converted).
    ///
    /// # Errors
    /// Damage; a value over [`crate::Limits::xattr_value_bytes_max`].
    fn xattr(&self, node: NodeId, name: &XattrName) -> Result<Option<Vec<u8>>>;

    /// Whether nodes of this format may have named streams.
    fn has_streams(&self) -> bool {
        false
    }

    /// Named streams beside the main one, but for those that hold the main one in another form. Formats
    /// without them say none.
    ///
    /// # Errors
    /// Damage of the node.
    fn streams(&self, _node: NodeId) -> Result<Vec<StreamInfo>> {
        Ok(Vec::new())
    }

    /// What the format knows of a node and [`Metadata`] has no place for, for people to read: an owner that
    /// is no number, a tag. `flr stat` shows it.
    ///
    /// # Errors
    /// Damage of the node or of what is told.
    fn particulars(&self, _node: NodeId) -> Result<Vec<Particular>> {
        Ok(Vec::new())
    }

    /// Owner and group in Windows' terms. `None` from formats that have numbers only. Cheap for a node
    /// whose owner is that of many.
    ///
    /// # Errors
    /// Damage of the node.
    fn owner_sids(&self, _node: NodeId) -> Result<Option<OwnerSids>> {
        Ok(None)
    }

    /// One stream's content. Cheap where the map of the file is known; the bytes are read later.
    ///
    /// # Errors
    /// [`Request::IsADirectory`], [`Request::NoContent`], [`Request::NoSuchStream`]; damage of the
    /// map; [`crate::Error::Unsupported`] or [`crate::Error::Locked`] for content that cannot be had.
    fn open(&self, node: NodeId, stream: StreamName<'_>) -> Result<Arc<dyn ByteSource>>;

    /// Every node in on-disk order, with its parents where the format keeps them.
    ///
    /// # Errors
    /// [`Request::NotOffered`] by default.
    fn scan(&self, _visit: &mut ScanVisitor<'_>) -> Result<()> {
        Err(Request::NotOffered.into())
    }

    /// Verifies what reading all nodes does not: spare copies, maps of what is in use, nodes that no
    /// directory names. Reports what it finds, goes on behind it, and returns the number of checksums
    /// that it verified. Memory is bounded.
    ///
    /// # Errors
    /// [`Request::Cancelled`].
    fn check(&self, _ctx: &CheckContext<'_>, _report: &mut dyn FnMut(CheckItem)) -> Result<u64> {
        Ok(0)
    }

    /// An independent reader of the same bytes (with the log applied, as here), if there is one.
    fn second_reader(&self) -> Option<StartSecondReader> {
        None
    }
}

/// What [`Filesystem::scan`] calls for every node.
pub type ScanVisitor<'a> =
    dyn FnMut(NodeId, Result<&Metadata>, &[ParentLink<'_>]) -> ControlFlow<()> + 'a;

/// A name of a node, kept at the node itself.
#[derive(Clone, Copy, Debug)]
pub struct ParentLink<'a> {
    /// The directory.
    pub parent: NodeId,
    /// The name in it.
    pub name: RawName<'a>,
}

/// A place in a directory. 0 is the start; other values come from [`DirEntry::next`] only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirCursor(pub u64);

/// What the visitor of a directory needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Names and nodes.
    Names,
    /// Names, nodes and metadata. A format that keeps both together reads them together.
    Metadata,
}

/// One item of a directory.
#[derive(Debug)]
pub enum DirItem<'a> {
    /// An entry.
    Entry(DirEntry<'a>),
    /// A part of the directory that could not be read. What stood in it is not known.
    Damaged(Fault),
}

/// An entry of a directory.
#[derive(Debug)]
pub struct DirEntry<'a> {
    /// The name as stored.
    pub name: RawName<'a>,
    /// What it names.
    pub node: NodeId,
    /// The kind that the directory itself claims, if it keeps kinds. The node's own word is final.
    pub kind: Option<FileKind>,
    /// Where to go on after this entry.
    pub next: DirCursor,
    /// The node's metadata, if it was wanted.
    pub metadata: Option<Result<Metadata>>,
    /// Whether it is one of the format's own files (`$MFT`), which users do not see unless they ask
    /// for them. A path that names one leads there all the same.
    pub hidden: bool,
}

/// What [`Filesystem::lookup`] found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The node.
    pub node: NodeId,
    /// The name as stored, which may differ in case from the one asked for.
    pub stored_name: Vec<u8>,
    /// The node's metadata.
    pub metadata: Metadata,
}

/// Which stream of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamName<'a> {
    /// The content that `cat` shows.
    Main,
    /// A named stream.
    Named(&'a [u8]),
}

/// Something that only this format knows of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particular {
    /// What it is: lower-case words joined by `_`. Never changes its meaning.
    pub name: &'static str,
    /// Text; bytes from the image if they are a name.
    pub text: Vec<u8>,
}

/// Who owns a node of a format whose owners are security identifiers.
#[derive(Clone, Debug)]
pub struct OwnerSids {
    /// Whether the uid in the node's metadata is stored, and not just a default.
    pub has_uid: bool,
    /// The same of the gid.
    pub has_gid: bool,
    /// The identifiers, or why they cannot be read. They need not be there if both numbers are stored.
    pub sids: Result<Sids>,
}

/// Security identifiers, as text: `S-1-5-…` (MS-DTYP 2.4.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sids {
    /// The owner.
    pub user: Option<Arc<str>>,
    /// The group.
    pub group: Option<Arc<str>>,
}

/// A named stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name as stored.
    pub name: Vec<u8>,
    /// Size in bytes.
    pub size: u64,
}
