//! A remote store as a byte source.

use super::runtime;
use super::store::{ChunkState, ChunkStore};
use crate::fault::{Fault, FaultKind};
use flr_fs::source::{ByteSource, Location, Segment, SegmentKind, check_nonempty, check_range};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Bounds on memory and time.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For one read, with all its repetitions; then it is an error.
    pub deadline: Duration,
    /// Bytes of chunks that are kept in memory.
    pub cache_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            cache_bytes: 64 << 20,
        }
    }
}

/// A remote store as a byte source.
#[derive(Debug)]
pub struct Chunked {
    store: Arc<dyn ChunkStore>,
}

impl Chunked {
    /// A source of `store`'s bytes.
    #[must_use]
    pub fn new(store: Arc<dyn ChunkStore>, _settings: &Settings) -> Arc<Self> {
        Arc::new(Self { store })
    }

    fn chunk_len(&self) -> u64 {
        u64::from(self.store.chunk_len().get())
    }
}

/// A fault as the error of a read at byte `at`.
fn io_error(at: u64, fault: Fault) -> flr_fs::Error {
    let kind = match fault.kind {
        FaultKind::Denied | FaultKind::Expired => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    flr_fs::Error::io(at, io::Error::new(kind, fault))
}

impl ByteSource for Chunked {
    fn size(&self) -> u64 {
        self.store.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        let end = check_range(offset, buf.len(), self.size())?;
        let mut at = offset;
        let mut rest = buf;
        while at < end {
            let segment = self.segment_at(at..end)?;
            let chunk = at.checked_div(self.chunk_len()).unwrap_or(0);
            let start = chunk.saturating_mul(self.chunk_len());
            let len = start
                .saturating_add(self.chunk_len())
                .min(end)
                .saturating_sub(at)
                .min(segment.len);
            let (now, later) = rest.split_at_mut(usize::try_from(len).unwrap_or(usize::MAX));
            if segment.kind == SegmentKind::Hole {
                now.fill(0);
            } else {
                let bytes = runtime::block_on(self.store.fetch(chunk..chunk.saturating_add(1)));
                let bytes = bytes.map_err(|fault| io_error(at, fault))?;
                let from = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
                let part = bytes.get(from..from.saturating_add(now.len()));
                let short = || Fault::new(FaultKind::Unknown, "the answer is too short");
                now.copy_from_slice(part.ok_or_else(|| io_error(at, short()))?);
            }
            rest = later;
            at = at.saturating_add(len);
        }
        Ok(())
    }

    fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<Segment> {
        let len = check_nonempty(&range, self.size())?;
        let first = range.start.checked_div(self.chunk_len()).unwrap_or(0);
        let last = range.end.div_ceil(self.chunk_len());
        let runs = runtime::block_on(self.store.map(first..last));
        let runs = runs.map_err(|fault| io_error(range.start, fault))?;
        let (end, state) = match runs.first() {
            Some(run) => (run.chunks.end, run.state),
            None => (last, ChunkState::Present),
        };
        let end = end.saturating_mul(self.chunk_len()).min(range.end);
        Ok(Segment {
            len: end.saturating_sub(range.start).clamp(1, len),
            kind: match state {
                ChunkState::Hole => SegmentKind::Hole,
                ChunkState::Present => SegmentKind::Stored(Location {
                    member: 0,
                    offset: range.start,
                }),
            },
        })
    }
}
