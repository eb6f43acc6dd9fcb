//! One regular file: under a temporary name until it is whole, then under its own.

use super::content::{ContentCopy, Copied, check_cancel, stored_bytes};
use super::destination::Identity;
use super::links::{Claim, Place};
use super::options::Verify;
use super::report::{Done, KeepReason, Made, Warning};
use super::run::{Outcome, Published, Run, Task, Verdict, write_error};
use super::sidecar::Beside;
use super::stretches::Buffer;
use super::temp::TempEntry;
use super::verify::{Digest, reads_back};
use crate::error::{Error, Result};
use flr_fs::{ByteSource, Metadata};
use rustix::fs::{Gid, Uid};
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Smaller files are not worth asking how much space is free: if they do not fit, a write says so.
const FREE_SPACE_CHECK_BYTES_MIN: u64 = 16 << 20;

/// Unit of [`flr_fs::Metadata::blocks`].
const BLOCK_BYTES: u64 = 512;

/// A file may be so many times as large as what is stored of it. LZNT1 packs zeros 250 times as tight, and
/// thin images of disks are a hundred times their content.
pub const RATIO_MAX: u64 = 1000;

/// Smaller files may unfold as they like.
const RATIO_CHECK_BYTES_MIN: u64 = 1 << 30;

/// Why a file is refused that is much larger than what is stored of it: [`CopyOptions::sparse`] would take it.
///
/// [`CopyOptions::sparse`]: super::CopyOptions::sparse
#[derive(Debug)]
pub struct Unfolds {
    what: String,
}

impl fmt::Display for Unfolds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Unfolds {}

/// Unreadable ranges of one file that are told apart in its map.
const LOST_COUNT_MAX: usize = 1 << 16;

impl Run<'_> {
    /// Copies a regular file and reports how it ended.
    pub(super) fn copy_file(&self, task: &Task, buffer: &mut Buffer) {
        if !self.is_over() {
            self.tally.events().started(&task.item);
            let outcome = if self.options.hard_links && task.metadata.nlink > 1 {
                self.linked_file(task, buffer)
            } else {
                self.single_file(task, buffer).map(|(outcome, _)| outcome)
            };
            self.settle(&task.item, outcome);
        }
        self.release(&task.dir, &task.directory);
    }

    /// A file with several names: the first is copied, the others are linked to the copy.
    fn linked_file(&self, task: &Task, buffer: &mut Buffer) -> Result<Outcome> {
        match self.links.claim(task.node, task.metadata.nlink) {
            Claim::Copy(ticket) => {
                let (outcome, identity) = self.single_file(task, buffer)?;
                let digest = match &outcome {
                    Outcome::Done(Done::File { made, .. }) => Some(made.digest),
                    Outcome::Kept(KeepReason::Verified(digest)) => Some(Some(*digest)),
                    Outcome::Kept(KeepReason::Unchanged) => Some(None),
                    Outcome::Done(_) | Outcome::Kept(_) => None,
                };
                if let (Some(digest), Some(identity)) = (digest, identity) {
                    ticket.done(Place {
                        dir: Arc::clone(&task.dir),
                        name: task.name.clone(),
                        identity,
                        digest,
                    });
                }
                Ok(outcome)
            }
            Claim::Link(place) => self.further_name(task, &place, buffer),
            Claim::Alone => self.single_file(task, buffer).map(|(outcome, _)| outcome),
        }
    }

    fn further_name(&self, task: &Task, place: &Place, buffer: &mut Buffer) -> Result<Outcome> {
        if let (Some(digest), true) = (place.digest, self.options.resume.is_some())
            && self.is_linked(task, place)
        {
            return Ok(Outcome::Kept(KeepReason::Verified(digest)));
        }
        let mut verdict = self.judge(task)?;
        if verdict == Verdict::Keep(KeepReason::Unchanged) {
            // A file of its own, where there are no hard links: size and time do not say that it is whole.
            verdict = self.verdict_of_earlier(task, buffer)?.unwrap_or(verdict);
        }
        if let Some(kept) = Self::kept(verdict) {
            return Ok(kept);
        }
        match self.link(task, place, verdict) {
            Ok(outcome) => {
                self.tally.events().advanced(&task.item, task.metadata.size);
                Ok(outcome)
            }
            Err(error) => {
                // Another filesystem, too many links, the first name gone: a copy is right
                // too. If the destination is at fault, the copy fails by itself.
                let warning = Warning::LinkCopied(error);
                self.tally.warning(&task.item, &warning);
                self.single_file(task, buffer).map(|(outcome, _)| outcome)
            }
        }
    }

    fn is_linked(&self, task: &Task, place: &Place) -> bool {
        let standing = task.directory.stat(&task.name);
        standing.is_ok_and(|stat| stat.is_some_and(|stat| Identity::of(&stat) == place.identity))
    }

    fn link(&self, task: &Task, place: &Place, verdict: Verdict) -> io::Result<Outcome> {
        let done = |backup| {
            Outcome::Done(Done::HardLink {
                bytes: task.metadata.size,
                made: Made {
                    digest: place.digest,
                    hard_link: true,
                    backup,
                    ..Made::default()
                },
            })
        };
        if self.is_linked(task, place) {
            return Ok(done(None));
        }
        let reopened;
        let from = if Arc::ptr_eq(&place.dir, &task.dir) {
            &task.directory
        } else {
            reopened = self
                .reopen(&place.dir.relative)
                .map_err(|error| io::Error::other(error.to_string()))?;
            &reopened
        };
        let mut entry = TempEntry::hard_link(&task.directory, self.names, from, &place.name)?;
        if Identity::of(&entry.stat()?) != place.identity {
            return Err(io::Error::other("the first name is another file by now"));
        }
        let inode = Some(place.identity.inode);
        match self.publish(task, &mut entry, inode, verdict) {
            Ok(Published::Done { backup }) => Ok(done(backup)),
            Ok(Published::Kept(reason)) => Ok(Outcome::Kept(reason)),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    /// Copies the file, unless what stands in its place is to be kept. Tells also which inode has
    /// the name now, if hard links are kept.
    fn single_file(&self, task: &Task, buffer: &mut Buffer) -> Result<(Outcome, Option<Identity>)> {
        let verdict = match self.verdict_of_earlier(task, buffer)? {
            Some(verdict) => verdict,
            None => self.judge(task)?,
        };
        if let Verdict::Keep(KeepReason::Verified(found)) = verdict {
            self.check_expected(task, Some(found))?;
        }
        if let Some(kept) = Self::kept(verdict) {
            task.remember_name();
            if matches!(verdict, Verdict::Keep(KeepReason::Verified(_))) {
                self.put_beside(&Beside::of(task), self.loose_of_kept(task), buffer);
            }
            return Ok((kept, self.identity_kept(task)));
        }
        let source = self.view.open(task.node)?;
        self.check_space(task, source.as_ref())?;
        let (mut entry, file) =
            TempEntry::file(&task.directory, self.names).map_err(|error| task.failed(error))?;
        let lost = Mutex::new(Vec::new());
        let copied = self.copy_content(task, source.as_ref(), &file, &lost, buffer)?;
        if task.directory.kind().must_sync {
            rustix::fs::fdatasync(&file).map_err(|errno| task.failed(errno))?;
        }
        self.check_expected(task, copied.digest)?;
        let verified = self.verify(&task.item.destination, &file, &copied, buffer)?;
        let on = (&file, task.directory.kind());
        let loose = self.set_attributes(&task.item, on, task.node, &task.metadata);
        self.keep_owner(task, &file);
        let identity = if self.options.hard_links || !task.dir.fresh {
            let stat = rustix::fs::fstat(&file).map_err(|errno| task.failed(errno))?;
            Some(Identity::of(&stat))
        } else {
            None
        };
        drop(file);
        // First what stands beside it: a file under its name has all that belongs to it.
        self.put_beside(&Beside::of(task), loose, buffer);
        if copied.unreadable > 0 && self.options.damage_maps {
            let lost = lost.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.damage_map(task, &lost, copied.size);
        }
        let inode = identity.map(|identity| identity.inode);
        let backup = match self.publish(task, &mut entry, inode, verdict)? {
            Published::Done { backup } => backup,
            Published::Kept(reason) => {
                return Ok((Outcome::Kept(reason), self.identity_kept(task)));
            }
        };
        let made = Made {
            digest: copied.digest,
            verified,
            bytes_unreadable: copied.unreadable,
            backup,
            ..Made::default()
        };
        Ok((Outcome::Done(Done::File { copied, made }), identity))
    }

    /// Gives a file whose owner the source does not tell that of the file that it replaces: else a restore
    /// would hand it to whoever runs it.
    fn keep_owner(&self, task: &Task, file: &File) {
        let unknown = |id: u32| id == Metadata::NO_OWNER;
        let (users, groups) = (&self.options.owners.users, &self.options.owners.groups);
        let metadata = &task.metadata;
        let (user, group) = (
            unknown(users.map(metadata.uid)),
            unknown(groups.map(metadata.gid)),
        );
        if !self.options.owner || !(user || group) {
            return;
        }
        let Ok(Some(there)) = task.directory.stat(&task.name) else {
            return;
        };
        let uid = user.then(|| Uid::from_raw(there.st_uid));
        let gid = group.then(|| Gid::from_raw(there.st_gid));
        if let Err(errno) = rustix::fs::fchown(file, uid, gid) {
            self.tally
                .warning(&task.item, &Warning::Owner(errno.into()));
        }
    }

    fn identity_kept(&self, task: &Task) -> Option<Identity> {
        if !self.options.hard_links {
            return None;
        }
        let stat = task.directory.stat(&task.name).ok()??;
        Some(Identity::of(&stat))
    }

    fn copy_content(
        &self,
        task: &Task,
        source: &dyn ByteSource,
        file: &File,
        lost: &Mutex<Vec<Range<u64>>>,
        buffer: &mut Buffer,
    ) -> Result<Copied> {
        ContentCopy {
            source,
            file,
            path: &task.item.destination,
            cancel: self.cancel,
            sparse: self.options.sparse,
            salvage: self.options.salvage,
            hash: self.options.hash,
            advanced: &|bytes| self.tally.events().advanced(&task.item, bytes),
            unreadable: &|range, error| {
                push_lost(lost, &range);
                self.tally.events().unreadable(&task.item, range, error);
            },
        }
        .run(buffer)
    }

    /// Compares with the hash that was asked for, if one was.
    fn check_expected(&self, task: &Task, found: Option<Digest>) -> Result<()> {
        match (self.options.expected, found) {
            (Some(expected), Some(found)) if expected != found => {
                let source = crate::shown::for_terminal(&task.item.source);
                let what = format!("{source}: SHA-256 is {found}, expected {expected}");
                Err(Error::Verify(what))
            }
            _ => Ok(()),
        }
    }

    /// Reads the copy again, if that is wanted. `true`: it is what was read from the source.
    pub(super) fn verify(
        &self,
        destination: &Path,
        file: &File,
        copied: &Copied,
        buffer: &mut Buffer,
    ) -> Result<bool> {
        let how = self.options.verify;
        let Some(digest) = copied.digest.filter(|_| how != Verify::No) else {
            return Ok(false);
        };
        let same = reads_back(file, copied.size, digest, how, self.cancel, buffer)
            .map_err(|error| write_error(destination, error))?;
        check_cancel(self.cancel)?;
        if same {
            return Ok(true);
        }
        let destination = destination.display();
        let what = format!("{destination}: what was written reads back as something else");
        Err(Error::Verify(what))
    }

    /// Refuses a file that cannot fit, or that is too large for the filesystem, before hours are spent on
    /// reading it: a few bytes of an image can unfold to terabytes. Holes take no room and count only if bombs
    /// are refused.
    fn check_space(&self, task: &Task, source: &dyn ByteSource) -> Result<()> {
        let size = source.size();
        if let Some(max) = task.directory.kind().file_bytes_max
            && size > max
        {
            let what = format!("has {size} bytes, and no file on this filesystem more than {max}");
            return Err(task.failed(io::Error::new(io::ErrorKind::FileTooLarge, what)));
        }
        if self.options.sparse || size < FREE_SPACE_CHECK_BYTES_MIN {
            return Ok(());
        }
        let full = io::ErrorKind::StorageFull;
        let unfolds = |what: String| Err(task.failed(io::Error::new(full, Unfolds { what })));
        let free = task.directory.bytes_free();
        if self.options.refuse_bombs {
            let stored = task.metadata.blocks.saturating_mul(BLOCK_BYTES);
            if free.is_some_and(|free| size > free) {
                let free = free.unwrap_or(0);
                return unfolds(format!(
                    "needs {size} bytes with its holes, {free} are free"
                ));
            }
            // A node that says nothing of its blocks has as many as its map shows.
            let least = size.checked_div(RATIO_MAX).unwrap_or(0);
            let stored = match stored {
                0 => stored_bytes(source, least),
                stored => stored,
            };
            if size >= RATIO_CHECK_BYTES_MIN && stored < least {
                return unfolds(format!("{stored} bytes unfold to {size}"));
            }
        }
        let Some(free) = free else {
            return Ok(());
        };
        if size <= free || stored_bytes(source, free) <= free {
            return Ok(());
        }
        let what = format!("needs {size} bytes, {free} are free");
        Err(task.failed(io::Error::new(full, what)))
    }
}

/// Adds a range, merging it into the last one once there are too many to keep.
fn push_lost(lost: &Mutex<Vec<Range<u64>>>, range: &Range<u64>) {
    let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
    if lost.len() >= LOST_COUNT_MAX
        && let Some(last) = lost.last_mut()
    {
        last.end = range.end;
        return;
    }
    lost.push(range.clone());
}
