//! Entries of a directory block.
//!
//! ```text
//! 0 inode (32 bits)  4 entry length (16)  6 name length (8)  7 kind (8)  8 name
//! ```
//!
//! Entries fill their block to the last byte; one without a name or with inode 0 is free space.
//! Without the `filetype` feature the name's length has 16 bits. With checksums the last 12 bytes
//! look like a free entry of kind 0xde and hold the checksum. Blocks of a hash tree look like one
//! free entry, so a linear walk passes them by. Source: `struct ext4_dir_entry_2`,
//! `ext4_rec_len_from_disk` and `__ext4_check_dir_entry` in `fs/ext4/` of Linux 6.18.

use super::features::incompat;
use super::superblock::Superblock;
use crate::bytes::{get_array, get_le_u16, get_le_u32};
use crate::node::FileKind;
use std::ops::Range;

/// Bytes of an entry before its name.
const HEADER_LEN: usize = 8;
/// Shortest entry: a header and a name of up to four bytes.
pub(super) const ENTRY_LEN_MIN: usize = 12;
/// Bytes of the entry that holds a block's checksum.
pub(super) const TAIL_LEN: usize = 12;
const TAIL_KIND: u8 = 0xde;

/// An entry in use or free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dirent<'a> {
    /// Inode, or 0 for free space.
    pub inode: u32,
    /// Bytes to the next entry.
    pub len: usize,
    pub name: &'a [u8],
    pub kind: Option<FileKind>,
}

/// Parses the entry at `at` of a block.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn parse<'a>(sb: &Superblock, block: &'a [u8], at: usize) -> Result<Dirent<'a>, String> {
    let left = block.get(at..).unwrap_or_default();
    let header: [u8; HEADER_LEN] =
        get_array(left, 0).ok_or_else(|| format!("an entry of {} bytes", left.len()))?;
    let [.., name_len_low, kind] = header;
    let inode = get_le_u32(&header, 0).unwrap_or(0);
    let rec_len = get_le_u16(&header, 4).unwrap_or(0);
    let len = entry_len(rec_len, block.len());
    let name_len = if sb.has(incompat::FILETYPE) {
        usize::from(name_len_low)
    } else {
        usize::from(u16::from_le_bytes([name_len_low, kind]))
    };
    let needed = HEADER_LEN
        .saturating_add(name_len)
        .next_multiple_of(4)
        .max(ENTRY_LEN_MIN);
    let fits =
        len <= left.len() && (left.len().saturating_sub(len) >= ENTRY_LEN_MIN || len == left.len());
    if !len.is_multiple_of(4) || len < ENTRY_LEN_MIN || (inode != 0 && len < needed) || !fits {
        let room = left.len();
        return Err(format!(
            "an entry of {len} bytes with a name of {name_len} in {room} bytes"
        ));
    }
    let end = HEADER_LEN.saturating_add(name_len);
    let name = left.get(HEADER_LEN..end).unwrap_or_default();
    let kind = sb.has(incompat::FILETYPE).then(|| kind_of(kind)).flatten();
    Ok(Dirent {
        inode,
        len,
        name,
        kind,
    })
}

/// Entry lengths have 16 bits, multiples of four up to a block of 64 KiB: 0 and 65535 stand for the
/// whole block, and the two low bits are bits 16 and 17.
fn entry_len(rec_len: u16, block_len: usize) -> usize {
    if rec_len == 0 || rec_len == u16::MAX {
        return block_len;
    }
    usize::from(rec_len & !3) | (usize::from(rec_len & 3) << 16)
}

fn kind_of(kind: u8) -> Option<FileKind> {
    // The upper half is used by `dirdata`.
    Some(match kind & 0xf {
        1 => FileKind::File,
        2 => FileKind::Directory,
        3 => FileKind::CharDevice,
        4 => FileKind::BlockDevice,
        5 => FileKind::Fifo,
        6 => FileKind::Socket,
        7 => FileKind::Symlink,
        _ => return None,
    })
}

/// The checksum at the end of a block of entries, if it has one.
pub(super) fn tail_checksum(block: &[u8]) -> Option<u32> {
    let at = block.len().checked_sub(TAIL_LEN)?;
    let tail: [u8; TAIL_LEN] = get_array(block, at)?;
    let [0, 0, 0, 0, 12, 0, 0, TAIL_KIND, sum @ ..] = tail else {
        return None;
    };
    Some(u32::from_le_bytes(sum))
}

/// Whether a block of an indexed directory is an inner node: one free entry over the whole block.
pub(super) fn is_index_node(sb: &Superblock, block: &[u8]) -> bool {
    parse(sb, block, 0).is_ok_and(|entry| entry.inode == 0 && entry.len == block.len())
}

/// An item of a block: an entry, or a part that makes no sense.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// An entry and where it starts.
    Entry(usize, Dirent<'a>),
    /// A part that could not be read, and why.
    Bad(Range<usize>, String),
}

/// Reads entries from `at` on until the end of the block. Behind a damaged entry it goes on at the
/// first place from which sound entries lead to the end of the block.
pub(super) fn items<'a>(
    sb: &'a Superblock,
    block: &'a [u8],
    at: usize,
) -> impl Iterator<Item = Item<'a>> + 'a {
    let mut at = at;
    std::iter::from_fn(move || {
        if at >= block.len() {
            return None;
        }
        match parse(sb, block, at) {
            Ok(entry) => {
                let start = at;
                at = at.saturating_add(entry.len);
                Some(Item::Entry(start, entry))
            }
            Err(reason) => {
                let start = at;
                at = resume_at(sb, block, start);
                Some(Item::Bad(start..at, reason))
            }
        }
    })
}

/// The first place behind `bad` from which sound entries lead to the end of the block, the first of
/// them in use; or the end.
fn resume_at(sb: &Superblock, block: &[u8], bad: usize) -> usize {
    let end = block.len();
    // Backwards, so that each place is looked at once: a place is sound if its entry is and leads to
    // the end or to a sound place.
    let slots = end.wrapping_div(4);
    let mut sound = vec![false; slots];
    let mut best = end;
    let first = bad.wrapping_div(4).saturating_add(1);
    for slot in (first..slots).rev() {
        let at = slot.saturating_mul(4);
        let Ok(entry) = parse(sb, block, at) else {
            continue;
        };
        let next = at.saturating_add(entry.len);
        let leads_on = next == end || sound.get(next.wrapping_div(4)) == Some(&true);
        if !leads_on {
            continue;
        }
        if let Some(sound) = sound.get_mut(slot) {
            *sound = true;
        }
        if entry.inode != 0 && !entry.name.is_empty() && entry.inode <= sb.inodes_count {
            best = at;
        }
    }
    best
}
