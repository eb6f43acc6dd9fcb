//! An export as a store of chunks.

use super::chunk_map::ChunkMap;
use super::connection::{Connection, gone};
use super::decoder::Answer;
use super::options::NbdOptions;
use super::pool::Pool;
use super::uri::Target;
use super::wire::block_size::BlockSize;
use super::wire::request::Command;
use crate::engine::BoxFuture;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::remote::runtime;
use crate::remote::store::{ChunkRun, ChunkState, ChunkStore};
use bytes::Bytes;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// Chunks are at least as long as this, in bytes, and not longer than what the server prefers.
const CHUNK_MIN: u32 = 64 << 10;
const CHUNK_MAX: u32 = 256 << 10;
/// Bytes of one fetch.
const FETCH_MAX: u32 = 4 << 20;
/// Bytes of one question for the map: what 32 bits hold, in whole blocks of any size.
const STATUS_MAX: u32 = 0xffff_0000;
/// Questions for the map of one call. What is not told then counts as stored, which is never wrong.
const STATUS_QUESTIONS_MAX: usize = 4096;

/// An export of an NBD server, read-only.
pub struct NbdStore {
    pool: Pool,
    name: String,
    size: u64,
    chunk_len: NonZeroU32,
    coalesce: NonZeroU32,
}

impl fmt::Debug for NbdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NbdStore")
            .field("name", &self.name)
            .field("size", &self.size)
            .field("chunk_len", &self.chunk_len)
            .finish_non_exhaustive()
    }
}

impl NbdStore {
    /// Connects to the export that a URI names (`nbd://`, `nbds://`, `nbd+unix://`, `nbds+unix://`).
    /// Blocks, at most for [`NbdOptions::timeout`]. Not from within a future.
    ///
    /// # Errors
    /// [`Error::Usage`]: the URI makes no sense. [`Error::NoSuch`]: the server has no such export; the
    /// hint names those it has. [`Error::Refused`]: others may write to it and
    /// [`NbdOptions::live`] is not set; or there is no TLS where there must be. Else the server cannot
    /// be reached, or refuses.
    pub fn open(uri: &str, options: &NbdOptions) -> Result<Arc<Self>> {
        let target = Target::parse(uri)?;
        runtime::block_on(Self::connect(target, options.clone())).map(Arc::new)
    }

    async fn connect(target: Target, options: NbdOptions) -> Result<Self> {
        let live = options.live;
        let pool = Pool::open(target, options).await?;
        let terms = *pool.terms();
        let name = pool.target().to_string();
        if !terms.export.is_read_only() && !live {
            pool.close().await;
            return Err(Error::Refused {
                what: format!("refused to read {name}: the server lets others write to it"),
                hint: Some("serve it read-only (qemu-nbd -r, nbdkit -r), or accept a moving image with --live".to_owned()),
            });
        }
        let chunk_len = chunk_len(terms.sizes);
        let fetch = FETCH_MAX.min(terms.sizes.maximum);
        let coalesce = NonZeroU32::new(fetch.checked_div(chunk_len.get()).unwrap_or(1));
        Ok(Self {
            pool,
            name,
            size: terms.export.size,
            chunk_len,
            coalesce: coalesce.unwrap_or(NonZeroU32::MIN),
        })
    }

    /// Says goodbye to the server on every connection; those that are in use at the moment hear it
    /// when they no longer are. Dropping the store does the same without waiting. Blocks for half a
    /// second for each connection at most. Not from within a future.
    pub fn close(&self) {
        runtime::block_on(self.pool.close());
    }

    fn chunk(&self) -> u64 {
        u64::from(self.chunk_len.get())
    }

    /// Bytes of these chunks.
    ///
    /// # Errors
    /// There are none, or not all of them.
    fn bytes_of(&self, chunks: &Range<u64>) -> Result<Range<u64>, Fault> {
        let start = chunks.start.saturating_mul(self.chunk());
        let end = chunks.end.saturating_mul(self.chunk()).min(self.size);
        let inside = chunks.end <= self.size.div_ceil(self.chunk());
        if chunks.is_empty() || !inside {
            let what = format!("expected chunks of {}, found {chunks:?}", self.name);
            return Err(Fault::new(FaultKind::Refused, what));
        }
        Ok(start..end)
    }

    async fn read(&self, chunks: Range<u64>) -> Result<Bytes, Fault> {
        let bytes = self.bytes_of(&chunks)?;
        let count = chunks.end.saturating_sub(chunks.start);
        if count > u64::from(self.coalesce.get()) {
            let what = format!("expected at most {} chunks, found {count}", self.coalesce);
            return Err(Fault::new(FaultKind::Refused, what));
        }
        let connection = self.pool.get().await?;
        let sizes = self.pool.terms().sizes;
        // A server may take less at once than a chunk has. In whole blocks, except for the very end of
        // an export that is not: the server knows best whether it has that.
        let most = sizes.maximum.min(FETCH_MAX);
        let most = most.saturating_sub(most.checked_rem(sizes.minimum).unwrap_or(0));
        let mut answers = Vec::new();
        let mut at = bytes.start;
        while at < bytes.end {
            let len = bytes.end.saturating_sub(at);
            let len = u32::try_from(len).unwrap_or(u32::MAX).min(most.max(1));
            answers.push(connection.ask(Command::Read, at, len).await?);
            at = at.saturating_add(u64::from(len));
        }
        let mut parts = Vec::new();
        for answer in answers {
            match answer.await.map_err(|_| gone())?? {
                Answer::Data(data) => parts.push(data),
                _ => return Err(gone()),
            }
        }
        Ok(match <[Vec<u8>; 1]>::try_from(parts) {
            Ok([whole]) => Bytes::from(whole),
            Err(parts) => Bytes::from(parts.concat()),
        })
    }

    async fn read_map(&self, chunks: Range<u64>) -> Result<Vec<ChunkRun>, Fault> {
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        self.bytes_of(&chunks)?;
        if self.pool.terms().context.is_none() {
            let state = ChunkState::Present;
            return Ok(vec![ChunkRun { chunks, state }]);
        }
        let connection = self.pool.get().await?;
        let mut map = ChunkMap::new(chunks, self.chunk(), self.size);
        if !connection.has_map() {
            return Ok(map.finish());
        }
        for _ in 0..STATUS_QUESTIONS_MAX {
            if map.at() >= map.end() {
                break;
            }
            self.extend_map(&connection, &mut map).await?;
        }
        Ok(map.finish())
    }

    /// One question for the map, from where it ends.
    async fn extend_map(&self, connection: &Connection, map: &mut ChunkMap) -> Result<(), Fault> {
        let block = u64::from(self.pool.terms().sizes.minimum);
        let at = map.at();
        let beside = at.checked_rem(block).unwrap_or(0);
        if beside != 0 {
            // An answer ended inside of a block, where no question may begin.
            map.push(block.saturating_sub(beside), false);
            return Ok(());
        }
        let len = u32::try_from(map.end().saturating_sub(at)).unwrap_or(u32::MAX);
        let answer = connection
            .ask(Command::BlockStatus, at, len.min(STATUS_MAX))
            .await?;
        let Answer::Extents(extents) = answer.await.map_err(|_| gone())?? else {
            return Err(gone());
        };
        for extent in extents {
            map.push(extent.len, extent.zero);
        }
        Ok(())
    }
}

impl ChunkStore for NbdStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn chunk_len(&self) -> NonZeroU32 {
        self.chunk_len
    }

    fn coalesce_max(&self) -> NonZeroU32 {
        self.coalesce
    }

    fn map(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Vec<ChunkRun>, Fault>> {
        Box::pin(self.read_map(chunks))
    }

    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>> {
        Box::pin(self.read(chunks))
    }
}

/// What the server prefers, within reason. A power of two, and whole blocks.
fn chunk_len(sizes: BlockSize) -> NonZeroU32 {
    let len = sizes.preferred.clamp(CHUNK_MIN, CHUNK_MAX);
    NonZeroU32::new(len).unwrap_or(NonZeroU32::MIN)
}
