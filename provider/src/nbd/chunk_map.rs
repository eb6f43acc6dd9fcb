//! Extents of bytes as runs of chunks.

use crate::remote::store::{ChunkRun, ChunkState};
use std::ops::Range;

/// Collects extents in ascending order. A chunk is a hole only if all of its bytes are zeros.
#[derive(Debug)]
pub(super) struct ChunkMap {
    chunks: Range<u64>,
    chunk_len: u64,
    /// Bytes of the source; the last chunk ends there.
    size: u64,
    /// The byte up to which everything is told.
    at: u64,
    /// Where the zeros began that end at `at`.
    zeros_from: Option<u64>,
    runs: Vec<ChunkRun>,
}

impl ChunkMap {
    /// Nothing told yet. `chunks` end where the source does, at the latest.
    pub(super) fn new(chunks: Range<u64>, chunk_len: u64, size: u64) -> Self {
        Self {
            at: chunks.start.saturating_mul(chunk_len),
            chunks,
            chunk_len,
            size,
            zeros_from: None,
            runs: Vec::new(),
        }
    }

    /// Where the next extent begins.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Where the last one ends.
    pub(super) fn end(&self) -> u64 {
        self.chunks
            .end
            .saturating_mul(self.chunk_len)
            .min(self.size)
    }

    /// The next `len` bytes are zeros, or may be something else.
    pub(super) fn push(&mut self, len: u64, zero: bool) {
        let from = self.at;
        self.at = from.saturating_add(len).min(self.end());
        if zero {
            self.zeros_from.get_or_insert(from);
        } else if let Some(start) = self.zeros_from.take() {
            self.hole(start..from);
        }
    }

    /// Zeros that something else, or nothing, follows.
    fn hole(&mut self, zeros: Range<u64>) {
        let whole = self.chunk_len;
        let first = zeros.start.div_ceil(whole.max(1));
        let last = if zeros.end >= self.size {
            zeros.end.div_ceil(whole.max(1))
        } else {
            zeros.end.checked_div(whole).unwrap_or(0)
        };
        if first < last {
            self.present_up_to(first);
            self.run(first..last, ChunkState::Hole);
        }
    }

    fn told(&self) -> u64 {
        self.runs
            .last()
            .map_or(self.chunks.start, |run| run.chunks.end)
    }

    fn present_up_to(&mut self, end: u64) {
        let start = self.told();
        if start < end {
            self.run(start..end, ChunkState::Present);
        }
    }

    fn run(&mut self, chunks: Range<u64>, state: ChunkState) {
        self.runs.push(ChunkRun { chunks, state });
    }

    /// All runs. What was not told is there.
    pub(super) fn finish(mut self) -> Vec<ChunkRun> {
        if let Some(start) = self.zeros_from.take() {
            self.hole(start..self.at);
        }
        self.present_up_to(self.chunks.end);
        self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(size: u64, extents: &[(u64, bool)]) -> Vec<(Range<u64>, bool)> {
        let mut map = ChunkMap::new(2..10, 100, size);
        for (len, zero) in extents {
            map.push(*len, *zero);
        }
        let runs = map.finish().into_iter();
        runs.map(|run| (run.chunks, run.state == ChunkState::Hole))
            .collect()
    }

    #[test]
    fn a_chunk_is_a_hole_if_all_of_it_is() {
        let big = 10_000;
        assert_eq!(runs(big, &[(800, true)]), [(2..10, true)]);
        assert_eq!(runs(big, &[(800, false)]), [(2..10, false)]);
        assert_eq!(runs(big, &[]), [(2..10, false)]);
        assert_eq!(
            runs(big, &[(150, true), (1, false), (649, true)]),
            [(2..3, true), (3..4, false), (4..10, true)]
        );
        assert_eq!(
            runs(big, &[(50, false), (149, true), (601, false)]),
            [(2..10, false)]
        );
        assert_eq!(
            runs(big, &[(50, true), (50, true)]),
            [(2..3, true), (3..10, false)]
        );
        assert_eq!(runs(big, &[(10_000, true)]), [(2..10, true)]);
    }

    #[test]
    fn the_last_chunk_ends_with_the_source() {
        assert_eq!(runs(950, &[(750, true)]), [(2..10, true)]);
        assert_eq!(runs(950, &[(749, true)]), [(2..9, true), (9..10, false)]);
        assert_eq!(runs(950, &[(749, false), (1, true)]), [(2..10, false)]);
    }
}
