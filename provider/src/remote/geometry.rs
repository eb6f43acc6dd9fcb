//! Bytes to chunks and back.

use super::store::ChunkStore;
use flr_fs::bytes::len_u64;
use std::num::NonZeroU32;
use std::ops::Range;

/// How a source of fixed size is cut into chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    size: u64,
    chunk_len: NonZeroU32,
}

impl Geometry {
    pub(super) fn of(store: &dyn ChunkStore) -> Self {
        Self {
            size: store.size(),
            chunk_len: store.chunk_len(),
        }
    }

    #[cfg(test)]
    pub(super) fn new(size: u64, chunk_len: u32) -> Self {
        let chunk_len = NonZeroU32::new(chunk_len).unwrap();
        Self { size, chunk_len }
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) const fn granule(&self) -> NonZeroU32 {
        self.chunk_len
    }

    pub(super) fn chunk_len(&self) -> u64 {
        u64::from(self.chunk_len.get())
    }

    /// Number of chunks.
    pub(super) fn count(&self) -> u64 {
        self.size.div_ceil(self.chunk_len())
    }

    /// The chunk that holds a byte.
    pub(super) fn chunk_of(&self, byte: u64) -> u64 {
        byte.checked_div(self.chunk_len()).unwrap_or(0)
    }

    /// The chunks that hold these bytes.
    pub(super) fn chunks_of(&self, bytes: &Range<u64>) -> Range<u64> {
        self.chunk_of(bytes.start)..bytes.end.min(self.size).div_ceil(self.chunk_len())
    }

    /// First byte of a chunk; the size for those behind the end.
    pub(super) fn start_of(&self, chunk: u64) -> u64 {
        chunk.saturating_mul(self.chunk_len()).min(self.size)
    }

    /// Bytes in these chunks.
    pub(super) fn len_of(&self, chunks: &Range<u64>) -> usize {
        let len = self
            .start_of(chunks.end)
            .saturating_sub(self.start_of(chunks.start));
        usize::try_from(len).unwrap_or(usize::MAX)
    }

    /// Cuts a buffer for the bytes from `offset` on at the borders of chunks: where each part begins,
    /// its chunk, where it begins in that, and the part.
    pub(super) fn cut<'a>(
        &self,
        offset: u64,
        buf: &'a mut [u8],
    ) -> impl Iterator<Item = (u64, u64, usize, &'a mut [u8])> + use<'a> {
        let geometry = *self;
        let mut at = offset;
        let mut rest = buf;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (from, chunk) = (at, geometry.chunk_of(at));
            let in_chunk = at.saturating_sub(geometry.start_of(chunk));
            let left = geometry.chunk_len().saturating_sub(in_chunk).max(1);
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let (part, later) = std::mem::take(&mut rest).split_at_mut(len);
            rest = later;
            at = at.saturating_add(len_u64(len));
            Some((from, chunk, usize::try_from(in_chunk).ok()?, part))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chunk_is_short_and_nothing_lies_behind_it() {
        let geometry = Geometry::new(10_000, 4096);
        assert_eq!(geometry.count(), 3);
        assert_eq!(geometry.len_of(&(0..3)), 10_000);
        assert_eq!(geometry.len_of(&(2..3)), 10_000 - 8192);
        assert_eq!(geometry.len_of(&(2..9)), 10_000 - 8192);
        assert_eq!(geometry.len_of(&(7..9)), 0);
        assert_eq!(geometry.chunks_of(&(4095..4097)), 0..2);
        assert_eq!(geometry.chunks_of(&(4096..u64::MAX)), 1..3);
        let mut buf = [0; 5000];
        let parts: Vec<_> = geometry
            .cut(4000, &mut buf)
            .map(|(at, chunk, skip, part)| (at, chunk, skip, part.len()))
            .collect();
        assert_eq!(
            parts,
            [(4000, 0, 4000, 96), (4096, 1, 0, 4096), (8192, 2, 0, 808)]
        );
    }
}
