//! The bytes below an ext filesystem, and a small cache for its metadata.
//!
//! File content is never cached here. Metadata is read in aligned units of a block. Where units are
//! asked for one after the other, as in a walk along an inode table, 64 KiB are read at once; where
//! they are not, as in a large directory whose names are hashed, reading more would be waste.

use super::codes;
use super::superblock::Superblock;
use crate::bytes::{clamp_usize, len_u64};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::format::ChecksumPolicy;
use crate::limits::Limits;
use crate::node::FileKind;
use crate::source::ByteSource;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Smallest unit of the metadata cache: 16 inodes of 256 bytes.
const UNIT_LEN_MIN: u32 = 4 << 10;
/// Bytes read at once where units follow each other.
const AHEAD_LEN: u64 = 64 << 10;

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
    units: Cache<u64, Arc<[u8]>>,
    unit_len: u64,
    /// The last unit that was read, to tell walks from jumps. A lost update costs a read, no more.
    last_unit: AtomicU64,
}

/// A piece of metadata. Keeps the unit it lies in alive.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    unit: Arc<[u8]>,
    start: usize,
    end: usize,
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        Self {
            unit: Arc::from(bytes),
            start: 0,
            end,
        }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.unit.get(self.start..self.end).unwrap_or_default()
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
        let unit_len = u64::from(UNIT_LEN_MIN.max(sb.block_size));
        let units = Cache::new(limits.cache_bytes);
        Self {
            source,
            sb,
            limits,
            checksums,
            units,
            unit_len,
            last_unit: AtomicU64::new(u64::MAX),
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
        let index = at.checked_div(self.unit_len).unwrap_or(0);
        let base = index.saturating_mul(self.unit_len);
        let start = clamp_usize(at.saturating_sub(base), usize::MAX);
        let end = start.saturating_add(len);
        if len_u64(end) > self.unit_len {
            // Not inside of one unit: nothing in a sound filesystem, so not worth caching.
            return self.uncached(at, len);
        }
        match self.unit(index, base) {
            Ok(unit) if unit.len() >= end => Ok(Piece { unit, start, end }),
            // Part of the unit is unreadable or missing. That is no matter if it is not our part.
            Ok(_) | Err(_) => self.uncached(at, len),
        }
    }

    /// Reads bytes of the filesystem, content or metadata.
    ///
    /// # Errors
    /// [`codes::SUPERBLOCK_SIZE`] behind the end of an image that was cut short; those of the source.
    pub(super) fn read(&self, at: u64, buf: &mut [u8]) -> Result<()> {
        self.check(at, buf.len())?;
        self.source.read_at(at, buf)
    }

    /// Checks that the image has these bytes.
    ///
    /// # Errors
    /// [`codes::SUPERBLOCK_SIZE`].
    pub(super) fn check(&self, at: u64, len: usize) -> Result<()> {
        let size = self.source.size();
        if at.saturating_add(len_u64(len)) > size {
            let detail = format!("bytes that are missing: the image ends at {size:#x}");
            return Err(Error::corrupt(codes::SUPERBLOCK_SIZE, at, detail));
        }
        Ok(())
    }

    fn unit(&self, index: u64, base: u64) -> Result<Arc<[u8]>> {
        if let Some(unit) = self.units.get(&index) {
            return Ok(unit);
        }
        let last = self.last_unit.swap(index, Ordering::Relaxed);
        let left = self.source.size().saturating_sub(base);
        if index == last.wrapping_add(1)
            && left >= AHEAD_LEN
            && let Some(first) = self.read_ahead(index, base)
        {
            return Ok(first);
        }
        let len = clamp_usize(self.unit_len, usize::MAX).min(clamp_usize(left, usize::MAX));
        let mut bytes = vec![0; len];
        self.read(base, &mut bytes)?;
        let unit: Arc<[u8]> = Arc::from(bytes);
        self.units.insert(index, Arc::clone(&unit), len);
        Ok(unit)
    }

    /// Reads this unit and those behind it. `None` if that fails: the unit alone may be sound.
    fn read_ahead(&self, index: u64, base: u64) -> Option<Arc<[u8]>> {
        let mut bytes = vec![0; clamp_usize(AHEAD_LEN, usize::MAX)];
        self.read(base, &mut bytes).ok()?;
        let mut first = None;
        let unit_len = clamp_usize(self.unit_len, usize::MAX);
        for (index, unit) in (index..).zip(bytes.chunks_exact(unit_len)) {
            let unit: Arc<[u8]> = Arc::from(unit);
            self.units.insert(index, Arc::clone(&unit), unit.len());
            self.last_unit.store(index, Ordering::Relaxed);
            first.get_or_insert(unit);
        }
        first
    }

    fn uncached(&self, at: u64, len: usize) -> Result<Piece> {
        let mut bytes = vec![0; len];
        self.read(at, &mut bytes)?;
        Ok(Piece::from(bytes))
    }

    /// Runs that a file of this kind may have. No block of a directory is there twice, so it has no more
    /// of them than the disk has blocks.
    pub(super) fn run_count_max(&self, kind: FileKind) -> usize {
        let max = self.limits.run_count_max;
        let size = self.source.size().min(self.sb.size());
        let blocks = size.checked_div(self.sb.block_size.into()).unwrap_or(0);
        match kind {
            FileKind::Directory => max.min(clamp_usize(blocks, usize::MAX)),
            _ => max,
        }
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
