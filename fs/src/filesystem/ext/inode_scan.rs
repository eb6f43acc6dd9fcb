//! All inodes in use, by the bitmaps: also those that no directory names.

use super::check::{Checker, fault_of};
use super::codes;
use super::inode::{Inode, flags};
use super::superblock::SIZE;
use crate::bytes::{get_le_u32, len_u64};
use crate::error::{Error, Fault};
use crate::filesystem::check::CheckItem;
use crate::node::NodeId;
use std::fmt::Write;

/// Numbers that are told; the rest is counted.
const TOLD_MAX: usize = 8;

/// Inodes in use that no walk has met.
#[derive(Debug, Default)]
pub(super) struct Unreachable {
    count: u64,
    first: Vec<u32>,
}

impl Checker<'_> {
    /// Verifies the inodes of `group` whose bits are set.
    pub(super) fn inodes(&mut self, group: u64, bits: &[u8]) {
        let sb = &self.disk.sb;
        let first = group.saturating_mul(sb.inodes_per_group.into());
        // One message for all inodes that cannot be read, not one for each.
        let mut unread: Option<(Fault, u64)> = None;
        let per_group = usize::try_from(sb.inodes_per_group).unwrap_or(usize::MAX);
        for (index, byte) in bits.iter().enumerate().take(per_group.div_ceil(8)) {
            for bit in (0..8_u64).filter(|bit| byte >> bit & 1 != 0) {
                let within = len_u64(index).saturating_mul(8).saturating_add(bit);
                let number = first.saturating_add(within).saturating_add(1);
                let Ok(number) = u32::try_from(number) else {
                    continue;
                };
                if within < u64::from(sb.inodes_per_group) && number <= sb.inodes_count {
                    self.inode(number, &mut unread);
                }
            }
        }
        if let Some((mut fault, count)) = unread {
            fault.detail = format!("{count} inodes from here on: {}", fault.detail).into();
            self.damaged(fault);
        }
    }

    fn inode(&mut self, number: u32, unread: &mut Option<(Fault, u64)>) {
        let sb = &self.disk.sb;
        // A group without a table has been told.
        let Ok(at) = self.groups.inode_at(sb, number) else {
            return;
        };
        let reserved = number < sb.first_inode;
        let reached = (self.ctx.reached)(NodeId(number.into()));
        match Inode::read_any(self.disk, number, at) {
            Ok(inode) => {
                self.verified();
                if !reserved && !reached && !inode.has(flags::EA_INODE) && !self.is_internal(number)
                {
                    self.unreachable.count = self.unreachable.count.saturating_add(1);
                    if self.unreachable.first.len() < TOLD_MAX {
                        self.unreachable.first.push(number);
                    }
                }
            }
            // Deleted while it was open: an orphan.
            Err(Error::Corrupt(fault)) if fault.code == codes::INODE_DELETED => self.verified(),
            // Nobody fills in more of a reserved inode than is used of it.
            Err(Error::Corrupt(fault)) if reserved && fault.code != codes::INODE_CHECKSUM => {}
            Err(error) if error.fault().is_none() => {
                let detail = error.to_string();
                let (_, count) =
                    unread.get_or_insert_with(|| (Fault::new(codes::INODE_READ, at, detail), 0));
                *count = count.saturating_add(1);
            }
            Err(error) => {
                let mut fault = fault_of(&error, at);
                if !reached && !reserved {
                    fault.detail = format!("{} (not reached by any name)", fault.detail).into();
                }
                self.damaged(fault);
            }
        }
    }

    /// Whether an inode belongs to the filesystem itself: the orphan file, the project quota.
    fn is_internal(&self, number: u32) -> bool {
        const S_PRJ_QUOTA_INUM: usize = 0x26c;
        let Ok(raw) = self.disk.piece(self.disk.sb.at, SIZE) else {
            return false;
        };
        let quota = get_le_u32(&raw, S_PRJ_QUOTA_INUM);
        [quota, self.orphan_file_inode()].contains(&Some(number))
    }

    /// One remark for all inodes without a name.
    pub(super) fn tell_unreachable(&mut self) {
        let Unreachable { count, first } = &self.unreachable;
        if *count == 0 {
            return;
        }
        let mut detail = format!("{count} inodes in use that no directory names:");
        for number in first {
            // Writing to a string does not fail.
            let _ = write!(detail, " {number}");
        }
        if *count > len_u64(first.len()) {
            detail.push_str(" …");
        }
        let fault = Fault::new(codes::INODE_UNREACHABLE, self.disk.sb.at, detail);
        (self.report)(CheckItem::Remark(fault));
    }
}
