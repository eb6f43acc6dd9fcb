//! Whether two contents are the same, byte by byte; what is a hole in both, or known to be kept, is not read.

use super::{Effort, Kept, Side};
use crate::copy::stretches::PIECE_BYTES;
use crate::error::Error;
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::{ByteSource, Request, SegmentKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why two contents could not be compared, and whose fault it is.
pub(super) type Failure = (Side, Error);

/// Room for a piece of each, and what it took so far.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    before: Vec<u8>,
    after: Vec<u8>,
    pub(super) effort: Effort,
}

/// Two contents.
pub(super) struct Contents<'a> {
    pub(super) before: Arc<dyn ByteSource>,
    pub(super) after: Arc<dyn ByteSource>,
    /// What need not be read.
    pub(super) kept: Option<&'a Kept>,
    pub(super) cancel: &'a AtomicBool,
}

/// How a stretch of both is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Nothing is stored in either.
    Zeros,
    /// It is the same.
    Kept,
    /// Nothing is stored in one of them.
    HalfZeros,
    /// Both are read.
    Read,
}

impl Contents<'_> {
    /// Whether both are the same. Ends at the first difference.
    pub(super) fn is_same(&self, pieces: &mut Pieces) -> Result<bool, Failure> {
        let size = self.before.size();
        if size != self.after.size() {
            return Ok(false);
        }
        let piece = len_u64(PIECE_BYTES);
        let mut at = 0;
        while at < size {
            if self.cancel.load(Ordering::Relaxed) {
                return Err((Side::Before, Request::Cancelled.into()));
            }
            let (len, way) = self.stretch(at, size)?;
            let end = match way {
                Way::Zeros => {
                    at = at.saturating_add(len);
                    continue;
                }
                Way::Kept => {
                    at = at.saturating_add(len);
                    let kept = &mut pieces.effort.kept_bytes;
                    *kept = kept.saturating_add(len);
                    continue;
                }
                Way::HalfZeros => at.saturating_add(len.min(piece)),
                Way::Read => self.end_of_read(at, len, size)?,
            };
            let len = clamp_usize(end.min(size).saturating_sub(at), PIECE_BYTES);
            let read = &mut pieces.effort.read_bytes;
            *read = read.saturating_add(len_u64(len).saturating_mul(2));
            let one = read_at(&*self.before, at, len, &mut pieces.before);
            let one = one.map_err(of(Side::Before))?;
            let other = read_at(&*self.after, at, len, &mut pieces.after);
            if one != other.map_err(of(Side::After))? {
                return Ok(false);
            }
            at = end;
        }
        Ok(true)
    }

    /// How long the stretch at `at` is, and how it is compared.
    fn stretch(&self, at: u64, size: u64) -> Result<(u64, Way), Failure> {
        let (before_len, before_zero) =
            segment(&*self.before, at, size).map_err(of(Side::Before))?;
        let (after_len, after_zero) = segment(&*self.after, at, size).map_err(of(Side::After))?;
        let len = before_len.min(after_len);
        match (before_zero, after_zero) {
            (true, true) => return Ok((len, Way::Zeros)),
            (false, false) => {}
            _ => return Ok((len, Way::HalfZeros)),
        }
        let Some(kept) = self.kept else {
            return Ok((len, Way::Read));
        };
        let range = at..at.saturating_add(len);
        let stretch = kept.stretch(&self.before, &self.after, &range);
        let (len, is_kept) = stretch.map_err(|(side, error)| (side, error.into()))?;
        let way = if is_kept { Way::Kept } else { Way::Read };
        Ok((len, way))
    }

    /// Where a read ends that begins with a stretch of so many bytes. Neighbouring segments are read together: a
    /// file may be in many.
    fn end_of_read(&self, at: u64, len: u64, size: u64) -> Result<u64, Failure> {
        let full = at.saturating_add(len_u64(PIECE_BYTES)).min(size);
        if self.kept.is_none() {
            return Ok(full);
        }
        let mut end = at.saturating_add(len);
        while end < full {
            match self.stretch(end, size)? {
                (len, Way::Read) => end = end.saturating_add(len),
                _ => return Ok(end),
            }
        }
        Ok(full)
    }
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

fn read_at<'a>(
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
