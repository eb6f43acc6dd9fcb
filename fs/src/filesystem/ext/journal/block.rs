//! The log's own blocks: descriptors, commits and revoke records, and their checksums.
//!
//! ```text
//! header  0 signature  4 type  8 transaction            (all 32 bits, big-endian)
//! tag     0 block  4 checksum (16)  6 flags (16)  8 block high         8 or 12 bytes, 10 or 14 in v2
//! tag v3  0 block  4 flags  8 block high  0xc checksum                 16 bytes
//! ```
//!
//! Source: `include/linux/jbd2.h` and `journal_tag_bytes` in `fs/jbd2/journal.c` of Linux 6.18.

use super::super::checksum::Crc32c;
use super::superblock::{JournalSuperblock, MAGIC, features};
use crate::bytes::{get_array, get_be_u16, get_be_u32, get_be_u64, join_u32};

const HEADER_LEN: usize = 12;
const REVOKE_HEADER_LEN: usize = 16;
const UUID_LEN: usize = 16;
const TAIL_LEN: usize = 4;

/// Flags of a tag.
mod flags {
    pub(super) const ESCAPED: u16 = 0x1;
    pub(super) const SAME_UUID: u16 = 0x2;
    pub(super) const LAST: u16 = 0x8;
}

/// What kind of block it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Descriptor,
    Commit,
    Revoke,
}

/// Kind and transaction of a block; `None` if it is none of the log's own, or of no known kind.
pub(super) fn header(block: &[u8]) -> Option<(Kind, u32)> {
    if get_be_u32(block, 0)? != MAGIC {
        return None;
    }
    let kind = match get_be_u32(block, 4)? {
        1 => Kind::Descriptor,
        2 => Kind::Commit,
        5 => Kind::Revoke,
        _ => return None,
    };
    Some((kind, get_be_u32(block, 8)?))
}

/// A block whose copy follows the descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    /// Where the block belongs.
    pub(super) block: u64,
    /// Whether the copy's first four bytes were the log's signature and are zeroed in the log.
    pub(super) escaped: bool,
    /// Checksum of the copy: all of it in version 3, the lower half in version 2.
    pub(super) checksum: u32,
}

/// The tags of a descriptor, in the order of the copies behind it.
pub(super) fn tags(sb: &JournalSuperblock, block: &[u8]) -> Vec<Tag> {
    let v3 = sb.has(features::CSUM_V3);
    let wide = sb.has(features::BIT64);
    let len: usize = match (v3, sb.has(features::CSUM_V2), wide) {
        (true, _, _) => 16,
        (false, true, true) => 14,
        (false, true, false) => 10,
        (false, false, true) => 12,
        (false, false, false) => 8,
    };
    let tail = if sb.has_block_checksums() {
        TAIL_LEN
    } else {
        0
    };
    let end = block.len().saturating_sub(tail);
    let mut tags = Vec::new();
    let mut at = HEADER_LEN;
    while at.saturating_add(len) <= end {
        let word = |offset: usize| get_be_u32(block, at.saturating_add(offset)).unwrap_or(0);
        let half = |offset: usize| get_be_u16(block, at.saturating_add(offset)).unwrap_or(0);
        let t_flags = half(6);
        tags.push(Tag {
            block: join_u32(word(0), if wide { word(8) } else { 0 }),
            escaped: t_flags & flags::ESCAPED != 0,
            checksum: if v3 { word(12) } else { half(4).into() },
        });
        if t_flags & flags::LAST != 0 {
            break;
        }
        at = at.saturating_add(len);
        if t_flags & flags::SAME_UUID == 0 {
            at = at.saturating_add(UUID_LEN);
        }
    }
    tags
}

/// The blocks that a revoke block names; `None` if it claims more than it holds.
pub(super) fn revoked(sb: &JournalSuperblock, block: &[u8]) -> Option<Vec<u64>> {
    let used = usize::try_from(get_be_u32(block, HEADER_LEN)?).ok()?;
    let tail = if sb.has_block_checksums() {
        TAIL_LEN
    } else {
        0
    };
    if used < REVOKE_HEADER_LEN || used > block.len().checked_sub(tail)? {
        return None;
    }
    let records = block.get(REVOKE_HEADER_LEN..used)?;
    Some(if sb.has(features::BIT64) {
        records
            .chunks_exact(8)
            .filter_map(|record| get_be_u64(record, 0))
            .collect()
    } else {
        records
            .chunks_exact(4)
            .filter_map(|record| get_be_u32(record, 0))
            .map(u64::from)
            .collect()
    })
}

/// Whether the checksum at the end of a descriptor or revoke block fits. Blocks without checksums fit.
pub(super) fn tail_fits(sb: &JournalSuperblock, block: &[u8]) -> bool {
    if !sb.has_block_checksums() {
        return true;
    }
    let Some((body, tail)) = block.split_at_checked(block.len().saturating_sub(TAIL_LEN)) else {
        return false;
    };
    get_be_u32(tail, 0) == Some(sb.seed.with(body).with_zeros(TAIL_LEN).value())
}

/// Whether the checksum of a copy fits its tag. Copies without checksums fit.
pub(super) fn copy_fits(sb: &JournalSuperblock, tag: &Tag, sequence: u32, copy: &[u8]) -> bool {
    if !sb.has_block_checksums() {
        return true;
    }
    let sum = sb.seed.with(&sequence.to_be_bytes()).with(copy);
    if sb.has(features::CSUM_V3) {
        sum.value() == tag.checksum
    } else {
        u32::from(sum.low16()) == tag.checksum
    }
}

/// A commit block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    /// Second of the commit.
    pub(super) time: u64,
    /// Whether it has a checksum of version 2 or 3 that does not fit.
    pub(super) damaged: bool,
    /// Kind, length and value of a checksum of version 1 over the whole transaction.
    pub(super) checksum_v1: (u8, u8, u32),
}

/// Parses a commit block.
pub(super) fn commit(sb: &JournalSuperblock, block: &[u8]) -> Commit {
    let [kind, len] = get_array(block, 0xc).unwrap_or([0; 2]);
    let stored = get_be_u32(block, 0x10).unwrap_or(0);
    let damaged = sb.has_block_checksums() && commit_checksum(sb.seed, block) != Some(stored);
    Commit {
        time: get_be_u64(block, 0x30).unwrap_or(0),
        damaged,
        checksum_v1: (kind, len, stored),
    }
}

fn commit_checksum(seed: Crc32c, block: &[u8]) -> Option<u32> {
    Some(
        seed.with(block.get(..0x10)?)
            .with_zeros(4)
            .with(block.get(0x14..)?)
            .value(),
    )
}
