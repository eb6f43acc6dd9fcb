//! A file's content as a byte source: its runs on the disk, zeros where there are none.

use super::disk::Disk;
use super::runs::{Run, Runs};
use crate::error::Result;
use crate::source::{ByteSource, Location, MappedStream, Segment, SegmentKind};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

/// A mapped file.
pub(super) struct Content {
    disk: Arc<Disk>,
    runs: Arc<Runs>,
    size: u64,
}

impl Content {
    /// `size` bytes, mapped by `runs`. Runs behind the size are space that was reserved and never used.
    pub(super) const fn new(disk: Arc<Disk>, runs: Arc<Runs>, size: u64) -> Self {
        Self { disk, runs, size }
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

impl MappedStream for Content {
    fn stream_size(&self) -> u64 {
        self.size
    }

    fn device(&self) -> &Arc<dyn ByteSource> {
        &self.disk.source
    }

    fn check_below(&self, at: u64, len: usize) -> Result<()> {
        self.disk.check(at, len)
    }

    fn stretch(&self, offset: u64, max: u64, run: &mut usize) -> Segment {
        let block_size = u64::from(self.disk.sb.block_size);
        while self
            .runs
            .get(*run)
            .is_some_and(|found| end_byte(found, block_size) <= offset)
        {
            *run = run.saturating_add(1);
        }
        let Some(found) = self.runs.get(*run) else {
            return Segment {
                len: max,
                kind: SegmentKind::Hole,
            };
        };
        // Blocks are at most 2^32 and 64 KiB each, so none of these products wraps.
        let start = found.logical.saturating_mul(block_size);
        if offset < start {
            let len = start.saturating_sub(offset).min(max);
            return Segment {
                len,
                kind: SegmentKind::Hole,
            };
        }
        let len = end_byte(found, block_size).saturating_sub(offset).min(max);
        if !found.written {
            return Segment {
                len,
                kind: SegmentKind::Unwritten,
            };
        }
        let within = offset.saturating_sub(start);
        let offset = found
            .physical
            .saturating_mul(block_size)
            .saturating_add(within);
        Segment {
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

    fn unit(&self) -> NonZeroU32 {
        NonZeroU32::new(self.disk.sb.block_size).unwrap_or(self.disk.source.granule())
    }
}
