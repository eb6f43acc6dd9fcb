//! Going down the tree for one key.

use super::node::{Entry, Node};
use super::tree::DEPTH_MAX;
use super::{CHILD_MISFIT, Index, block};
use crate::error::Fault;
use crate::filesystem::ntfs::codes;
use std::cmp::Ordering;

impl Index {
    /// Looks for the entry that `compare` calls equal. `compare` tells where an entry stands relative to
    /// the one that is wanted; every entry that it is asked about lies on the way down, and with them the
    /// neighbours that the wanted one has or would have. Reads one block for each level.
    ///
    /// `Ok(false)` means that the tree leads to no such entry. A tree that is damaged elsewhere may lead
    /// astray, so this alone does not prove that there is none.
    ///
    /// # Errors
    /// The first damage on the way.
    pub fn search(
        &self,
        compare: &mut dyn FnMut(&Entry<'_>) -> Result<Ordering, String>,
    ) -> Result<bool, Fault> {
        let bad = |at: u64, detail: String| Fault::new(codes::INDEX_BLOCK, at, detail);
        let root = self.root_node().map_err(|detail| bad(self.at, detail))?;
        let mut child = match down(&root, compare).map_err(|detail| bad(self.at, detail))? {
            Way::Here => return Ok(true),
            Way::Nowhere => return Ok(false),
            Way::Below(vcn) => vcn,
        };
        for _ in 0..DEPTH_MAX {
            let number = self
                .block_of(child)
                .map_err(|detail| bad(self.at, detail))?;
            let at = self.place_of(number);
            let mut bytes = self
                .read_blocks(number, 1)
                .map_err(|error| self.fault_of(&error, number))?;
            let node = block::open(&mut bytes, self.vcn_of(number), at)?;
            child = match down(&node, compare).map_err(|detail| bad(at, detail))? {
                Way::Here => return Ok(true),
                Way::Nowhere => return Ok(false),
                Way::Below(vcn) => vcn,
            };
        }
        Err(bad(
            self.at,
            format!("an index of more than {DEPTH_MAX} levels"),
        ))
    }
}

/// Where a node sends a search.
enum Way {
    Here,
    Nowhere,
    Below(u64),
}

fn down(
    node: &Node<'_>,
    compare: &mut dyn FnMut(&Entry<'_>) -> Result<Ordering, String>,
) -> Result<Way, String> {
    for step in node.steps() {
        let entry = step.entry?;
        if !step.fits {
            return Err(CHILD_MISFIT.to_owned());
        }
        let order = if entry.is_last {
            Ordering::Greater
        } else {
            compare(&entry)?
        };
        match (order, entry.child) {
            (Ordering::Less, _) => {}
            (Ordering::Equal, _) => return Ok(Way::Here),
            (Ordering::Greater, Some(vcn)) => return Ok(Way::Below(vcn)),
            (Ordering::Greater, None) => return Ok(Way::Nowhere),
        }
    }
    // A node without a last entry ends its steps with an error.
    Ok(Way::Nowhere)
}
