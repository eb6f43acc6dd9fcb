//! One regular file: under a temporary name until it is whole, then under its own.

use super::content::{ContentCopy, Copied, stored_bytes};
use super::destination::Identity;
use super::links::{Claim, Place};
use super::report::{Done, KeepReason, Warning};
use super::run::{Outcome, Run, Task, Verdict};
use super::stretches::Buffer;
use super::temp::TempEntry;
use crate::error::Result;
use flr_fs::ByteSource;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Smaller files are not worth asking how much space is free: if they do not fit, a write says so.
const FREE_SPACE_CHECK_BYTES_MIN: u64 = 16 << 20;

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
                let same_content = matches!(
                    outcome,
                    Outcome::Done(_) | Outcome::Kept(KeepReason::Unchanged)
                );
                if same_content && let Some(identity) = identity {
                    ticket.done(Place {
                        dir: Arc::clone(&task.dir),
                        name: task.name.clone(),
                        identity,
                    });
                }
                Ok(outcome)
            }
            Claim::Link(place) => {
                let verdict = self.judge(task)?;
                if let Verdict::Keep(reason) = verdict {
                    return Ok(Outcome::Kept(reason));
                }
                match self.link(task, &place, verdict) {
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
        }
    }

    fn link(&self, task: &Task, place: &Place, verdict: Verdict) -> io::Result<Outcome> {
        let done = Outcome::Done(Done::HardLink {
            bytes: task.metadata.size,
        });
        let standing = task.directory.stat(&task.name)?;
        if standing.is_some_and(|stat| Identity::of(&stat) == place.identity) {
            // Linked already: to rename one name of a file over another does nothing.
            return Ok(done);
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
            Ok(None) => Ok(done),
            Ok(Some(reason)) => Ok(Outcome::Kept(reason)),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    /// Copies the file, unless what stands in its place is to be kept. Tells also which inode has
    /// the name now, if hard links are kept.
    fn single_file(&self, task: &Task, buffer: &mut Buffer) -> Result<(Outcome, Option<Identity>)> {
        let verdict = self.judge(task)?;
        if let Verdict::Keep(reason) = verdict {
            return Ok((Outcome::Kept(reason), self.identity_kept(task)));
        }
        let source = self.view.open(task.node)?;
        self.check_space(task, source.as_ref())?;
        let (mut entry, file) =
            TempEntry::file(&task.directory, self.names).map_err(|error| task.failed(error))?;
        let copied = self.copy_content(task, source.as_ref(), &file, buffer)?;
        if task.directory.must_sync() {
            rustix::fs::fdatasync(&file).map_err(|errno| task.failed(errno))?;
        }
        self.set_attributes(&task.item, &file, task.node, &task.metadata);
        let identity = if self.options.hard_links || !task.dir.fresh {
            let stat = rustix::fs::fstat(&file).map_err(|errno| task.failed(errno))?;
            Some(Identity::of(&stat))
        } else {
            None
        };
        drop(file);
        let inode = identity.map(|identity| identity.inode);
        if let Some(reason) = self.publish(task, &mut entry, inode, verdict)? {
            return Ok((Outcome::Kept(reason), self.identity_kept(task)));
        }
        if copied.unreadable > 0 {
            self.tally.salvaged(copied.unreadable);
        }
        let done = Done::File {
            bytes: copied.size,
            written: copied.written,
        };
        Ok((Outcome::Done(done), identity))
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
        buffer: &mut Buffer,
    ) -> Result<Copied> {
        ContentCopy {
            source,
            file,
            path: &task.item.destination,
            cancel: self.cancel,
            sparse: self.options.sparse,
            salvage: self.options.salvage,
            advanced: &|bytes| self.tally.events().advanced(&task.item, bytes),
            unreadable: &|range, error| {
                self.tally.events().unreadable(&task.item, range, error);
            },
        }
        .run(buffer)
    }

    /// Refuses a file that cannot fit before hours are spent on reading it: a few bytes of an image
    /// can unfold to terabytes. Holes take no room and do not count.
    fn check_space(&self, task: &Task, source: &dyn ByteSource) -> Result<()> {
        let size = source.size();
        if self.options.sparse || size < FREE_SPACE_CHECK_BYTES_MIN {
            return Ok(());
        }
        let Some(free) = task.directory.bytes_free() else {
            return Ok(());
        };
        if size <= free || stored_bytes(source, free) <= free {
            return Ok(());
        }
        let what = format!("needs {size} bytes, {free} are free");
        Err(task.failed(io::Error::new(io::ErrorKind::StorageFull, what)))
    }
}
