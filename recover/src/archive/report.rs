//! What an archive tells while it is written, and what it counts.

use crate::error::Error;
use flr_fs::FileKind;
use std::ops::Range;

/// One thing that is archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its path in the view, as shown.
    pub source: Vec<u8>,
    /// Its name in the archive; empty if it did not come so far.
    pub name: Vec<u8>,
    /// What it is. `None` if not even that could be read.
    pub kind: Option<FileKind>,
    /// Its size in bytes.
    pub size: u64,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The guest's list of users or groups at this path cannot be read, so that owners have no names in the
    /// archive, only numbers.
    Unnamed(&'static str, &'a Error),
    /// So many bytes of content more are done, holes included.
    Advanced(u64),
    /// The entry is in the archive.
    Finished(&'a Item),
    /// The entry is left out, since the format has no place for it.
    LeftOut(&'a Item, LeftOut),
    /// The entry is in the archive, but not with everything that it has.
    Lacks(&'a Item, Lack<'a>),
    /// This range could not be read and is zeros in the archive. Only with `salvage`.
    Unreadable(&'a Item, Range<u64>, &'a Error),
    /// The entry, or a part of the directory, could not be read and is left out.
    Failed(&'a Item, &'a Error),
    /// The content of this entry could not be read behind its header: the archive ends in the middle of it.
    Ended(&'a Item, &'a Error),
}

/// Why an entry is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A socket, which no archive has a place for.
    Socket,
    /// A device node or FIFO, which zip has no place for.
    Special,
    /// The name is longer than zip takes.
    Name,
}

/// What an entry lacks.
#[derive(Debug)]
pub enum Lack<'a> {
    /// An extended attribute, or all of them, that the image has and that cannot be read.
    XattrUnreadable {
        /// The name of the attribute; `None` if the list of names cannot be read.
        name: Option<&'a [u8]>,
        /// Why.
        error: &'a Error,
    },
    /// An attribute or stream that no attribute of Linux can hold, and why.
    Xattr {
        /// Its name; that of a stream begins with `:`.
        name: &'a [u8],
        /// Why.
        why: &'static str,
    },
}

/// What an archive holds, in numbers.
#[derive(Clone, Debug, Default)]
pub struct ArchiveReport {
    /// Regular files, further names of them included.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Symbolic links.
    pub links: u64,
    /// Of `files`: stored as links to a file before them.
    pub hard_links: u64,
    /// Device nodes and FIFOs.
    pub specials: u64,
    /// Content of the files, in bytes, holes included.
    pub bytes: u64,
    /// Entries left out since the format has no place for them.
    pub left_out: u64,
    /// Entries, and parts of directories, left out since they could not be read.
    pub failed: u64,
    /// The first of those errors.
    pub first_error: Option<Error>,
    /// Things that entries lack; also lists of owners' names that could not be read.
    pub lacks: u64,
    /// Of `lacks`: those that the image has and that could not be read.
    pub xattrs_unreadable: u64,
    /// Files with ranges that could not be read and are zeros.
    pub salvaged: u64,
    /// Bytes in those ranges.
    pub bytes_unreadable: u64,
}

impl ArchiveReport {
    /// Whether the archive holds everything that it could.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.failed == 0 && self.left_out == 0 && self.salvaged == 0 && self.xattrs_unreadable == 0
    }

    /// Entries in the archive.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.files
            .saturating_add(self.dirs)
            .saturating_add(self.links)
            .saturating_add(self.specials)
    }
}
