//! A stream as a byte source: its runs on the volume, zeros where nothing has been written.
//!
//! Three parts read as zeros: holes, what lies behind the initialised size, and nothing else. A part
//! of which the map is not known is an error.

use super::codes;
use super::disk::Disk;
use super::run_list::{Run, RunList};
use super::stream::{Stream, Value};
use crate::error::{Error, Result};
use crate::source::{ByteSource, Location, MappedStream, Memory, Segment, SegmentKind};
use std::fmt;
use std::num::NonZeroU32;
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
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("size", &self.stream.data_size)
            .finish_non_exhaustive()
    }
}

impl MappedStream for Content {
    fn stream_size(&self) -> u64 {
        self.stream.data_size
    }

    fn device(&self) -> &Arc<dyn ByteSource> {
        &self.disk.source
    }

    fn check_below(&self, at: u64, len: usize) -> Result<()> {
        self.disk.check(at, len)
    }

    fn first_run(&self, offset: u64) -> usize {
        let cluster_size = u64::from(self.disk.boot.cluster_size);
        let vcn = offset.checked_div(cluster_size).unwrap_or(0);
        match &self.stream.value {
            Value::Mapped(runs) => RunList::index_at(runs, vcn),
            Value::Resident(_) => 0,
        }
    }

    fn stretch(&self, offset: u64, max: u64, run: &mut usize) -> Segment {
        let written = self.stream.initialized_size.saturating_sub(offset);
        let (len, kind) = self.mapped(offset, max, run);
        match kind {
            SegmentKind::Hole => Segment { len, kind },
            // Zeros, even where the map is not known.
            _ if written == 0 => Segment {
                len,
                kind: SegmentKind::Unwritten,
            },
            _ => Segment {
                len: len.min(written),
                kind,
            },
        }
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

    fn unit(&self) -> NonZeroU32 {
        let granule = self.disk.boot.cluster_size.min(4096);
        NonZeroU32::new(granule).unwrap_or(self.disk.source.granule())
    }
}
