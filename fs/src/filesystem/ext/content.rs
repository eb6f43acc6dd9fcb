//! A file's content as a byte source: its runs on the disk, zeros where there are none.

use super::disk::Disk;
use super::runs::{Run, Runs};
use crate::bytes::{clamp_usize, len_u64};
use crate::error::Result;
use crate::source::{
    ByteSource, Location, ReadRequest, Segment, SegmentKind, check_nonempty, check_range,
};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// A mapped file.
pub(super) struct Content {
    disk: Arc<Disk>,
    runs: Arc<Runs>,
    size: u64,
}

/// Part of a file, in bytes: what it is and where it lies.
struct Stretch {
    len: u64,
    kind: SegmentKind,
}

impl Content {
    /// `size` bytes, mapped by `runs`. Runs behind the size are space that was reserved and never used.
    pub(super) const fn new(disk: Arc<Disk>, runs: Arc<Runs>, size: u64) -> Self {
        Self { disk, runs, size }
    }

    /// What lies at `offset`, for at most `max` bytes. `index` is the run to start looking at, and is
    /// moved on, so that reading on does not search again.
    fn stretch(&self, offset: u64, max: u64, index: &mut usize) -> Stretch {
        let block_size = u64::from(self.disk.sb.block_size);
        while self
            .runs
            .get(*index)
            .is_some_and(|run| end_byte(run, block_size) <= offset)
        {
            *index = index.saturating_add(1);
        }
        let Some(run) = self.runs.get(*index) else {
            return Stretch {
                len: max,
                kind: SegmentKind::Hole,
            };
        };
        // Blocks are at most 2^32 and 64 KiB each, so none of these products wraps.
        let start = run.logical.saturating_mul(block_size);
        if offset < start {
            let len = start.saturating_sub(offset).min(max);
            return Stretch {
                len,
                kind: SegmentKind::Hole,
            };
        }
        let len = end_byte(run, block_size).saturating_sub(offset).min(max);
        if !run.written {
            return Stretch {
                len,
                kind: SegmentKind::Unwritten,
            };
        }
        let within = offset.saturating_sub(start);
        let offset = run
            .physical
            .saturating_mul(block_size)
            .saturating_add(within);
        Stretch {
            len,
            kind: SegmentKind::Stored(Location { member: 0, offset }),
        }
    }

    fn first_run(&self, offset: u64) -> usize {
        let block = offset
            .checked_div(u64::from(self.disk.sb.block_size))
            .unwrap_or(0);
        self.runs.find(block)
    }

    /// Calls `take` with each stretch of `buf`, which starts at `offset`, and the bytes it fills.
    fn each_stretch<'b>(
        &self,
        offset: u64,
        buf: &'b mut [u8],
        take: &mut dyn FnMut(Stretch, &'b mut [u8]) -> Result<()>,
    ) -> Result<()> {
        check_range(offset, buf.len(), self.size)?;
        let mut index = self.first_run(offset);
        let (mut offset, mut left) = (offset, buf);
        while !left.is_empty() {
            let stretch = self.stretch(offset, len_u64(left.len()), &mut index);
            let (part, rest) = left.split_at_mut(clamp_usize(stretch.len, left.len()));
            offset = offset.saturating_add(stretch.len);
            left = rest;
            take(stretch, part)?;
        }
        Ok(())
    }
}

fn end_byte(run: &Run, block_size: u64) -> u64 {
    run.end().saturating_mul(block_size)
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl ByteSource for Content {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.each_stretch(offset, buf, &mut |stretch, part| match stretch.kind {
            SegmentKind::Stored(location) => self.disk.read(location.offset, part),
            _ => {
                part.fill(0);
                Ok(())
            }
        })
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        let mut below = Vec::with_capacity(reads.len());
        let mut owners = Vec::with_capacity(reads.len());
        let mut results: Vec<Result<()>> = Vec::with_capacity(reads.len());
        for (owner, read) in reads.iter_mut().enumerate() {
            results.push(
                self.each_stretch(read.offset, read.buf, &mut |stretch, part| {
                    match stretch.kind {
                        SegmentKind::Stored(location) => {
                            below.push(ReadRequest::new(location.offset, part));
                            owners.push(owner);
                        }
                        _ => part.fill(0),
                    }
                    Ok(())
                }),
            );
        }
        self.disk.source.read_many(&mut below);
        for (request, owner) in below.into_iter().zip(owners) {
            if let Some(result) = results.get_mut(owner).filter(|result| result.is_ok()) {
                *result = request.result;
            }
        }
        for (read, result) in reads.iter_mut().zip(results) {
            read.result = result;
        }
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let max = check_nonempty(&range, self.size)?;
        let mut index = self.first_run(range.start);
        let Stretch { len, kind } = self.stretch(range.start, max, &mut index);
        Ok(Segment { len, kind })
    }

    fn below(&self, member: u32) -> Option<&Arc<dyn ByteSource>> {
        (member == 0).then_some(&self.disk.source)
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        let mut below = Vec::new();
        for range in ranges {
            let end = range.end.min(self.size);
            let mut offset = range.start;
            let mut index = self.first_run(offset);
            while offset < end {
                let stretch = self.stretch(offset, end.saturating_sub(offset), &mut index);
                if let SegmentKind::Stored(location) = stretch.kind {
                    below.push(location.offset..location.offset.saturating_add(stretch.len));
                }
                offset = offset.saturating_add(stretch.len);
            }
        }
        self.disk.source.will_read(&below);
    }

    fn granule(&self) -> NonZeroU32 {
        NonZeroU32::new(self.disk.sb.block_size).unwrap_or(self.disk.source.granule())
    }
}
