//! Which blocks of an index its tree reaches.

use super::{Index, block};

/// Deepest tree: with two entries in each node, 2^32 blocks are 32 levels.
pub(super) const DEPTH_MAX: usize = 32;

/// A set of blocks.
#[derive(Debug)]
pub(super) struct Blocks(Vec<u64>);

impl Blocks {
    fn none_of(count: u32) -> Self {
        let words = usize::try_from(count.div_ceil(64)).unwrap_or(0);
        Self(vec![0; words])
    }

    fn place(block: u32) -> (usize, u64) {
        let word = usize::try_from(block / 64).unwrap_or(usize::MAX);
        (word, 1_u64.checked_shl(block % 64).unwrap_or(0))
    }

    pub(super) fn has(&self, block: u32) -> bool {
        let (word, bit) = Self::place(block);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Returns whether it was there already.
    fn put(&mut self, block: u32) -> bool {
        let (word, bit) = Self::place(block);
        match self.0.get_mut(word) {
            Some(word) => {
                let had = *word & bit != 0;
                *word |= bit;
                had
            }
            None => true,
        }
    }
}

/// What the inner nodes say. Damage in them shows when they are listed, so it is not kept here.
#[derive(Debug)]
pub(super) struct Tree {
    /// Named as a child.
    pub reached: Blocks,
    /// Named as a child more than once.
    pub repeated: Blocks,
    /// Expected to have children of its own.
    pub inner: Blocks,
}

impl Tree {
    /// Reads the inner nodes. All leaves of a tree lie equally deep, so that one of a level tells for
    /// the whole level whether it has to be read.
    pub(super) fn read(index: &Index) -> Self {
        let none = || Blocks::none_of(index.block_count);
        let mut tree = Self {
            reached: none(),
            repeated: none(),
            inner: none(),
        };
        let mut level = Vec::new();
        if let Ok(root) = index.root_node() {
            tree.children_of(index, &root, &mut level);
        }
        for _ in 0..DEPTH_MAX {
            let mut below = Vec::new();
            let mut is_known = false;
            for number in std::mem::take(&mut level) {
                let Ok(mut bytes) = index.read_blocks(number, 1) else {
                    continue;
                };
                let Ok(node) = block::open(&mut bytes, index.vcn_of(number), 0) else {
                    continue;
                };
                if !is_known && !node.has_children {
                    return tree;
                }
                is_known = true;
                tree.inner.put(number);
                tree.children_of(index, &node, &mut below);
            }
            level = below;
        }
        tree
    }

    fn children_of(&mut self, index: &Index, node: &super::Node<'_>, out: &mut Vec<u32>) {
        if !node.has_children {
            return;
        }
        let entries = node.steps().filter_map(|step| step.entry.ok());
        for vcn in entries.filter_map(|entry| entry.child) {
            let Ok(block) = index.block_of(vcn) else {
                continue;
            };
            if self.reached.put(block) {
                self.repeated.put(block);
            } else {
                out.push(block);
            }
        }
    }
}
