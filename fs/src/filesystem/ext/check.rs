//! What reading every file does not verify: the first superblock when a copy is in use, spare copies of
//! superblock and descriptors, bitmaps, the MMP block, the orphan file, and inodes in use that no
//! directory names. Source: `fs/ext4/bitmap.c` and `fs/ext4/super.c` of Linux 6.18.

use super::disk::Disk;
use super::group::{self, Groups};
use super::inode_scan;
use super::superblock::{PRIMARY_OFFSET, SIZE, Superblock};
use super::{codes, journal};
use crate::bytes::{get_array, get_le_u16, get_le_u32, join_u32};
use crate::error::{Error, Fault, Request, Result};
use crate::filesystem::check::{CheckContext, CheckItem};
use crate::format::{ChecksumPolicy, OpenContext};
use crate::node::FsState;

/// Flags of a group: its bitmap of inodes, or of blocks, was never written.
const INODE_UNINIT: u16 = 0x1;
const BLOCK_UNINIT: u16 = 0x2;

/// Groups whose copies of the descriptors are looked at. Filesystems of any size have fewer, except
/// those from before `sparse_super`, which keep one in every group.
const SPARE_COUNT_MAX: usize = 64;

/// Checks everything this file names.
///
/// # Errors
/// [`Request::Cancelled`].
pub(super) fn check(
    disk: &Disk,
    groups: &Groups,
    state: &FsState,
    ctx: &CheckContext<'_>,
    report: &mut dyn FnMut(CheckItem),
) -> Result<u64> {
    let mut checker = Checker {
        disk,
        groups,
        ctx,
        report,
        checksums: 0,
        unreachable: inode_scan::Unreachable::default(),
    };
    checker.superblock();
    checker.journal(state);
    checker.mmp();
    checker.orphan_file();
    let count = disk.sb.group_count();
    for group in 0..count {
        if (ctx.cancelled)() {
            return Err(Request::Cancelled.into());
        }
        if !checker.is_there(group) {
            // That the disk is cut off has been said.
            break;
        }
        checker.copy_of_superblock(group);
        checker.group(group);
    }
    let spare: Vec<u64> = (1..count)
        .take_while(|group| checker.is_there(*group))
        .filter(|group| disk.sb.has_superblock(*group))
        .take(SPARE_COUNT_MAX)
        .collect();
    let per_block = group::per_block(&disk.sb);
    for index in 0..count.div_ceil(per_block) {
        if !checker.is_there(index.saturating_mul(per_block)) {
            break;
        }
        if (ctx.cancelled)() {
            return Err(Request::Cancelled.into());
        }
        checker.copies_of_descriptors(index, &spare);
    }
    checker.tell_unreachable();
    Ok(checker.checksums)
}

/// A check in progress.
pub(super) struct Checker<'a> {
    pub(super) disk: &'a Disk,
    pub(super) groups: &'a Groups,
    pub(super) ctx: &'a CheckContext<'a>,
    pub(super) report: &'a mut dyn FnMut(CheckItem),
    pub(super) checksums: u64,
    pub(super) unreachable: inode_scan::Unreachable,
}

/// What a group's descriptor says beside the place of its inode table.
pub(super) struct Descriptor {
    pub(super) flags: u16,
    pub(super) inode_bitmap: Bitmap,
    block_bitmap: Bitmap,
}

/// A bitmap's block and its checksum, of which narrow descriptors hold the lower half only.
pub(super) struct Bitmap {
    block: u64,
    checksum: u32,
    wide: bool,
}

impl Descriptor {
    fn parse(raw: &[u8]) -> Self {
        let word = |at| get_le_u32(raw, at).unwrap_or(0);
        let half = |at| get_le_u16(raw, at).unwrap_or(0);
        let bitmap = |low, high, sum_low, sum_high| {
            let wide = raw.len() >= 64;
            let (high, sum_high) = if wide {
                (word(high), half(sum_high))
            } else {
                (0, 0)
            };
            Bitmap {
                block: join_u32(word(low), high),
                checksum: u32::from(half(sum_low)) | (u32::from(sum_high) << 16),
                wide,
            }
        };
        Self {
            flags: half(0x12),
            block_bitmap: bitmap(0x0, 0x20, 0x18, 0x38),
            inode_bitmap: bitmap(0x4, 0x24, 0x1a, 0x3a),
        }
    }
}

impl Checker<'_> {
    /// Whether the group starts on the disk.
    fn is_there(&self, group: u64) -> bool {
        let sb = &self.disk.sb;
        sb.byte_of(sb.group_start(group)) < self.disk.source.size()
    }

    pub(super) fn damaged(&mut self, fault: Fault) {
        (self.report)(CheckItem::Damaged(fault));
    }

    pub(super) fn verified(&mut self) {
        if self.disk.verifies() {
            self.checksums = self.checksums.saturating_add(1);
        }
    }

    pub(super) fn policy(&self) -> ChecksumPolicy {
        match self.disk.obeys_checksums() {
            true => ChecksumPolicy::Strict,
            false => ChecksumPolicy::Ignore,
        }
    }

    pub(super) fn read_superblock(&self, at: u64) -> Result<Superblock> {
        let raw = self.disk.piece(at, SIZE)?;
        let raw: [u8; SIZE] = get_array(&raw, 0).ok_or(Request::NotOffered)?;
        Superblock::parse(&raw, at, self.policy())
    }

    fn superblock(&mut self) {
        let sb = &self.disk.sb;
        self.verified();
        if sb.at != PRIMARY_OFFSET
            && let Err(error) = self.read_superblock(PRIMARY_OFFSET)
        {
            self.damaged(fault_of(&error, PRIMARY_OFFSET));
        }
        let source_size = self.disk.source.size();
        if sb.size() > source_size {
            let detail = format!("{source_size} bytes of {} are there", sb.size());
            self.damaged(Fault::new(codes::SUPERBLOCK_SIZE, sb.at, detail));
        }
    }

    /// The journal of a clean filesystem, which nothing else has looked at.
    fn journal(&mut self, state: &FsState) {
        let sb = &self.disk.sb;
        if *state != FsState::Clean || sb.journal_inode == 0 {
            return;
        }
        let ctx = OpenContext {
            limits: self.disk.limits.clone(),
            checksums: self.policy(),
            ..OpenContext::default()
        };
        match journal::locate(&self.disk.source, sb, &ctx) {
            Err(Error::Corrupt(fault)) => self.damaged(fault),
            Err(error @ Error::Io { .. }) => self.damaged(fault_of(&error, sb.at)),
            // A feature of a log that holds nothing is no damage.
            Ok(_) | Err(_) => {}
        }
    }

    /// A group's descriptor, bitmaps and inodes.
    fn group(&mut self, group: u64) {
        let sb = &self.disk.sb;
        let per_block = group::per_block(sb);
        let (Some(index), Some(within)) =
            (group.checked_div(per_block), group.checked_rem(per_block))
        else {
            return;
        };
        let size = u64::from(sb.descriptor_size);
        let (block, _) = group::contiguous(sb, index);
        let at = sb
            .byte_of(block)
            .saturating_add(within.saturating_mul(size));
        let raw = match self.disk.piece(at, usize::from(sb.descriptor_size)) {
            Ok(raw) => raw,
            Err(error) => {
                return self.damaged(Fault::new(codes::GROUP_READ, at, error.to_string()));
            }
        };
        if let Err(fault) = group::parse(sb, group, &raw, at, self.policy()) {
            // What it says of bitmaps is worth no more than the rest.
            return self.damaged(fault);
        }
        self.verified();
        let descriptor = Descriptor::parse(&raw);
        let checked_flags = sb.has_metadata_csum() || sb.has_group_checksums();
        let flags = if checked_flags { descriptor.flags } else { 0 };
        let clusters = sb.blocks_per_group.checked_div(sb.cluster_blocks);
        if flags & BLOCK_UNINIT == 0 {
            let bits = clusters.unwrap_or(0);
            self.bitmap(&descriptor.block_bitmap, bits, group, "blocks");
        }
        if flags & INODE_UNINIT == 0
            && let Some(bits) = self.bitmap(
                &descriptor.inode_bitmap,
                sb.inodes_per_group,
                group,
                "inodes",
            )
        {
            self.inodes(group, &bits);
        }
    }

    /// Reads a bitmap and verifies its checksum.
    fn bitmap(
        &mut self,
        bitmap: &Bitmap,
        bits: u32,
        group: u64,
        of: &str,
    ) -> Option<super::disk::Piece> {
        let sb = &self.disk.sb;
        let at = sb.byte_of(bitmap.block);
        let raw = match self.disk.block(bitmap.block) {
            Ok(raw) => raw,
            Err(error) => {
                let detail = format!("the bitmap of {of} of group {group}: {error}");
                self.damaged(Fault::new(codes::BITMAP_READ, at, detail));
                return None;
            }
        };
        if self.disk.verifies() {
            self.verified();
            let len = usize::try_from(bits >> 3).unwrap_or(usize::MAX);
            let sum = sb.checksum_seed.with(raw.get(..len).unwrap_or_default());
            let computed = match bitmap.wide {
                true => sum.value(),
                false => u32::from(sum.low16()),
            };
            if computed != bitmap.checksum {
                let detail = format!(
                    "the checksum of the bitmap of {of} of group {group} is {:#x}, not {computed:#x}",
                    bitmap.checksum
                );
                self.damaged(Fault::new(codes::BITMAP_CHECKSUM, at, detail));
            }
        }
        Some(raw)
    }
}

/// The error as a fault; one of the source below is given the place that was being read.
pub(super) fn fault_of(error: &Error, at: u64) -> Fault {
    match error.fault() {
        Some(fault) => fault.clone(),
        None => Fault::new(error.code(), at, error.to_string()),
    }
}
