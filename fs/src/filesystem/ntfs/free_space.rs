//! How many clusters are free: those that `$Bitmap` does not mark, counted when somebody asks.

use super::attribute::types;
use super::content;
use super::disk::Disk;
use super::file::File;
use super::mft::Mft;
use crate::bytes::{clamp_usize, get_le_u64, len_u64};
use crate::error::Result;
use std::sync::Arc;

/// Record of `$Bitmap`.
pub const BITMAP: u64 = 6;
/// Longest bitmap that is read for it: 512 GiB of clusters of 4 KiB.
const BYTES_MAX: u64 = 16 << 20;
/// Bytes read at once.
const READ_LEN: usize = 256 << 10;

/// Free clusters. 0 for a volume so large that counting them is dear, and for one whose bitmap is missing or
/// too short.
///
/// # Errors
/// Those of reading `$Bitmap`.
pub fn count(disk: &Arc<Disk>, mft: &Mft) -> Result<u64> {
    let clusters = disk.boot.clusters;
    if clusters.div_ceil(8) > BYTES_MAX {
        return Ok(0);
    }
    let file = File::new(mft, mft.record(BITMAP)?);
    let Some(stream) = file.stream(types::DATA, &[])? else {
        return Ok(0);
    };
    let bitmap = content::open(disk, &Arc::new(stream));
    let end = clusters.div_ceil(8);
    if bitmap.size() < end {
        return Ok(0);
    }
    let mut piece = vec![0; READ_LEN];
    let (mut at, mut used) = (0, 0_u64);
    while at < end {
        let len = clamp_usize(end.saturating_sub(at), READ_LEN);
        let piece = piece.get_mut(..len).unwrap_or_default();
        bitmap.read_at(at, piece)?;
        at = at.saturating_add(len_u64(len));
        if at == end {
            // The bits behind the last cluster are set, or are not.
            let spare = end.saturating_mul(8).saturating_sub(clusters);
            if let (Some(last), Ok(spare)) = (piece.last_mut(), u32::try_from(spare)) {
                *last &= u8::MAX.checked_shr(spare).unwrap_or(0);
            }
        }
        used = used.saturating_add(ones(piece));
    }
    Ok(clusters.saturating_sub(used))
}

fn ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| get_le_u64(word, 0).unwrap_or(0));
    let rest = rest.iter().map(|byte| u64::from(*byte));
    let counts = words.chain(rest).map(|word| u64::from(word.count_ones()));
    counts.fold(0, u64::saturating_add)
}
