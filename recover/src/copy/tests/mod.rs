//! The copier against a filesystem in memory and real directories.

#![expect(clippy::arithmetic_side_effects, reason = "numbers of our own")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests put things into the destination that the copier did not make"
)]

mod attributes;
mod chosen;
mod content;
mod failures;
mod hostile;
mod points;
mod policy;
mod safety;
mod tree;
mod verify;

use super::*;
use crate::error::Error;
use crate::testing::{MemoryFs, ROOT};
use flr_fs::NodeId;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// All that an archive keeps and that takes no root.
fn archive_without_owners() -> CopyOptions {
    CopyOptions {
        owner: false,
        ..CopyOptions::archive()
    }
}

/// Everything that was told, one line each: the event, the path in the source, the rest.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn push(&self, event: &str, item: &Item, rest: &str) {
        let path = String::from_utf8_lossy(&item.source);
        let line = format!("{event} {path} {rest}");
        self.0.lock().unwrap().push(line.trim_end().to_owned());
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = self.0.lock().unwrap().clone();
        lines.sort();
        lines
    }

    /// The lines of one kind of event, sorted.
    fn of(&self, event: &str) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.starts_with(event));
        lines
    }
}

impl CopyEvents for Log {
    fn kept(&self, item: &Item, reason: KeepReason) {
        self.push("kept", item, &format!("{reason:?}"));
    }
    fn skipped(&self, item: &Item, reason: SkipReason) {
        self.push("skipped", item, &format!("{reason:?}"));
    }
    fn warning(&self, item: &Item, warning: &Warning) {
        let words = match warning {
            Warning::Owner(error) => format!("owner {:?}", error.kind()),
            Warning::Xattr { name, .. } => format!("xattr {}", name.escape_ascii()),
            Warning::XattrUnreadable { error, .. } => format!("xattr unreadable: {error}"),
            Warning::SetIdStripped(bits) => format!("set-id {bits:o}"),
            Warning::LinkCopied(_) => "link copied".to_owned(),
            Warning::NameShortened(name) => format!("shortened {}", name.escape_ascii()),
            other => format!("{other:?}"),
        };
        self.push("warning", item, &words);
    }
    fn unreadable(&self, item: &Item, range: Range<u64>, error: &Error) {
        self.push("unreadable", item, &format!("{range:?} {error}"));
    }
    fn failed(&self, item: &Item, error: &Error) {
        let words = match error {
            // Without the path, which differs from run to run.
            Error::Write { source, .. } => format!("write {:?}", source.kind()),
            other => other.to_string(),
        };
        self.push("failed", item, &words);
    }
}

/// A destination and what was told.
struct Out {
    dir: TempDir,
    log: Log,
    cancel: AtomicBool,
}

impl Out {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            log: Log::default(),
            cancel: AtomicBool::new(false),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn destination(&self) -> DestinationDir {
        DestinationDir::open(self.dir.path()).unwrap()
    }

    /// Copies the whole view into the destination.
    fn copy(&self, view: &View, options: CopyOptions) -> CopyReport {
        let root = view.resolve(b"/", true).unwrap();
        Copier::new(options, &self.log, &self.cancel).copy_contents(
            view,
            &root,
            &self.destination(),
        )
    }

    /// Copies one node.
    fn copy_one(&self, view: &View, path: &str, name: &str, options: CopyOptions) -> CopyReport {
        let source = view.resolve(path.as_bytes(), false).unwrap();
        let copier = Copier::new(options, &self.log, &self.cancel);
        copier.copy_as(view, &source, &self.destination(), name.as_ref())
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Every path in the destination, sorted.
    fn all(&self) -> Vec<String> {
        all_below(self.dir.path())
    }
}

fn all_below(top: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![top.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let shown = path.strip_prefix(top).unwrap().display().to_string();
            if entry.file_type().unwrap().is_dir() {
                todo.push(path);
                found.push(shown + "/");
            } else {
                found.push(shown);
            }
        }
    }
    found.sort();
    found
}

/// `true` if this test may not run as it is not root: says so, and fails where it must run.
fn skip_without_root(what: &str) -> bool {
    if rustix::process::geteuid().is_root() {
        return false;
    }
    assert!(std::env::var_os("CI").is_none(), "{what}: needs root");
    println!("skipped, needs root: {what}");
    true
}

/// Runs `test` on a thread that is not root. Credentials are a thread's own to the kernel.
fn as_nobody<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
    let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(gid, gid, gid).unwrap();
            set_thread_res_uid(uid, uid, uid).unwrap();
            test()
        });
        thread.join().unwrap()
    })
}
