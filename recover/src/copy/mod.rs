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

mod atomic;
mod attributes;
mod content;
mod destination;
mod file;
mod filter;
mod kind;
mod ledger;
mod links;
mod nodes;
mod options;
mod owners;
mod place;
mod plan;
mod policy;
mod queue;
mod report;
mod resume;
mod run;
mod sidecar;
pub(crate) mod stretches;
mod temp;
#[cfg(test)]
mod tests;
mod tree;
mod verify;

pub use atomic::AtomicFile;
pub use content::copy_to_writer;
pub use destination::DestinationDir;
pub use file::{RATIO_MAX, Unfolds};
pub use filter::{Filter, Filtered};
pub use ledger::{Ledger, Records};
pub use links::LinkTable;
pub use options::{CopyOptions, Overwrite, Verify};
pub use owners::{IdRules, Owners};
pub use plan::{Plan, Planned};
pub use report::{
    CopyEvents, CopyReport, Item, KeepReason, Made, Note, Silent, SkipReason, Warning,
};
pub use resume::{NothingRecorded, Recorded};
pub use verify::Digest;

use crate::view::{Resolved, View};
use flr_fs::FileKind;
use queue::{CloseOnDrop, Queue};
use report::Tally;
use run::{Run, Task};
use std::any::Any;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use stretches::Buffer;
use temp::TempNames;
use tree::{Found, TreeCopy};

/// Files waiting for a worker. Each holds a directory open.
const QUEUE_LEN: usize = 64;

/// Copies nodes of views into directories of the host.
pub struct Copier<'a> {
    options: CopyOptions,
    events: &'a dyn CopyEvents,
    cancel: &'a AtomicBool,
    names: TempNames,
    links: Arc<LinkTable>,
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
            links: Arc::default(),
        }
    }

    /// The same with what earlier copies left in `links`: names of one file that come in different copies
    /// are linked as well, if the filesystem and the destination are the same.
    #[must_use]
    pub fn with_links(mut self, links: &Arc<LinkTable>) -> Self {
        self.links = Arc::clone(links);
        self
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

    /// Copies the directory `source` as `destination` itself: its entries into it, and, if `destination`
    /// was created for that ([`DestinationDir::create_all`]), its attributes as well.
    ///
    /// Everything that goes wrong is told to the events and counted in the report.
    #[must_use]
    pub fn copy_onto(
        &self,
        view: &View,
        source: &Resolved,
        destination: &DestinationDir,
    ) -> CopyReport {
        let found = found(source);
        let own = destination.is_fresh().then_some(&found);
        self.run_as(view, destination, own, true, |tree| {
            if own.is_none() {
                tree.look_inside(&found);
            }
            tree.copy_entries(&source.path, source.node);
        })
    }

    /// Copies `source` to the path below `destination` that it has in the view. Directories that lead there
    /// are made where they are missing, with their attributes; those that exist keep theirs.
    ///
    /// Everything that goes wrong is told to the events and counted in the report.
    #[must_use]
    pub fn copy_in_place(
        &self,
        view: &View,
        source: &Resolved,
        destination: &DestinationDir,
    ) -> CopyReport {
        let Some(name) = name_of(source) else {
            return self.copy_onto(view, source, destination);
        };
        self.run(
            view,
            destination,
            true,
            |tree| match place::directories_above(view, source) {
                Ok(above) => {
                    tree.wait_in(above);
                    tree.copy_node(found(source), name.as_bytes());
                }
                Err(error) => tree.fail(source, &error),
            },
        )
    }

    fn run(
        &self,
        view: &View,
        destination: &DestinationDir,
        is_dir: bool,
        walk: impl FnOnce(&mut TreeCopy<'_, '_>),
    ) -> CopyReport {
        self.run_as(view, destination, None, is_dir, walk)
    }

    fn run_as(
        &self,
        view: &View,
        destination: &DestinationDir,
        own: Option<&Found>,
        is_dir: bool,
        walk: impl FnOnce(&mut TreeCopy<'_, '_>),
    ) -> CopyReport {
        let run = Run {
            view,
            options: &self.options,
            names: &self.names,
            cancel: self.cancel,
            tally: Tally::new(self.events),
            links: self.links.of(view, destination.directory().identity()),
            root: destination,
        };
        if is_dir {
            walk_with_workers(&run, own, walk);
        } else {
            let copy = |task: Task| run.copy_file(&task, &mut Buffer::default());
            walk(&mut TreeCopy::new(&run, &copy, own));
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

fn walk_with_workers(run: &Run<'_>, own: Option<&Found>, walk: impl FnOnce(&mut TreeCopy<'_, '_>)) {
    let queue = Queue::new(QUEUE_LEN);
    let panic = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..run.options.threads.get() {
            scope.spawn(|| work(run, &queue, &panic));
        }
        let _close = CloseOnDrop(&queue);
        walk(&mut TreeCopy::new(run, &|task| queue.push(task), own));
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
