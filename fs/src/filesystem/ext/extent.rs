//! Extent trees: a header, then extents (in leaves) or pointers to nodes one level down.
//!
//! ```text
//! header  0 magic 0xf30a  2 entries  4 max  6 depth  8 generation
//! extent  0 first block of the file  4 length  6 start high  8 start low
//! index   0 first block of the file  4 node low  8 node high  10 unused
//! ```
//!
//! The root lies in the inode, with room for four entries; other nodes fill a block and may carry a
//! checksum behind their last possible entry. A length above 32768 marks an extent that has been
//! reserved but never written. Source: `fs/ext4/ext4_extents.h` and `__ext4_ext_check` in
//! `fs/ext4/extents.c` of Linux 6.18.

use super::codes;
use super::disk::{Disk, Piece};
use super::inode::Inode;
use super::runs::{Run, Runs};
use crate::bytes::{get_array, join_u32, le_u16, le_u32, len_u64};
use crate::error::{Error, Result};
use std::collections::HashSet;

const MAGIC: u16 = 0xf30a;
/// Levels below the root that the kernel accepts.
const DEPTH_MAX: u16 = 5;
const ENTRY_LEN: usize = 12;
/// Longest extent; longer lengths stand for unwritten ones.
const WRITTEN_LEN_MAX: u16 = 32768;
/// One more than the last block that a file can have.
const LOGICAL_END: u64 = 1 << 32;

/// A node that is being read.
struct Node {
    bytes: Piece,
    at: u64,
    depth: u16,
    entries: usize,
    next: usize,
    /// First block behind the range that the parent gives this node.
    logical_end: u64,
}

/// Reads a whole extent tree.
///
/// # Errors
/// Any damage: a map with a part missing would show zeros where there is data.
pub(super) fn read(disk: &Disk, inode: &Inode) -> Result<Runs> {
    let mut runs = Runs::default();
    let mut seen = HashSet::new();
    let root_at = inode.at.saturating_add(0x28);
    let run_count_max = disk.run_count_max(inode.kind);
    let mut stack = vec![root(inode, root_at)?];
    while let Some(node) = stack.last_mut() {
        if node.next == node.entries {
            stack.pop();
            continue;
        }
        let start = node.next.saturating_add(1).saturating_mul(ENTRY_LEN);
        let at = node.at.saturating_add(len_u64(start));
        let raw: [u8; ENTRY_LEN] = get_array(&node.bytes, start).ok_or_else(|| short(at))?;
        node.next = node.next.saturating_add(1);
        let first = u64::from(le_u32(&raw, 0));
        if node.depth == 0 {
            let run = parse_extent(disk, &raw, at)?;
            if run.end() > node.logical_end {
                let detail = format!("blocks {first} to {} outside of their node", run.end());
                return Err(Error::corrupt(codes::EXTENT_ORDER, at, detail));
            }
            runs.push(run, run_count_max, at)?;
            continue;
        }
        let following = get_array(&node.bytes, start.saturating_add(ENTRY_LEN))
            .filter(|_| node.next < node.entries)
            .map_or(node.logical_end, |next: [u8; 4]| {
                u64::from(le_u32(&next, 0))
            });
        if first >= following || following > node.logical_end {
            let detail = format!("nodes at blocks {first} and {following} out of order");
            return Err(Error::corrupt(codes::EXTENT_ORDER, at, detail));
        }
        let block = join_u32(le_u32(&raw, 4), le_u16(&raw, 8).into());
        if !disk.sb.has_blocks(block, 1) {
            let detail = format!("a node at block {block} of {}", disk.sb.blocks_count);
            return Err(Error::corrupt(codes::EXTENT_RANGE, at, detail));
        }
        if !seen.insert(block) {
            let detail = format!("block {block} is used twice in one tree");
            return Err(Error::corrupt(codes::EXTENT_LOOP, at, detail));
        }
        let depth = node.depth.saturating_sub(1);
        let child = child(disk, inode, block, depth, following)?;
        stack.push(child);
    }
    runs.shrink();
    Ok(runs)
}

fn root(inode: &Inode, at: u64) -> Result<Node> {
    let bytes = Piece::from(inode.block.to_vec());
    let depth = header(&bytes, at)?.depth;
    if depth > DEPTH_MAX {
        let detail = format!("a tree of depth {depth}, at most {DEPTH_MAX}");
        return Err(Error::corrupt(codes::EXTENT_DEPTH, at, detail));
    }
    node(bytes, at, LOGICAL_END)
}

fn child(disk: &Disk, inode: &Inode, block: u64, depth: u16, logical_end: u64) -> Result<Node> {
    let at = disk.sb.byte_of(block);
    let bytes = disk.block(block)?;
    let found = header(&bytes, at)?;
    if found.depth != depth {
        let detail = format!("expected a node of depth {depth}, found {}", found.depth);
        return Err(Error::corrupt(codes::EXTENT_DEPTH, at, detail));
    }
    if disk.verifies() {
        let tail = usize::from(found.max)
            .saturating_add(1)
            .saturating_mul(ENTRY_LEN);
        let (summed, rest) = bytes.split_at_checked(tail).ok_or_else(|| short(at))?;
        let stored = get_array(rest, 0)
            .map(u32::from_le_bytes)
            .ok_or_else(|| short(at))?;
        let computed = inode.checksum_seed(&disk.sb).with(summed).value();
        if stored != computed {
            let detail =
                format!("the checksum of an extent node is {stored:#x}, not {computed:#x}");
            return Err(Error::corrupt(codes::EXTENT_CHECKSUM, at, detail));
        }
    }
    node(bytes, at, logical_end)
}

struct Header {
    entries: u16,
    max: u16,
    depth: u16,
}

fn header(bytes: &[u8], at: u64) -> Result<Header> {
    let raw: [u8; ENTRY_LEN] = get_array(bytes, 0).ok_or_else(|| short(at))?;
    let eh_magic = le_u16(&raw, 0);
    let (entries, max, depth) = (le_u16(&raw, 2), le_u16(&raw, 4), le_u16(&raw, 6));
    let room = bytes
        .len()
        .saturating_sub(ENTRY_LEN)
        .wrapping_div(ENTRY_LEN);
    if eh_magic != MAGIC || max == 0 || usize::from(max) > room || entries > max {
        let detail =
            format!("signature {eh_magic:#x}, {entries} of {max} entries, room for {room}");
        return Err(Error::corrupt(codes::EXTENT_HEADER, at, detail));
    }
    Ok(Header {
        entries,
        max,
        depth,
    })
}

fn node(bytes: Piece, at: u64, logical_end: u64) -> Result<Node> {
    let Header { entries, depth, .. } = header(&bytes, at)?;
    if entries == 0 && depth > 0 {
        let detail = "an inner node without entries";
        return Err(Error::corrupt(codes::EXTENT_HEADER, at, detail));
    }
    Ok(Node {
        bytes,
        at,
        depth,
        entries: entries.into(),
        next: 0,
        logical_end,
    })
}

/// Parses an extent as it stands in a leaf.
///
/// # Errors
/// [`codes::EXTENT_RANGE`].
pub(super) fn parse_extent(disk: &Disk, raw: &[u8; ENTRY_LEN], at: u64) -> Result<Run> {
    let ee_len = le_u16(raw, 4);
    let written = ee_len <= WRITTEN_LEN_MAX;
    let len = if written {
        ee_len
    } else {
        ee_len.saturating_sub(WRITTEN_LEN_MAX)
    };
    let physical = join_u32(le_u32(raw, 8), le_u16(raw, 6).into());
    let logical = u64::from(le_u32(raw, 0));
    if len == 0 || !disk.sb.has_blocks(physical, len.into()) {
        let count = disk.sb.blocks_count;
        let detail = format!("an extent of {len} blocks at block {physical} of {count}");
        return Err(Error::corrupt(codes::EXTENT_RANGE, at, detail));
    }
    Ok(Run {
        logical,
        physical,
        len: len.into(),
        written,
    })
}

fn short(at: u64) -> Error {
    Error::corrupt(
        codes::EXTENT_HEADER,
        at,
        "an extent node that ends too early",
    )
}
