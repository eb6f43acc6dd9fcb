//! What a copy tells while it runs, and what it counts.
//!
//! Nothing is left out in silence: every item ends as finished, kept, skipped or failed, and every
//! attribute that was not kept is a warning. Events come from several threads at once.

use super::content::Copied;
use super::verify::Digest;
use crate::error::Error;
use flr_fs::{FileKind, Request, Timestamp};
use rustix::io::Errno;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// One thing that is being copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its path in the view, as shown.
    pub source: Vec<u8>,
    /// Where it goes, for messages; never used to open anything. Empty for what failed before it had
    /// a place to go.
    pub destination: PathBuf,
    /// What it is. `None` if not even that could be read.
    pub kind: Option<FileKind>,
    /// Its size in bytes.
    pub size: u64,
    /// When its content was changed last; of what could be read.
    pub modified: Option<Timestamp>,
}

/// Receives what happens. Every method does nothing by default and may be called from any thread.
///
/// An item is started once and ends in exactly one of `finished`, `kept`, `skipped` and `failed`;
/// what was in work when a copy is cancelled or stopped does not end. A directory that could not be
/// read, or not all of it, fails once for each such part, and finishes with what there is. An entry
/// of which not even the kind could be read fails without having been started.
pub trait CopyEvents: Sync {
    /// Work on the item begins.
    fn started(&self, _item: &Item) {}
    /// `bytes` more bytes of the file are done, holes included. For a file that finishes these add up
    /// to its size.
    fn advanced(&self, _item: &Item, _bytes: u64) {}
    /// The item stands under its final name.
    fn finished(&self, _item: &Item, _made: &Made) {}
    /// What stood in the destination was left as it is, as asked for.
    fn kept(&self, _item: &Item, _reason: KeepReason) {}
    /// The item was not created.
    fn skipped(&self, _item: &Item, _reason: SkipReason) {}
    /// The item was created, but not with everything that it had.
    fn warning(&self, _item: &Item, _warning: &Warning) {}
    /// Something of the item stands elsewhere than it did.
    fn noted(&self, _item: &Item, _note: &Note) {}
    /// This range could not be read and is a hole in the copy. Only with `salvage`.
    fn unreadable(&self, _item: &Item, _range: Range<u64>, _error: &Error) {}
    /// The item could not be copied, and nothing of it stands under its final name. For a
    /// directory: it, or a part of it, could not be read or created.
    fn failed(&self, _item: &Item, _error: &Error) {}
}

/// What is known of an item that has been made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The hash of its content, if content is hashed: for files, with all their names.
    pub digest: Option<Digest>,
    /// The content was read again, and was the same.
    pub verified: bool,
    /// It is a further name of a file made before.
    pub hard_link: bool,
    /// Bytes that could not be read and are holes. The hash is that of the copy with its holes.
    pub bytes_unreadable: u64,
    /// What had its name before is called so now.
    pub backup: Option<Vec<u8>>,
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl CopyEvents for Silent {}

/// Why an entry of the destination was left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// It exists, and nothing is to be overwritten.
    Exists,
    /// It has the same size and time, or is a link that leads to the same.
    Unchanged,
    /// It exists and is another one, and nothing is to be overwritten: a conflict.
    Differs,
    /// An earlier copy made it, and its content, which was read, has this hash.
    Verified(Digest),
    /// It is as new or newer.
    NotOlder,
}

/// Why an item was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// A device node or FIFO, and those were not asked for.
    Special,
    /// A socket, which is worth nothing without its program.
    Socket,
}

/// What a copy lacks.
#[derive(Debug)]
pub enum Warning {
    /// The owner was not kept: that takes root. Told once in a copy, counted every time.
    Owner(io::Error),
    /// The permission bits were not kept. Told once in a copy, counted every time, if the filesystem has none
    /// such ([`io::ErrorKind::Unsupported`]).
    Mode(io::Error),
    /// The times were not kept. Told as [`Self::Mode`].
    Times(io::Error),
    /// An extended attribute was not kept, because the destination does not take it.
    Xattr {
        /// Its name.
        name: Vec<u8>,
        /// What the system said.
        source: io::Error,
    },
    /// Extended attributes could not be read from the image.
    XattrUnreadable {
        /// The name of the attribute; `None` if the list of names cannot be read.
        name: Option<Vec<u8>>,
        /// Why.
        error: Error,
    },
    /// Set-user-ID and set-group-ID bits were taken away; these are the bits.
    SetIdStripped(u32),
    /// File capabilities were taken away.
    CapabilitiesStripped,
    /// The destination does not take the name, which is too long or has what is not allowed there; this is the
    /// new one.
    NameShortened(Vec<u8>),
    /// The map of what could not be read of the file could not be written beside it.
    NoDamageMap(io::Error),
    /// A hard link could not be made. The file was copied once more instead.
    LinkCopied(io::Error),
}

/// What is not lost, and not where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An extended attribute found no room among those of the destination. Its value is a file beside the
    /// item, or in it, if it is the destination itself.
    Beside {
        /// The name of the attribute.
        name: Vec<u8>,
        /// The name of the file.
        file: Vec<u8>,
    },
}

/// What a copy did, in numbers.
#[derive(Clone, Debug, Default)]
pub struct CopyReport {
    /// Regular files copied, further names of them included.
    pub files: u64,
    /// Directories created, or merged into existing ones.
    pub dirs: u64,
    /// Symbolic links created.
    pub links: u64,
    /// Of `files`: made as further names of a file that had been copied.
    pub hard_links: u64,
    /// Device nodes and FIFOs created.
    pub specials: u64,
    /// Content of the files copied, in bytes, holes included.
    pub bytes: u64,
    /// Of `bytes`: read and written.
    pub bytes_written: u64,
    /// Items whose namesake in the destination was left alone, as asked for.
    pub kept: u64,
    /// Of `kept`: entries in the way that are not what was to be copied.
    pub conflicts: u64,
    /// Of `kept`: files of an earlier copy that were read and are whole.
    pub verified: u64,
    /// Of `failed`: files whose copy was not what had been read.
    pub mismatched: u64,
    /// Items not created: devices, FIFOs, sockets.
    pub skipped: u64,
    /// Items that could not be copied, and damaged parts of directories.
    pub failed: u64,
    /// Things that the copies lack.
    pub warnings: u64,
    /// Of `warnings`: extended attributes that the image has and that could not be read.
    pub xattrs_unreadable: u64,
    /// Files with unreadable ranges, kept because of `salvage`.
    pub salvaged: u64,
    /// Bytes in those ranges.
    pub bytes_unreadable: u64,
    /// The cancel flag was seen.
    pub cancelled: bool,
    /// The first error, also if it is not the only one.
    pub first_error: Option<Error>,
    /// The destination takes no more (full, read-only): the copy ended early, for this reason.
    pub stopped: Option<Error>,
}

impl CopyReport {
    /// Whether everything that was asked for stands in the destination. Warnings do not count, but
    /// for attributes that the image has and that could not be read.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.failed == 0
            && self.skipped == 0
            && self.conflicts == 0
            && self.salvaged == 0
            && self.xattrs_unreadable == 0
            && !self.cancelled
            && self.stopped.is_none()
    }

    /// Adds the numbers of another copy that followed this one.
    pub fn add(&mut self, next: Self) {
        for (sum, more) in [
            (&mut self.files, next.files),
            (&mut self.dirs, next.dirs),
            (&mut self.links, next.links),
            (&mut self.hard_links, next.hard_links),
            (&mut self.specials, next.specials),
            (&mut self.bytes, next.bytes),
            (&mut self.bytes_written, next.bytes_written),
            (&mut self.kept, next.kept),
            (&mut self.conflicts, next.conflicts),
            (&mut self.verified, next.verified),
            (&mut self.mismatched, next.mismatched),
            (&mut self.skipped, next.skipped),
            (&mut self.failed, next.failed),
            (&mut self.warnings, next.warnings),
            (&mut self.xattrs_unreadable, next.xattrs_unreadable),
            (&mut self.salvaged, next.salvaged),
            (&mut self.bytes_unreadable, next.bytes_unreadable),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.cancelled |= next.cancelled;
        self.first_error = self.first_error.take().or(next.first_error);
        self.stopped = self.stopped.take().or(next.stopped);
    }
}

/// The report while it grows, and who is told.
pub(super) struct Tally<'a> {
    events: &'a dyn CopyEvents,
    report: Mutex<CopyReport>,
    owner_told: AtomicBool,
    mode_told: AtomicBool,
    times_told: AtomicBool,
    stopped: AtomicBool,
}

/// What a finished item adds to the report.
#[derive(Clone)]
pub(super) enum Done {
    File {
        copied: Copied,
        made: Made,
    },
    HardLink {
        bytes: u64,
        made: Made,
    },
    Directory,
    /// With what had its name before, if that was kept.
    Symlink(Option<Vec<u8>>),
    Special(Option<Vec<u8>>),
}

impl Done {
    fn made(self) -> Made {
        match self {
            Self::File { made, .. } | Self::HardLink { made, .. } => made,
            Self::Directory => Made::default(),
            Self::Symlink(backup) | Self::Special(backup) => Made {
                backup,
                ..Made::default()
            },
        }
    }
}

impl<'a> Tally<'a> {
    pub(super) fn new(events: &'a dyn CopyEvents) -> Self {
        Self {
            events,
            report: Mutex::default(),
            owner_told: AtomicBool::new(false),
            mode_told: AtomicBool::new(false),
            times_told: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        }
    }

    pub(super) fn events(&self) -> &'a dyn CopyEvents {
        self.events
    }

    /// Whether the destination takes no more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Nothing more is to be begun.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn into_report(self) -> CopyReport {
        self.report
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn cancelled(&self) {
        self.count(|report| report.cancelled = true);
    }

    pub(super) fn finished(&self, item: &Item, done: Done) {
        self.count(|report| match &done {
            Done::File { copied, .. } => {
                bump(&mut report.files, 1);
                bump(&mut report.bytes, copied.size);
                bump(&mut report.bytes_written, copied.written);
                if copied.unreadable > 0 {
                    bump(&mut report.salvaged, 1);
                    bump(&mut report.bytes_unreadable, copied.unreadable);
                }
            }
            Done::HardLink { bytes, .. } => {
                bump(&mut report.files, 1);
                bump(&mut report.hard_links, 1);
                bump(&mut report.bytes, *bytes);
            }
            Done::Directory => bump(&mut report.dirs, 1),
            Done::Symlink(_) => bump(&mut report.links, 1),
            Done::Special(_) => bump(&mut report.specials, 1),
        });
        self.events.finished(item, &done.made());
    }

    pub(super) fn kept(&self, item: &Item, reason: KeepReason) {
        self.count(|report| {
            bump(&mut report.kept, 1);
            match reason {
                KeepReason::Differs => bump(&mut report.conflicts, 1),
                KeepReason::Verified(_) => bump(&mut report.verified, 1),
                KeepReason::Exists | KeepReason::Unchanged | KeepReason::NotOlder => {}
            }
        });
        self.events.kept(item, reason);
    }

    pub(super) fn skipped(&self, item: &Item, reason: SkipReason) {
        self.count(|report| bump(&mut report.skipped, 1));
        self.events.skipped(item, reason);
    }

    pub(super) fn warning(&self, item: &Item, warning: &Warning) {
        self.count(|report| {
            bump(&mut report.warnings, 1);
            if matches!(warning, Warning::XattrUnreadable { .. }) {
                bump(&mut report.xattrs_unreadable, 1);
            }
        });
        let is_lost = |error: &io::Error| error.kind() == io::ErrorKind::Unsupported;
        let once = match warning {
            Warning::Owner(_) => Some(&self.owner_told),
            Warning::Mode(error) if is_lost(error) => Some(&self.mode_told),
            Warning::Times(error) if is_lost(error) => Some(&self.times_told),
            _ => None,
        };
        if !once.is_some_and(|told| told.swap(true, Ordering::Relaxed)) {
            self.events.warning(item, warning);
        }
    }

    pub(super) fn failed(&self, item: &Item, error: &Error) {
        if matches!(error, Error::Fs(flr_fs::Error::Request(Request::Cancelled))) {
            return self.cancelled();
        }
        self.count(|report| {
            bump(&mut report.failed, 1);
            if matches!(error, Error::Verify(_)) {
                bump(&mut report.mismatched, 1);
            }
            report.first_error.get_or_insert_with(|| error.clone());
            if ends_the_copy(error) {
                report.stopped.get_or_insert_with(|| error.clone());
                self.stop();
            }
        });
        self.events.failed(item, error);
    }

    fn count(&self, change: impl FnOnce(&mut CopyReport)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn bump(count: &mut u64, by: u64) {
    *count = count.saturating_add(by);
}

/// Whether every further write would fail as this one did: a full, read-only or broken destination.
fn ends_the_copy(error: &Error) -> bool {
    let Error::Write { source, .. } = error else {
        return false;
    };
    let errno = source.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        errno,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::ROFS | Errno::IO)
    )
}
