//! The superblock: geometry, features and identity.
//!
//! 1024 bytes at byte 1024, copies at the start of some block groups. Source: `struct
//! ext4_super_block` in `fs/ext4/ext4.h` of Linux 6.18; the plausibility checks are those of
//! `ext4_fill_super` and what it calls.

use super::checksum::Crc32c;
use super::codes;
use super::features::{self, compat, incompat, ro_compat};
use crate::bytes::{array, join_u32, le_u16, le_u32};
use crate::error::{Error, Result};
use crate::format::ChecksumPolicy;

/// Where the primary superblock lies, in bytes.
pub(super) const PRIMARY_OFFSET: u64 = 1024;
/// Its size in bytes.
pub(super) const SIZE: usize = 1024;

const MAGIC: u16 = 0xef53;

/// The root directory's inode.
pub(super) const ROOT_INODE: u32 = 2;

/// Geometry, features and identity of an ext2, ext3 or ext4 filesystem.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    /// Where this copy was read, in bytes.
    pub at: u64,
    /// The group that this copy lies in, by its own word.
    pub group: u16,
    /// Bytes per block: 1 KiB to 64 KiB, a power of two.
    pub block_size: u32,
    /// Blocks per cluster (bigalloc), or 1.
    pub cluster_blocks: u32,
    /// Blocks of the filesystem.
    pub blocks_count: u64,
    /// Blocks not in use, as last written.
    pub free_blocks_count: u64,
    /// Inodes of the filesystem; numbers start at 1.
    pub inodes_count: u32,
    /// Inodes not in use, as last written.
    pub free_inodes_count: u32,
    /// Number of the first block that belongs to a group: 1 with blocks of 1 KiB, else 0.
    pub first_data_block: u32,
    /// Blocks per group.
    pub blocks_per_group: u32,
    /// Inodes per group.
    pub inodes_per_group: u32,
    /// Bytes per inode: 128 or more, a power of two.
    pub inode_size: u16,
    /// First inode that is not reserved.
    pub first_inode: u32,
    /// Bytes per group descriptor: 32, or 64 and more with `64bit`.
    pub descriptor_size: u16,
    /// First block of descriptors that lies by the rules of `meta_bg`.
    pub first_meta_bg: u32,
    /// Groups with a copy of the superblock under `sparse_super2`.
    pub backup_groups: [u32; 2],
    pub feature_compat: u32,
    pub feature_incompat: u32,
    pub feature_ro_compat: u32,
    pub uuid: [u8; 16],
    /// Label, without the zeros behind it.
    pub label: Vec<u8>,
    /// Path of the last mount point.
    pub last_mounted: Vec<u8>,
    /// Register that all metadata checksums start from.
    pub checksum_seed: Crc32c,
    /// Seed of directory hashes.
    pub hash_seed: [u32; 4],
    /// Whether directory hashes take characters as unsigned.
    pub hash_unsigned: bool,
    /// Bit 0: unmounted cleanly; bit 1: errors were seen; bit 2: orphans are being handled.
    pub state: u16,
    /// Inode of the journal, or 0.
    pub journal_inode: u32,
    /// UUID of the device that holds the journal, if it is on one of its own.
    pub journal_uuid: [u8; 16],
    /// Copy of the journal inode's `i_block` and size, if the superblock keeps one.
    pub journal_backup: Option<JournalBackup>,
    /// Head of the list of orphans.
    pub last_orphan: u32,
    /// Whether case-insensitive look-ups refuse names that are not UTF-8.
    pub strict_encoding: bool,
}

/// What the superblock keeps of the journal's inode (`s_jnl_blocks`).
#[derive(Clone, Debug)]
pub(super) struct JournalBackup {
    /// `i_block`.
    pub block: [u8; 60],
    /// Bytes.
    pub size: u64,
}

impl JournalBackup {
    fn parse(raw: &[u8; SIZE]) -> Option<Self> {
        const IN_USE: u8 = 1;
        let [s_jnl_backup_type] = array(raw, 0xfd);
        let size = join_u32(le_u32(raw, 0x14c), le_u32(raw, 0x148));
        let block = array(raw, 0x10c);
        (s_jnl_backup_type == IN_USE).then_some(Self { block, size })
    }
}

impl Superblock {
    /// Whether the bytes carry the signature at all.
    pub(super) fn has_magic(raw: &[u8; SIZE]) -> bool {
        le_u16(raw, 0x38) == MAGIC
    }

    /// Parses and checks a superblock that was read at byte `at`.
    ///
    /// # Errors
    /// [`codes::SUPERBLOCK_FIELD`], [`codes::SUPERBLOCK_CHECKSUM`]; features that are not read.
    pub(super) fn parse(raw: &[u8; SIZE], at: u64, checksums: ChecksumPolicy) -> Result<Self> {
        let bad = |detail: String| Error::corrupt(codes::SUPERBLOCK_FIELD, at, detail);
        let s_magic = le_u16(raw, 0x38);
        if s_magic != MAGIC {
            return Err(bad(format!(
                "expected signature {MAGIC:#x}, found {s_magic:#x}"
            )));
        }
        let feature_compat = le_u32(raw, 0x5c);
        let feature_incompat = le_u32(raw, 0x60);
        let feature_ro_compat = le_u32(raw, 0x64);
        let s_checksum = le_u32(raw, 0x3fc);
        let (checked, _) = raw.split_at(0x3fc);
        let verifies = checksums == ChecksumPolicy::Strict
            && feature_ro_compat & ro_compat::METADATA_CSUM != 0;
        if verifies && Crc32c::START.with(checked).value() != s_checksum {
            let detail = format!("the superblock's checksum is not {s_checksum:#x}");
            return Err(Error::corrupt(codes::SUPERBLOCK_CHECKSUM, at, detail));
        }
        features::check(feature_incompat, at)?;

        let s_log_block_size = le_u32(raw, 0x18);
        if s_log_block_size > 6 {
            return Err(bad(format!(
                "block size 1024 << {s_log_block_size} is over 64 KiB"
            )));
        }
        let block_size = 1024_u32 << s_log_block_size;
        let bigalloc = feature_ro_compat & 0x200 != 0;
        let s_log_cluster_size = le_u32(raw, 0x1c);
        let cluster_log = if bigalloc {
            s_log_cluster_size
                .checked_sub(s_log_block_size)
                .filter(|log| *log <= 20)
        } else {
            Some(0)
        };
        let cluster_blocks = match cluster_log {
            Some(log) => 1_u32 << log,
            None => return Err(bad(format!("cluster size 1024 << {s_log_cluster_size}"))),
        };

        let wide = feature_incompat & incompat::BIT64 != 0;
        let high = |at| if wide { le_u32(raw, at) } else { 0 };
        let blocks_count = join_u32(le_u32(raw, 0x4), high(0x150));
        let first_data_block = le_u32(raw, 0x14);
        if blocks_count <= u64::from(first_data_block) || first_data_block > 1 {
            let detail = format!("first data block {first_data_block} of {blocks_count} blocks");
            return Err(bad(detail));
        }
        let blocks_per_group = le_u32(raw, 0x20);
        let bits_per_block = block_size.saturating_mul(8);
        if blocks_per_group == 0 || blocks_per_group > bits_per_block.saturating_mul(cluster_blocks)
        {
            return Err(bad(format!("{blocks_per_group} blocks per group")));
        }
        let inodes_per_group = le_u32(raw, 0x28);
        if inodes_per_group == 0 || inodes_per_group > bits_per_block {
            return Err(bad(format!("{inodes_per_group} inodes per group")));
        }
        let s_rev_level = le_u32(raw, 0x4c);
        let (inode_size, first_inode) = match s_rev_level {
            0 => (128, 11),
            _ => (le_u16(raw, 0x58), le_u32(raw, 0x54)),
        };
        let inode_size_fits = inode_size.is_power_of_two() && u32::from(inode_size) <= block_size;
        if inode_size < 128 || !inode_size_fits {
            return Err(bad(format!("inode size {inode_size}")));
        }
        let descriptor_size = if wide { le_u16(raw, 0xfe) } else { 32 };
        let smallest = if wide { 64 } else { 32 };
        if !descriptor_size.is_power_of_two() || !(smallest..=1024).contains(&descriptor_size) {
            return Err(bad(format!("group descriptor size {descriptor_size}")));
        }

        let uuid = array(raw, 0x68);
        let checksum_seed = if feature_incompat & incompat::CSUM_SEED != 0 {
            Crc32c::seeded(le_u32(raw, 0x270))
        } else {
            Crc32c::START.with(&uuid)
        };
        Ok(Self {
            at,
            // Revision 0 has no such field.
            group: if s_rev_level == 0 {
                0
            } else {
                le_u16(raw, 0x5a)
            },
            block_size,
            cluster_blocks,
            blocks_count,
            free_blocks_count: join_u32(le_u32(raw, 0xc), high(0x158)),
            inodes_count: le_u32(raw, 0x0),
            free_inodes_count: le_u32(raw, 0x10),
            first_data_block,
            blocks_per_group,
            inodes_per_group,
            inode_size,
            first_inode,
            descriptor_size,
            first_meta_bg: le_u32(raw, 0x104),
            backup_groups: [le_u32(raw, 0x24c), le_u32(raw, 0x250)],
            feature_compat,
            feature_incompat,
            feature_ro_compat,
            uuid,
            label: text(&array::<16, SIZE>(raw, 0x78)),
            last_mounted: text(&array::<64, SIZE>(raw, 0x88)),
            checksum_seed,
            hash_seed: [0xec, 0xf0, 0xf4, 0xf8].map(|at| le_u32(raw, at)),
            hash_unsigned: le_u32(raw, 0x160) & 0x2 != 0,
            state: le_u16(raw, 0x3a),
            journal_inode: le_u32(raw, 0xe0),
            journal_uuid: array(raw, 0xd0),
            journal_backup: JournalBackup::parse(raw),
            last_orphan: le_u32(raw, 0xe8),
            strict_encoding: le_u16(raw, 0x27e) & 0x1 != 0,
        })
    }

    /// Whether an incompatible feature is on.
    pub(super) const fn has(&self, incompat_bit: u32) -> bool {
        self.feature_incompat & incompat_bit != 0
    }

    /// Whether metadata carries CRC-32C checksums.
    pub(super) const fn has_metadata_csum(&self) -> bool {
        self.feature_ro_compat & ro_compat::METADATA_CSUM != 0
    }

    /// `ext2`, `ext3` or `ext4`, by the rule that `blkid` uses: what the older drivers could mount.
    pub(super) const fn kind(&self) -> &'static str {
        let old_ro = ro_compat::SPARSE_SUPER | ro_compat::LARGE_FILE | ro_compat::BTREE_DIR;
        let old = incompat::FILETYPE | incompat::RECOVER | incompat::META_BG;
        if self.feature_ro_compat & !old_ro != 0 || self.feature_incompat & !old != 0 {
            "ext4"
        } else if self.feature_compat & compat::HAS_JOURNAL != 0 {
            "ext3"
        } else {
            "ext2"
        }
    }

    /// Number of block groups, at least 1.
    pub(super) fn group_count(&self) -> u64 {
        let blocks = self
            .blocks_count
            .saturating_sub(self.first_data_block.into());
        blocks.div_ceil(self.blocks_per_group.into())
    }

    /// First block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        let start = group.saturating_mul(u64::from(self.blocks_per_group));
        start.saturating_add(u64::from(self.first_data_block))
    }

    /// Whether a group starts with a copy of the superblock (`ext4_bg_has_super`).
    pub(super) fn has_superblock(&self, group: u64) -> bool {
        if group == 0 {
            return true;
        }
        if self.feature_compat & compat::SPARSE_SUPER2 != 0 {
            return self
                .backup_groups
                .iter()
                .any(|backup| u64::from(*backup) == group);
        }
        if group <= 1 || self.feature_ro_compat & ro_compat::SPARSE_SUPER == 0 {
            return true;
        }
        [3, 5, 7].into_iter().any(|base| is_power_of(group, base))
    }

    /// Whether `count` blocks from `start` on lie inside of the filesystem and behind its start.
    pub(super) fn has_blocks(&self, start: u64, count: u64) -> bool {
        let end = start.checked_add(count);
        start > u64::from(self.first_data_block) && end.is_some_and(|end| end <= self.blocks_count)
    }

    /// Byte offset of a block.
    pub(super) fn byte_of(&self, block: u64) -> u64 {
        block.saturating_mul(u64::from(self.block_size))
    }

    /// Block size as an index.
    pub(super) fn block_len(&self) -> usize {
        // At most 64 KiB, checked when parsed.
        usize::try_from(self.block_size).unwrap_or(usize::MAX)
    }

    /// Size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.blocks_count.saturating_mul(u64::from(self.block_size))
    }
}

fn is_power_of(mut number: u64, base: u64) -> bool {
    while number > 1 && number.checked_rem(base) == Some(0) {
        number = number.checked_div(base).unwrap_or(0);
    }
    number == 1
}

/// A field of text padded with zeros.
fn text(field: &[u8]) -> Vec<u8> {
    field
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers() {
        let powers: Vec<u64> = (2..130)
            .filter(|n| [3, 5, 7].iter().any(|b| is_power_of(*n, *b)))
            .collect();
        assert_eq!(powers, [3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
