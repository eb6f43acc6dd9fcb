//! Whether two contents are the same, byte by byte; what is a hole in both is not read.

use super::Side;
use crate::copy::stretches::PIECE_BYTES;
use crate::error::Error;
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::{ByteSource, Request, SegmentKind};
use std::sync::atomic::{AtomicBool, Ordering};

/// Why two contents could not be compared, and whose fault it is.
pub(super) type Failure = (Side, Error);

/// Room for a piece of each.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Whether both are the same. Ends at the first difference.
pub(super) fn is_same(
    before: &dyn ByteSource,
    after: &dyn ByteSource,
    pieces: &mut Pieces,
    cancel: &AtomicBool,
) -> Result<bool, Failure> {
    let size = before.size();
    if size != after.size() {
        return Ok(false);
    }
    let piece = len_u64(PIECE_BYTES);
    let mut at = 0;
    while at < size {
        if cancel.load(Ordering::Relaxed) {
            return Err((Side::Before, Request::Cancelled.into()));
        }
        let (before_len, before_zero) = segment(before, at, size).map_err(of(Side::Before))?;
        let (after_len, after_zero) = segment(after, at, size).map_err(of(Side::After))?;
        let both = before_len.min(after_len);
        if before_zero && after_zero {
            at = at.saturating_add(both);
            continue;
        }
        // Neighbouring segments are read together: a file may be in many.
        let end = match before_zero || after_zero {
            true => at.saturating_add(both.min(piece)),
            false => at.saturating_add(piece),
        };
        let end = end.min(size);
        let len = clamp_usize(end.saturating_sub(at), PIECE_BYTES);
        let one = read(before, at, len, &mut pieces.before).map_err(of(Side::Before))?;
        let other = read(after, at, len, &mut pieces.after).map_err(of(Side::After))?;
        if one != other {
            return Ok(false);
        }
        at = end;
    }
    Ok(true)
}

fn of(side: Side) -> impl Fn(flr_fs::Error) -> Failure {
    move |error| (side, error.into())
}

/// How long the segment at `at` is, and whether nothing of it is stored.
fn segment(source: &dyn ByteSource, at: u64, size: u64) -> flr_fs::Result<(u64, bool)> {
    let segment = source.segment_at(at..size)?;
    let zero = matches!(segment.kind, SegmentKind::Hole | SegmentKind::Unwritten);
    // At least one byte, whatever a driver says: the loop must end.
    Ok((segment.len.max(1), zero))
}

fn read<'a>(
    source: &dyn ByteSource,
    at: u64,
    len: usize,
    room: &'a mut Vec<u8>,
) -> flr_fs::Result<&'a [u8]> {
    if room.len() < len {
        room.resize(len, 0);
    }
    let piece = room.get_mut(..len).unwrap_or_default();
    source.read_at(at, piece)?;
    Ok(piece)
}
