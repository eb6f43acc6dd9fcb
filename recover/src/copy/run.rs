//! What all threads of one copy share, and how an entry gets into the destination.

use super::content::check_cancel;
use super::destination::{DestinationDir, Directory, EntryName, Identity};
use super::links::Links;
use super::options::CopyOptions;
use super::policy;
use super::report::{Done, Item, KeepReason, Tally};
use super::temp::{self, Publish, TempEntry, TempNames};
use crate::error::{Error, Result};
use crate::view::{View, ViewNode};
use flr_fs::{FileKind, Metadata};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Times a name is looked at again because it appeared or went while it was being taken.
const RACE_COUNT_MAX: u32 = 8;

/// One call of the copier.
pub(super) struct Run<'a> {
    pub(super) view: &'a View,
    pub(super) options: &'a CopyOptions,
    pub(super) names: &'a TempNames,
    pub(super) cancel: &'a AtomicBool,
    pub(super) tally: Tally<'a>,
    pub(super) links: Links<'a>,
    pub(super) root: &'a DestinationDir,
}

/// A directory of the destination that is being filled.
#[derive(Debug)]
pub(super) struct DirState {
    pub(super) item: Item,
    /// The way from the root of the destination, names with a slash behind each.
    pub(super) relative: Vec<u8>,
    /// Created by this copy: whatever stands in it was put there by this copy, or by an intruder.
    pub(super) fresh: bool,
    /// What its attributes come from. `None` for the directory that the user named.
    pub(super) source: Option<(ViewNode, Metadata)>,
    /// Files still to be put into it, and one for the walker while it is there.
    pending: AtomicUsize,
    /// What this copy put into it; only if it is not fresh.
    placed: Mutex<Placed>,
}

/// Entries that a copy put into a directory.
#[derive(Debug, Default)]
struct Placed {
    inodes: HashSet<u64>,
    /// Names by [`EntryName::folded`], where a filesystem may take two for one: it may also give a file another
    /// inode number once it has forgotten the first.
    names: HashMap<String, EntryName>,
}

/// One entry that is to be created.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) dir: Arc<DirState>,
    pub(super) directory: Directory,
    pub(super) name: EntryName,
    pub(super) item: Item,
    pub(super) node: ViewNode,
    pub(super) metadata: Metadata,
}

/// Whether an entry got its name.
#[derive(Debug)]
pub(super) enum Published {
    /// It did; what had the name before is called `backup` now.
    Done { backup: Option<Vec<u8>> },
    /// Something has come to stand there that is to be kept.
    Kept(KeepReason),
}

/// How an entry ended, if not with an error.
#[derive(Clone)]
pub(super) enum Outcome {
    Done(Done),
    Kept(KeepReason),
}

/// What is to be done about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Create,
    Replace,
    Keep(KeepReason),
}

impl DirState {
    pub(super) fn new(
        item: Item,
        relative: Vec<u8>,
        fresh: bool,
        source: Option<(ViewNode, Metadata)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            item,
            relative,
            fresh,
            source,
            pending: AtomicUsize::new(1),
            placed: Mutex::default(),
        })
    }

    /// One more file will be put into it.
    pub(super) fn retain(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether this copy put the inode into it.
    pub(super) fn has_placed(&self, inode: u64) -> bool {
        self.placed().inodes.contains(&inode)
    }

    /// This copy has put the inode into it.
    pub(super) fn place(&self, inode: u64) {
        if !self.fresh {
            self.placed().inodes.insert(inode);
        }
    }

    fn placed(&self) -> MutexGuard<'_, Placed> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run<'_> {
    /// Whether there is no point in going on.
    pub(super) fn is_over(&self) -> bool {
        if check_cancel(self.cancel).is_err() {
            self.tally.cancelled();
            return true;
        }
        self.tally.is_stopped()
    }

    /// One file less is to be put into the directory, or the walker has left it. The last one sets
    /// its attributes: every entry made in it would have changed its time, and may need a mode that
    /// it is not to keep.
    pub(super) fn release(&self, dir: &DirState, directory: &Directory) {
        if dir.pending.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        if let Some((node, metadata)) = &dir.source {
            // What finds no room among its attributes stands beside it since it was made.
            let kind = directory.kind();
            let _beside = self.set_attributes(&dir.item, (directory, kind), *node, metadata);
            self.tally.finished(&dir.item, Done::Directory);
        }
    }

    /// Reports how an entry ended.
    pub(super) fn settle(&self, item: &Item, outcome: Result<Outcome>) {
        match outcome {
            Ok(Outcome::Done(done)) => self.tally.finished(item, done),
            Ok(Outcome::Kept(reason)) => self.tally.kept(item, reason),
            Err(error) => self.tally.failed(item, &error),
        }
    }

    /// Looks at what stands under the name, and decides.
    pub(super) fn judge(&self, task: &Task) -> Result<Verdict> {
        if task.dir.fresh {
            return Ok(Verdict::Create);
        }
        self.judge_anew(task).map_err(|error| task.failed(error))
    }

    fn judge_anew(&self, task: &Task) -> io::Result<Verdict> {
        let Some(stat) = task.directory.stat(&task.name)? else {
            return Ok(Verdict::Create);
        };
        let standing = FileType::from_raw_mode(stat.st_mode);
        if standing.is_dir() {
            return Err(Errno::ISDIR.into());
        }
        let is_plain = standing.is_file() || standing.is_symlink();
        if !is_plain && matches!(task.metadata.kind, FileKind::File | FileKind::Symlink) {
            // Whoever names /dev/null as the destination does not want it replaced.
            return Err(taken("a device, FIFO or socket has this name"));
        }
        if task.dir.fresh || task.dir.has_placed(stat.st_ino) || task.is_same_entry(&stat) {
            return Err(task.clash());
        }
        let on = (&stat, task.directory.kind());
        let both_links = standing.is_symlink() && task.metadata.kind == FileKind::Symlink;
        let same_target = both_links && self.leads_to_the_same(task);
        Ok(policy::verdict(
            self.options,
            on,
            &task.metadata,
            same_target,
        ))
    }

    /// Whether the link that stands there has the target of the one that is to be made.
    fn leads_to_the_same(&self, task: &Task) -> bool {
        let name = task.name.as_os_str();
        let standing = rustix::fs::readlinkat(&task.directory, name, Vec::new());
        match (standing, self.view.read_link(task.node)) {
            (Ok(standing), Ok(target)) => standing.to_bytes() == target,
            _ => false,
        }
    }

    /// Gives a finished entry its final name, or leaves what has come to stand there meanwhile.
    pub(super) fn publish(
        &self,
        task: &Task,
        entry: &mut TempEntry<'_>,
        inode: Option<u64>,
        verdict: Verdict,
    ) -> Result<Published> {
        let inode = if task.dir.fresh { None } else { inode };
        if let Some(inode) = inode {
            task.dir.placed().inodes.insert(inode);
        }
        let published = self.publish_as(task, entry, verdict);
        if let Some(inode) = inode {
            match &published {
                Ok(Published::Done { .. }) => task.remember_name(),
                Ok(Published::Kept(_)) | Err(_) => {
                    task.dir.placed().inodes.remove(&inode);
                }
            }
        }
        published.map_err(|error| task.failed(error))
    }

    fn publish_as(
        &self,
        task: &Task,
        entry: &mut TempEntry<'_>,
        mut verdict: Verdict,
    ) -> io::Result<Published> {
        let mut races: u32 = 0;
        let mut backup = None;
        loop {
            let how = match verdict {
                Verdict::Keep(reason) => return Ok(Published::Kept(reason)),
                Verdict::Create => Publish::New,
                Verdict::Replace => {
                    if backup.is_none() {
                        backup = self.back_up(&task.directory, &task.name)?;
                    }
                    Publish::Replace
                }
            };
            match entry.publish(&task.name, how) {
                Ok(()) => return Ok(Published::Done { backup }),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && races < RACE_COUNT_MAX =>
                {
                    races = races.saturating_add(1);
                    verdict = self.judge_anew(task)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives what is about to be replaced a second name, if it is to be kept.
    pub(super) fn back_up(
        &self,
        directory: &Directory,
        name: &EntryName,
    ) -> io::Result<Option<Vec<u8>>> {
        let Some(suffix) = &self.options.backup else {
            return Ok(None);
        };
        let backup = [name.as_bytes(), suffix.as_bytes()].concat();
        let backup =
            EntryName::new(&backup).map_err(|error| io::Error::other(error.to_string()))?;
        temp::back_up(directory, name, &backup)?;
        Ok(Some(backup.as_bytes().to_vec()))
    }

    /// The inode of a new entry, where it is needed to tell it from others later.
    pub(super) fn inode_of(&self, task: &Task, entry: &TempEntry<'_>) -> Result<Option<u64>> {
        if task.dir.fresh {
            return Ok(None);
        }
        let stat = entry.stat().map_err(|error| task.failed(error))?;
        Ok(Some(stat.st_ino))
    }

    /// Opens a directory that this copy has been in, from the top.
    pub(super) fn reopen(&self, relative: &[u8]) -> Result<Directory> {
        let mut directory = self.root.directory().clone();
        for name in relative
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            directory = directory
                .open_child(&EntryName::new(name)?)
                .map_err(|error| write_error(self.root.path(), error))?;
        }
        Ok(directory)
    }
}

impl Task {
    /// Whether what stands under the name, as `stat` says, is an entry of this copy with another name, which the
    /// filesystem takes for the same.
    pub(super) fn is_same_entry(&self, stat: &Stat) -> bool {
        let other = self.dir.placed().names.get(&self.name.folded()).cloned();
        let Some(other) = other.filter(|other| *other != self.name) else {
            return false;
        };
        let is_dir = FileType::from_raw_mode(stat.st_mode).is_dir();
        // Files with several names are known where names differ in case.
        let by_name = is_dir || stat.st_nlink < 2;
        let found = self.directory.stat(&other).ok().flatten();
        by_name && found.is_some_and(|found| Identity::of(&found) == Identity::of(stat))
    }

    /// The entry is there now, for [`Self::is_same_entry`]. In a fresh directory whatever is there is known.
    pub(super) fn remember_name(&self) {
        if self.directory.kind().is_foreign && !self.dir.fresh {
            let (folded, name) = (self.name.folded(), self.name.clone());
            self.dir.placed().names.entry(folded).or_insert(name);
        }
    }

    /// Two names that this destination takes for one, or an intruder.
    pub(super) fn clash(&self) -> io::Error {
        taken(match self.directory.kind().is_foreign {
            true => "an entry with a name that is the same to this filesystem has come before",
            false => "another entry took this name during the copy",
        })
    }

    pub(super) fn failed(&self, error: impl Into<io::Error>) -> Error {
        write_error(&self.item.destination, error.into())
    }
}

pub(super) fn write_error(path: &Path, source: io::Error) -> Error {
    Error::Write {
        path: path.to_path_buf(),
        source: Arc::new(source),
    }
}

fn taken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, what)
}
