//! What a check says while it runs, and what it counts.

use flr_fs::Code;
use std::collections::BTreeMap;
use std::ops::Range;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing, and no damage.
    Remark,
    /// Left out of the comparison with the second reader.
    NotComparable,
    /// Not read, for another reason than damage: a feature, a key.
    Unreadable,
    /// The image breaks the rules of its format, or cannot be read.
    Damaged,
    /// The second reader sees something else.
    Mismatch,
}

impl Severity {
    /// One word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Remark => "remark",
            Self::NotComparable => "not comparable",
            Self::Unreadable => "unreadable",
            Self::Damaged => "damaged",
            Self::Mismatch => "mismatch",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Path as shown; empty for what belongs to the filesystem or the volume as a whole. In a check of
    /// a whole point it begins with the address of the volume.
    pub path: Vec<u8>,
    /// The stable name of the fault.
    pub code: Code,
    /// Byte offset of the structure in its volume, where that is known; for a mismatch, of the first
    /// byte of the file that differs.
    pub at: Option<u64>,
    /// Bytes of the file that cannot be read.
    pub range: Option<Range<u64>>,
    /// What is wrong, in words.
    pub detail: String,
}

/// Told while the check runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something was found.
    Found(&'a Finding),
    /// This many more bytes of content are done, holes included.
    Advanced(u64),
}

/// What was checked and how it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Filesystems of which anything was read.
    pub filesystems: u64,
    /// Directories, the start included.
    pub directories: u64,
    /// Names of files. A file with several names counts several times and is read once.
    pub files: u64,
    /// Symbolic links.
    pub links: u64,
    /// Devices, FIFOs and sockets.
    pub others: u64,
    /// Extended attributes.
    pub xattrs: u64,
    /// Bytes of content that were read; holes are not.
    pub bytes: u64,
    /// Checksums verified beside those that reading verifies.
    pub checksums: u64,
    /// Findings of each kind.
    pub damaged: u64,
    /// As above.
    pub unreadable: u64,
    /// As above.
    pub remarks: u64,
    /// As above.
    pub mismatches: u64,
    /// Files, directories and links on which both readers agree.
    pub compared: u64,
    /// What was left out of the comparison, by reason.
    pub not_comparable: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(super) fn found(&mut self, severity: Severity) {
        let count = match severity {
            Severity::Remark => &mut self.remarks,
            // Counted by reason.
            Severity::NotComparable => return,
            Severity::Unreadable => &mut self.unreadable,
            Severity::Damaged => &mut self.damaged,
            Severity::Mismatch => &mut self.mismatches,
        };
        add(count, 1);
    }
}

pub(super) fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}
