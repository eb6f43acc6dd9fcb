//! FUSE inode numbers and the nodes they stand for.
//!
//! The mapping is arithmetic, so that nothing has to be remembered or forgotten:
//!
//! | bits  | what                                                    |
//! |-------|---------------------------------------------------------|
//! | 63    | stand-in for a node whose metadata cannot be read       |
//! | 62    | node 0, which FUSE cannot say (0 means "no such entry") |
//! | 48-61 | index of the filesystem, if the view has several        |
//! | 0-47  | the node in it                                          |
//!
//! The view's root must be 1. The number 1 and the root's own number are swapped; all others of the
//! first filesystem are those that `ls -i` shows on the source machine.

use flr_fs::NodeId;
use flr_recover::ViewNode;

const STAND_IN: u64 = 1 << 63;
const NODE_ZERO: u64 = 1 << 62;
const FILESYSTEM_SHIFT: u32 = 48;
const FILESYSTEM_INDEX_MAX: u64 = (1 << 14) - 1;
const ROOT: u64 = 1;

/// The mapping of one view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inodes {
    /// The number that the root would have without the swap.
    root: u64,
    several: bool,
}

impl Inodes {
    /// The mapping of a view with this root; `several`: it may hold nodes of more than one filesystem.
    /// `None` if the root's number is out of reach.
    pub(crate) fn new(root: ViewNode, several: bool) -> Option<Self> {
        Some(Self {
            root: plain_number(root, several)?,
            several,
        })
    }

    /// The number of a node, or `None` if it is too large for the mapping. No node of a format that
    /// is read is: they are numbered in 32 or 48 bits.
    pub(crate) fn number(&self, node: ViewNode) -> Option<u64> {
        Some(self.swap(plain_number(node, self.several)?))
    }

    /// The node of a number, or `None` for a stand-in and for numbers that were never handed out.
    pub(crate) fn node(&self, number: u64) -> Option<ViewNode> {
        if number == 0 || number & STAND_IN != 0 {
            return None;
        }
        let plain = self.swap(number);
        let zero = plain & NODE_ZERO != 0;
        let plain = plain & !NODE_ZERO;
        let (index, node) = if self.several {
            let node = plain & ((1 << FILESYSTEM_SHIFT) - 1);
            (u16::try_from(plain >> FILESYSTEM_SHIFT).ok()?, node)
        } else {
            (0, plain)
        };
        // Only node 0 is written with the bit for node 0, and it is never written without.
        if zero != (node == 0) {
            return None;
        }
        Some(ViewNode {
            filesystem: index,
            node: NodeId(node),
        })
    }

    /// A number to list a node under whose metadata cannot be read. It differs from the node's own,
    /// so that the kernel does not take made-up metadata for what it knows of an open file.
    pub(crate) fn stand_in(&self, node: ViewNode) -> u64 {
        self.number(node).unwrap_or(node.node.0 | ROOT) | STAND_IN
    }

    const fn swap(&self, number: u64) -> u64 {
        if number == ROOT {
            self.root
        } else if number == self.root {
            ROOT
        } else {
            number
        }
    }
}

fn plain_number(node: ViewNode, several: bool) -> Option<u64> {
    let index = u64::from(node.filesystem);
    let node_max = match several {
        true => (1 << FILESYSTEM_SHIFT) - 1,
        false => NODE_ZERO - 1,
    };
    if node.node.0 > node_max || index > FILESYSTEM_INDEX_MAX || (index > 0 && !several) {
        return None;
    }
    let number = (index << FILESYSTEM_SHIFT) | node.node.0;
    Some(if node.node.0 == 0 {
        number | NODE_ZERO
    } else {
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(filesystem: u16, node: u64) -> ViewNode {
        ViewNode {
            filesystem,
            node: NodeId(node),
        }
    }

    #[test]
    fn one_filesystem_shows_its_own_numbers() {
        let inodes = Inodes::new(node(0, 2), false).unwrap();
        assert_eq!(inodes.number(node(0, 2)), Some(1));
        assert_eq!(inodes.number(node(0, 1)), Some(2));
        assert_eq!(inodes.number(node(0, 12)), Some(12));
        assert_eq!(inodes.number(node(0, (1 << 48) + 5)), Some((1 << 48) + 5));
        assert_eq!(inodes.number(node(0, 1 << 62)), None);
        assert_eq!(inodes.number(node(1, 12)), None);
    }

    #[test]
    fn several_filesystems_do_not_meet() {
        let inodes = Inodes::new(node(0, 2), true).unwrap();
        assert_eq!(inodes.number(node(0, 12)), Some(12));
        assert_eq!(inodes.number(node(3, 12)), Some((3 << 48) | 12));
        assert_eq!(inodes.number(node(0, 1 << 48)), None);
        assert_eq!(inodes.number(node(1 << 14, 1)), None);
    }

    #[test]
    fn every_number_leads_back_and_none_is_zero() {
        for several in [false, true] {
            for root in [0, 1, 2, 5, 128, 0xffff_ffff] {
                let inodes = Inodes::new(node(0, root), several).unwrap();
                let mut seen = std::collections::HashSet::new();
                for index in if several { 0..4 } else { 0..1 } {
                    for id in (0..20).chain([root, 0xffff_ffff, (1 << 48) - 1]) {
                        let number = inodes.number(node(index, id)).unwrap();
                        assert_ne!(number, 0);
                        assert_eq!(inodes.node(number), Some(node(index, id)));
                        assert_eq!(number == 1, (index, id) == (0, root));
                        seen.insert(number);
                        let stand_in = inodes.stand_in(node(index, id));
                        assert_eq!(inodes.node(stand_in), None);
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_that_were_never_handed_out_stand_for_nothing() {
        let inodes = Inodes::new(node(0, 2), true).unwrap();
        for number in [0, 3 << 48, NODE_ZERO | 7, u64::MAX, STAND_IN] {
            assert_eq!(inodes.node(number), None, "{number:#x}");
        }
    }
}
