//! The walker's side of a copy: makes the directories, hands the files on.
//!
//! It stands in a stack of open directories, one per level, and goes down only by opening a single
//! name in the one on top. Only the last levels stay open: a tree may be thousands deep, and a
//! process has a thousand descriptors.

use super::destination::{Directory, EntryName, Identity};
use super::filter::Filtered;
use super::report::{Item, Warning};
use super::run::{DirState, Run, Task, write_error};
use super::sidecar::Beside;
use crate::error::{Error, Result};
use crate::view::ViewNode;
use crate::walk::{Next, Step, walk};
use flr_fs::{FileKind, Metadata};
use rustix::fs::Mode;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Levels kept open, counted from the deepest; the first one is always open as well.
const OPEN_LEVEL_COUNT: usize = 64;

/// Where regular files go to be copied.
pub(super) type FileSink<'a> = dyn Fn(Task) + 'a;

/// A node of the source that is to be copied.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its path in the view.
    pub(super) path: Vec<u8>,
    pub(super) node: ViewNode,
    pub(super) metadata: Metadata,
}

/// The walker.
pub(super) struct TreeCopy<'r, 'a> {
    pub(super) run: &'r Run<'a>,
    files: &'r FileSink<'r>,
    levels: Vec<Level>,
    /// Directories below the last level that are made when something comes to stand in them.
    waiting: Vec<Waiting>,
}

/// A directory that is not made yet.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) name: EntryName,
    /// Its path in the view.
    pub(super) path: Vec<u8>,
    pub(super) node: ViewNode,
    pub(super) metadata: Metadata,
    /// It lies above what is copied: one that exists keeps its attributes.
    pub(super) above: bool,
    /// It could not be made, which has been told.
    pub(super) failed: bool,
}

struct Level {
    state: Arc<DirState>,
    name: Option<EntryName>,
    identity: Identity,
    directory: Option<Directory>,
}

impl<'r, 'a> TreeCopy<'r, 'a> {
    /// `source` is where the attributes of the destination itself come from; without it they stay.
    pub(super) fn new(run: &'r Run<'a>, files: &'r FileSink<'r>, source: Option<&Found>) -> Self {
        let directory = run.root.directory().clone();
        let fresh = source.is_some();
        let item = Item {
            source: source.map(|found| found.path.clone()).unwrap_or_default(),
            destination: run.root.path().to_path_buf(),
            kind: Some(FileKind::Directory),
            size: 0,
            modified: None,
        };
        if !fresh {
            run.remove_temps(&directory);
        }
        let from = source.map(|found| (found.node, found.metadata.clone()));
        let state = DirState::new(item, Vec::new(), fresh, from);
        if let Some(found) = source {
            let item = item_of(&state, found);
            run.windows_beside(&inside(&state, &directory, &item, found), &directory);
        }
        Self {
            run,
            files,
            waiting: Vec::new(),
            levels: vec![Level {
                state,
                name: None,
                identity: directory.identity(),
                directory: Some(directory),
            }],
        }
    }

    /// Looks, when a copy goes on, at what an earlier one has put into the destination because it found no room
    /// among the attributes of that. What is not there stays so: what exists keeps its attributes.
    pub(super) fn look_inside(&self, found: &Found) {
        let Some(level) = self.levels.first() else {
            return;
        };
        if let (Some(directory), true) = (&level.directory, self.run.options.resume.is_some()) {
            let item = item_of(&level.state, found);
            (self.run).standing_inside(&inside(&level.state, directory, &item, found));
        }
    }

    /// Copies one node under `name` into the directory on top, with all that is below it.
    pub(super) fn copy_node(&mut self, found: Found, name: &[u8]) {
        if self.run.is_over() {
            return;
        }
        let base = self.depth();
        let (path, node) = (found.path.clone(), found.node);
        let is_dir = found.metadata.kind == FileKind::Directory;
        if self.take(found, name) == Next::Continue && is_dir && self.levels.len() > base {
            self.copy_entries(&path, node);
        }
        self.leave_to(0);
    }

    /// Levels, those that wait included.
    fn depth(&self) -> usize {
        self.levels.len().saturating_add(self.waiting.len())
    }

    /// Has what follows go into this directory.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    /// Makes the directories that wait. `false`: one could not be made, which has been told.
    fn make_waiting(&mut self) -> bool {
        if self.waiting.is_empty() {
            return true;
        }
        if self.waiting.iter().any(|waiting| waiting.failed) {
            return false;
        }
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        while let Some(next) = waiting.next() {
            let found = Found {
                path: next.path.clone(),
                node: next.node,
                metadata: next.metadata.clone(),
            };
            let entered = match self.task(found, next.name.clone()) {
                Some(task) => self.enter(task, next.above),
                None => Next::Skip,
            };
            if entered != Next::Continue {
                self.waiting = std::iter::once(next).chain(waiting).collect();
                if let Some(first) = self.waiting.first_mut() {
                    first.failed = true;
                }
                return false;
            }
        }
        true
    }

    /// Copies the entries of the directory `node` into the one on top, and leaves that.
    pub(super) fn copy_entries(&mut self, path: &[u8], node: ViewNode) {
        let base = self.depth();
        let prefix = path.strip_suffix(b"/").unwrap_or(path).to_vec();
        let walked = walk(self.run.view, node, None, &mut |step| {
            self.visit(&prefix, base, step)
        });
        if let Err(error) = walked {
            let item = self.item(path.to_vec(), None, Some(FileKind::Directory), 0);
            self.run.tally.failed(&item, &error);
        }
        self.leave_to(0);
    }

    fn visit(&mut self, prefix: &[u8], base: usize, step: Step<'_>) -> Next {
        if self.run.is_over() {
            return Next::Stop;
        }
        match step {
            Step::Node {
                path,
                node,
                metadata,
            } => {
                // One slash per level: the entries of the start have one.
                let depth = path.iter().filter(|byte| **byte == b'/').count();
                self.leave_to(base.saturating_add(depth).saturating_sub(1));
                let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
                let found = Found {
                    path: [prefix, path].concat(),
                    node,
                    metadata,
                };
                self.filtered(found, path, name)
            }
            // Levels are left when something follows: a directory that could not be entered has a
            // level as well, and no such step.
            Step::Leave { .. } => Next::Continue,
            Step::Failed { path, error } => {
                let item = Item {
                    source: [prefix, path].concat(),
                    destination: PathBuf::new(),
                    kind: None,
                    size: 0,
                    modified: None,
                };
                self.run.tally.failed(&item, &error);
                Next::Continue
            }
        }
    }

    /// Starts one node below what was named, if it is to be copied.
    fn filtered(&mut self, found: Found, below: &[u8], name: &[u8]) -> Next {
        let Some(filter) = &self.run.options.filter else {
            return self.take(found, name);
        };
        let is_dir = found.metadata.kind == FileKind::Directory;
        let below = below.strip_prefix(b"/").unwrap_or(below);
        match filter.judge(below, is_dir) {
            Filtered::Take => self.take(found, name),
            Filtered::Leave => Next::Skip,
            Filtered::Look => match EntryName::new(name) {
                Ok(name) => {
                    self.wait(Waiting {
                        name,
                        path: found.path,
                        node: found.node,
                        metadata: found.metadata,
                        above: false,
                        failed: false,
                    });
                    Next::Continue
                }
                // It cannot have a name here, and says so as if it were taken.
                Err(_) => self.take(found, name),
            },
        }
    }

    /// Starts one node. `Continue` goes into it, if it is a directory.
    fn take(&mut self, found: Found, name: &[u8]) -> Next {
        if !self.make_waiting() {
            return Next::Skip;
        }
        let kind = found.metadata.kind;
        let entry_name = match EntryName::new(name) {
            Ok(entry_name) => entry_name,
            Err(error) => {
                let item = self.item(found.path, Some(name), Some(kind), found.metadata.size);
                self.run.tally.failed(&item, &error);
                return Next::Skip;
            }
        };
        let Some(task) = self.task(found, entry_name) else {
            return Next::Skip;
        };
        if task.name.as_bytes() != name {
            let new = task.name.as_bytes().to_vec();
            self.run
                .tally
                .warning(&task.item, &Warning::NameShortened(new));
        }
        match kind {
            FileKind::Directory => return self.enter(task, false),
            FileKind::File => {
                task.dir.retain();
                (self.files)(task);
            }
            FileKind::Symlink => self.run.copy_symlink(&task),
            FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo | FileKind::Socket => {
                self.run.copy_special(&task);
            }
        }
        Next::Continue
    }

    /// The task of one entry in the directory on top. `None`: that could not be opened, which is told.
    fn task(&mut self, found: Found, name: EntryName) -> Option<Task> {
        let (kind, size) = (found.metadata.kind, found.metadata.size);
        let directory = self.top_directory();
        let name = match &directory {
            Ok(directory) => directory.fitting(name),
            Err(_) => name,
        };
        let mut item = self.item(found.path, Some(name.as_bytes()), Some(kind), size);
        item.modified = Some(found.metadata.mtime);
        let directory = match directory {
            Ok(directory) => directory,
            Err(error) => {
                self.run.tally.failed(&item, &error);
                return None;
            }
        };
        Some(Task {
            dir: Arc::clone(&self.levels.last()?.state),
            directory,
            name,
            item,
            node: found.node,
            metadata: found.metadata,
        })
    }

    /// Creates a directory, or enters the one that stands there; one that lies `above` what is copied then
    /// keeps its attributes.
    fn enter(&mut self, task: Task, above: bool) -> Next {
        self.run.tally.events().started(&task.item);
        let (directory, fresh) = match open_or_create(&task) {
            Ok(entered) => entered,
            Err(error) => {
                let error = task.failed(error);
                self.run.tally.failed(&task.item, &error);
                return Next::Skip;
            }
        };
        task.remember_name();
        if !fresh {
            self.run.remove_temps(&directory);
        }
        let relative = [&task.dir.relative, task.name.as_bytes(), b"/"].concat();
        if fresh || !above {
            self.run.windows_beside(&Beside::of(&task), &directory);
        }
        let source = (fresh || !above).then_some((task.node, task.metadata));
        self.levels.push(Level {
            state: DirState::new(task.item, relative, fresh, source),
            name: Some(task.name),
            identity: directory.identity(),
            directory: Some(directory),
        });
        let deepest = self.levels.len().saturating_sub(1);
        if let Some(index) = deepest.checked_sub(OPEN_LEVEL_COUNT)
            && index > 0
            && let Some(level) = self.levels.get_mut(index)
        {
            level.directory = None;
        }
        Next::Continue
    }

    /// Leaves directories until `count` levels are left.
    pub(super) fn leave_to(&mut self, count: usize) {
        while self.depth() > count && self.waiting.pop().is_some() {}
        while self.levels.len() > count {
            let directory = self.top_directory();
            let Some(level) = self.levels.pop() else {
                return;
            };
            match directory {
                Ok(directory) => self.run.release(&level.state, &directory),
                Err(error) => self.run.tally.failed(&level.state.item, &error),
            }
        }
    }

    /// The directory on top, opened again from the first level if it had been closed.
    fn top_directory(&mut self) -> Result<Directory> {
        let gone = || Error::Usage("no directory is open".into());
        let top = self.levels.len().checked_sub(1).ok_or_else(gone)?;
        if let Some(directory) = self.levels.get(top).and_then(|l| l.directory.clone()) {
            return Ok(directory);
        }
        let mut directory = self.run.root.directory().clone();
        for (index, level) in self.levels.iter_mut().enumerate() {
            let Some(name) = &level.name else {
                continue;
            };
            let opened = directory.open_child(name).and_then(|opened| {
                // Somebody has put another directory in its place.
                let same = opened.identity() == level.identity;
                same.then_some(opened).ok_or_else(|| Errno::STALE.into())
            });
            directory =
                opened.map_err(|error| write_error(&level.state.item.destination, error))?;
            if top.saturating_sub(index) < OPEN_LEVEL_COUNT {
                level.directory = Some(directory.clone());
            }
        }
        Ok(directory)
    }

    fn item(
        &self,
        source: Vec<u8>,
        name: Option<&[u8]>,
        kind: Option<FileKind>,
        size: u64,
    ) -> Item {
        let top = self
            .levels
            .last()
            .map(|level| &level.state.item.destination);
        let mut destination = top.cloned().unwrap_or_default();
        if let Some(name) = name {
            destination.push(OsStr::from_bytes(name));
        }
        Item {
            source,
            destination,
            kind,
            size,
            modified: None,
        }
    }
}

fn item_of(state: &DirState, found: &Found) -> Item {
    Item {
        source: found.path.clone(),
        modified: Some(found.metadata.mtime),
        ..state.item.clone()
    }
}

/// What belongs to the destination itself lies in it: what that lies in is not ours.
fn inside<'a>(
    dir: &'a DirState,
    directory: &'a Directory,
    item: &'a Item,
    found: &'a Found,
) -> Beside<'a> {
    Beside {
        dir,
        directory,
        stem: b"",
        item,
        node: found.node,
        metadata: &found.metadata,
    }
}

/// Opens the directory of that name in the destination; `true` if it had to be created.
fn open_or_create(task: &Task) -> io::Result<(Directory, bool)> {
    let fresh = match task.directory.make_child(&task.name) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // In a directory of our own, nothing may be there before us.
            let standing = task.directory.stat(&task.name)?;
            if task.dir.fresh || standing.is_some_and(|stat| task.is_same_entry(&stat)) {
                return Err(task.clash());
            }
            false
        }
        Err(error) => return Err(error),
    };
    let directory = task.directory.open_child(&task.name)?;
    if !fresh {
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&directory)?.st_mode);
        if !mode.contains(Mode::RWXU) {
            // A copy made before as this user. If it is not ours to change, the first entry says so.
            let _unchanged = rustix::fs::fchmod(&directory, mode | Mode::RWXU);
        }
    }
    Ok((directory, fresh))
}
