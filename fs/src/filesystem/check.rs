//! Looking at all of a filesystem: what [`Filesystem::check`] and the second reader are made of.
//!
//! A second reader is an independent implementation of the same format. It is slower and knows less,
//! and it is there for one question: does it see the same bytes?

use crate::error::{Fault, Result};
use crate::node::{Metadata, NodeId};
use crate::source::ByteSource;
use std::fmt;

#[cfg(doc)]
use crate::filesystem::Filesystem;

/// What a check is told by its caller.
#[derive(Clone, Copy)]
pub struct CheckContext<'a> {
    /// Whether a walk from the root has met this node.
    pub reached: &'a dyn Fn(NodeId) -> bool,
    /// Asked between steps; `true` ends the check with [`crate::error::Request::Cancelled`].
    pub cancelled: &'a dyn Fn() -> bool,
}

impl fmt::Debug for CheckContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckContext").finish_non_exhaustive()
    }
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckItem {
    /// A structure breaks the rules of the format.
    Damaged(Fault),
    /// Worth knowing, and no damage.
    Remark(Fault),
}

/// Why a second reader has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is known not to read this, for the reason given. Says nothing about either reader.
    NotComparable(&'static str),
    /// It should have read this.
    Failed(String),
}

/// Starts a second reader, in the thread that will use it. It may be called again after a panic.
pub type StartSecondReader = Box<dyn Fn() -> Result<Box<dyn SecondReader>, Refusal> + Send>;

/// An independent reader of the same filesystem, by paths of stored names. Stays in its thread. Its
/// code is not ours: any call may panic.
pub trait SecondReader {
    /// Why this node is left out of the comparison, if it is one that the reader is known to get wrong.
    /// `content` is our own view of a file.
    ///
    /// # Errors
    /// Those of `content`.
    fn left_out(
        &self,
        metadata: &Metadata,
        content: Option<&dyn ByteSource>,
    ) -> Result<Option<&'static str>>;

    /// Names in a directory without `.` and `..`, in any order.
    ///
    /// # Errors
    /// [`Refusal`].
    fn names(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Refusal>;

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// [`Refusal`].
    fn link(&self, path: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// A file's content.
    ///
    /// # Errors
    /// [`Refusal`].
    fn open(&self, path: &[u8]) -> Result<Box<dyn SecondFile>, Refusal>;
}

/// A file opened by a second reader. Read from its start to its end.
pub trait SecondFile {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Reads on into `buf`; 0 at the end, and fewer bytes than there is room for at any time.
    ///
    /// # Errors
    /// [`Refusal`].
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Refusal>;
}
