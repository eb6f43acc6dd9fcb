//! Hard links: which node has been copied where, so that its further names can be linked to that.
//!
//! The table holds only what this copy created. Where a file is still being copied, whoever meets
//! another name of it waits; the one that copies never waits for anybody.

use super::destination::{EntryName, Identity};
use super::run::DirState;
use super::verify::Digest;
use crate::view::ViewNode;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Where the first copy of a node stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) dir: Arc<DirState>,
    pub(super) name: EntryName,
    pub(super) identity: Identity,
    pub(super) digest: Option<Digest>,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct LinkTable {
    nodes: Mutex<HashMap<ViewNode, Slot>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Slot {
    /// `None` while it is being copied.
    place: Option<Place>,
    /// Names that have not been met yet, as far as the link count tells.
    names_left: u32,
}

/// What to do with a name.
pub(super) enum Claim<'a> {
    /// Copy it, then say where it is.
    Copy(Ticket<'a>),
    /// Link it to what is there.
    Link(Place),
}

/// The duty to copy a node. Dropped without [`Ticket::done`], the next name takes it over.
pub(super) struct Ticket<'a> {
    table: &'a LinkTable,
    node: ViewNode,
}

impl LinkTable {
    /// Asks what to do with one name of `node`, which has `nlink` names in all.
    pub(super) fn claim(&self, node: ViewNode, nlink: u32) -> Claim<'_> {
        let mut nodes = self.lock();
        loop {
            match nodes.get_mut(&node) {
                None => {
                    let slot = Slot {
                        place: None,
                        names_left: nlink.saturating_sub(1),
                    };
                    nodes.insert(node, slot);
                    return Claim::Copy(Ticket { table: self, node });
                }
                Some(Slot {
                    place: Some(place),
                    names_left,
                }) => {
                    let place = place.clone();
                    *names_left = names_left.saturating_sub(1);
                    if *names_left == 0 {
                        nodes.remove(&node);
                    }
                    return Claim::Link(place);
                }
                Some(Slot { place: None, .. }) => {
                    nodes = self
                        .changed
                        .wait(nodes)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ViewNode, Slot>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// The node stands at `place` now.
    pub(super) fn done(self, place: Place) {
        if let Some(slot) = self.table.lock().get_mut(&self.node) {
            slot.place = Some(place);
        }
        // Dropping `self` wakes the others.
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut nodes = self.table.lock();
        if nodes
            .get(&self.node)
            .is_some_and(|slot| slot.place.is_none())
        {
            nodes.remove(&self.node);
        }
        drop(nodes);
        self.table.changed.notify_all();
    }
}
