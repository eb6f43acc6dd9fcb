//! What is known of the map: which chunks are stored, and which are holes.

use super::store::{ChunkRun, ChunkState};
use crate::fault::{Fault, FaultKind};
use flr_fs::bytes::len_u64;
use lru::LruCache;
use std::ops::Range;

/// Memory for what is known; 16 bytes a chunk of 512 KiB would be 2 GiB for 64 TiB, a bit is 16 MiB.
const BYTES_MAX: usize = 8 << 20;

/// What a region takes beside its bits, about.
const REGION_BYTES: usize = 96;

/// Regions that one call asks for at most, where there are holes only.
const REGIONS_MAX: u64 = 64;

/// Chunks that one call asks for at most: all of its answer is kept.
const CALL_CHUNKS_MAX: u64 = 1 << 20;

const WORD_BITS: u64 = 64;

/// The known regions of a map. A region is an aligned stretch of chunks, asked for at once.
#[derive(Debug)]
pub(super) struct ChunkMap {
    region_chunks: u64,
    chunk_count: u64,
    regions: LruCache<u64, Region>,
    bytes: usize,
}

#[derive(Debug)]
enum Region {
    Uniform(ChunkState),
    /// A bit for each chunk, set where it is stored.
    Mixed(Box<[u64]>),
}

impl Region {
    fn bytes(&self) -> usize {
        match self {
            Self::Uniform(_) => REGION_BYTES,
            Self::Mixed(words) => REGION_BYTES.saturating_add(size_of_val::<[u64]>(words)),
        }
    }

    fn state(&self, index: u64) -> ChunkState {
        match self {
            Self::Uniform(state) => *state,
            Self::Mixed(words) => match word(words, index) & bit(index) {
                0 => ChunkState::Hole,
                _ => ChunkState::Present,
            },
        }
    }

    /// Where the run of chunks that are as the one at `index` ends, at most at `end`.
    fn run_end(&self, index: u64, end: u64) -> u64 {
        let Self::Mixed(words) = self else {
            return end;
        };
        let state = self.state(index);
        let mut at = index;
        while at < end {
            let word = match state {
                ChunkState::Present => !word(words, at),
                ChunkState::Hole => word(words, at),
            };
            // The bits from `at` on that differ.
            let into = at.checked_rem(WORD_BITS).unwrap_or(0);
            let into = u32::try_from(into).unwrap_or(0);
            let differ = word.checked_shr(into).unwrap_or(0);
            if differ != 0 {
                return at
                    .saturating_add(u64::from(differ.trailing_zeros()))
                    .min(end);
            }
            at = at.saturating_add(WORD_BITS.saturating_sub(u64::from(into)));
        }
        end
    }
}

fn word(words: &[u64], index: u64) -> u64 {
    let word = index.checked_div(WORD_BITS).unwrap_or(0);
    let word = usize::try_from(word).ok().and_then(|word| words.get(word));
    word.copied().unwrap_or(0)
}

fn bit(index: u64) -> u64 {
    let shift = index.checked_rem(WORD_BITS).unwrap_or(0);
    1_u64
        .checked_shl(u32::try_from(shift).unwrap_or(0))
        .unwrap_or(0)
}

impl ChunkMap {
    /// An empty one. `region_chunks` is rounded up to a power of two, at least 64.
    pub(super) fn new(chunk_count: u64, region_chunks: u64) -> Self {
        let region_chunks = region_chunks.clamp(WORD_BITS, CALL_CHUNKS_MAX);
        Self {
            region_chunks: region_chunks
                .checked_next_power_of_two()
                .unwrap_or(WORD_BITS),
            chunk_count,
            regions: LruCache::unbounded(),
            bytes: 0,
        }
    }

    /// The region that a chunk is in.
    pub(super) fn region_of(&self, chunk: u64) -> u64 {
        chunk.checked_div(self.region_chunks).unwrap_or(0)
    }

    /// The chunks of these regions.
    pub(super) fn chunks_of(&self, regions: &Range<u64>) -> Range<u64> {
        let first = |region: u64| region.saturating_mul(self.region_chunks);
        first(regions.start)..first(regions.end).min(self.chunk_count)
    }

    /// What is known of a chunk.
    pub(super) fn state(&mut self, chunk: u64) -> Option<ChunkState> {
        let region = self.region_of(chunk);
        let start = region.saturating_mul(self.region_chunks);
        let region = self.regions.get(&region)?;
        Some(region.state(chunk.saturating_sub(start)))
    }

    /// What a chunk is, and where the run of chunks that are the same ends, as far as is known and at
    /// most at `end`. `None` if nothing is known of it.
    pub(super) fn run(&mut self, chunk: u64, end: u64) -> Option<(ChunkState, u64)> {
        let state = self.state(chunk)?;
        let mut at = chunk;
        while at < end && self.state(at) == Some(state) {
            let index = self.region_of(at);
            let chunks = self.chunks_of(&(index..index.saturating_add(1)));
            let Some(region) = self.regions.peek(&index) else {
                break;
            };
            let to = chunks.end.min(end).saturating_sub(chunks.start);
            let run = region.run_end(at.saturating_sub(chunks.start), to);
            at = chunks.start.saturating_add(run);
        }
        Some((state, at.max(chunk.saturating_add(1)).min(end)))
    }

    /// Which regions to ask for, of which `region` is the first: more of them the longer the hole before
    /// it is.
    pub(super) fn wanted(&self, region: u64) -> Range<u64> {
        let hole = |region: &u64| {
            let known = self.regions.peek(region);
            matches!(known, Some(Region::Uniform(ChunkState::Hole)))
        };
        let before = (0..region).rev().take_while(hole);
        let most = CALL_CHUNKS_MAX.checked_div(self.region_chunks).unwrap_or(1);
        let most = usize::try_from(most.min(REGIONS_MAX)).unwrap_or(1);
        let count = len_u64(before.take(most).count()).max(1);
        let last = self.region_of(self.chunk_count.saturating_sub(1));
        let end = region.saturating_add(count).min(last.saturating_add(1));
        let known = (region..end)
            .skip(1)
            .find(|region| self.regions.contains(region));
        region..known.unwrap_or(end)
    }

    /// Keeps a store's answer for `regions`.
    ///
    /// # Errors
    /// It is not one: a gap, an overlap, too little or too much.
    pub(super) fn insert(&mut self, regions: Range<u64>, runs: &[ChunkRun]) -> Result<(), Fault> {
        check(&self.chunks_of(&regions), runs)?;
        let mut rest = runs;
        for index in regions {
            let chunks = self.chunks_of(&(index..index.saturating_add(1)));
            while let [first, later @ ..] = rest
                && first.chunks.end <= chunks.start
            {
                rest = later;
            }
            let region = region_of(rest, &chunks);
            self.bytes = self.bytes.saturating_add(region.bytes());
            if let Some(old) = self.regions.put(index, region) {
                self.bytes = self.bytes.saturating_sub(old.bytes());
            }
        }
        while self.bytes > BYTES_MAX
            && let Some((_, old)) = self.regions.pop_lru()
        {
            self.bytes = self.bytes.saturating_sub(old.bytes());
        }
        Ok(())
    }
}

/// A region from runs of which the first reaches into it.
fn region_of(runs: &[ChunkRun], chunks: &Range<u64>) -> Region {
    let inside = runs.iter().take_while(|run| run.chunks.start < chunks.end);
    if let Some(first) = runs.first()
        && inside.clone().all(|run| run.state == first.state)
    {
        return Region::Uniform(first.state);
    }
    let count = chunks.end.saturating_sub(chunks.start);
    let words = usize::try_from(count.div_ceil(WORD_BITS)).unwrap_or(0);
    let mut words = vec![0; words].into_boxed_slice();
    for run in inside.filter(|run| run.state == ChunkState::Present) {
        let start = run.chunks.start.max(chunks.start);
        for chunk in start..run.chunks.end.min(chunks.end) {
            let index = chunk.saturating_sub(chunks.start);
            let at = usize::try_from(index.checked_div(WORD_BITS).unwrap_or(0));
            if let Some(word) = at.ok().and_then(|at| words.get_mut(at)) {
                *word |= bit(index);
            }
        }
    }
    Region::Mixed(words)
}

/// Runs in ascending order, without gaps, that cover exactly `chunks`.
fn check(chunks: &Range<u64>, runs: &[ChunkRun]) -> Result<(), Fault> {
    let mut at = chunks.start;
    for run in runs {
        if run.chunks.start != at || run.chunks.end <= at {
            let (start, end) = (run.chunks.start, run.chunks.end);
            let text =
                format!("expected a run of the map from chunk {at} on, found {start}..{end}");
            return Err(Fault::new(FaultKind::Unknown, text));
        }
        at = run.chunks.end;
    }
    if at == chunks.end {
        return Ok(());
    }
    let text = format!(
        "expected a map up to chunk {}, found one up to {at}",
        chunks.end
    );
    Err(Fault::new(FaultKind::Unknown, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(chunks: Range<u64>, state: ChunkState) -> ChunkRun {
        ChunkRun { chunks, state }
    }

    #[test]
    fn a_run_goes_on_through_known_regions() {
        use ChunkState::{Hole, Present};
        let mut map = ChunkMap::new(1000, 1);
        assert_eq!(map.run(0, 1000), None);
        let runs = [
            run(0..3, Present),
            run(3..130, Hole),
            run(130..192, Present),
        ];
        map.insert(0..3, &runs).unwrap();
        assert_eq!(map.run(0, 1000), Some((Present, 3)));
        assert_eq!(map.run(2, 1000), Some((Present, 3)));
        assert_eq!(map.run(3, 1000), Some((Hole, 130)));
        assert_eq!(map.run(3, 100), Some((Hole, 100)));
        assert_eq!(map.run(130, 1000), Some((Present, 192)));
        assert_eq!(map.state(192), None);
        map.insert(15..16, &[run(960..1000, Hole)]).unwrap();
        assert_eq!(map.run(999, 1000), Some((Hole, 1000)));
    }

    #[test]
    fn every_chunk_is_as_the_store_says() {
        let stored = |chunk: u64| chunk.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 < 3;
        let state = |chunk| match stored(chunk) {
            true => ChunkState::Present,
            false => ChunkState::Hole,
        };
        let mut map = ChunkMap::new(1000, 128);
        for region in [3, 0, 7, 1, 2, 4, 6, 5] {
            let chunks = map.chunks_of(&(region..region + 1));
            let runs: Vec<_> = chunks.map(|at| run(at..at + 1, state(at))).collect();
            map.insert(region..region + 1, &runs).unwrap();
        }
        for chunk in 0..1000 {
            assert_eq!(map.state(chunk), Some(state(chunk)));
            let end = (chunk..1000).find(|at| stored(*at) != stored(chunk));
            let end = end.unwrap_or(1000);
            assert_eq!(map.run(chunk, 1000), Some((state(chunk), end)));
        }
    }

    #[test]
    fn behind_a_long_hole_more_is_asked_at_once() {
        let mut map = ChunkMap::new(64_000, 64);
        let mut calls = 0;
        let mut region = 0;
        while region < 1000 {
            let wanted = map.wanted(region);
            assert_eq!(wanted.start, region);
            let chunks = map.chunks_of(&wanted);
            map.insert(wanted.clone(), &[run(chunks, ChunkState::Hole)])
                .unwrap();
            region = wanted.end;
            calls += 1;
        }
        assert_eq!((region, calls), (1000, 22));
        assert_eq!(map.run(0, 64_000), Some((ChunkState::Hole, 64_000)));
    }

    #[test]
    fn what_does_not_cover_the_chunks_is_no_map() {
        use ChunkState::{Hole, Present};
        let mut map = ChunkMap::new(100, 64);
        for runs in [
            vec![],
            vec![run(0..63, Hole)],
            vec![run(0..65, Hole)],
            vec![run(1..64, Hole)],
            vec![run(0..0, Hole), run(0..64, Hole)],
            vec![run(0..10, Hole), run(11..64, Present)],
            vec![run(0..10, Hole), run(9..64, Present)],
            vec![run(0..64, Hole), run(64..100, Hole)],
        ] {
            assert!(map.insert(0..1, &runs).is_err(), "{runs:?}");
            assert_eq!(map.state(0), None);
        }
        map.insert(1..2, &[run(64..100, Hole)]).unwrap();
    }

    #[test]
    fn memory_is_bounded() {
        let mut map = ChunkMap::new(u64::MAX, 4096);
        let runs: Vec<_> = (0..4096)
            .map(|at| {
                run(
                    at..at + 1,
                    if at % 2 == 0 {
                        ChunkState::Hole
                    } else {
                        ChunkState::Present
                    },
                )
            })
            .collect();
        for region in 0..40_000 {
            let base = region * 4096;
            let shift = |at: &ChunkRun| run(at.chunks.start + base..at.chunks.end + base, at.state);
            if region % 1000 == 0 {
                let runs: Vec<_> = runs.iter().map(shift).collect();
                map.insert(region..region + 1, &runs).unwrap();
            }
            let whole = base..base + 4096;
            map.insert(region..region + 1, &[run(whole, ChunkState::Present)])
                .unwrap();
        }
        assert!(map.bytes <= BYTES_MAX);
        assert_eq!(
            map.regions
                .iter()
                .map(|(_, region)| region.bytes())
                .sum::<usize>(),
            map.bytes
        );
    }
}
