//! Which reads follow each other, and how far ahead of them to fetch.
//!
//! Reads that go on where others ended become a stream once they have covered half a chunk together.
//! A stream's window starts with two chunks and doubles whenever its reader had to wait although the last
//! window has been used up: a slow reader keeps a small one, and a fast one gets what the latency needs.

use super::geometry::Geometry;
use std::ops::Range;
use std::time::Instant;

/// Streams, and what may become one, that are remembered at once.
const COUNT_MAX: usize = 16;

/// The window of a new stream, in chunks.
const WINDOW_START: u64 = 2;

/// Reads of several threads overtake each other by so much.
const LATE_BYTES: u64 = 1 << 20;
const EARLY_BYTES: u64 = 256 << 10;

/// Reads that follow each other exactly are a stream after two; those that only lie close after more.
const READS_EXACT: u32 = 2;
const READS_CLOSE: u32 = 4;

/// All streams of a source, the one read last first.
#[derive(Debug, Default)]
pub(super) struct Streams {
    candidates: Vec<Candidate>,
    streams: Vec<Stream>,
}

/// Reads that may become a stream.
#[derive(Debug)]
struct Candidate {
    start: u64,
    next: u64,
    reads: u32,
    exact: bool,
    bytes: u64,
}

#[derive(Debug)]
struct Stream {
    /// The byte behind what was read.
    next: u64,
    /// The first chunk that has not been asked for.
    ahead: u64,
    /// In chunks.
    window: u64,
    /// The window is not widened before this byte is read.
    grows_at: u64,
    /// When it was read last, by the cache's clock and by the machine's.
    touched: u64,
    touched_at: Instant,
}

/// What a read says about the time to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outlook {
    /// The first chunk that has not been asked for.
    pub(super) from: u64,
    /// The end of the window.
    pub(super) to: u64,
    /// Chunks in the window.
    pub(super) window: u64,
}

/// A read as streams see it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) bytes: Range<u64>,
    /// Not all of it was in memory.
    pub(super) waits: bool,
    /// The cache's clock.
    pub(super) clock: u64,
    pub(super) now: Instant,
    /// The largest window, in chunks.
    pub(super) window_max: u64,
}

impl Streams {
    /// Notes a read. What to fetch ahead, if it is part of a stream, which is the first one then.
    /// `gave_up` gets the chunks that a stream that is forgotten has asked for in vain.
    pub(super) fn touch(
        &mut self,
        geometry: &Geometry,
        seen: &Seen,
        gave_up: &mut Vec<Range<u64>>,
    ) -> Option<Outlook> {
        let found = self
            .streams
            .iter()
            .position(|stream| stream.takes(geometry, seen));
        let mut stream = match found {
            Some(index) => self.streams.remove(index),
            None => self.promote(geometry, seen)?,
        };
        stream.advance(geometry, seen);
        let last = geometry.chunk_of(stream.next.saturating_sub(1));
        let behind = last.saturating_add(1);
        stream.ahead = stream.ahead.max(behind);
        let to = behind.saturating_add(stream.window).min(geometry.count());
        let outlook = Outlook {
            from: stream.ahead,
            to,
            window: stream.window,
        };
        self.streams.insert(0, stream);
        if self.streams.len() > COUNT_MAX {
            let forgotten = self.streams.pop();
            gave_up.extend(forgotten.map(|stream| stream.in_vain(geometry)));
        }
        Some(outlook)
    }

    /// All before `chunk` has been asked for, for the first stream.
    pub(super) fn set_ahead(&mut self, chunk: u64) {
        if let Some(stream) = self.streams.first_mut() {
            stream.ahead = stream.ahead.max(chunk);
        }
    }

    /// How many streams were read after `clock`.
    pub(super) fn active(&self, clock: u64) -> u64 {
        let active = self.streams.iter().filter(|stream| stream.touched >= clock);
        u64::try_from(active.count()).unwrap_or(1).max(1)
    }

    /// Forgets the streams that were not read after `clock` and `time`; what they have asked for in vain.
    pub(super) fn expire(
        &mut self,
        geometry: &Geometry,
        clock: u64,
        time: Instant,
    ) -> Vec<Range<u64>> {
        let old = |stream: &mut Stream| stream.touched < clock && stream.touched_at <= time;
        let expired = self.streams.extract_if(.., old);
        expired.map(|stream| stream.in_vain(geometry)).collect()
    }

    /// Counts a read that belongs to no stream; the stream that begins with it.
    fn promote(&mut self, geometry: &Geometry, seen: &Seen) -> Option<Stream> {
        let bytes = &seen.bytes;
        let len = bytes.end.saturating_sub(bytes.start);
        let half = geometry.chunk_len().checked_div(2).unwrap_or(0);
        let early = EARLY_BYTES.min(half.max(len));
        let fits = |candidate: &Candidate| {
            let (start, next) = (candidate.start, candidate.next);
            let late = bytes.start.saturating_add(early) >= start;
            late && bytes.start <= next.saturating_add(early)
        };
        let mut candidate = match self.candidates.iter().position(fits) {
            Some(index) => self.candidates.remove(index),
            None => Candidate {
                start: bytes.start,
                next: bytes.start,
                reads: 0,
                exact: true,
                bytes: 0,
            },
        };
        candidate.exact &= candidate.next == bytes.start;
        candidate.start = candidate.start.min(bytes.start);
        candidate.next = candidate.next.max(bytes.end);
        candidate.reads = candidate.reads.saturating_add(1);
        candidate.bytes = candidate.bytes.saturating_add(len);
        let covered = candidate.next.saturating_sub(candidate.start);
        let dense = candidate.bytes.saturating_mul(2) >= covered;
        let enough = match candidate.exact {
            true => READS_EXACT,
            false => READS_CLOSE,
        };
        if candidate.reads >= enough && covered >= half && dense {
            return Some(Stream {
                next: candidate.next,
                ahead: 0,
                window: WINDOW_START.min(seen.window_max),
                grows_at: candidate.next.saturating_add(1),
                touched: seen.clock,
                touched_at: seen.now,
            });
        }
        self.candidates.insert(0, candidate);
        self.candidates.truncate(COUNT_MAX);
        None
    }
}

impl Stream {
    fn takes(&self, geometry: &Geometry, seen: &Seen) -> bool {
        let start = seen.bytes.start;
        let early = self.next.saturating_add(EARLY_BYTES);
        let early = early.max(geometry.start_of(self.ahead));
        start.saturating_add(LATE_BYTES) >= self.next && start <= early
    }

    fn advance(&mut self, geometry: &Geometry, seen: &Seen) {
        self.touched = seen.clock;
        self.touched_at = seen.now;
        let forward = seen.bytes.end > self.next;
        self.next = self.next.max(seen.bytes.end);
        if seen.waits && forward && self.next >= self.grows_at {
            let old = self.window.saturating_mul(geometry.chunk_len());
            self.grows_at = self.next.saturating_add(old);
            self.window = self.window.saturating_mul(2);
        }
        self.window = self.window.min(seen.window_max);
    }

    /// What was asked for and not read.
    fn in_vain(&self, geometry: &Geometry) -> Range<u64> {
        geometry.chunk_of(self.next)..self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: u64 = 64 << 10;

    fn geometry() -> Geometry {
        Geometry::new(10_000 * CHUNK, 64 << 10)
    }

    fn touch(streams: &mut Streams, at: u64, len: u64, waits: bool) -> Option<Outlook> {
        let seen = Seen {
            bytes: at..at.saturating_add(len),
            waits,
            clock: 0,
            now: Instant::now(),
            window_max: 64,
        };
        let outlook = streams.touch(&geometry(), &seen, &mut Vec::new())?;
        streams.set_ahead(outlook.to);
        Some(outlook)
    }

    #[test]
    fn random_reads_are_no_stream() {
        let mut streams = Streams::default();
        let mut at: u64 = 1;
        for _ in 0..10_000 {
            at = at.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
            let offset = (at >> 20) % (9000 * CHUNK);
            assert_eq!(touch(&mut streams, offset, 4096, true), None);
        }
        for _ in 0..100 {
            assert_eq!(touch(&mut streams, 0, 4096, false), None);
        }
    }

    #[test]
    fn a_window_widens_while_its_reader_waits() {
        let mut streams = Streams::default();
        let mut widest = 0;
        for chunk in 0..300 {
            let outlook = touch(&mut streams, chunk * CHUNK, CHUNK, true);
            widest = outlook.map_or(widest, |outlook| outlook.window);
            if chunk == 1 {
                assert_eq!(outlook.unwrap().to, 4);
            }
        }
        assert_eq!(widest, 64);
        let mut streams = Streams::default();
        for chunk in 0..300 {
            let outlook = touch(&mut streams, chunk * CHUNK, CHUNK, false);
            assert!(outlook.is_none_or(|outlook| outlook.window == 2));
        }
    }

    #[test]
    fn streams_that_take_turns_and_overtake_are_told_apart() {
        let mut streams = Streams::default();
        let mut order: Vec<(u64, u64)> = Vec::new();
        for step in 0..40 {
            for stream in 0..10 {
                // Pairs of reads come the wrong way round.
                order.push((stream * 1000 * CHUNK, (step ^ 1) * CHUNK));
            }
        }
        let mut outlooks = 0;
        for (base, at) in order {
            if let Some(outlook) = touch(&mut streams, base + at, CHUNK, true) {
                outlooks += 1;
                assert!(outlook.from * CHUNK >= base && outlook.to * CHUNK < base + 400 * CHUNK);
            }
        }
        assert!(outlooks >= 10 * 35, "{outlooks}");
        assert_eq!(streams.streams.len(), 10);
    }

    #[test]
    fn what_is_forgotten_was_asked_for_in_vain() {
        let mut streams = Streams::default();
        for at in 0..3 {
            touch(&mut streams, at * CHUNK, CHUNK, true);
        }
        assert_eq!(streams.active(0), 1);
        let geometry = geometry();
        let before = Instant::now() - std::time::Duration::from_secs(100);
        assert!(streams.expire(&geometry, 1, before).is_empty());
        assert!(streams.expire(&geometry, 0, Instant::now()).is_empty());
        assert_eq!(streams.expire(&geometry, 1, Instant::now()), vec![3..7; 1]);
        assert!(streams.streams.is_empty());
    }
}
