//! Copying out of a view into a directory of the host.
//!
//! ```text
//! walker ── directories, links ──> destination
//!    └── bounded queue ── files ──> workers ──> destination
//! ```
//!
//! Nothing is written outside of the directory that the caller opened: every step is one name in an
//! open directory (`destination`). No file stands under its name before it is whole (`temp`).
//! What cannot be read is an error and leaves nothing behind, never zeros. What is kept of a file
//! and what is not is written in `docs/copying.md`.

mod attributes;
mod content;
mod destination;
mod file;
mod links;
mod nodes;
mod queue;
mod report;
mod run;
mod stretches;
mod temp;
#[cfg(test)]
mod tests;
mod tree;

pub use content::copy_to_writer;
pub use destination::DestinationDir;
pub use report::{CopyEvents, CopyReport, Item, KeepReason, Silent, SkipReason, Warning};

use crate::view::{Resolved, View};
use flr_fs::FileKind;
use links::LinkTable;
use queue::{CloseOnDrop, Queue};
use report::Tally;
use run::{Run, Task};
use std::any::Any;
use std::ffi::OsStr;
use std::fmt;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use stretches::Buffer;
use temp::TempNames;
use tree::{Found, TreeCopy};

/// Files waiting for a worker. Each holds a directory open.
const QUEUE_LEN: usize = 64;

/// What to do where the destination has an entry of the same name already.
///
/// A directory is never replaced by something else, nor something else by a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Leave it.
    Never,
    /// Replace it if its size or its time differs.
    IfChanged,
    /// Replace it if the source is newer.
    IfNewer,
    /// Replace it.
    Always,
}

/// What is copied, and how.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// What to do about entries that exist.
    pub overwrite: Overwrite,
    /// Keep access and modification times.
    pub times: bool,
    /// Keep owner and group, where permitted.
    pub owner: bool,
    /// Keep extended attributes, POSIX ACLs among them, where permitted.
    pub xattrs: bool,
    /// Make further names of a file hard links, as they were.
    pub hard_links: bool,
    /// Create device nodes and FIFOs.
    pub devices: bool,
    /// Keep set-user-ID and set-group-ID bits and capabilities of files, where the owner is kept or
    /// is not to be kept.
    pub set_id: bool,
    /// Turn stored zeros into holes too. Holes of the source stay holes in any case.
    pub sparse: bool,
    /// Keep files of which a part cannot be read, with that part as a hole, and say so.
    pub salvage: bool,
    /// Files copied at a time.
    pub threads: NonZeroUsize,
}

impl CopyOptions {
    /// Content, permission bits and times.
    #[must_use]
    pub fn plain() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
        Self {
            overwrite: Overwrite::Always,
            times: true,
            owner: false,
            xattrs: false,
            hard_links: false,
            devices: false,
            set_id: false,
            sparse: false,
            salvage: false,
            threads: NonZeroUsize::new(cores.clamp(2, 4)).unwrap_or(NonZeroUsize::MIN),
        }
    }

    /// Also owner, extended attributes, ACLs and hard links. Not devices and set-id bits, which must
    /// be asked for by name.
    #[must_use]
    pub fn archive() -> Self {
        Self {
            owner: true,
            xattrs: true,
            hard_links: true,
            ..Self::plain()
        }
    }
}

/// Copies nodes of views into directories of the host.
pub struct Copier<'a> {
    options: CopyOptions,
    events: &'a dyn CopyEvents,
    cancel: &'a AtomicBool,
    names: TempNames,
}

impl fmt::Debug for Copier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copier")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<'a> Copier<'a> {
    /// A copier that tells `events` what it does, and that ends soon after `cancel` is set, with no
    /// temporary file left.
    #[must_use]
    pub fn new(options: CopyOptions, events: &'a dyn CopyEvents, cancel: &'a AtomicBool) -> Self {
        Self {
            options,
            events,
            cancel,
            names: TempNames::new(),
        }
    }

    /// Copies `source`, whatever it is, as the entry `name` of `destination`. A directory is merged
    /// into one that stands there, and its attributes are set on it.
    ///
    /// Everything that goes wrong is told to the events and counted in the report.
    #[must_use]
    pub fn copy_as(
        &self,
        view: &View,
        source: &Resolved,
        destination: &DestinationDir,
        name: &OsStr,
    ) -> CopyReport {
        let is_dir = source.metadata.kind == FileKind::Directory;
        self.run(view, destination, is_dir, |tree| {
            tree.copy_node(found(source), name.as_bytes());
        })
    }

    /// Copies the entries of the directory `source` into `destination`, whose own attributes stay.
    ///
    /// Everything that goes wrong is told to the events and counted in the report.
    #[must_use]
    pub fn copy_contents(
        &self,
        view: &View,
        source: &Resolved,
        destination: &DestinationDir,
    ) -> CopyReport {
        self.run(view, destination, true, |tree| {
            tree.copy_entries(&source.path, source.node);
        })
    }

    fn run(
        &self,
        view: &View,
        destination: &DestinationDir,
        is_dir: bool,
        walk: impl FnOnce(&mut TreeCopy<'_, '_>),
    ) -> CopyReport {
        let run = Run {
            view,
            options: &self.options,
            names: &self.names,
            cancel: self.cancel,
            tally: Tally::new(self.events),
            links: LinkTable::default(),
            root: destination,
        };
        if is_dir {
            walk_with_workers(&run, walk);
        } else {
            let copy = |task: Task| run.copy_file(&task, &mut Buffer::default());
            walk(&mut TreeCopy::new(&run, &copy));
        }
        run.tally.into_report()
    }
}

/// The last component of a resolved path; `None` for the root, which has no name.
#[must_use]
pub fn name_of(source: &Resolved) -> Option<&OsStr> {
    let name = source.path.rsplit(|byte| *byte == b'/').next()?;
    (!name.is_empty()).then(|| OsStr::from_bytes(name))
}

fn found(source: &Resolved) -> Found {
    Found {
        path: source.path.clone(),
        node: source.node,
        metadata: source.metadata.clone(),
    }
}

fn walk_with_workers(run: &Run<'_>, walk: impl FnOnce(&mut TreeCopy<'_, '_>)) {
    let queue = Queue::new(QUEUE_LEN);
    let panic = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..run.options.threads.get() {
            scope.spawn(|| work(run, &queue, &panic));
        }
        let _close = CloseOnDrop(&queue);
        walk(&mut TreeCopy::new(run, &|task| queue.push(task)));
    });
    if let Some(payload) = panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(payload);
    }
}

/// Copies files until there are no more. A panic is kept for the end: a worker that is gone would
/// leave the walker waiting for room in the queue.
fn work(run: &Run<'_>, queue: &Queue<Task>, panic: &Mutex<Option<Box<dyn Any + Send>>>) {
    let mut buffer = Buffer::default();
    while let Some(task) = queue.pop() {
        let copied = catch_unwind(AssertUnwindSafe(|| run.copy_file(&task, &mut buffer)));
        if let Err(payload) = copied {
            run.tally.stop();
            *panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        }
    }
}
