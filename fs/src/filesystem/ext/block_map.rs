//! Block maps of ext2 and ext3: twelve direct pointers, then one, two and three levels of blocks
//! full of pointers. A pointer of 0 is a hole.
//!
//! Source: `ext4_block_to_path` in `fs/ext4/indirect.c` of Linux 6.18.

use super::codes;
use super::disk::{Disk, Piece};
use super::inode::Inode;
use super::runs::{Run, Runs};
use crate::bytes::{get_le_u32, len_u64};
use crate::error::{Error, Result};
use std::collections::HashSet;

const DIRECT_COUNT: usize = 12;
const POINTER_LEN: usize = 4;

/// A block of pointers that is being read.
struct Level {
    bytes: Piece,
    at: u64,
    /// Next pointer to take.
    next: usize,
    /// File blocks that one pointer stands for.
    span: u64,
}

/// Reads the map of the first `inode.size` bytes.
///
/// # Errors
/// Any damage: a map with a part missing would show zeros where there is data.
pub(super) fn read(disk: &Disk, inode: &Inode) -> Result<Runs> {
    let mut map = Map {
        disk,
        runs: Runs::default(),
        run_count_max: disk.run_count_max(inode.kind),
        seen: HashSet::new(),
        logical: 0,
        end: inode.size.div_ceil(disk.sb.block_size.into()),
    };
    let root_at = inode.at.saturating_add(0x28);
    let per_block = u64::from(disk.sb.block_size >> 2);
    for index in 0..DIRECT_COUNT.saturating_add(3) {
        let offset = index.saturating_mul(POINTER_LEN);
        let pointer = get_le_u32(&inode.block, offset).unwrap_or(0);
        let at = root_at.saturating_add(len_u64(offset));
        let levels = index.saturating_sub(DIRECT_COUNT.saturating_sub(1));
        let span = (0..levels).fold(1_u64, |span, _| span.saturating_mul(per_block));
        map.take(pointer, span, per_block, at)?;
    }
    map.runs.shrink();
    Ok(map.runs)
}

struct Map<'a> {
    disk: &'a Disk,
    runs: Runs,
    run_count_max: usize,
    seen: HashSet<u32>,
    /// File block that the next pointer stands for.
    logical: u64,
    /// First file block behind the file.
    end: u64,
}

impl Map<'_> {
    /// Follows one pointer of the inode, which stands for `span` blocks.
    fn take(&mut self, pointer: u32, span: u64, per_block: u64, at: u64) -> Result<()> {
        if span == 1 || pointer == 0 || self.logical >= self.end {
            return self.leaf(pointer, span, at);
        }
        let mut stack = vec![self.level(pointer, span, per_block, at)?];
        while let Some(level) = stack.last_mut() {
            let offset = level.next.saturating_mul(POINTER_LEN);
            let Some(pointer) = get_le_u32(&level.bytes, offset) else {
                stack.pop();
                continue;
            };
            let at = level.at.saturating_add(len_u64(offset));
            let span = level.span;
            level.next = level.next.saturating_add(1);
            if self.logical >= self.end {
                return Ok(());
            }
            if span == 1 || pointer == 0 {
                self.leaf(pointer, span, at)?;
            } else {
                let level = self.level(pointer, span, per_block, at)?;
                stack.push(level);
            }
        }
        Ok(())
    }

    /// One block of content, or a hole of `span` blocks.
    fn leaf(&mut self, pointer: u32, span: u64, at: u64) -> Result<()> {
        if pointer != 0 && self.logical < self.end {
            self.check(pointer, at)?;
            let run = Run {
                logical: self.logical,
                physical: pointer.into(),
                len: 1,
                written: true,
            };
            self.runs.push(run, self.run_count_max, at)?;
        }
        self.logical = self.logical.saturating_add(span);
        Ok(())
    }

    fn level(&mut self, pointer: u32, span: u64, per_block: u64, at: u64) -> Result<Level> {
        self.check(pointer, at)?;
        // Every block of pointers has one place in one file. A shared one would let a few blocks
        // claim billions.
        if !self.seen.insert(pointer) {
            let detail = format!("block {pointer} is used twice in one map");
            return Err(Error::corrupt(codes::BLOCK_MAP_LOOP, at, detail));
        }
        let bytes = self.disk.block(pointer.into())?;
        let at = self.disk.sb.byte_of(pointer.into());
        Ok(Level {
            bytes,
            at,
            next: 0,
            span: span.checked_div(per_block).unwrap_or(1),
        })
    }

    fn check(&self, pointer: u32, at: u64) -> Result<()> {
        if self.disk.sb.has_blocks(pointer.into(), 1) {
            return Ok(());
        }
        let detail = format!("block {pointer} of {}", self.disk.sb.blocks_count);
        Err(Error::corrupt(codes::BLOCK_MAP_RANGE, at, detail))
    }
}
