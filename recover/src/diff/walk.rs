//! Both trees side by side: a stack, no recursion, names in the order of their bytes.

use super::content::Pieces;
use super::properties::{Fields, Pair};
use super::{Change, DiffOptions, Difference, Effort, Half, Kept, Side, Step};
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::view::{Resolved, View, ViewNode};
use crate::walk::{DEPTH_MAX, codes};
use flr_fs::{FileKind, Request};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool};

/// Who is told; breaks to end the comparison.
type Visitor<'a> = dyn FnMut(Step) -> ControlFlow<()> + 'a;

/// Compares two nodes and all that is below them; what is known to be [`Kept`] in both is not read. Memory is
/// bounded by the listings of one path of directories and by 16 bytes per directory, but for `renames`.
///
/// # Errors
/// [`Request::Cancelled`]. What cannot be read is a [`Step::Failed`].
pub fn diff(
    before: (&View, &Resolved),
    after: (&View, &Resolved),
    options: DiffOptions,
    kept: &Kept,
    cancel: &AtomicBool,
    visit: &mut Visitor<'_>,
) -> Result<Effort> {
    let half = |resolved: &Resolved| Half {
        path: Vec::new(),
        node: resolved.node,
        metadata: resolved.metadata.clone(),
    };
    let mut walk = Walk {
        pair: Pair {
            before: before.0,
            after: after.0,
            content: options.content,
            kept,
            cancel,
            pieces: Pieces::default(),
        },
        renames: options.renames.then(Vec::new),
        seen: [HashSet::new(), HashSet::new()],
        levels: Vec::new(),
        path: Vec::new(),
        visit,
    };
    let flow = walk.both(half(before.1), half(after.1));
    let flow = flow.and_then(|flow| match flow {
        ControlFlow::Continue(()) => walk.levels(),
        ControlFlow::Break(()) => Ok(flow),
    })?;
    if flow.is_continue() {
        walk.settle_renames()?;
    }
    Ok(walk.pair.pieces.effort)
}

/// A directory of one tree.
struct Entries {
    listing: Arc<Listing>,
    /// Indexes in the order of names.
    order: Vec<usize>,
    taken: usize,
}

impl Entries {
    fn peek(&self) -> Option<(&[u8], ViewNode)> {
        let index = self.order.get(self.taken)?;
        let entry = self.listing.get(*index)?;
        Some((entry.name, entry.node))
    }

    const fn next(&mut self) {
        self.taken = self.taken.saturating_add(1);
    }

    fn is_whole(&self) -> bool {
        self.listing.damaged().is_empty()
    }
}

/// A directory being compared, or one that is in one tree only.
struct Level {
    before: Option<Entries>,
    after: Option<Entries>,
    path_len: usize,
}

struct Walk<'a, 'v> {
    pair: Pair<'a>,
    /// What has come and gone, if it is looked at in the end.
    renames: Option<Vec<Difference>>,
    seen: [HashSet<ViewNode>; 2],
    levels: Vec<Level>,
    path: Vec<u8>,
    visit: &'v mut Visitor<'v>,
}

type Flow = Result<ControlFlow<()>>;

const GO_ON: Flow = Ok(ControlFlow::Continue(()));

impl Walk<'_, '_> {
    fn levels(&mut self) -> Flow {
        while let Some(level) = self.levels.last() {
            if self.pair.cancel.load(atomic::Ordering::Relaxed) {
                return Err(Request::Cancelled.into());
            }
            self.path.truncate(level.path_len);
            let before = level.before.as_ref().and_then(Entries::peek);
            let after = level.after.as_ref().and_then(Entries::peek);
            let order = match (before, after) {
                (None, None) => {
                    self.levels.pop();
                    continue;
                }
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((before, _)), Some((after, _))) => before.cmp(after),
            };
            let entry = if order == Ordering::Greater {
                after
            } else {
                before
            };
            if let Some((name, _)) = entry {
                self.path.push(b'/');
                self.path.extend_from_slice(name);
            }
            let (before, after) = (before.map(|entry| entry.1), after.map(|entry| entry.1));
            let flow = match order {
                Ordering::Less => self.take_one(Side::Before, before),
                Ordering::Greater => self.take_one(Side::After, after),
                Ordering::Equal => self.take_both(before, after),
            };
            if flow?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        GO_ON
    }

    fn advance(&mut self, side: Side) {
        if let Some(level) = self.levels.last_mut() {
            let entries = match side {
                Side::Before => &mut level.before,
                Side::After => &mut level.after,
            };
            if let Some(entries) = entries {
                entries.next();
            }
        }
    }

    fn take_both(&mut self, before: Option<ViewNode>, after: Option<ViewNode>) -> Flow {
        self.advance(Side::Before);
        self.advance(Side::After);
        let before = before.map(|node| self.half(Side::Before, node));
        let after = after.map(|node| self.half(Side::After, node));
        match (before, after) {
            (Some(Ok(before)), Some(Ok(after))) => self.both(before, after),
            (Some(Err(error)), _) => self.failed(Side::Before, error),
            (_, Some(Err(error))) => self.failed(Side::After, error),
            _ => GO_ON,
        }
    }

    fn take_one(&mut self, side: Side, node: Option<ViewNode>) -> Flow {
        self.advance(side);
        let Some(node) = node else {
            return GO_ON;
        };
        let other = self.levels.last().and_then(|level| match side {
            Side::Before => level.after.as_ref(),
            Side::After => level.before.as_ref(),
        });
        // It may be in the part that could not be read, which has been told.
        if other.is_some_and(|other| !other.is_whole()) {
            return GO_ON;
        }
        match self.half(side, node) {
            Ok(half) => self.one(side, half),
            Err(error) => self.failed(side, error),
        }
    }

    fn half(&self, side: Side, node: ViewNode) -> Result<Half> {
        Ok(Half {
            path: self.path.clone(),
            node,
            metadata: self.pair.view(side).metadata(node)?,
        })
    }

    /// A node of both trees.
    fn both(&mut self, before: Half, after: Half) -> Flow {
        let (old, new) = (before.metadata.kind, after.metadata.kind);
        if old != new {
            return self.other_kind(before, after);
        }
        let nodes = (before.node, after.node);
        let step = match self.pair.compare(&before, &after) {
            Ok(fields) if fields.names.is_empty() => Step::Same,
            Ok(fields) => different(difference(before, after, fields)),
            Err((side, error)) => return self.failed(side, error),
        };
        if (self.visit)(step).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        match old {
            FileKind::Directory => self.enter(Some(nodes.0), Some(nodes.1)),
            _ => GO_ON,
        }
    }

    /// A node that became another one; what was below it is gone, what is below it is new.
    fn other_kind(&mut self, before: Half, after: Half) -> Flow {
        let dir = |half: &Half| {
            let is_dir = half.metadata.kind == FileKind::Directory;
            is_dir.then_some(half.node)
        };
        let (old, new) = (dir(&before), dir(&after));
        let step = different(Difference {
            change: Change::Type,
            before: Some(before),
            after: Some(after),
            fields: Vec::new(),
        });
        if (self.visit)(step).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        match (old, new) {
            (None, None) => GO_ON,
            _ => self.enter(old, new),
        }
    }

    /// A node of one tree.
    fn one(&mut self, side: Side, half: Half) -> Flow {
        let dir = (half.metadata.kind == FileKind::Directory).then_some(half.node);
        let difference = match side {
            Side::Before => Difference {
                change: Change::Removed,
                before: Some(half),
                after: None,
                fields: Vec::new(),
            },
            Side::After => Difference {
                change: Change::Added,
                before: None,
                after: Some(half),
                fields: Vec::new(),
            },
        };
        match &mut self.renames {
            Some(renames) => renames.push(difference),
            None => {
                if (self.visit)(different(difference)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        match (dir, side) {
            (None, _) => GO_ON,
            (dir, Side::Before) => self.enter(dir, None),
            (dir, Side::After) => self.enter(None, dir),
        }
    }

    fn enter(&mut self, before: Option<ViewNode>, after: Option<ViewNode>) -> Flow {
        let mut sides = [None, None];
        let nodes = [(Side::Before, before), (Side::After, after)];
        for (place, (side, node)) in sides.iter_mut().zip(nodes) {
            let Some(node) = node else {
                continue;
            };
            match self.entries(side, node) {
                Ok(entries) => *place = Some(entries),
                // Without one of the two nothing can be said of what is in either.
                Err(error) => return self.failed(side, error),
            }
        }
        let damaged = nodes
            .into_iter()
            .zip(&sides)
            .flat_map(|((side, _), entries)| {
                let faults = entries.iter().flat_map(|entries| entries.listing.damaged());
                faults.map(move |fault| (side, flr_fs::Error::Corrupt(fault.clone())))
            });
        for (side, error) in damaged.collect::<Vec<_>>() {
            if self.failed(side, error.into())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let [before, after] = sides;
        self.levels.push(Level {
            before,
            after,
            path_len: self.path.len(),
        });
        GO_ON
    }

    fn entries(&mut self, side: Side, node: ViewNode) -> Result<Entries> {
        let [before, after] = &mut self.seen;
        let seen = match side {
            Side::Before => before,
            Side::After => after,
        };
        if !seen.insert(node) {
            let twice = "a directory that has been walked already";
            return Err(flr_fs::Error::corrupt(codes::DIRECTORY_TWICE, 0, twice).into());
        }
        if self.levels.len() >= DEPTH_MAX {
            let deep = "directories nest deeper than 4096";
            return Err(flr_fs::Error::corrupt(codes::DEPTH, 0, deep).into());
        }
        let listing = self.pair.view(side).listing(node)?;
        let mut order: Vec<usize> = (0..listing.len()).collect();
        order.sort_by_key(|index| listing.get(*index).map(|entry| entry.name));
        Ok(Entries {
            listing,
            order,
            taken: 0,
        })
    }

    fn failed(&mut self, side: Side, error: Error) -> Flow {
        if matches!(error, Error::Fs(flr_fs::Error::Request(Request::Cancelled))) {
            return Err(error);
        }
        let path = self.path.clone();
        Ok((self.visit)(Step::Failed { path, side, error }))
    }

    /// Tells what has come and gone, and of it what is the same file.
    fn settle_renames(&mut self) -> Result<()> {
        let Some(differences) = self.renames.take() else {
            return Ok(());
        };
        let mut gone: HashMap<Identity, Vec<usize>> = HashMap::new();
        for (index, difference) in differences.iter().enumerate() {
            if let Some(half) = &difference.before
                && let Some(identity) = self.identity(Side::Before, half)
            {
                gone.entry(identity).or_default().push(index);
            }
        }
        let mut differences: Vec<_> = differences.into_iter().map(Some).collect();
        for index in 0..differences.len() {
            let Some(difference) = differences.get_mut(index).and_then(Option::take) else {
                continue;
            };
            let Some(after) = &difference.after else {
                // It may yet be found under its new name.
                if let Some(place) = differences.get_mut(index) {
                    *place = Some(difference);
                }
                continue;
            };
            let identity = self.identity(Side::After, after);
            let old = identity.and_then(|identity| gone.get_mut(&identity)?.pop());
            let old = old.and_then(|old| differences.get_mut(old)?.take());
            let step = match old.and_then(|old| old.before) {
                Some(before) => self.renamed(before, difference),
                None => different(difference),
            };
            if (self.visit)(step).is_break() {
                return Ok(());
            }
        }
        for difference in differences.into_iter().flatten() {
            if (self.visit)(different(difference)).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn renamed(&mut self, before: Half, added: Difference) -> Step {
        let Some(after) = added.after else {
            return different(added);
        };
        match self.pair.compare(&before, &after) {
            Ok(fields) => different(Difference {
                change: Change::Renamed,
                ..difference(before, after, fields)
            }),
            Err((side, error)) => Step::Failed {
                path: after.path,
                side,
                error,
            },
        }
    }

    fn identity(&self, side: Side, half: &Half) -> Option<Identity> {
        let uuid = self.pair.uuid(side, half.node)?.to_owned();
        let metadata = &half.metadata;
        Some((uuid, metadata.inode, metadata.generation, metadata.kind))
    }
}

/// What is the same file at two points of one filesystem.
type Identity = (String, u64, u64, FileKind);

fn different(difference: Difference) -> Step {
    Step::Different(Box::new(difference))
}

fn difference(before: Half, after: Half, fields: Fields) -> Difference {
    Difference {
        change: match fields.is_content {
            true => Change::Content,
            false => Change::Metadata,
        },
        before: Some(before),
        after: Some(after),
        fields: fields.names,
    }
}
