//! Which files with several names are in the archive already.

use crate::view::ViewNode;
use std::collections::HashMap;

/// Files of which not all names have been met. Memory: one name for each.
#[derive(Debug, Default)]
pub(super) struct Links(HashMap<ViewNode, Slot>);

#[derive(Debug)]
struct Slot {
    name: Vec<u8>,
    /// Names that have not been met yet, as far as the link count tells.
    left: u32,
}

impl Links {
    /// The name under which `node`, one of whose `nlink` names has been met, is in the archive.
    pub(super) fn find(&mut self, node: ViewNode, nlink: u32) -> Option<Vec<u8>> {
        if nlink < 2 {
            return None;
        }
        let slot = self.0.get_mut(&node)?;
        slot.left = slot.left.saturating_sub(1);
        if slot.left > 0 {
            return Some(slot.name.clone());
        }
        self.0.remove(&node).map(|slot| slot.name)
    }

    /// `node` is in the archive under `name` now.
    pub(super) fn stored(&mut self, node: ViewNode, nlink: u32, name: &[u8]) {
        if let left @ 1.. = nlink.saturating_sub(1) {
            let name = name.to_vec();
            self.0.insert(node, Slot { name, left });
        }
    }
}
