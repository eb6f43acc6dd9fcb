//! Finding the log: in an inode of the filesystem, by the superblock's copy of that inode's map, or
//! on a device of its own.

use super::super::codes;
use super::super::content::Content;
use super::super::disk::Disk;
use super::super::features::incompat;
use super::super::group::Groups;
use super::super::inode::{Inode, flags};
use super::super::superblock::{PRIMARY_OFFSET, SIZE, Superblock};
use super::super::{block_map, extent};
use super::log::Log;
use crate::bytes::{array, le_u32, uuid_text};
use crate::error::{Error, Result};
use crate::format::{ChecksumPolicy, OpenContext};
use crate::node::FileKind;
use crate::source::ByteSource;
use std::sync::Arc;

/// Opens the log of the filesystem that `sb` describes.
///
/// # Errors
/// [`codes::JOURNAL_MISSING`] for an external journal that is not among the other sources,
/// [`codes::JOURNAL_INODE`]; those of [`Log::open`].
pub(crate) fn locate(
    source: &Arc<dyn ByteSource>,
    sb: &Superblock,
    ctx: &OpenContext<'_>,
) -> Result<Log> {
    if sb.journal_inode == 0 {
        return external(sb, ctx);
    }
    let checksums = ctx.checksums;
    let disk = Disk::new(
        Arc::clone(source),
        sb.clone(),
        ctx.limits.clone(),
        checksums,
    );
    let disk = Arc::new(disk);
    let in_inode = inode(&disk, sb, checksums).and_then(|inode| open(&disk, &inode));
    match (in_inode, &sb.journal_backup) {
        (Ok(log), _) => Ok(log),
        // The superblock keeps a copy of the map for the day the inode is lost.
        (Err(error), Some(backup)) => {
            let copy = Inode::of_journal(&disk, sb.journal_inode, backup);
            copy.and_then(|inode| open(&disk, &inode))
                .map_err(|_| error)
        }
        (Err(error), None) => Err(error),
    }
}

fn inode(disk: &Disk, sb: &Superblock, checksums: ChecksumPolicy) -> Result<Inode> {
    let (groups, _) = Groups::read(disk.source.as_ref(), sb, checksums);
    let at = groups.inode_at(sb, sb.journal_inode)?;
    Inode::read_any(disk, sb.journal_inode, at)
}

fn open(disk: &Arc<Disk>, inode: &Inode) -> Result<Log> {
    if inode.kind != FileKind::File || inode.has(flags::INLINE_DATA) {
        let detail = format!("inode {} is no journal", inode.number);
        return Err(Error::corrupt(codes::JOURNAL_INODE, inode.at, detail));
    }
    let runs = match inode.has(flags::EXTENTS) {
        true => extent::read(disk, inode)?,
        false => block_map::read(disk, inode)?,
    };
    let content = Content::new(Arc::clone(disk), Arc::new(runs), inode.size);
    Log::open(Arc::new(content), None, 0, disk.sb.block_size)
}

/// A journal on a device of its own: behind a superblock with the feature `journal_dev` and the UUID
/// that the filesystem names.
fn external(sb: &Superblock, ctx: &OpenContext<'_>) -> Result<Log> {
    if sb.journal_uuid == [0; 16] {
        let detail = "the filesystem has a journal by its features, and names none";
        return Err(Error::corrupt(codes::JOURNAL_INODE, sb.at, detail));
    }
    for device in ctx.others {
        if let Some(superblock_at) = log_on(device.as_ref(), sb) {
            let external = Some(Arc::clone(device));
            return Log::open(Arc::clone(device), external, superblock_at, sb.block_size);
        }
    }
    let uuid = uuid_text(&sb.journal_uuid);
    let detail = format!("the journal lies on another device, with UUID {uuid}");
    Err(Error::unsupported(codes::JOURNAL_MISSING, sb.at, detail))
}

/// Where the log's superblock lies on a device, in bytes, if it is the one that the filesystem names. A
/// device that cannot be read is none. The log's blocks are numbered from the start of the device.
fn log_on(device: &dyn ByteSource, sb: &Superblock) -> Option<u64> {
    let mut raw = [0; SIZE];
    device.read_at(PRIMARY_OFFSET, &mut raw).ok()?;
    let is_journal = le_u32(&raw, 0x60) & incompat::JOURNAL_DEV != 0;
    let uuid: [u8; 16] = array(&raw, 0x68);
    if !Superblock::has_magic(&raw) || !is_journal || uuid != sb.journal_uuid {
        return None;
    }
    // It lies in the block behind the one with the device's own superblock.
    let block_size = 1024_u64
        .checked_shl(le_u32(&raw, 0x18))
        .filter(|size| *size <= 1 << 16)?;
    let superblock_block = PRIMARY_OFFSET.checked_div(block_size)?;
    superblock_block.checked_add(1)?.checked_mul(block_size)
}
