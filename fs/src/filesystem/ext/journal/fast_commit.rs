//! Fast commits: small logical changes that follow the last full transaction, in an area of their own
//! at the end of the log.
//!
//! ```text
//! tag  0 kind (16)  2 length (16)  4 value              little-endian, unlike the rest of the log
//! ```
//!
//! A fast commit starts with a head that names the transaction it follows, or goes on behind the one
//! before, and ends with a tail that holds a checksum over everything since the tail before. One
//! without a sound tail was cut off by the crash and never counted. Source: `fs/ext4/fast_commit.h`
//! and `ext4_fc_replay_scan` in `fs/ext4/fast_commit.c` of Linux 6.18.

use super::super::checksum::Crc32c;
use super::super::codes;
use super::log::Log;
use super::superblock::features;
use crate::bytes::{get_array, get_le_u16, get_le_u32};
use crate::error::{Error, Result};

const TAG_LEN: usize = 4;

/// Kinds of tags.
mod tag {
    pub(super) const ADD_RANGE: u16 = 1;
    pub(super) const DELETE_RANGE: u16 = 2;
    pub(super) const CREATE: u16 = 3;
    pub(super) const LINK: u16 = 4;
    pub(super) const UNLINK: u16 = 5;
    pub(super) const INODE: u16 = 6;
    pub(super) const PAD: u16 = 7;
    pub(super) const TAIL: u16 = 8;
    pub(super) const HEAD: u16 = 9;
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A file's blocks, in the form of an extent on the disk.
    AddRange { inode: u32, extent: [u8; 12] },
    /// Blocks that a file no longer has.
    DeleteRange { inode: u32, first: u32, len: u32 },
    /// A new inode and its first name.
    Create { dir: u32, inode: u32, name: Vec<u8> },
    /// A new name.
    Link { dir: u32, inode: u32, name: Vec<u8> },
    /// A name that is gone.
    Unlink { dir: u32, inode: u32, name: Vec<u8> },
    /// An inode's fields.
    Inode { inode: u32, raw: Vec<u8> },
}

/// Reads the changes of all fast commits that follow transaction `sequence - 1`, oldest first.
///
/// # Errors
/// [`codes::JOURNAL_FEATURE`]; those of the source.
pub(super) fn read(log: &Log, sequence: u32) -> Result<Vec<Change>> {
    let sb = log.superblock();
    let mut changes = Vec::new();
    if !sb.has(features::FAST_COMMIT) {
        return Ok(changes);
    }
    let mut scan = Scan {
        sequence,
        sum: Crc32c::seeded(0),
        pending: Vec::new(),
        changes: &mut changes,
    };
    // One block behind the log proper stays unused (`j_fc_first` in `journal_load_superblock`).
    let first = sb.last.saturating_add(1);
    for number in first..sb.max_len {
        let block = log.read(number)?;
        if number == first && get_le_u16(&block, 0) != Some(tag::HEAD) {
            break;
        }
        let at = log.place(number)?;
        if scan.block(&block, at)? == Step::End {
            break;
        }
    }
    Ok(changes)
}

#[derive(PartialEq, Eq)]
enum Step {
    GoOn,
    End,
}

struct Scan<'a> {
    sequence: u32,
    /// Register over everything since the last tail.
    sum: Crc32c,
    /// Changes since the last tail.
    pending: Vec<Change>,
    changes: &'a mut Vec<Change>,
}

impl Scan<'_> {
    fn block(&mut self, block: &[u8], at: u64) -> Result<Step> {
        let mut offset = 0_usize;
        while offset.saturating_add(TAG_LEN) <= block.len() {
            let kind = get_le_u16(block, offset).unwrap_or(0);
            let len = usize::from(get_le_u16(block, offset.saturating_add(2)).unwrap_or(0));
            let start = offset.saturating_add(TAG_LEN);
            let end = start.saturating_add(len);
            let (Some(value), Some(whole)) = (block.get(start..end), block.get(offset..end)) else {
                return Ok(Step::End);
            };
            offset = end;
            if kind == tag::TAIL {
                if !self.tail(value, whole) {
                    return Ok(Step::End);
                }
                continue;
            }
            self.sum = self.sum.with(whole);
            match kind {
                tag::PAD => {}
                tag::HEAD => {
                    let fc_features = get_le_u32(value, 0);
                    if fc_features.is_some_and(|features| features != 0) {
                        let detail = format!("fast commit features {fc_features:x?} are not read");
                        return Err(Error::unsupported(codes::JOURNAL_FEATURE, at, detail));
                    }
                    if get_le_u32(value, 4) != Some(self.sequence) {
                        return Ok(Step::End);
                    }
                }
                kind => match change(kind, value) {
                    Some(change) => self.pending.push(change),
                    None => return Ok(Step::End),
                },
            }
        }
        Ok(Step::GoOn)
    }

    /// Whether the tail is sound; then what came before it counts.
    fn tail(&mut self, value: &[u8], whole: &[u8]) -> bool {
        let covered = whole.get(..TAG_LEN.saturating_add(4)).unwrap_or_default();
        let sum = self.sum.with(covered).value();
        self.sum = Crc32c::seeded(0);
        let fits = get_le_u32(value, 0) == Some(self.sequence) && get_le_u32(value, 4) == Some(sum);
        if fits {
            self.changes.append(&mut self.pending);
        }
        fits
    }
}

/// One change; `None` for a kind that is not known or a value too short for its kind.
fn change(kind: u16, value: &[u8]) -> Option<Change> {
    let first = get_le_u32(value, 0)?;
    let named = || Some((first, get_le_u32(value, 4)?, value.get(8..)?.to_vec()));
    Some(match kind {
        tag::ADD_RANGE => Change::AddRange {
            inode: first,
            extent: get_array(value, 4)?,
        },
        tag::DELETE_RANGE => Change::DeleteRange {
            inode: first,
            first: get_le_u32(value, 4)?,
            len: get_le_u32(value, 8)?,
        },
        tag::CREATE => {
            let (dir, inode, name) = named()?;
            Change::Create { dir, inode, name }
        }
        tag::LINK => {
            let (dir, inode, name) = named()?;
            Change::Link { dir, inode, name }
        }
        tag::UNLINK => {
            let (dir, inode, name) = named()?;
            Change::Unlink { dir, inode, name }
        }
        tag::INODE => Change::Inode {
            inode: first,
            raw: value.get(4..)?.to_vec(),
        },
        _ => return None,
    })
}
