//! Fetching what has not been asked for yet: ahead of streams, and what is announced.
//!
//! At most three quarters of the memory are for it, and it never takes the place of something that was
//! fetched ahead as well: a slow stream does not lose its chunks to a fast one.

use super::hub::{Hub, State};
use super::mailbox::Key;
use super::store::ChunkState;
use super::streams::Seen;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Announcements that wait for a map.
const HINTS_MAX: usize = 64;

/// Who has not come for so long may have lost interest.
const IDLE: Duration = Duration::from_secs(1);

impl Hub {
    /// Reads have come, and `waits` says that not all of them were served from memory.
    pub(super) fn follow(self: &Arc<Self>, reads: &[Range<u64>], waits: bool) {
        if !self.settings.readahead || self.is_cancelled() {
            return;
        }
        let mut state = self.lock();
        for bytes in reads.iter().filter(|bytes| !bytes.is_empty()) {
            self.follow_one(&mut state, bytes, waits);
        }
        self.pump(&mut state);
    }

    fn follow_one(&self, state: &mut State, bytes: &Range<u64>, waits: bool) {
        let clock = state.cache.clock();
        let seen = Seen {
            bytes: bytes.clone(),
            waits,
            clock,
            now: Instant::now(),
            window_max: self.window_max(state, clock),
        };
        let mut gave_up = Vec::new();
        let outlook = state.streams.touch(&self.geometry, &seen, &mut gave_up);
        for chunks in gave_up {
            state.cache.give_up(chunks);
        }
        let Some(outlook) = outlook else {
            return;
        };
        // Single chunks of what could go in one call are left until there are enough of them.
        let whole = outlook.window >= self.run_max.saturating_mul(2);
        let reached = self.ask_ahead(state, outlook.from..outlook.to, whole, false);
        state.streams.set_ahead(reached);
        self.ask_map_ahead(state, outlook.to.saturating_add(outlook.window));
    }

    /// A window has room for more calls than can run at once: some of them are always waiting.
    fn window_max(&self, state: &State, clock: u64) -> u64 {
        let calls = u64::from(state.limiter.limit());
        let calls = calls.saturating_add(calls.div_ceil(2));
        let wanted = calls.saturating_mul(self.run_max);
        let share = u64::try_from(self.ahead_share()).unwrap_or(u64::MAX);
        let active = state.streams.active(clock.saturating_sub(share));
        let fair = share.checked_div(self.geometry.chunk_len().saturating_mul(active));
        wanted.min(fair.unwrap_or(0))
    }

    /// Bytes for what was fetched ahead.
    fn ahead_share(&self) -> usize {
        let quarter = self.budget.max().checked_div(4).unwrap_or(0);
        self.budget.max().saturating_sub(quarter)
    }

    /// Asks for what is missing of `chunks`, as far as there is memory and the map is known. Holes end
    /// it, unless `over_holes`. The first chunk that was not looked at.
    fn ask_ahead(
        &self,
        state: &mut State,
        chunks: Range<u64>,
        whole: bool,
        over_holes: bool,
    ) -> u64 {
        let mut at = chunks.start;
        while at < chunks.end {
            let end = match state.map.run(at, chunks.end) {
                Some((ChunkState::Present, end)) => end,
                Some((ChunkState::Hole, end)) if over_holes => {
                    at = end;
                    continue;
                }
                Some((ChunkState::Hole, _)) => break,
                None => {
                    self.ask_map_ahead(state, at);
                    break;
                }
            };
            let missing = |state: &State, chunk| {
                !state.cache.contains(chunk) && !state.flights.contains(Key::Chunk(chunk))
            };
            if !missing(state, at) {
                at = at.saturating_add(1);
                continue;
            }
            let most = at.saturating_add(self.run_max).min(end);
            let run_end = (at..most).find(|chunk| !missing(state, *chunk));
            let run = at..run_end.unwrap_or(most);
            let cut = run.end == chunks.end && chunks.end < self.geometry.count();
            if whole && cut && run.end.saturating_sub(run.start) < self.run_max {
                break;
            }
            if !self.has_ahead_room(state, self.geometry.len_of(&run)) {
                break;
            }
            at = run.end;
            self.ask_chunks(state, run, true);
        }
        at
    }

    fn has_ahead_room(&self, state: &mut State, bytes: usize) -> bool {
        let fits = |state: &State| {
            let used = state.cache.unread_bytes();
            let used = used.saturating_add(state.flights.ahead_bytes());
            used.saturating_add(bytes) <= self.ahead_share()
        };
        if fits(state) {
            return true;
        }
        // What nobody came for while others filled the memory, for a while, nobody comes for.
        let now = Instant::now();
        let time = now.checked_sub(IDLE).unwrap_or(now);
        let max = u64::try_from(self.budget.max()).unwrap_or(u64::MAX);
        let quarter = max.checked_div(4).unwrap_or(0);
        let clock = state.cache.clock();
        let read = clock.saturating_sub(quarter);
        let expired = state.streams.expire(&self.geometry, read, time);
        for chunks in expired {
            state.cache.give_up(chunks);
        }
        state.cache.give_up_old(clock.saturating_sub(max), time);
        fits(state)
    }

    /// Asks for the map of a chunk that somebody is about to come to.
    fn ask_map_ahead(&self, state: &mut State, chunk: u64) {
        let chunk = chunk.min(self.geometry.count().saturating_sub(1));
        let region = state.map.region_of(chunk);
        if state.map.state(chunk).is_none() && !state.flights.contains(Key::Region(region)) {
            self.ask_region(state, region, true);
        }
    }

    /// These bytes will be read.
    pub(super) fn announce(self: &Arc<Self>, ranges: &[Range<u64>]) {
        if !self.settings.readahead || self.is_cancelled() {
            return;
        }
        let mut state = self.lock();
        for bytes in ranges.iter().filter(|bytes| !bytes.is_empty()) {
            let chunks = self.geometry.chunks_of(bytes);
            self.announce_one(&mut state, chunks);
        }
        self.pump(&mut state);
    }

    fn announce_one(&self, state: &mut State, chunks: Range<u64>) {
        let reached = self.ask_ahead(state, chunks.clone(), false, true);
        let unknown = reached < chunks.end && state.map.state(reached).is_none();
        if unknown && state.hints.len() < HINTS_MAX {
            state.hints.push(reached..chunks.end);
        }
    }

    /// A map has come that announcements may have waited for.
    pub(super) fn announce_again(&self, state: &mut State) {
        for chunks in std::mem::take(&mut state.hints) {
            self.announce_one(state, chunks);
        }
    }
}
