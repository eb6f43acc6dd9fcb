//! The content of one file, in order: bytes, runs of zeros, and what cannot be read.

use super::report::{Event, Item};
use crate::copy::stretches::{Buffer, PIECE_BYTES, Stretch, Stretches};
use crate::error::{Error, Result};
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::source::Segment;
use flr_fs::{ByteSource, Request, SegmentKind};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// A part of the content.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// At most a mebibyte.
    Bytes(&'a [u8]),
    /// So many zeros that nothing stores.
    Zeros(u64),
}

/// The content of a file while it is archived.
pub(super) struct Content<'a> {
    pub(super) source: &'a dyn ByteSource,
    pub(super) item: &'a Item,
    pub(super) salvage: bool,
    pub(super) cancel: &'a AtomicBool,
    pub(super) buffer: &'a mut Buffer,
    pub(super) events: &'a mut dyn FnMut(Event<'_>),
    /// Bytes that could not be read.
    pub(super) lost: u64,
    /// A range that could not be read, and may go on.
    pub(super) pending: Option<(Range<u64>, Error)>,
}

impl Content<'_> {
    /// Its size in bytes.
    pub(super) fn size(&self) -> u64 {
        self.source.size()
    }

    /// The stored runs, in order, neighbours as one. With `salvage`, what cannot be looked up counts as stored.
    pub(super) fn runs(&self) -> Runs<'_> {
        self.runs_from(0)
    }

    /// The same from byte `at` on.
    pub(super) fn runs_from(&self, at: u64) -> Runs<'_> {
        Runs {
            source: self.source,
            salvage: self.salvage,
            at,
        }
    }

    /// Hands all of `range` to `take`.
    pub(super) fn copy(
        &mut self,
        range: Range<u64>,
        take: &mut dyn FnMut(Piece<'_>) -> Result<()>,
    ) -> Result<()> {
        let source = self.source;
        for stretch in Stretches::new(source, range) {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Request::Cancelled.into());
            }
            let len = match stretch {
                Stretch::Data(range) => {
                    self.read(&range, take)?;
                    range_len(&range)
                }
                Stretch::Zeros(range) => {
                    take(Piece::Zeros(range_len(&range)))?;
                    range_len(&range)
                }
                Stretch::Missing(range, error) => {
                    let len = range_len(&range);
                    self.lose(range, error)?;
                    take(Piece::Zeros(len))?;
                    len
                }
            };
            (self.events)(Event::Advanced(len));
        }
        Ok(())
    }

    /// Tells what was lost at the end of the content.
    pub(super) fn tell(&mut self) {
        if let Some((range, error)) = self.pending.take() {
            (self.events)(Event::Unreadable(self.item, range, &error));
        }
    }

    fn read(
        &mut self,
        range: &Range<u64>,
        take: &mut dyn FnMut(Piece<'_>) -> Result<()>,
    ) -> Result<()> {
        let room = self.buffer.room(range);
        match self.source.read_at(range.start, room) {
            Ok(()) => return take(Piece::Bytes(room)),
            Err(error) if !self.salvage => return Err(error.into()),
            Err(_) => {}
        }
        // Taken out, so that what is lost can be told meanwhile.
        let mut room = room.to_vec();
        self.salvage(range.start, &mut room)?;
        take(Piece::Bytes(&room))
    }

    /// Reads what can be read, in halves down to the smallest unit; the rest is zeros.
    fn salvage(&mut self, start: u64, room: &mut [u8]) -> Result<()> {
        let unit = clamp_usize(self.source.granule().get().into(), PIECE_BYTES).max(1);
        let mut todo = Vec::new();
        todo.push(0..room.len());
        while let Some(part) = todo.pop() {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Request::Cancelled.into());
            }
            let offset = start.saturating_add(len_u64(part.start));
            let bytes = room.get_mut(part.clone()).unwrap_or_default();
            let Err(error) = self.source.read_at(offset, bytes) else {
                continue;
            };
            let units = part.len().div_ceil(unit);
            if units > 1 {
                let middle = (part.start).saturating_add((units >> 1).saturating_mul(unit));
                todo.push(middle..part.end);
                todo.push(part.start..middle);
                continue;
            }
            bytes.fill(0);
            let end = offset.saturating_add(len_u64(part.len()));
            self.lose(offset..end, error)?;
        }
        Ok(())
    }

    /// Counts a range as lost, or fails because of it.
    fn lose(&mut self, range: Range<u64>, error: flr_fs::Error) -> Result<()> {
        let cancelled = matches!(error, flr_fs::Error::Request(Request::Cancelled));
        if !self.salvage || cancelled {
            return Err(error.into());
        }
        self.lost = self.lost.saturating_add(range_len(&range));
        match &mut self.pending {
            Some((pending, _)) if pending.end == range.start => pending.end = range.end,
            _ => {
                self.tell();
                self.pending = Some((range, error.into()));
            }
        }
        Ok(())
    }
}

/// See [`Content::runs`].
#[derive(Debug)]
pub(super) struct Runs<'a> {
    source: &'a dyn ByteSource,
    salvage: bool,
    at: u64,
}

impl Runs<'_> {
    /// The length of the segment at `self.at`, and whether it is stored.
    fn segment(&self) -> Result<(u64, bool)> {
        let end = self.source.size();
        match self.source.segment_at(self.at..end) {
            Ok(segment) => {
                let stored = !matches!(segment.kind, SegmentKind::Hole | SegmentKind::Unwritten);
                if let (SegmentKind::Missing(code), false) = (segment.kind, self.salvage) {
                    let missing = match self.source.read_at(self.at, &mut [0; 1]) {
                        Err(error) => error,
                        Ok(()) => {
                            flr_fs::Error::corrupt(code, self.at, "the content cannot be had")
                        }
                    };
                    return Err(missing.into());
                }
                Ok((segment.len.max(1), stored))
            }
            Err(_) if self.salvage => {
                let len = end.saturating_sub(self.at).min(len_u64(PIECE_BYTES));
                Ok((len.max(1), true))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn next_run(&mut self) -> Result<Option<Range<u64>>> {
        let size = self.source.size();
        let mut start = None;
        while self.at < size {
            let (len, stored) = self.segment()?;
            if !stored && start.is_some() {
                break;
            }
            if stored {
                start.get_or_insert(self.at);
            }
            self.at = self.at.saturating_add(len).min(size);
        }
        Ok(start.map(|start| start..self.at))
    }
}

impl Iterator for Runs<'_> {
    type Item = Result<Range<u64>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_run().transpose()
    }
}

/// A file that was read whole: its bytes, and the map of where they came from.
#[derive(Debug)]
pub(super) struct Loaded<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) map: &'a dyn ByteSource,
}

impl Loaded<'_> {
    /// Reads all of a small file into `bytes`.
    pub(super) fn read(source: &dyn ByteSource, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.clear();
        bytes.resize(clamp_usize(source.size(), PIECE_BYTES), 0);
        source.read_at(0, bytes)?;
        Ok(())
    }
}

impl ByteSource for Loaded<'_> {
    fn size(&self) -> u64 {
        len_u64(self.bytes.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        let end = flr_fs::source::check_range(offset, buf.len(), self.size())?;
        let range = clamp_usize(offset, usize::MAX)..clamp_usize(end, usize::MAX);
        match self.bytes.get(range) {
            Some(bytes) => buf.copy_from_slice(bytes),
            None => return Err(Request::NoContent.into()),
        }
        Ok(())
    }

    fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<Segment> {
        self.map.segment_at(range)
    }

    fn granule(&self) -> NonZeroU32 {
        self.map.granule()
    }
}

pub(super) const fn range_len(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}
