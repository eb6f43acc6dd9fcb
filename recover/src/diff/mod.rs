//! What changed from one tree to another: two points of one disk, or any two trees.
//!
//! Both are walked side by side, names in the order of their bytes. Nothing is said to be gone or new on the word of
//! a directory that could not be read whole. Content is read where nothing else tells whether it is the same: see
//! [`Content`].

mod content;
mod kept;
#[cfg(test)]
mod kept_tests;
mod properties;
#[cfg(test)]
mod tests;
mod walk;

pub use kept::Kept;
pub use walk::diff;

use crate::error::Error;
use crate::view::ViewNode;
use flr_fs::Metadata;

/// When content is read and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Files of the same size, unless they are known to be the same: on one filesystem at two points by inode,
    /// generation, size, time of content and time of change, where that is no whole second; on two filesystems by size
    /// and time of content, as rsync takes it. Of the others, what is known to be [`Kept`] is not read.
    Quick,
    /// All files of the same size, and all of them, whatever is said to be [`Kept`].
    Always,
}

/// How trees are compared.
#[derive(Clone, Copy, Debug)]
pub struct DiffOptions {
    /// When content is read.
    pub content: Content,
    /// Whether what has gone from one path and come to another, with the same inode, is one change. Memory: all that
    /// has come and gone.
    pub renames: bool,
}

/// What it took to compare contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Bytes of content that were read, of both trees together.
    pub read_bytes: u64,
    /// Bytes of content of one tree that were not read, since they are known to be the same in the other: see
    /// [`Kept`].
    pub kept_bytes: u64,
}

/// One of the two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    Before,
    /// The second.
    After,
}

/// A node of one of the two.
#[derive(Clone, Debug)]
pub struct Half {
    /// Its path below the start, with a slash in front of every component; empty for the start itself.
    pub path: Vec<u8>,
    /// The node.
    pub node: ViewNode,
    /// Its metadata.
    pub metadata: Metadata,
}

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is only in the second tree.
    Added,
    /// It is only in the first tree.
    Removed,
    /// Its content, target, device number or a stream is another.
    Content,
    /// Only properties are others.
    Metadata,
    /// It is of another kind.
    Type,
    /// It has another path.
    Renamed,
}

impl Change {
    /// The word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Content => "content",
            Self::Metadata => "metadata",
            Self::Type => "type",
            Self::Renamed => "renamed",
        }
    }
}

/// Something that differs.
#[derive(Debug)]
pub struct Difference {
    /// What kind of change it is.
    pub change: Change,
    /// What it was.
    pub before: Option<Half>,
    /// What it is.
    pub after: Option<Half>,
    /// What differs, in a fixed order: `content size target rdev streams mode uid gid mtime flags xattrs`.
    pub fields: Vec<&'static str>,
}

/// What the visitor of a comparison is told.
#[derive(Debug)]
pub enum Step {
    /// A difference.
    Different(Box<Difference>),
    /// Nothing differs here.
    Same,
    /// This could not be compared.
    Failed {
        /// Its path below the start.
        path: Vec<u8>,
        /// In which tree.
        side: Side,
        /// Why.
        error: Error,
    },
}
