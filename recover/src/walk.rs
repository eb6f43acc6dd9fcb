//! Walking a tree: a stack, no recursion, directories before their entries, nothing twice.

use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::view::{View, ViewNode};
use flr_fs::{Code, Fault, FileKind, Metadata};
use std::collections::HashSet;
use std::sync::Arc;

/// Codes of the walk itself.
pub mod codes {
    use flr_fs::Code;

    /// A directory was reached a second time: a loop, or a directory with two names.
    pub const DIRECTORY_TWICE: Code = Code::new("walk.directory.twice");
    /// Directories nest deeper than [`super::DEPTH_MAX`].
    pub const DEPTH: Code = Code::new("walk.depth");

    /// All of them.
    pub const ALL: &[Code] = &[DIRECTORY_TWICE, DEPTH];
}

/// Directories on top of each other that are walked. Linux paths of 4096 bytes hold at most 2048.
pub const DEPTH_MAX: usize = 4096;

/// One step of a walk.
#[derive(Debug)]
pub enum Step<'a> {
    /// A node. For a directory this comes before its entries.
    Node {
        /// Its path below the start, with a slash in front of every component.
        path: &'a [u8],
        /// The node.
        node: ViewNode,
        /// Its metadata.
        metadata: Metadata,
    },
    /// A directory is done: all its entries have been walked.
    Leave {
        /// Its path below the start; empty for the start itself.
        path: &'a [u8],
        /// The node.
        node: ViewNode,
    },
    /// Something could not be read. The walk goes on behind it.
    Failed {
        /// Path of the node, or of the directory with the damaged part.
        path: &'a [u8],
        /// Why.
        error: Error,
    },
}

/// What the visitor wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on; into the directory, if the step was one.
    Continue,
    /// Go on, but not into the directory that this step was.
    Skip,
    /// End the walk.
    Stop,
}

/// The order in which the entries of a directory are walked.
pub type Order<'a> = dyn Fn(&View, &Listing) -> Vec<usize> + 'a;

/// A directory being walked.
struct Level {
    node: ViewNode,
    listing: Arc<Listing>,
    order: Vec<usize>,
    taken: usize,
    path_len: usize,
}

/// Walks the entries of the directory `start`, not `start` itself; only [`Step::Leave`] and
/// [`Step::Failed`] come with the start's own, empty path.
///
/// Without an order of its own a directory is walked by the numbers of its nodes.
///
/// Memory is bounded by the listings of one path of directories and by 16 bytes per directory seen.
///
/// # Errors
/// Only if `start` itself cannot be listed. Everything below is a [`Step::Failed`].
pub fn walk(
    view: &View,
    start: ViewNode,
    order: Option<&Order<'_>>,
    visit: &mut dyn FnMut(Step<'_>) -> Next,
) -> Result<()> {
    let mut path = Vec::new();
    let mut seen = HashSet::from([start]);
    let mut levels = Vec::new();
    match enter(view, start, order, &path, visit) {
        Ok(Some(level)) => levels.push(level),
        Ok(None) => return Ok(()),
        Err(error) => return Err(error),
    }
    while let Some(level) = levels.last_mut() {
        path.truncate(level.path_len);
        let next = level
            .order
            .get(level.taken)
            .and_then(|index| level.listing.get(*index));
        let Some(entry) = next else {
            let node = level.node;
            levels.pop();
            if visit(Step::Leave { path: &path, node }) == Next::Stop {
                return Ok(());
            }
            continue;
        };
        level.taken = level.taken.saturating_add(1);
        path.push(b'/');
        path.extend_from_slice(entry.name);
        let node = entry.node;
        let metadata = match view.metadata(node) {
            Ok(metadata) => metadata,
            Err(error) => {
                if visit(Step::Failed { path: &path, error }) == Next::Stop {
                    return Ok(());
                }
                continue;
            }
        };
        let is_dir = metadata.kind == FileKind::Directory;
        match visit(Step::Node {
            path: &path,
            node,
            metadata,
        }) {
            Next::Stop => return Ok(()),
            Next::Skip => continue,
            Next::Continue if !is_dir => continue,
            Next::Continue => {}
        }
        let refused = if !seen.insert(node) {
            Some((
                codes::DIRECTORY_TWICE,
                "a directory that has been walked already",
            ))
        } else if levels.len() >= DEPTH_MAX {
            Some((codes::DEPTH, "directories nest deeper than 4096"))
        } else {
            None
        };
        let entered = match refused {
            Some((code, detail)) => Err(refusal(code, detail)),
            None => enter(view, node, order, &path, visit),
        };
        match entered {
            Ok(Some(level)) => levels.push(level),
            Ok(None) => return Ok(()),
            Err(error) => {
                if visit(Step::Failed { path: &path, error }) == Next::Stop {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn refusal(code: Code, detail: &str) -> Error {
    flr_fs::Error::corrupt(code, 0, detail).into()
}

/// Lists a directory and reports its damaged parts. `None`: the visitor said stop.
fn enter(
    view: &View,
    node: ViewNode,
    order: Option<&Order<'_>>,
    path: &[u8],
    visit: &mut dyn FnMut(Step<'_>) -> Next,
) -> Result<Option<Level>> {
    let listing = view.listing(node)?;
    for fault in listing.damaged() {
        if visit(Step::Failed {
            path,
            error: damaged(fault),
        }) == Next::Stop
        {
            return Ok(None);
        }
    }
    let order = order.map_or_else(|| by_node(&listing), |order| order(view, &listing));
    Ok(Some(Level {
        node,
        listing,
        order,
        taken: 0,
        path_len: path.len(),
    }))
}

/// Entries by their nodes' numbers: most formats keep nodes in that order, so that they are read one
/// behind the other. In a large hashed directory that is several times as fast as the stored order.
fn by_node(listing: &Listing) -> Vec<usize> {
    let mut order: Vec<usize> = (0..listing.len()).collect();
    // With the index as well, so that nothing more has to be kept to sort names of one node.
    order.sort_unstable_by_key(|index| (listing.get(*index).map(|entry| entry.node), *index));
    order
}

fn damaged(fault: &Fault) -> Error {
    flr_fs::Error::Corrupt(fault.clone()).into()
}
