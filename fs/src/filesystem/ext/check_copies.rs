//! Spare copies of the superblock and of the descriptors.
//!
//! Copies are written when the filesystem is made or resized, and know nothing of what came later. So
//! only what never changes is compared: geometry, identity, the places of the inode tables.

use super::check::Checker;
use super::codes;
use super::features::incompat;
use super::group;
use super::superblock::Superblock;
use crate::bytes::len_u64;
use crate::error::Fault;

impl Checker<'_> {
    pub(super) fn copy_of_superblock(&mut self, group: u64) {
        let sb = &self.disk.sb;
        if group == 0 || !sb.has_superblock(group) {
            return;
        }
        let at = sb.byte_of(sb.group_start(group));
        let found = match self.read_superblock(at) {
            Ok(copy) if describes_the_same(&copy, sb) => {
                self.verified();
                return;
            }
            Ok(_) => "it describes another filesystem".to_owned(),
            Err(error) => error.to_string(),
        };
        let detail = format!("the superblock's copy in group {group}: {found}");
        self.damaged(Fault::new(codes::SUPERBLOCK_COPY, at, detail));
    }

    /// All copies of one block of descriptors. `spare`: groups with a copy of the superblock.
    pub(super) fn copies_of_descriptors(&mut self, index: u64, spare: &[u64]) {
        let sb = &self.disk.sb;
        let per_block = group::per_block(sb);
        let first = index.saturating_mul(per_block);
        let by_meta_group = sb.has(incompat::META_BG) && index >= u64::from(sb.first_meta_bg);
        let in_groups: Vec<u64> = if by_meta_group {
            let ends = [1, per_block.saturating_sub(1)].map(|group| first.saturating_add(group));
            let mut ends = ends.to_vec();
            ends.dedup();
            ends
        } else {
            // With `meta_bg` only the meta groups of the old layout keep copies of it.
            let meta = sb.has(incompat::META_BG);
            let old = u64::from(sb.first_meta_bg).saturating_mul(per_block);
            let keeps = |group: &&u64| !meta || **group < old;
            spare.iter().filter(keeps).copied().collect()
        };
        for group in in_groups {
            let skipped = u64::from(sb.has_superblock(group));
            let within = if by_meta_group { 0 } else { index };
            let block = sb.group_start(group).saturating_add(skipped);
            let at = sb.byte_of(block.saturating_add(within));
            let inside = at < self.disk.source.size() && group < sb.group_count();
            if inside && let Some(found) = self.descriptors(at, first) {
                let detail = format!("the descriptors' copy in group {group}: {found}");
                self.damaged(Fault::new(codes::GROUP_COPY, at, detail));
            }
        }
    }

    /// What is wrong with the block of descriptors at byte `at`, which begins with that of `first`.
    fn descriptors(&mut self, at: u64, first: u64) -> Option<String> {
        let sb = &self.disk.sb;
        let raw = match self.disk.piece(at, sb.block_len()) {
            Ok(raw) => raw,
            Err(error) => return Some(error.to_string()),
        };
        let size = usize::from(sb.descriptor_size);
        let mut at = at;
        for (group, raw) in (first..sb.group_count()).zip(raw.chunks_exact(size)) {
            let table = match group::parse(sb, group, raw, at, self.policy()) {
                Ok(table) => table,
                Err(fault) => return Some(fault.to_string()),
            };
            if self.groups.table(group).is_some_and(|used| used != table) {
                return Some(format!("inode table of group {group} at block {table}"));
            }
            self.verified();
            at = at.saturating_add(len_u64(size));
        }
        None
    }
}

/// Whether two superblocks agree in what never changes.
fn describes_the_same(copy: &Superblock, sb: &Superblock) -> bool {
    let of = |sb: &Superblock| {
        (
            (sb.block_size, sb.cluster_blocks, sb.blocks_count),
            (sb.inodes_count, sb.inode_size, sb.descriptor_size),
            (sb.blocks_per_group, sb.inodes_per_group, sb.uuid),
        )
    };
    of(copy) == of(sb)
}
