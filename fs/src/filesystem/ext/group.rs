//! Block group descriptors: where each group's inode table lies.
//!
//! 32 bytes each, 64 with `64bit`, packed in blocks behind the superblock, or with `meta_bg` in the
//! groups they describe. Source: `struct ext4_group_desc`, `descriptor_loc` and
//! `ext4_group_desc_csum` in `fs/ext4/` of Linux 6.18.
//!
//! The table is read once, when the filesystem is opened, in reads of up to 1 MiB. Only the place of
//! the inode table is kept: 8 bytes per group, 4 MiB for 64 TiB.

use super::checksum::{Crc32c, crc16};
use super::codes;
use super::features::{incompat, ro_compat};
use super::superblock::Superblock;
use crate::bytes::{clamp_usize, get_le_u16, get_le_u32, join_u32, len_u64};
use crate::error::{Error, Fault, Result};
use crate::format::ChecksumPolicy;
use crate::source::ByteSource;

/// Longest read of the table, in bytes.
const READ_LEN_MAX: u64 = 1 << 20;

/// Notes of one kind that are kept; a table of garbage would give one per group.
const NOTE_COUNT_MAX: usize = 16;

/// Where the inode tables lie.
#[derive(Debug)]
pub(super) struct Groups {
    /// First block of each group's inode table; `None` where the descriptor is damaged.
    tables: Vec<Option<u64>>,
}

impl Groups {
    /// Reads all descriptors. A damaged one costs only its own group and is noted.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn read(
        source: &dyn ByteSource,
        sb: &Superblock,
        checksums: ChecksumPolicy,
    ) -> Result<(Self, Vec<Fault>)> {
        let count = clamp_usize(sb.group_count(), usize::MAX);
        // Bounded by what is there: a claim of 2^32 groups on a small disk ends at its last byte.
        let fits = source
            .size()
            .checked_div(u64::from(sb.descriptor_size))
            .unwrap_or(0);
        let mut groups = Self {
            tables: Vec::with_capacity(count.min(clamp_usize(fits, 1 << 19))),
        };
        let mut notes = Vec::new();
        let per_block = sb
            .block_size
            .checked_div(u32::from(sb.descriptor_size))
            .unwrap_or(1);
        let mut index = 0_u64;
        while groups.tables.len() < count {
            let (block, blocks) = contiguous(sb, index);
            let left = len_u64(count.saturating_sub(groups.tables.len()));
            let wanted = left.div_ceil(u64::from(per_block)).min(blocks);
            let room = READ_LEN_MAX
                .checked_div(u64::from(sb.block_size))
                .unwrap_or(1);
            let wanted = wanted.min(room).max(1);
            let at = sb.byte_of(block);
            let mut bytes = vec![0; clamp_usize(sb.byte_of(wanted), usize::MAX)];
            source.read_at(at, &mut bytes)?;
            let mut at = at;
            for raw in bytes.chunks_exact(usize::from(sb.descriptor_size)) {
                if groups.tables.len() == count {
                    break;
                }
                let group = len_u64(groups.tables.len());
                match parse(sb, group, raw, at, checksums) {
                    Ok(table) => groups.tables.push(Some(table)),
                    Err(fault) => {
                        groups.tables.push(None);
                        if notes.len() < NOTE_COUNT_MAX {
                            notes.push(fault);
                        }
                    }
                }
                at = at.saturating_add(u64::from(sb.descriptor_size));
            }
            index = index.saturating_add(wanted);
        }
        Ok((groups, notes))
    }

    /// Byte offset of an inode.
    ///
    /// # Errors
    /// [`codes::INODE_NUMBER`] for a number that the filesystem cannot have, [`codes::GROUP_TABLE`]
    /// if its group's descriptor is damaged.
    pub(super) fn inode_at(&self, sb: &Superblock, inode: u32) -> Result<u64> {
        let outside = || {
            let detail = format!("inode {inode} of {}", sb.inodes_count);
            Error::corrupt(codes::INODE_NUMBER, sb.at, detail)
        };
        let index = inode.checked_sub(1).filter(|_| inode <= sb.inodes_count);
        let index = index.ok_or_else(outside)?;
        let group = index.checked_div(sb.inodes_per_group).ok_or_else(outside)?;
        let within = index.checked_rem(sb.inodes_per_group).ok_or_else(outside)?;
        let table = self
            .tables
            .get(clamp_usize(group.into(), usize::MAX))
            .ok_or_else(outside)?;
        let Some(table) = table else {
            let detail = format!("the descriptor of group {group}, inode {inode}'s, is damaged");
            return Err(Error::corrupt(codes::GROUP_TABLE, sb.at, detail));
        };
        let offset = u64::from(within).saturating_mul(u64::from(sb.inode_size));
        Ok(sb.byte_of(*table).saturating_add(offset))
    }
}

/// The block of descriptor block `index`, and how many descriptor blocks follow each other from there.
fn contiguous(sb: &Superblock, index: u64) -> (u64, u64) {
    let logical_superblock = u64::from(sb.block_size == 1024);
    let first_meta = u64::from(sb.first_meta_bg);
    let meta = sb.has(incompat::META_BG);
    if !meta || index < first_meta {
        let block = logical_superblock.saturating_add(1).saturating_add(index);
        let blocks = if meta {
            first_meta.saturating_sub(index)
        } else {
            u64::MAX
        };
        return (block, blocks);
    }
    let per_block = sb
        .block_size
        .checked_div(u32::from(sb.descriptor_size))
        .unwrap_or(1);
    let group = index.saturating_mul(u64::from(per_block));
    let mut skipped = u64::from(sb.has_superblock(group));
    // With blocks of 1 KiB and no block 0 in group 0 (bigalloc), the superblock is block 1, not 0.
    if sb.block_size == 1024 && index == 0 && sb.first_data_block == 0 {
        skipped = skipped.saturating_add(1);
    }
    (sb.group_start(group).saturating_add(skipped), 1)
}

/// First block of the group's inode table.
fn parse(
    sb: &Superblock,
    group: u64,
    raw: &[u8],
    at: u64,
    checksums: ChecksumPolicy,
) -> Result<u64, Fault> {
    let word = |offset| get_le_u32(raw, offset).unwrap_or(0);
    let bg_inode_table_hi = if raw.len() >= 64 { word(0x28) } else { 0 };
    let bg_inode_table = join_u32(word(0x8), bg_inode_table_hi);
    let bg_checksum = get_le_u16(raw, 0x1e).unwrap_or(0);
    let expected = checksum(sb, group, raw);
    if checksums == ChecksumPolicy::Strict && expected.is_some_and(|sum| sum != bg_checksum) {
        let detail = format!("the checksum of group {group}'s descriptor is not {bg_checksum:#x}");
        return Err(Fault::new(codes::GROUP_CHECKSUM, at, detail));
    }
    let inode_bytes = u64::from(sb.inodes_per_group).saturating_mul(sb.inode_size.into());
    let table_blocks = inode_bytes.div_ceil(sb.block_size.into());
    if !sb.has_blocks(bg_inode_table, table_blocks) {
        let detail = format!("inode table of group {group} at block {bg_inode_table}");
        return Err(Fault::new(codes::GROUP_TABLE, at, detail));
    }
    Ok(bg_inode_table)
}

/// The checksum the descriptor should have; `None` if the filesystem keeps none.
fn checksum(sb: &Superblock, group: u64, raw: &[u8]) -> Option<u16> {
    let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
    let (head, tail) = raw.split_at_checked(0x1e)?;
    let tail = tail.get(2..)?;
    if sb.has_metadata_csum() {
        let sum = sb
            .checksum_seed
            .with(&number)
            .with(head)
            .with_zeros(2)
            .with(tail);
        return Some(sum.low16());
    }
    if sb.feature_ro_compat & ro_compat::GDT_CSUM != 0 {
        let sum = crc16(crc16(crc16(!0, &sb.uuid), &number), head);
        // The old code sums the second half only where the descriptors are wide.
        return Some(if sb.has(incompat::BIT64) {
            crc16(sum, tail)
        } else {
            sum
        });
    }
    None
}

/// Register that the checksums of an inode and of what belongs to it start from.
pub(super) fn inode_seed(sb: &Superblock, inode: u32, generation: u32) -> Crc32c {
    sb.checksum_seed
        .with(&inode.to_le_bytes())
        .with(&generation.to_le_bytes())
}
