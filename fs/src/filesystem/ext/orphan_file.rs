//! The file that lists inodes deleted while they were open (`orphan_file`).
//!
//! ```text
//! block  0 inode numbers, 32 bits each, 0 for none …  end-8 signature 0x0b10ca04  end-4 checksum
//! ```
//!
//! The checksum covers the block's place on the disk and the numbers, and starts from the seed of the
//! file's inode. The numbers themselves are of no use to a reader: their files have no names. Source:
//! `fs/ext4/orphan.c` of Linux 6.18 (`ext4_init_orphan_info`, `ext4_orphan_file_block_csum_verify`).

use super::check::{Checker, fault_of};
use super::codes;
use super::features::compat;
use super::inode::{Inode, flags};
use super::superblock::SIZE;
use super::{block_map, extent};
use crate::bytes::get_le_u32;
use crate::error::{Error, Fault, Result};
use crate::node::FileKind;

const MAGIC: u32 = 0x0b10_ca04;
/// Signature and checksum at the end of a block.
const TAIL_LEN: usize = 8;
/// Bytes of the longest file that Linux takes.
const SIZE_MAX: u64 = 8 << 20;

impl Checker<'_> {
    /// Every block of the orphan file, if the filesystem has one.
    pub(super) fn orphan_file(&mut self) {
        let sb = &self.disk.sb;
        if sb.feature_compat & compat::ORPHAN_FILE == 0 {
            return;
        }
        let Some(number) = self.orphan_file_inode() else {
            // That the superblock cannot be read any more is told where its copies are.
            return;
        };
        match self.orphan_blocks(number) {
            Ok((inode, blocks)) => {
                for (index, block) in blocks.into_iter().enumerate() {
                    self.orphan_block(&inode, index, block);
                }
            }
            Err(error) => {
                let fault = fault_of(&error, sb.at);
                let detail = format!("the orphan file, inode {number}: {}", fault.detail);
                self.damaged(Fault::new(codes::ORPHAN_FILE, fault.at, detail));
            }
        }
    }

    /// Number of the orphan file's inode, by the superblock.
    pub(super) fn orphan_file_inode(&self) -> Option<u32> {
        const S_ORPHAN_FILE_INUM: usize = 0x280;
        let raw = self.disk.piece(self.disk.sb.at, SIZE).ok()?;
        get_le_u32(&raw, S_ORPHAN_FILE_INUM)
    }

    /// The orphan file's inode and where its blocks lie; `None` for a hole.
    fn orphan_blocks(&self, number: u32) -> Result<(Inode, Vec<Option<u64>>)> {
        let sb = &self.disk.sb;
        let inode = Inode::read(self.disk, self.groups, number)?;
        let block_size = u64::from(sb.block_size);
        let is_file = inode.kind == FileKind::File && !inode.has(flags::INLINE_DATA);
        if !is_file || inode.size < block_size || inode.size > SIZE_MAX {
            let detail = format!("{:?} of {} bytes", inode.kind, inode.size);
            return Err(Error::corrupt(codes::ORPHAN_FILE, inode.at, detail));
        }
        let runs = match inode.has(flags::EXTENTS) {
            true => extent::read(self.disk, &inode)?,
            false => block_map::read(self.disk, &inode)?,
        };
        let count = inode.size.checked_div(block_size).unwrap_or(0);
        let blocks = (0..count).map(|block| {
            let run = runs.get(runs.find(block))?;
            let within = block.checked_sub(run.logical).filter(|_| run.written)?;
            run.physical.checked_add(within)
        });
        Ok((inode, blocks.collect()))
    }

    fn orphan_block(&mut self, inode: &Inode, index: usize, block: Option<u64>) {
        let sb = &self.disk.sb;
        let name = format!("block {index} of the orphan file, inode {}", inode.number);
        let Some(block) = block else {
            let detail = format!("{name}: a hole");
            return self.damaged(Fault::new(codes::ORPHAN_FILE, inode.at, detail));
        };
        let at = sb.byte_of(block);
        let raw = match self.disk.block(block) {
            Ok(raw) => raw,
            Err(error) => {
                let at = fault_of(&error, at).at;
                let detail = format!("{name}: {error}");
                return self.damaged(Fault::new(codes::ORPHAN_FILE, at, detail));
            }
        };
        let tail = raw.len().saturating_sub(TAIL_LEN);
        let ob_magic = get_le_u32(&raw, tail).unwrap_or(0);
        if ob_magic != MAGIC {
            let detail = format!("{name}: expected signature {MAGIC:#x}, found {ob_magic:#x}");
            return self.damaged(Fault::new(codes::ORPHAN_FILE, at, detail));
        }
        if !self.disk.verifies() {
            return;
        }
        self.verified();
        let stored = get_le_u32(&raw, tail.saturating_add(4)).unwrap_or(0);
        let sum = inode.checksum_seed(sb).with(&block.to_le_bytes());
        let computed = sum.with(raw.get(..tail).unwrap_or_default()).value();
        if stored != computed {
            let detail = format!("{name}: its checksum is {stored:#x}, not {computed:#x}");
            self.damaged(Fault::new(codes::ORPHAN_CHECKSUM, at, detail));
        }
    }
}
