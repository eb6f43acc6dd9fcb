//! Symbolic links, devices and FIFOs: recreated, never followed and never opened.

use super::report::{Done, KeepReason, SkipReason};
use super::run::{Outcome, Published, Run, Task, Verdict};
use super::sidecar::Beside;
use super::stretches::Buffer;
use super::temp::TempEntry;
use crate::error::Result;
use flr_fs::FileKind;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;

impl Run<'_> {
    /// Recreates a symbolic link with its target as stored, wherever that leads.
    pub(super) fn copy_symlink(&self, task: &Task) {
        self.tally.events().started(&task.item);
        self.settle(&task.item, self.symlink(task));
    }

    fn symlink(&self, task: &Task) -> Result<Outcome> {
        let verdict = self.judge(task)?;
        if let Verdict::Keep(reason) = verdict {
            if reason == KeepReason::Unchanged && self.options.resume.is_some() {
                let loose = self.loose_of_kept(task);
                self.put_beside(&Beside::of(task), loose, &mut Buffer::default());
            }
            return Ok(Outcome::Kept(reason));
        }
        let target = self.view.read_link(task.node)?;
        let mut entry = TempEntry::symlink(&task.directory, self.names, &target)
            .map_err(|error| task.failed(no_links(error)))?;
        self.finish_node(task, &mut entry, verdict, Done::Symlink)
    }

    /// Recreates a device node or FIFO if that is wanted, and reports it as skipped otherwise.
    pub(super) fn copy_special(&self, task: &Task) {
        self.tally.events().started(&task.item);
        let kind = match task.metadata.kind {
            FileKind::Fifo => FileType::Fifo,
            FileKind::CharDevice => FileType::CharacterDevice,
            FileKind::BlockDevice => FileType::BlockDevice,
            FileKind::Socket | FileKind::File | FileKind::Directory | FileKind::Symlink => {
                return self.tally.skipped(&task.item, SkipReason::Socket);
            }
        };
        if !self.options.devices {
            return self.tally.skipped(&task.item, SkipReason::Special);
        }
        self.settle(&task.item, self.special(task, kind));
    }

    fn special(&self, task: &Task, kind: FileType) -> Result<Outcome> {
        let verdict = self.judge(task)?;
        if let Verdict::Keep(reason) = verdict {
            return Ok(Outcome::Kept(reason));
        }
        let device = task
            .metadata
            .rdev
            .map_or(0, |device| rustix::fs::makedev(device.major, device.minor));
        let mut entry = TempEntry::special(&task.directory, self.names, kind, device)
            .map_err(|error| task.failed(error))?;
        self.finish_node(task, &mut entry, verdict, Done::Special)
    }

    fn finish_node(
        &self,
        task: &Task,
        entry: &mut TempEntry<'_>,
        verdict: Verdict,
        done: fn(Option<Vec<u8>>) -> Done,
    ) -> Result<Outcome> {
        let on = (&*entry, task.directory.kind());
        let loose = self.set_entry_attributes(&task.item, on, task.node, &task.metadata);
        self.put_beside(&Beside::of(task), loose, &mut Buffer::default());
        let inode = self.inode_of(task, entry)?;
        Ok(match self.publish(task, entry, inode, verdict)? {
            Published::Kept(reason) => Outcome::Kept(reason),
            Published::Done { backup } => Outcome::Done(done(backup)),
        })
    }
}

/// symlink(2): `EPERM` is for a filesystem that has none, not for rights that are missing.
fn no_links(error: io::Error) -> io::Error {
    match error.raw_os_error() == Some(Errno::PERM.raw_os_error()) {
        true => io::Error::new(
            io::ErrorKind::Unsupported,
            "there are no symbolic links on this filesystem",
        ),
        false => error,
    }
}
