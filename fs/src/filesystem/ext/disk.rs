//! The bytes below an ext filesystem, and a small cache for its metadata.
//!
//! File content is never cached here. Metadata is read in aligned chunks, so that walking an inode
//! table costs one read per 16 KiB instead of one per inode.

use super::superblock::Superblock;
use crate::bytes::{clamp_usize, len_u64};
use crate::cache::Cache;
use crate::error::{Request, Result};
use crate::format::ChecksumPolicy;
use crate::limits::Limits;
use crate::source::ByteSource;
use std::ops::Deref;
use std::sync::Arc;

/// Smallest unit of the metadata cache: 64 inodes of 256 bytes.
const CHUNK_LEN_MIN: u32 = 16 << 10;

/// What every part of the reader needs: the bytes, the geometry, and the rules.
#[derive(Debug)]
pub(super) struct Disk {
    /// The filesystem's bytes.
    pub source: Arc<dyn ByteSource>,
    /// Its geometry.
    pub sb: Superblock,
    /// Bounds.
    pub limits: Limits,
    checksums: ChecksumPolicy,
    chunks: Cache<u64, Arc<[u8]>>,
    chunk_len: u32,
}

/// A piece of metadata. Keeps the chunk it lies in alive.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    chunk: Arc<[u8]>,
    start: usize,
    end: usize,
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        Self {
            chunk: Arc::from(bytes),
            start: 0,
            end,
        }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.chunk.get(self.start..self.end).unwrap_or_default()
    }
}

impl Disk {
    /// Reads metadata of the filesystem that `sb` describes from `source`.
    pub(super) fn new(
        source: Arc<dyn ByteSource>,
        sb: Superblock,
        limits: Limits,
        checksums: ChecksumPolicy,
    ) -> Self {
        let chunk_len = CHUNK_LEN_MIN.max(sb.block_size);
        let chunks = Cache::new(limits.cache_bytes);
        Self {
            source,
            sb,
            limits,
            checksums,
            chunks,
            chunk_len,
        }
    }

    /// One block of metadata.
    ///
    /// # Errors
    /// Those of the source. The caller has checked that the block belongs to the filesystem.
    pub(super) fn block(&self, block: u64) -> Result<Piece> {
        self.piece(self.sb.byte_of(block), self.sb.block_len())
    }

    /// `len` bytes of metadata at byte `at`.
    ///
    /// # Errors
    /// Those of the source.
    pub(super) fn piece(&self, at: u64, len: usize) -> Result<Piece> {
        let chunk_len = u64::from(self.chunk_len);
        let index = at.checked_div(chunk_len).unwrap_or(0);
        let base = index.saturating_mul(chunk_len);
        let start = clamp_usize(at.saturating_sub(base), usize::MAX);
        let end = start.saturating_add(len);
        if len_u64(end) > chunk_len {
            // Not inside of one chunk: nothing in a sound filesystem, so not worth caching.
            return self.uncached(at, len);
        }
        let chunk = match self.chunk(index, base) {
            Ok(chunk) if chunk.len() >= end => chunk,
            // Part of the chunk is unreadable or missing. That is no matter if it is not our part.
            Ok(_) | Err(_) => return self.uncached(at, len),
        };
        Ok(Piece { chunk, start, end })
    }

    fn chunk(&self, index: u64, base: u64) -> Result<Arc<[u8]>> {
        self.chunks.get_or_insert(index, || {
            let left = self.source.size().saturating_sub(base);
            let len = clamp_usize(left, usize::try_from(self.chunk_len).unwrap_or(usize::MAX));
            if len == 0 {
                let size = self.source.size();
                return Err(Request::OutOfRange {
                    offset: base,
                    len: 1,
                    size,
                }
                .into());
            }
            let mut chunk = vec![0; len];
            self.source.read_at(base, &mut chunk)?;
            Ok((Arc::from(chunk), len))
        })
    }

    fn uncached(&self, at: u64, len: usize) -> Result<Piece> {
        let mut bytes = vec![0; len];
        self.source.read_at(at, &mut bytes)?;
        Ok(Piece::from(bytes))
    }

    /// Whether metadata checksums exist and are to be obeyed.
    pub(super) fn verifies(&self) -> bool {
        self.sb.has_metadata_csum() && self.obeys_checksums()
    }

    /// Whether checksums, where there are any, are to be obeyed.
    pub(super) fn obeys_checksums(&self) -> bool {
        self.checksums == ChecksumPolicy::Strict
    }
}
