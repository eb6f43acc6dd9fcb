//! A stream as a byte source: its runs on the volume, zeros where nothing has been written.
//!
//! Three parts read as zeros: holes, what lies behind the initialised size, and nothing else. A part
//! of which the map is not known is an error.

use super::codes;
use super::disk::Disk;
use super::run_list::{Run, RunList};
use super::stream::{Stream, Value};
use crate::bytes::{clamp_usize, len_u64};
use crate::error::{Error, Result};
use crate::source::{
    ByteSource, Location, Memory, ReadRequest, Segment, SegmentKind, check_nonempty, check_range,
};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// The content of a stream as its bytes are stored. The caller has seen to it that they are neither
/// compressed nor encrypted. A part that is missing is an error when it is read.
#[must_use]
pub fn open(disk: &Arc<Disk>, stream: &Arc<Stream>) -> Arc<dyn ByteSource> {
    match &stream.value {
        Value::Resident(value) => Arc::new(Memory::new(Arc::clone(value))),
        Value::Mapped(_) => Arc::new(Content::new(Arc::clone(disk), Arc::clone(stream))),
    }
}

/// A mapped stream.
pub struct Content {
    disk: Arc<Disk>,
    stream: Arc<Stream>,
}

/// Part of a stream, in bytes: what it is and where it lies.
struct Stretch {
    len: u64,
    kind: SegmentKind,
}

impl Content {
    /// A mapped stream of `disk`.
    #[must_use]
    pub const fn new(disk: Arc<Disk>, stream: Arc<Stream>) -> Self {
        Self { disk, stream }
    }

    /// Byte offset on the volume of byte `offset`, where that is stored.
    #[must_use]
    pub fn location(&self, offset: u64) -> Option<u64> {
        match self.stretch(offset, 1, &mut self.first_run(offset)).kind {
            SegmentKind::Stored(location) => Some(location.offset),
            _ => None,
        }
    }

    fn runs(&self) -> &[Run] {
        match &self.stream.value {
            Value::Mapped(runs) => runs.runs(),
            Value::Resident(_) => &[],
        }
    }

    fn first_run(&self, offset: u64) -> usize {
        let cluster_size = u64::from(self.disk.boot.cluster_size);
        let vcn = offset.checked_div(cluster_size).unwrap_or(0);
        match &self.stream.value {
            Value::Mapped(runs) => RunList::index_at(runs, vcn),
            Value::Resident(_) => 0,
        }
    }

    /// What lies at `offset`, for at most `max` bytes. `index` is the run to start looking at, and is
    /// moved on, so that reading on does not search again.
    fn stretch(&self, offset: u64, max: u64, index: &mut usize) -> Stretch {
        let written = self.stream.initialized_size.saturating_sub(offset);
        let (len, kind) = self.mapped(offset, max, index);
        match kind {
            SegmentKind::Hole => Stretch { len, kind },
            // Zeros, even where the map is not known.
            _ if written == 0 => Stretch {
                len,
                kind: SegmentKind::Unwritten,
            },
            _ => Stretch {
                len: len.min(written),
                kind,
            },
        }
    }

    /// The same without regard to what has been written.
    fn mapped(&self, offset: u64, max: u64, index: &mut usize) -> (u64, SegmentKind) {
        let cluster_size = u64::from(self.disk.boot.cluster_size);
        // Streams end below 2^63 bytes (`RunBounds`), so none of these products saturates.
        let byte = |vcn: u64| vcn.saturating_mul(cluster_size);
        let runs = self.runs();
        while (runs.get(*index)).is_some_and(|run| byte(run.end()) <= offset) {
            *index = index.saturating_add(1);
        }
        let missing = SegmentKind::Missing(self.missing_code());
        let Some(run) = runs.get(*index) else {
            return (max, missing);
        };
        let start = byte(run.vcn);
        if offset < start {
            return (start.saturating_sub(offset).min(max), missing);
        }
        let len = byte(run.end()).saturating_sub(offset).min(max);
        let kind = match run.lcn {
            None => SegmentKind::Hole,
            Some(lcn) => SegmentKind::Stored(Location {
                member: 0,
                offset: byte(lcn).saturating_add(offset.saturating_sub(start)),
            }),
        };
        (len, kind)
    }

    fn missing_code(&self) -> crate::error::Code {
        let missing = self.stream.missing.as_ref();
        missing.map_or(codes::STREAM, |fault| fault.code)
    }

    fn missing(&self, offset: u64) -> Error {
        match &self.stream.missing {
            Some(fault) => Error::Corrupt(fault.clone()),
            None => {
                let detail = format!("no run for byte {offset:#x} of the stream");
                Error::corrupt(codes::STREAM, self.stream.at, detail)
            }
        }
    }

    /// Calls `take` with each stored stretch of `buf`, which starts at `offset`, and the bytes it
    /// fills. The others are filled with zeros.
    fn each_stored<'b>(
        &self,
        offset: u64,
        buf: &'b mut [u8],
        take: &mut dyn FnMut(u64, &'b mut [u8]) -> Result<()>,
    ) -> Result<()> {
        check_range(offset, buf.len(), self.stream.data_size)?;
        let mut index = self.first_run(offset);
        let (mut offset, mut left) = (offset, buf);
        while !left.is_empty() {
            let stretch = self.stretch(offset, len_u64(left.len()), &mut index);
            let (part, rest) = left.split_at_mut(clamp_usize(stretch.len, left.len()));
            match stretch.kind {
                SegmentKind::Stored(location) => take(location.offset, part)?,
                SegmentKind::Hole | SegmentKind::Unwritten => part.fill(0),
                SegmentKind::Missing(_) | SegmentKind::Opaque => return Err(self.missing(offset)),
            }
            offset = offset.saturating_add(stretch.len);
            left = rest;
        }
        Ok(())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("size", &self.stream.data_size)
            .finish_non_exhaustive()
    }
}

impl ByteSource for Content {
    fn size(&self) -> u64 {
        self.stream.data_size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.each_stored(offset, buf, &mut |at, part| self.disk.read(at, part))
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        let mut below = Vec::with_capacity(reads.len());
        let mut owners = Vec::with_capacity(reads.len());
        let mut results: Vec<Result<()>> = Vec::with_capacity(reads.len());
        for (owner, read) in reads.iter_mut().enumerate() {
            results.push(self.each_stored(read.offset, read.buf, &mut |at, part| {
                self.disk.check(at, part.len())?;
                below.push(ReadRequest::new(at, part));
                owners.push(owner);
                Ok(())
            }));
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
        let max = check_nonempty(&range, self.stream.data_size)?;
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
            let end = range.end.min(self.stream.data_size);
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
        let granule = self.disk.boot.cluster_size.min(4096);
        NonZeroU32::new(granule).unwrap_or(self.disk.source.granule())
    }
}
