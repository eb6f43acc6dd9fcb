//! Hard links: which node has been copied where, so that its further names can be linked to that.
//!
//! The table holds only what its copies created. Where a file is still being copied, whoever meets
//! another name of it waits; the one that copies never waits for anybody.

use super::destination::{EntryName, Identity};
use super::run::DirState;
use super::verify::Digest;
use crate::view::{View, ViewNode};
use flr_fs::{Filesystem, NodeId};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Where the first copy of a node stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) dir: Arc<DirState>,
    pub(super) name: EntryName,
    pub(super) identity: Identity,
    pub(super) digest: Option<Digest>,
}

/// What several copies into one destination know of files with more than one name. Files with one name
/// take no memory here, and the others only until all their names have come.
#[derive(Debug, Default)]
pub struct LinkTable {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pairs: Vec<Pair>,
    nodes: HashMap<Key, Slot>,
    /// What a plan has met.
    met: HashSet<Key>,
}

/// A filesystem and the directory that it is copied into. Only within a pair can names be linked.
#[derive(Debug)]
struct Pair {
    filesystem: Arc<dyn Filesystem>,
    root: Identity,
}

/// A node, by its pair's place in the list.
type Key = (usize, NodeId);

#[derive(Debug)]
struct Slot {
    /// `None` while it is being copied.
    place: Option<Place>,
    /// Names that have not been met yet, as far as the link count tells.
    names_left: u32,
}

/// The table as one copy sees it.
#[derive(Debug)]
pub(super) struct Links<'a> {
    table: &'a LinkTable,
    /// The pair of every filesystem of the view.
    pairs: Vec<usize>,
}

/// What to do with a name.
pub(super) enum Claim<'a> {
    /// Copy it, then say where it is.
    Copy(Ticket<'a>),
    /// Link it to what is there.
    Link(Place),
    /// Copy it: nothing is known of such nodes.
    Alone,
}

/// The duty to copy a node. Dropped without [`Ticket::done`], the next name takes it over.
pub(super) struct Ticket<'a> {
    table: &'a LinkTable,
    key: Key,
}

impl LinkTable {
    /// The table for a copy of `view` into the directory `root`.
    pub(super) fn of(&self, view: &View, root: Identity) -> Links<'_> {
        let pairs = &mut self.lock().pairs;
        let mut pair_of = |filesystem: &Arc<dyn Filesystem>| {
            let known = pairs
                .iter()
                .position(|pair| pair.root == root && Arc::ptr_eq(&pair.filesystem, filesystem));
            known.unwrap_or_else(|| {
                let filesystem = Arc::clone(filesystem);
                pairs.push(Pair { filesystem, root });
                pairs.len().saturating_sub(1)
            })
        };
        Links {
            table: self,
            pairs: view.filesystems().iter().map(&mut pair_of).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Links<'a> {
    /// Whether this is the first name of `node` that a plan comes to.
    pub(super) fn is_first(&self, node: ViewNode) -> bool {
        let pair = self.pairs.get(usize::from(node.filesystem));
        pair.is_none_or(|pair| self.table.lock().met.insert((*pair, node.node)))
    }

    /// Asks what to do with one name of `node`, which has `nlink` names in all.
    pub(super) fn claim(&self, node: ViewNode, nlink: u32) -> Claim<'a> {
        let Some(pair) = self.pairs.get(usize::from(node.filesystem)) else {
            return Claim::Alone;
        };
        let (table, key) = (self.table, (*pair, node.node));
        let mut state = table.lock();
        loop {
            match state.nodes.get_mut(&key) {
                None => {
                    let slot = Slot {
                        place: None,
                        names_left: nlink.saturating_sub(1),
                    };
                    state.nodes.insert(key, slot);
                    return Claim::Copy(Ticket { table, key });
                }
                Some(Slot {
                    place: Some(place),
                    names_left,
                }) => {
                    let place = place.clone();
                    *names_left = names_left.saturating_sub(1);
                    if *names_left == 0 {
                        state.nodes.remove(&key);
                    }
                    return Claim::Link(place);
                }
                Some(Slot { place: None, .. }) => {
                    state = table
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Ticket<'_> {
    /// The node stands at `place` now.
    pub(super) fn done(self, place: Place) {
        if let Some(slot) = self.table.lock().nodes.get_mut(&self.key) {
            slot.place = Some(place);
        }
        // Dropping `self` wakes the others.
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.table.lock();
        let slot = state.nodes.get(&self.key);
        if slot.is_some_and(|slot| slot.place.is_none()) {
            state.nodes.remove(&self.key);
        }
        drop(state);
        self.table.changed.notify_all();
    }
}
