//! Directories above what is copied, which are entered, or made, but not filled.

use super::destination::EntryName;
use super::report::Item;
use super::tree::{TreeCopy, Waiting};
use crate::error::{Error, NotFound, Result};
use crate::view::{Resolved, View};
use flr_fs::FileKind;
use std::path::PathBuf;

/// The directories that lead to a node from the root, outermost first; each as an entry of the one before.
///
/// # Errors
/// A directory that cannot be read, or is none.
pub(super) fn directories_above(view: &View, source: &Resolved) -> Result<Vec<Waiting>> {
    let mut above = Vec::new();
    let mut names: Vec<_> = (source.path.split(|byte| *byte == b'/'))
        .filter(|name| !name.is_empty())
        .collect();
    names.pop();
    let (mut dir, mut path) = (view.root(), Vec::new());
    for name in names {
        path.push(b'/');
        path.extend_from_slice(name);
        let found = view.lookup(dir, name)?;
        let Some((node, metadata)) = found.filter(|(_, it)| it.kind == FileKind::Directory) else {
            return Err(Error::NotFound(NotFound {
                found_len: path.len().saturating_sub(name.len()),
                path,
                nearest: Vec::new(),
            }));
        };
        dir = node;
        above.push(Waiting {
            name: EntryName::new(name)?,
            path: path.clone(),
            node,
            metadata,
            above: true,
            failed: false,
        });
    }
    Ok(above)
}

impl TreeCopy<'_, '_> {
    /// Has what follows go into these directories, each in the one before.
    pub(super) fn wait_in(&mut self, above: Vec<Waiting>) {
        for waiting in above {
            self.wait(waiting);
        }
    }

    /// What was named could not be reached.
    pub(super) fn fail(&mut self, source: &Resolved, error: &Error) {
        let item = Item {
            source: source.path.clone(),
            destination: PathBuf::new(),
            kind: Some(source.metadata.kind),
            size: source.metadata.size,
            modified: Some(source.metadata.mtime),
        };
        self.run.tally.failed(&item, error);
        self.leave_to(0);
    }
}
