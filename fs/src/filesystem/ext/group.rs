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

/// Descriptors in a row for which copies are looked for in vain. A table of garbage is given up.
const COPY_MISS_MAX: usize = 64;

/// Where the inode tables lie.
#[derive(Debug)]
pub(super) struct Groups {
    /// First block of each group's inode table; `None` where the descriptor is damaged.
    tables: Vec<Option<u64>>,
}

impl Groups {
    /// Reads all descriptors. A damaged one is replaced by its copy; without one it costs only its own
    /// group. Either way it is noted.
    pub(super) fn read(
        source: &dyn ByteSource,
        sb: &Superblock,
        checksums: ChecksumPolicy,
    ) -> (Self, Vec<Fault>) {
        let mut reader = Reader {
            source,
            sb,
            checksums,
            notes: Vec::new(),
            misses: 0,
        };
        let tables = reader.all();
        let notes = reader.notes;
        (Self { tables }, notes)
    }

    /// First block of a group's inode table, unless its descriptor is damaged or missing.
    pub(super) fn table(&self, group: u64) -> Option<u64> {
        let table = self.tables.get(clamp_usize(group, usize::MAX));
        table.copied().flatten()
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
        let Some(Some(table)) = self.tables.get(clamp_usize(group.into(), usize::MAX)) else {
            let detail =
                format!("the descriptor of group {group}, inode {inode}'s, is damaged or missing");
            return Err(Error::corrupt(codes::GROUP_TABLE, sb.at, detail));
        };
        let offset = u64::from(within).saturating_mul(u64::from(sb.inode_size));
        Ok(sb.byte_of(*table).saturating_add(offset))
    }
}

/// Reads the table of descriptors.
struct Reader<'a> {
    source: &'a dyn ByteSource,
    sb: &'a Superblock,
    checksums: ChecksumPolicy,
    notes: Vec<Fault>,
    misses: usize,
}

impl Reader<'_> {
    fn all(&mut self) -> Vec<Option<u64>> {
        let sb = self.sb;
        let count = clamp_usize(sb.group_count(), usize::MAX);
        let per_block = per_block(sb);
        // Bounded by what is there: a claim of 2^32 groups on a small disk ends at its last byte.
        let fits = self.source.size().checked_div(sb.descriptor_size.into());
        let room = clamp_usize(fits.unwrap_or(0), 1 << 19);
        let mut tables = Vec::with_capacity(count.min(room));
        let mut index = 0_u64;
        while tables.len() < count {
            let (block, blocks) = contiguous(sb, index);
            let left = len_u64(count.saturating_sub(tables.len()));
            let room = READ_LEN_MAX.checked_div(sb.block_size.into()).unwrap_or(1);
            let wanted = left.div_ceil(per_block).min(blocks).min(room).max(1);
            let at = sb.byte_of(block);
            if at >= self.source.size() && index > 0 {
                // Nothing but errors from here on; groups without an entry here have no inodes.
                let detail = format!("{} of {count} groups are there", tables.len());
                self.note(Fault::new(codes::GROUP_READ, at, detail));
                break;
            }
            match self.bytes(at, sb.byte_of(wanted)) {
                Ok(bytes) => self.take(&bytes, at, count, &mut tables),
                // One bad sector must not cost the blocks around it.
                Err(_) if wanted > 1 => {
                    for block in (block..).take(clamp_usize(wanted, usize::MAX)) {
                        self.take_block(sb.byte_of(block), count, &mut tables);
                    }
                }
                Err(_) => self.take_block(at, count, &mut tables),
            }
            index = index.saturating_add(wanted);
        }
        tables
    }

    fn bytes(&self, at: u64, len: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; clamp_usize(len, usize::MAX)];
        self.source.read_at(at, &mut bytes)?;
        Ok(bytes)
    }

    fn note(&mut self, fault: Fault) {
        if self.notes.len() < NOTE_COUNT_MAX {
            self.notes.push(fault);
        }
    }

    /// One block of descriptors, or its copies if it cannot be read.
    fn take_block(&mut self, at: u64, count: usize, tables: &mut Vec<Option<u64>>) {
        match self.bytes(at, self.sb.byte_of(1)) {
            Ok(bytes) => self.take(&bytes, at, count, tables),
            Err(error) => {
                let fault = Fault::new(codes::GROUP_READ, at, error.to_string());
                for _ in 0..per_block(self.sb).min(len_u64(count.saturating_sub(tables.len()))) {
                    let group = len_u64(tables.len());
                    tables.push(self.copy_of(group, fault.clone()));
                }
            }
        }
    }

    /// Parses descriptors that lie at byte `at`.
    fn take(&mut self, bytes: &[u8], at: u64, count: usize, tables: &mut Vec<Option<u64>>) {
        let mut at = at;
        for raw in bytes.chunks_exact(usize::from(self.sb.descriptor_size)) {
            if tables.len() == count {
                break;
            }
            let group = len_u64(tables.len());
            let table = match parse(self.sb, group, raw, at, self.checksums) {
                Ok(table) => Some(table),
                Err(fault) => self.copy_of(group, fault),
            };
            tables.push(table);
            at = at.saturating_add(u64::from(self.sb.descriptor_size));
        }
    }

    /// The inode table of a group by a copy of its descriptor; `fault` is what is wrong with the first.
    fn copy_of(&mut self, group: u64, fault: Fault) -> Option<u64> {
        let size = u64::from(self.sb.descriptor_size);
        let per_block = per_block(self.sb);
        let index = group.checked_div(per_block)?;
        let within = group.checked_rem(per_block)?.saturating_mul(size);
        let mut tried = copies(self.sb, index).filter(|_| self.misses < COPY_MISS_MAX);
        let found = tried.find_map(|block| {
            let at = self.sb.byte_of(block).saturating_add(within);
            let raw = self.bytes(at, size).ok()?;
            parse(self.sb, group, &raw, at, self.checksums).ok()
        });
        if found.is_none() {
            self.misses = self.misses.saturating_add(1);
            self.note(fault);
            return None;
        }
        self.misses = 0;
        let detail = format!("a copy of the descriptor of group {group} is used: {fault}");
        self.note(Fault::new(codes::GROUP_BACKUP, fault.at, detail));
        found
    }
}

pub(super) fn per_block(sb: &Superblock) -> u64 {
    // Descriptors are at most 1 KiB, as are the smallest blocks.
    u64::from(sb.block_size)
        .checked_div(sb.descriptor_size.into())
        .unwrap_or(1)
}

/// Blocks with copies of descriptor block `index`, some of them.
fn copies(sb: &Superblock, index: u64) -> impl Iterator<Item = u64> + '_ {
    let by_meta_group = sb.has(incompat::META_BG) && index >= u64::from(sb.first_meta_bg);
    let per_block = per_block(sb);
    let first = index.saturating_mul(per_block);
    // With `meta_bg` the second and the last group of each meta group hold a copy; without it, every
    // group that starts with a superblock does.
    let meta = [1, per_block.saturating_sub(1)]
        .into_iter()
        .filter(move |_| by_meta_group)
        .map(move |group| (first.saturating_add(group), 0));
    let [a, b] = sb.backup_groups.map(u64::from);
    let plain = [1, 3, 5, 7, a, b]
        .into_iter()
        .filter(move |group| (1..sb.group_count()).contains(group))
        .filter(move |group| !by_meta_group && sb.has_superblock(*group))
        .map(move |group| (group, index));
    meta.chain(plain).map(|(group, index)| {
        let skipped = u64::from(sb.has_superblock(group));
        sb.group_start(group)
            .saturating_add(skipped)
            .saturating_add(index)
    })
}

/// The block of descriptor block `index`, and how many descriptor blocks follow each other from there.
pub(super) fn contiguous(sb: &Superblock, index: u64) -> (u64, u64) {
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
    let group = index.saturating_mul(per_block(sb));
    let mut skipped = u64::from(sb.has_superblock(group));
    // With blocks of 1 KiB and no block 0 in group 0 (bigalloc), the superblock is block 1, not 0.
    if sb.block_size == 1024 && index == 0 && sb.first_data_block == 0 {
        skipped = skipped.saturating_add(1);
    }
    (sb.group_start(group).saturating_add(skipped), 1)
}

/// First block of the group's inode table.
pub(super) fn parse(
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
    // Without `flex_bg` a group's inode table lies in the group (`ext4_check_descriptors`).
    let group_start = sb.group_start(group);
    let group_end = group_start.saturating_add(sb.blocks_per_group.into());
    let end = bg_inode_table.saturating_add(table_blocks);
    let in_group = (group_start..=group_end).contains(&bg_inode_table) && end <= group_end;
    if !sb.has_blocks(bg_inode_table, table_blocks) || !(in_group || sb.has(incompat::FLEX_BG)) {
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
