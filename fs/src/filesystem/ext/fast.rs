//! What fast commits change, laid over what the reader finds on the disk.
//!
//! Fast commits are logical: "this inode has these fields", "this file has these blocks", "this name
//! is gone". Linux writes them into inode tables, extent trees and directories when it mounts; here
//! the answers are changed instead. The rules are those of `ext4_fc_replay_inode`, `_add_range`,
//! `_del_range`, `_create`, `_link` and `_unlink` in `fs/ext4/fast_commit.c` of Linux 6.18, with one
//! difference: `i_blocks` is taken as the source machine recorded it, where Linux counts anew.

use super::disk::Disk;
use super::extent;
use super::inode::flags;
use super::journal::Change;
use super::runs::{Run, Runs};
use crate::bytes::{get_le_u16, get_le_u32};
use crate::error::Result;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// All changes of a filesystem's fast commits, sorted by what they change.
#[derive(Debug, Default)]
pub(super) struct FastCommits {
    inodes: HashMap<u32, Vec<u8>>,
    ranges: HashMap<u32, Vec<Range>>,
    names: HashMap<u32, Arc<Names>>,
    created: HashSet<u32>,
}

/// A change of a file's map.
#[derive(Clone, Copy, Debug)]
enum Range {
    Add([u8; 12]),
    Delete { first: u32, len: u32 },
}

/// Changes of a directory.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names that are new, in the order they came, with their inodes.
    added: Vec<(Vec<u8>, u32)>,
    /// Entries of the disk that are gone: a name, as long as it leads to this inode.
    removed: HashSet<(Vec<u8>, u32)>,
}

impl Names {
    /// New names.
    pub(super) fn added(&self) -> &[(Vec<u8>, u32)] {
        &self.added
    }

    /// Whether an entry of the disk is gone.
    pub(super) fn is_removed(&self, name: &[u8], inode: u32) -> bool {
        !self.removed.is_empty() && self.removed.contains(&(name.to_vec(), inode))
    }

    fn link(&mut self, name: Vec<u8>, inode: u32) {
        let entry = (name, inode);
        if self.removed.remove(&entry) || self.added.iter().any(|(added, _)| *added == entry.0) {
            return;
        }
        self.added.push(entry);
    }

    fn unlink(&mut self, name: Vec<u8>, inode: u32) {
        let entry = (name, inode);
        let before = self.added.len();
        self.added.retain(|added| *added != entry);
        if self.added.len() == before {
            self.removed.insert(entry);
        }
    }
}

impl FastCommits {
    /// Sorts changes, which come oldest first.
    pub(super) fn new(changes: Vec<Change>) -> Self {
        let mut all = Self::default();
        let mut names: HashMap<u32, Names> = HashMap::new();
        for change in changes {
            match change {
                Change::Inode { inode, raw } => {
                    all.inodes.insert(inode, raw);
                }
                Change::AddRange { inode, extent } => {
                    all.ranges
                        .entry(inode)
                        .or_default()
                        .push(Range::Add(extent));
                }
                Change::DeleteRange { inode, first, len } => {
                    all.ranges
                        .entry(inode)
                        .or_default()
                        .push(Range::Delete { first, len });
                }
                Change::Create { dir, inode, name } => {
                    all.created.insert(inode);
                    names.entry(dir).or_default().link(name, inode);
                }
                Change::Link { dir, inode, name } => {
                    names.entry(dir).or_default().link(name, inode);
                }
                Change::Unlink { dir, inode, name } => {
                    names.entry(dir).or_default().unlink(name, inode);
                }
            }
        }
        all.names = names
            .into_iter()
            .map(|(dir, names)| (dir, Arc::new(names)))
            .collect();
        all
    }

    /// Whether nothing is changed.
    pub(super) fn is_empty(&self) -> bool {
        self.inodes.is_empty() && self.ranges.is_empty() && self.names.is_empty()
    }

    /// Whether an inode has other fields than the disk says.
    pub(super) fn has_inode(&self, number: u32) -> bool {
        !self.inodes.is_empty() && self.inodes.contains_key(&number)
    }

    /// The inode as it is with these changes, made of what the disk holds; `None` if they hold
    /// too little of it.
    ///
    /// The map in `i_block` stays the disk's where extents are used: those have changes of their own.
    pub(super) fn inode(&self, number: u32, on_disk: &[u8]) -> Option<Vec<u8>> {
        const I_BLOCK: std::ops::Range<usize> = 0x28..0x64;
        const HEADER_MAGIC: u16 = 0xf30a;
        let new = self.inodes.get(&number)?;
        let mut raw = on_disk.to_vec();
        let old_block: Vec<u8> = raw.get(I_BLOCK)?.to_vec();
        let len = new.len().min(raw.len());
        raw.get_mut(..len)?.copy_from_slice(new.get(..len)?);
        if get_le_u32(new, 0x20)? & flags::EXTENTS != 0 {
            let block = raw.get_mut(I_BLOCK)?;
            if get_le_u16(&old_block, 0) == Some(HEADER_MAGIC) {
                block.copy_from_slice(&old_block);
            } else {
                // No tree yet: an empty one with room for four extents.
                block.fill(0);
                block
                    .get_mut(..2)?
                    .copy_from_slice(&HEADER_MAGIC.to_le_bytes());
                block.get_mut(4..6)?.copy_from_slice(&4_u16.to_le_bytes());
            }
        }
        Some(raw)
    }

    /// A file's map with these changes.
    ///
    /// # Errors
    /// An extent that makes no sense.
    pub(super) fn map(&self, disk: &Disk, number: u32, runs: Runs, at: u64) -> Result<Runs> {
        let Some(ranges) = self.ranges.get(&number) else {
            return Ok(runs);
        };
        let mut list = runs.into_vec();
        for range in ranges {
            match range {
                Range::Add(raw) => {
                    let run = extent::parse_extent(disk, raw, at)?;
                    cut(&mut list, run.logical, run.end());
                    let place = list.partition_point(|other| other.logical < run.logical);
                    list.insert(place, run);
                }
                Range::Delete { first, len } => {
                    let first = u64::from(*first);
                    cut(&mut list, first, first.saturating_add(u64::from(*len)));
                }
            }
        }
        let mut runs = Runs::default();
        for run in list {
            runs.push(run, disk.limits.run_count_max, at)?;
        }
        Ok(runs)
    }

    /// Changes of a directory.
    pub(super) fn names(&self, dir: u32) -> Option<Arc<Names>> {
        self.names.get(&dir).cloned()
    }

    /// Whether an inode was made by a fast commit, so that the disk holds nothing of it.
    pub(super) fn is_created(&self, number: u32) -> bool {
        self.created.contains(&number)
    }
}

/// Takes the blocks from `start` to `end` out of a map.
fn cut(runs: &mut Vec<Run>, start: u64, end: u64) {
    let mut kept = Vec::with_capacity(runs.len().saturating_add(1));
    for run in runs.drain(..) {
        if run.end() <= start || run.logical >= end {
            kept.push(run);
            continue;
        }
        if run.logical < start {
            kept.push(Run {
                len: start.saturating_sub(run.logical),
                ..run
            });
        }
        if run.end() > end {
            let skipped = end.saturating_sub(run.logical);
            kept.push(Run {
                logical: end,
                physical: run.physical.saturating_add(skipped),
                len: run.end().saturating_sub(end),
                ..run
            });
        }
    }
    *runs = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_splits_what_it_hits() {
        let run = |logical, physical, len| Run {
            logical,
            physical,
            len,
            written: true,
        };
        let mut runs = vec![run(0, 100, 10), run(20, 200, 5)];
        cut(&mut runs, 4, 6);
        assert_eq!(runs, [run(0, 100, 4), run(6, 106, 4), run(20, 200, 5)]);
        cut(&mut runs, 8, 22);
        assert_eq!(runs, [run(0, 100, 4), run(6, 106, 2), run(22, 202, 3)]);
        cut(&mut runs, 0, 100);
        assert!(runs.is_empty());
    }

    #[test]
    fn too_little_of_an_inode_is_not_passed_for_the_old_one() {
        let raw = |len| Change::Inode {
            inode: 12,
            raw: vec![0; len],
        };
        let on_disk = [0xff; 256];
        assert!(
            FastCommits::new(vec![raw(0x20)])
                .inode(12, &on_disk)
                .is_none()
        );
        let whole = FastCommits::new(vec![raw(160)])
            .inode(12, &on_disk)
            .unwrap();
        assert_eq!((whole[0], whole[159], whole[160]), (0, 0, 0xff));
    }

    #[test]
    fn names_come_and_go_in_order() {
        let mut names = Names::default();
        names.unlink(b"a".to_vec(), 5);
        names.link(b"a".to_vec(), 6);
        names.link(b"b".to_vec(), 5);
        names.unlink(b"b".to_vec(), 5);
        assert!(names.is_removed(b"a", 5) && !names.is_removed(b"a", 6));
        assert_eq!(names.added(), [(b"a".to_vec(), 6)]);
        names.link(b"a".to_vec(), 5);
        assert!(!names.is_removed(b"a", 5), "the disk's own entry is back");
    }
}
