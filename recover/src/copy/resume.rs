//! Going on with a copy that ended early: what stands there already is read, not trusted.
//!
//! A file that was finished has its size and its time, which say nothing of its content after a power
//! failure. So the content is hashed, and compared with what was recorded when it was copied; where
//! nothing was recorded, with the source.

use super::content::check_cancel;
use super::destination::{Directory, EntryName, Identity};
use super::options::Overwrite;
use super::policy::{is_unchanged, modified};
use super::report::KeepReason;
use super::run::{Outcome, Run, Task, Verdict};
use super::stretches::Buffer;
use super::temp::is_temp_name;
use super::verify::{Digest, hash_file, hash_source};
use crate::error::Result;
use flr_fs::Metadata;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What is known of files of an earlier copy.
pub trait Recorded: fmt::Debug + Send + Sync {
    /// The content of the file at `destination` when it was finished, if it was copied from a source of the
    /// same size and modification time.
    fn digest_of(&self, destination: &Path, source: &Metadata) -> Option<Digest>;
}

/// Nothing was recorded: every file is compared with the source.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingRecorded;

impl Recorded for NothingRecorded {
    fn digest_of(&self, _: &Path, _: &Metadata) -> Option<Digest> {
        None
    }
}

/// What became of a file that may have been finished earlier.
pub(super) enum Earlier {
    /// There is none, or it is somebody else's: the usual rules hold.
    Unknown,
    /// It is whole.
    Whole(Digest),
    /// It was made by the earlier copy, and is not what it should be.
    Broken,
    /// Its size and time are right, its content is not, and nothing says that it was made by a copy.
    Other,
}

impl Run<'_> {
    /// Looks at what stands in the place of a file, when a copy goes on.
    pub(super) fn earlier(&self, task: &Task, buffer: &mut Buffer) -> Result<Earlier> {
        let Some(recorded) = &self.options.resume else {
            return Ok(Earlier::Unknown);
        };
        if task.dir.fresh {
            return Ok(Earlier::Unknown);
        }
        let Some(stat) = task
            .directory
            .stat(&task.name)
            .map_err(|error| task.failed(error))?
        else {
            return Ok(Earlier::Unknown);
        };
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(Earlier::Unknown);
        }
        let known = recorded.digest_of(&task.item.destination, &task.metadata);
        // Without times, a file of ours looks like one that somebody has changed since.
        let (standing, kind) = (modified(&stat), task.directory.kind());
        let same_time = self.options.times && kind.keeps(task.metadata.mtime, standing);
        let ours = known.is_some() && same_time;
        let same_size = u64::try_from(stat.st_size) == Ok(task.metadata.size);
        let alike =
            same_size && (is_unchanged((&stat, kind), &task.metadata) || !self.options.times);
        if !alike {
            return Ok(if ours {
                Earlier::Broken
            } else {
                Earlier::Unknown
            });
        }
        let same = |file: &File| Identity::of_file(file) == Some(Identity::of(&stat));
        let Some(file) = open_standing(&task.directory, &task.name).filter(same) else {
            // Not readable, or gone by now: the usual rules say what is to be done.
            return Ok(Earlier::Unknown);
        };
        let found = hash_file(&file, task.metadata.size, self.cancel, buffer)
            .map_err(|error| task.failed(error))?;
        let expected = match known {
            Some(known) => known,
            None => {
                let source = self.view.open(task.node)?;
                match hash_source(source.as_ref(), self.cancel, buffer) {
                    Ok(digest) => digest,
                    Err(error) => {
                        check_cancel(self.cancel)?;
                        tracing::debug!(%error, "what stands there cannot be compared");
                        return Ok(Earlier::Other);
                    }
                }
            }
        };
        Ok(match found == Some(expected) {
            true => Earlier::Whole(expected),
            false if ours => Earlier::Broken,
            false => Earlier::Other,
        })
    }

    /// The verdict about a file when a copy goes on, if that is another than the usual one.
    pub(super) fn verdict_of_earlier(
        &self,
        task: &Task,
        buffer: &mut Buffer,
    ) -> Result<Option<Verdict>> {
        Ok(match self.earlier(task, buffer)? {
            Earlier::Whole(digest) => Some(Verdict::Keep(KeepReason::Verified(digest))),
            Earlier::Broken => Some(Verdict::Replace),
            Earlier::Other => match self.judge(task)? {
                Verdict::Keep(KeepReason::Unchanged)
                    if self.options.overwrite == Overwrite::Never =>
                {
                    Some(Verdict::Keep(KeepReason::Differs))
                }
                Verdict::Keep(KeepReason::Unchanged) => Some(Verdict::Replace),
                verdict => Some(verdict),
            },
            Earlier::Unknown => None,
        })
    }

    /// Removes what an earlier copy left under temporary names in a directory.
    pub(super) fn remove_temps(&self, directory: &Directory) {
        if self.options.resume.is_none() {
            return;
        }
        if let Err(error) = remove_temps(directory) {
            tracing::debug!(%error, "a directory was not searched for temporary files");
        }
    }

    /// How a file ended that is kept, if it is.
    pub(super) fn kept(verdict: Verdict) -> Option<Outcome> {
        match verdict {
            Verdict::Keep(reason) => Some(Outcome::Kept(reason)),
            Verdict::Create | Verdict::Replace => None,
        }
    }
}

/// Opens the regular file of this name, itself and not what a link leads to. `None`: there is none, or it may
/// not be read.
pub(super) fn open_standing(directory: &Directory, name: &EntryName) -> Option<File> {
    // A FIFO must not be waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(directory, name.as_os_str(), flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&fd).ok()?;
    let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
    is_file.then(|| File::from(fd))
}

/// Only what has exactly the form of our names, and is no directory.
fn remove_temps(directory: &Directory) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listed = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    let mut found = Vec::new();
    for entry in rustix::fs::Dir::new(listed)? {
        let entry = entry?;
        if is_temp_name(entry.file_name().to_bytes()) {
            found.push(entry.file_name().to_owned());
        }
    }
    for name in found {
        match rustix::fs::unlinkat(directory, &name, AtFlags::empty()) {
            Ok(()) => {
                let name = std::ffi::OsStr::from_bytes(name.to_bytes());
                tracing::debug!(?name, "temporary file of an earlier copy removed");
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
