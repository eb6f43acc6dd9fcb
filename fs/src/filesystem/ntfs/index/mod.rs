//! Indexes: B-trees of file names (`$I30` of a directory) or of other keys (`$SII` and `$SDH` of
//! `$Secure`, `$R` of `$Extend/$Reparse`).
//!
//! The root is the value of the attribute `$INDEX_ROOT`:
//!
//! | at   | field                                                   |
//! |------|---------------------------------------------------------|
//! | 0x00 | type of the indexed attribute: 0x30, or 0 for a view    |
//! | 0x04 | collation: 1 file names, 0x10 to 0x13 others            |
//! | 0x08 | bytes of an index block, 0x0c the same in clusters      |
//! | 0x10 | node                                                    |
//!
//! The other nodes are blocks of `$INDEX_ALLOCATION`, and `$BITMAP` tells which are in use. Children
//! are named by VCN: in clusters, or in units of 512 bytes where a block is smaller than a cluster.
//! Source: Linux-NTFS documentation, "$INDEX_ROOT"; `indx_init` in `fs/ntfs3/index.c`.
//!
//! A listing goes through the blocks in the order in which they lie, those that the tree reaches: what
//! the bitmap counts as used besides is named as damage, for names may have been in it. A look-up goes
//! down the tree and reads one block for each level.

mod block;
pub mod node;
mod search;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

use self::node::Node;
use self::tree::Tree;
use super::codes;
use crate::bytes::get_le_u32;
use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::source::{ByteSource, SegmentKind};
use std::sync::{Arc, OnceLock};

pub use self::walk::Item;

/// Where the root's node begins in its value.
const ROOT_NODE_OFFSET: usize = 0x10;
/// Unit of VCNs where blocks are smaller than clusters.
const SECTOR: u64 = 512;
/// What is said of an entry that does not fit its node.
const CHILD_MISFIT: &str =
    "an index entry that has a child where its node has none, or the reverse";
/// Largest block: Windows knows 4 KiB, and larger ones on disks with larger sectors.
const BLOCK_SIZE_MAX: u32 = 64 << 10;

/// What an index is made of.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// Value of `$INDEX_ROOT`.
    pub root: &'a [u8],
    /// Byte offset of that value on the volume.
    pub at: u64,
    /// Content of `$INDEX_ALLOCATION`, all of it, if there is one.
    pub allocation: Option<Arc<dyn ByteSource>>,
    /// Content of `$BITMAP`, resident or not, if there is one.
    pub bitmap: Option<Arc<dyn ByteSource>>,
    /// Bytes of a cluster of the volume.
    pub cluster_size: u32,
}

/// An opened index. Cheap to keep: the root, and bits for its blocks once it has been listed.
#[derive(Debug)]
pub struct Index {
    root: Box<[u8]>,
    at: u64,
    allocation: Option<Arc<dyn ByteSource>>,
    bitmap: Option<Arc<dyn ByteSource>>,
    block_size: u32,
    /// Bytes that one step of a VCN stands for.
    vcn_size: u64,
    block_count: u32,
    tree: OnceLock<Tree>,
}

impl Index {
    /// Opens an index.
    ///
    /// # Errors
    /// [`codes::INDEX_ROOT`] for a root that makes no sense, [`codes::INDEX_SIZE`] for an allocation of
    /// more bytes than [`Limits::directory_bytes_max`].
    pub fn open(parts: Parts<'_>, limits: &Limits) -> Result<Self> {
        let Parts { root, at, .. } = parts;
        let bad = |detail: String| Error::corrupt(codes::INDEX_ROOT, at, detail);
        let block_size = get_le_u32(root, 0x8)
            .ok_or_else(|| bad(format!("an index root of {} bytes", root.len())))?;
        if !block_size.is_power_of_two() || !(512..=BLOCK_SIZE_MAX).contains(&block_size) {
            return Err(bad(format!("index blocks of {block_size} bytes")));
        }
        Node::parse(root.get(ROOT_NODE_OFFSET..).unwrap_or_default()).map_err(bad)?;
        let allocated = parts.allocation.as_ref().map_or(0, |source| source.size());
        if allocated > limits.directory_bytes_max {
            let detail = format!("an index of {allocated} bytes");
            return Err(Error::limit(codes::INDEX_SIZE, at, detail));
        }
        let block_count = allocated.checked_div(block_size.into()).unwrap_or(0);
        let vcn_size = match parts.cluster_size {
            cluster_size if block_size < cluster_size => SECTOR,
            cluster_size => cluster_size.max(1).into(),
        };
        Ok(Self {
            root: root.into(),
            at,
            block_size,
            vcn_size,
            block_count: u32::try_from(block_count)
                .map_err(|_| Error::limit(codes::INDEX_SIZE, at, "too many index blocks"))?,
            allocation: parts.allocation,
            bitmap: parts.bitmap,
            tree: OnceLock::new(),
        })
    }

    /// Bytes of the allocation: how much a whole listing reads at most.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        u64::from(self.block_count).saturating_mul(self.block_size.into())
    }

    fn root_node(&self) -> Result<Node<'_>, String> {
        Node::parse(self.root.get(ROOT_NODE_OFFSET..).unwrap_or_default())
    }

    /// Number of the block that a child's VCN means.
    fn block_of(&self, vcn: u64) -> Result<u32, String> {
        let wrong = || {
            let count = self.block_count;
            format!("a child at VCN {vcn:#x}, of {count} index blocks")
        };
        let offset = vcn.checked_mul(self.vcn_size).ok_or_else(wrong)?;
        let size = u64::from(self.block_size);
        let block = offset.checked_div(size).unwrap_or(0);
        let block = u32::try_from(block).ok();
        block
            .filter(|block| *block < self.block_count && offset.is_multiple_of(size))
            .ok_or_else(wrong)
    }

    fn vcn_of(&self, block: u32) -> u64 {
        let offset = self.offset_of(block);
        offset.checked_div(self.vcn_size).unwrap_or(0)
    }

    /// Byte of the allocation at which a block begins.
    fn offset_of(&self, block: u32) -> u64 {
        u64::from(block).saturating_mul(self.block_size.into())
    }

    /// Byte of the volume at which a block begins, for messages; the root's where it cannot be told.
    fn place_of(&self, block: u32) -> u64 {
        let offset = self.offset_of(block);
        let end = offset.saturating_add(u64::from(self.block_size));
        let segment = self
            .allocation
            .as_ref()
            .map(|it| it.segment_at(offset..end));
        match segment {
            Some(Ok(segment)) => match segment.kind {
                SegmentKind::Stored(location) => location.offset,
                _ => self.at,
            },
            _ => self.at,
        }
    }

    /// Reads blocks that lie one after the other.
    fn read_blocks(&self, first: u32, count: usize) -> Result<Vec<u8>> {
        let block_len = usize::try_from(self.block_size).unwrap_or(usize::MAX);
        let mut bytes = vec![0; block_len.saturating_mul(count)];
        match &self.allocation {
            Some(allocation) => allocation.read_at(self.offset_of(first), &mut bytes)?,
            None => {
                let detail = "an index with children and without blocks";
                return Err(Error::corrupt(codes::INDEX_BLOCK, self.at, detail));
            }
        }
        Ok(bytes)
    }

    fn fault_of(&self, error: &Error, block: u32) -> Fault {
        match error.fault() {
            Some(fault) => fault.clone(),
            None => Fault::new(codes::INDEX_READ, self.place_of(block), error.to_string()),
        }
    }

    /// Which blocks the tree reaches. Reads its inner nodes, once.
    fn tree(&self) -> &Tree {
        if let Some(tree) = self.tree.get() {
            return tree;
        }
        // Two threads may both read it: no lock is held across reads.
        let tree = Tree::read(self);
        self.tree.get_or_init(|| tree)
    }
}
