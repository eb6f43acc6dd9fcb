//! Keeping the disk cache within its bytes: what was of use longest ago goes first.

use super::folder::{Entry, Folder};
use std::collections::BinaryHeap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The oldest files that are remembered in one pass.
const PASS_MAX: usize = 1 << 16;

/// A file that has been written for so long belongs to nobody any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Removes the oldest files until at most `bytes_max` bytes are left; how many are.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn shrink(folder: &Folder, bytes_max: u64) -> io::Result<u64> {
    loop {
        let (mut total, oldest) = oldest(folder)?;
        let before = total;
        for entry in oldest.into_sorted_vec() {
            if total <= bytes_max {
                break;
            }
            if folder.remove_entry(&entry).is_ok() {
                total = total.saturating_sub(entry.bytes);
            }
        }
        if total <= bytes_max || total == before {
            return Ok(total);
        }
    }
}

/// The sum of all files, and the oldest of them. Removes what was left half-written.
fn oldest(folder: &Folder) -> io::Result<(u64, BinaryHeap<Entry>)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i128::try_from(now.as_nanos()).unwrap_or(0));
    let abandoned = i128::try_from(ABANDONED.as_nanos()).unwrap_or(0);
    let mut total = 0_u64;
    let mut oldest = BinaryHeap::new();
    folder.each(|entry| {
        if entry.temporary {
            let age = now.saturating_sub(entry.used);
            if age > abandoned && folder.remove_entry(&entry).is_ok() {
                return;
            }
            total = total.saturating_add(entry.bytes);
            return;
        }
        total = total.saturating_add(entry.bytes);
        oldest.push(entry);
        if oldest.len() > PASS_MAX {
            oldest.pop();
        }
    })?;
    Ok((total, oldest))
}
