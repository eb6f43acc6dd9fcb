//! Fast commits: small changes behind the last full transaction, in an area of their own at the end
//! of the log. They are told, and not applied.
//!
//! ```text
//! log: 0 superblock | s_first … last-1 the ring | last unused | last+1 … s_maxlen-1 fast commits
//! record: 0 tag  2 length (both 16 bits)  4 features  8 transaction (of the tag "head")
//! ```
//!
//! All of it is little-endian, unlike the rest of the log. Source: `ext4_fc_replay_scan` in
//! `fs/ext4/fast_commit.c`, `fc_do_one_pass` in `fs/jbd2/recovery.c` and the place of `j_fc_first` in
//! `fs/jbd2/journal.c` of Linux 6.18.

use super::log::Log;
use super::superblock::features;
use crate::bytes::{get_le_u16, get_le_u32};
use crate::error::Result;

const TAG_HEAD: u16 = 9;

/// Whether the area of fast commits holds any that follow transaction `next_sequence - 1`.
///
/// # Errors
/// Those of the source.
pub(super) fn has_fast_commits(log: &Log, next_sequence: u32) -> Result<bool> {
    let sb = log.superblock();
    // The kernel leaves a block free between the ring and the area.
    let first = sb.last.saturating_add(1);
    if !sb.has(features::FAST_COMMIT) || first >= sb.max_len {
        return Ok(false);
    }
    let bytes = log.read(first)?;
    let (tag, tid) = (get_le_u16(&bytes, 0), get_le_u32(&bytes, 8));
    Ok(tag == Some(TAG_HEAD) && tid == Some(next_sequence))
}
