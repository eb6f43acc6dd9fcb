//! What a remote snapshot offers: a map of its chunks, and the chunks.

use crate::engine::BoxFuture;
use crate::fault::Fault;
use bytes::Bytes;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;

/// A remote snapshot, image or export as immutable chunks of one length. The last chunk may be shorter:
/// it ends with the source.
///
/// A method makes one attempt (it may take several calls: the pages of a listing); whoever calls it
/// repeats it, with deadlines. It may be dropped at any await. What it gives has been verified: lengths
/// are exact, checksums match where the provider gives them, and the source is still the one that was
/// opened.
pub trait ChunkStore: fmt::Debug + Send + Sync + 'static {
    /// What it is, for people and logs; without secrets.
    fn name(&self) -> &str;

    /// Size in bytes. Never changes.
    fn size(&self) -> u64;

    /// Length of a chunk in bytes, a power of two from 4 KiB to 4 MiB.
    fn chunk_len(&self) -> NonZeroU32;

    /// How many neighbouring chunks one [`fetch`](Self::fetch) may take at most.
    fn coalesce_max(&self) -> NonZeroU32 {
        NonZeroU32::MIN
    }

    /// What is stored of these chunks: runs in ascending order, without gaps, that cover exactly
    /// `chunks`. A store without a map says that everything is there. Must be exact: a listing that was
    /// cut short is an error, never a hole.
    fn map(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Vec<ChunkRun>, Fault>>;

    /// The bytes of these chunks, at least one and at most [`coalesce_max`](Self::coalesce_max), all
    /// of which [`map`](Self::map) says are there.
    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>>;

    /// The names under which the bytes of a chunk may lie in a disk cache: its own first, then those of
    /// other snapshots in which this chunk is known to be the same. Empty: it must not be kept. May make
    /// calls; what fails costs a fetch and nothing else.
    fn cache_names(&self, _chunk: u64) -> BoxFuture<'_, Vec<String>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

/// Neighbouring chunks of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkRun {
    /// Indexes of the chunks, not empty.
    pub chunks: Range<u64>,
    /// What is stored of them.
    pub state: ChunkState,
}

/// What is stored of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkState {
    /// It must be fetched.
    Present,
    /// Nothing is stored; it reads as zeros.
    Hole,
}
