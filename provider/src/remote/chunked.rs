//! A remote store as a byte source.

use super::gather::{self, Gather, Piece};
use super::hub::Hub;
use super::settings::Settings;
use super::stats::Stats;
use super::store::{ChunkState, ChunkStore};
use flr_fs::error::Request;
use flr_fs::source::{
    ByteSource, Location, ReadRequest, Segment, SegmentKind, check_nonempty, check_range,
};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// A remote store as a byte source. For threads only: a future that reads blocks its runtime.
pub struct Chunked {
    hub: Arc<Hub>,
}

impl Chunked {
    /// A source of `store`'s bytes. Makes no call yet.
    #[must_use]
    pub fn new(store: Arc<dyn ChunkStore>, settings: &Settings) -> Arc<Self> {
        let hub = Hub::new(store, settings);
        settings.cancel.add(&hub);
        Arc::new(Self { hub })
    }

    /// What it has cost so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.hub.stats()
    }

    /// Makes all waiting and all future reads of this source fail with [`Request::Cancelled`], and ends
    /// its calls. Does not block. Dropping the source ends its calls as well.
    pub fn cancel(&self) {
        self.hub.cancel();
    }

    /// What it has cost, for the log.
    fn log(&self) {
        let stats = self.stats();
        tracing::info!(
            store = self.hub.store.name(),
            maps = stats.map_calls,
            fetches = stats.fetch_calls,
            bytes = stats.fetched_bytes,
            disk_hits = stats.disk_hits,
            retries = stats.retries,
            throttles = stats.throttles,
            "read"
        );
    }

    fn check(&self) -> flr_fs::Result<()> {
        match self.hub.is_cancelled() {
            true => Err(Request::Cancelled.into()),
            false => Ok(()),
        }
    }

    /// Fills the pieces of these reads; the errors of those that failed.
    fn gather(
        &self,
        pieces: VecDeque<Piece<'_>>,
        reads: &[Range<u64>],
    ) -> HashMap<usize, flr_fs::Error> {
        let mut gather = Gather::new(&self.hub, pieces);
        let waits = gather.ask();
        self.hub.follow(reads, waits);
        gather.finish()
    }

    /// The pieces of a read.
    fn pieces<'a>(
        &self,
        read: usize,
        offset: u64,
        buf: &'a mut [u8],
    ) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let cut = self.hub.geometry.cut(offset, buf);
        cut.map(move |(at, chunk, skip, buf)| Piece {
            read,
            at,
            chunk,
            skip,
            buf,
        })
    }
}

impl fmt::Debug for Chunked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunked({})", self.hub.store.name())
    }
}

impl Drop for Chunked {
    fn drop(&mut self) {
        self.log();
        self.hub.cancel();
    }
}

impl ByteSource for Chunked {
    fn size(&self) -> u64 {
        self.hub.geometry.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        let end = check_range(offset, buf.len(), self.size())?;
        self.check()?;
        let pieces = self.pieces(0, offset, buf).collect();
        let errors = self.gather(pieces, std::slice::from_ref(&(offset..end)));
        errors.into_values().next().map_or(Ok(()), Err)
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        let mut pieces = VecDeque::new();
        let mut ranges = Vec::with_capacity(reads.len());
        let mut results = Vec::with_capacity(reads.len());
        for (index, read) in reads.iter_mut().enumerate() {
            let end = check_range(read.offset, read.buf.len(), self.size());
            read.result = end.and_then(|end| {
                self.check()?;
                ranges.push(read.offset..end);
                pieces.extend(self.pieces(index, read.offset, read.buf));
                Ok(())
            });
            results.push(&mut read.result);
        }
        for (index, error) in self.gather(pieces, &ranges) {
            if let Some(result) = results.get_mut(index) {
                **result = Err(error);
            }
        }
    }

    fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<Segment> {
        let len = check_nonempty(&range, self.size())?;
        self.check()?;
        let chunks = self.hub.geometry.chunks_of(&range);
        let (state, end) = loop {
            let known = self.hub.lock().map.run(chunks.start, chunks.end);
            match known {
                Some(known) => break known,
                None => gather::wait_for_region(&self.hub, chunks.start)?,
            }
        };
        let end = self.hub.geometry.start_of(end).min(range.end);
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

    fn will_read(&self, ranges: &[Range<u64>]) {
        self.hub.announce(ranges);
    }

    fn granule(&self) -> NonZeroU32 {
        self.hub.geometry.granule()
    }
}
