//! The block by which two machines notice that both have mounted one filesystem (`mmp`).
//!
//! ```text
//! 0 signature 0x004d4d50  4 sequence  8 time  0x10 node  0x50 device  0x70 interval  0x3fc checksum
//! ```
//!
//! A reader need not obey it: what it holds is of no use behind a snapshot. A damaged one keeps the
//! kernel from mounting, so a check tells it. Source: `struct mmp_struct` and `read_mmp_block` in
//! `fs/ext4/` of Linux 6.18.

use super::check::{Checker, fault_of};
use super::codes;
use super::features::incompat;
use super::superblock::SIZE;
use crate::bytes::{get_le_u32, join_u32};
use crate::error::Fault;

const MAGIC: u32 = 0x004d_4d50;
/// Bytes of the structure, the checksum last. Smaller than any block.
const LEN: usize = 1024;
const CHECKSUM_AT: usize = 0x3fc;

impl Checker<'_> {
    /// The MMP block, if the filesystem has one.
    pub(super) fn mmp(&mut self) {
        let sb = &self.disk.sb;
        if !sb.has(incompat::MMP) {
            return;
        }
        let block = match self.disk.piece(sb.at, SIZE) {
            Ok(raw) => {
                let s_mmp_block = |at| get_le_u32(&raw, at).unwrap_or(0);
                join_u32(s_mmp_block(0x168), s_mmp_block(0x16c))
            }
            // That the superblock cannot be read any more is told where its copies are.
            Err(_) => return,
        };
        if !sb.has_blocks(block, 1) {
            let detail = format!("the MMP block is block {block} of {}", sb.blocks_count);
            return self.damaged(Fault::new(codes::MMP_BLOCK, sb.at, detail));
        }
        let at = sb.byte_of(block);
        let raw = match self.disk.piece(at, LEN) {
            Ok(raw) => raw,
            Err(error) => {
                let detail = format!("the MMP block: {error}");
                let at = fault_of(&error, at).at;
                return self.damaged(Fault::new(codes::MMP_BLOCK, at, detail));
            }
        };
        let mmp_magic = get_le_u32(&raw, 0).unwrap_or(0);
        if mmp_magic != MAGIC {
            let detail =
                format!("the MMP block: expected signature {MAGIC:#x}, found {mmp_magic:#x}");
            return self.damaged(Fault::new(codes::MMP_BLOCK, at, detail));
        }
        if !self.disk.verifies() {
            return;
        }
        self.verified();
        let stored = get_le_u32(&raw, CHECKSUM_AT).unwrap_or(0);
        let covered = raw.get(..CHECKSUM_AT).unwrap_or_default();
        let computed = sb.checksum_seed.with(covered).value();
        if stored != computed {
            let detail = format!("the checksum of the MMP block is {stored:#x}, not {computed:#x}");
            self.damaged(Fault::new(codes::MMP_CHECKSUM, at, detail));
        }
    }
}
