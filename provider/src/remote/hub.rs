//! What the threads that read and the tasks that fetch have in common.

use super::budget::{Budget, Reservation};
use super::cache::ChunkCache;
use super::disk::Disk;
use super::flights::{Cargo, Flights};
use super::geometry::Geometry;
use super::limiter::Limiter;
use super::lock;
use super::mailbox::{Key, Mailbox};
use super::map::ChunkMap;
use super::rate::Bucket;
use super::settings::Settings;
use super::stats::{Counters, Stats};
use super::store::ChunkStore;
use super::streams::Streams;
use crate::fault::Fault;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// One source's store, memory and flights.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) store: Arc<dyn ChunkStore>,
    pub(super) geometry: Geometry,
    pub(super) settings: Settings,
    pub(super) budget: Arc<Budget>,
    pub(super) counters: Counters,
    pub(super) disk: Option<Arc<Disk>>,
    /// Chunks that one call fetches at most.
    pub(super) run_max: u64,
    state: Mutex<State>,
    cancelled: AtomicBool,
    /// A flight waits for memory that only a reader can give back.
    starved: AtomicBool,
}

/// What changes, under one lock. It is never held across a read, a call, or a copy.
#[derive(Debug)]
pub(super) struct State {
    pub(super) cache: ChunkCache,
    pub(super) map: ChunkMap,
    pub(super) flights: Flights,
    pub(super) limiter: Limiter,
    pub(super) bucket: Option<Bucket>,
    /// No calls before this: the provider asked for it.
    pub(super) quiet_until: Option<Instant>,
    pub(super) streams: Streams,
    /// Chunks that were announced, and wait for their map.
    pub(super) hints: Vec<Range<u64>>,
    /// When a read had waited in vain for all its time, if no chunk has come since.
    pub(super) silent_since: Option<Instant>,
    /// Somebody will start what is queued later.
    pub(super) alarm_set: bool,
}

impl Hub {
    pub(super) fn new(store: Arc<dyn ChunkStore>, settings: &Settings) -> Arc<Self> {
        let geometry = Geometry::of(&*store);
        let chunk_len = usize::try_from(geometry.chunk_len()).unwrap_or(usize::MAX);
        let cache_bytes = settings.cache_bytes.max(chunk_len.saturating_mul(2));
        // Several calls must find room at once.
        let fit = cache_bytes.checked_div(chunk_len.saturating_mul(4));
        let fit = u64::try_from(fit.unwrap_or(0)).unwrap_or(u64::MAX).max(1);
        let state = State {
            cache: ChunkCache::new(),
            map: ChunkMap::new(geometry.count(), settings.map_chunks),
            flights: Flights::default(),
            limiter: Limiter::new(settings.calls_start, settings.calls_max),
            bucket: settings.rate.map(|rate| Bucket::new(rate, Instant::now())),
            quiet_until: None,
            streams: Streams::default(),
            hints: Vec::new(),
            silent_since: None,
            alarm_set: false,
        };
        let disk = settings.disk.clone();
        let disk = disk.map(|disk| Arc::new(Disk::new(disk, geometry.granule().get())));
        Arc::new(Self {
            disk,
            run_max: u64::from(store.coalesce_max().get()).min(fit),
            geometry,
            settings: settings.clone(),
            budget: Budget::new(cache_bytes),
            counters: Counters::default(),
            state: Mutex::new(state),
            cancelled: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            store,
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn stats(&self) -> Stats {
        let limit = self.lock().limiter.limit();
        self.counters.stats(&self.budget, limit)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Ends all flights, and all reads, for ever.
    pub(super) fn cancel(&self) {
        let mut state = self.lock();
        // Under the lock: whoever joins a flight has seen it, or is told by the flight.
        self.cancelled.store(true, Ordering::SeqCst);
        state.flights.cancel();
        state.cache.clear();
    }

    /// `mailbox` waits no more; the last fault of what it waited for.
    pub(super) fn leave(self: &Arc<Self>, mailbox: &Arc<Mailbox>) -> Option<Fault> {
        let mut state = self.lock();
        let fault = state.flights.leave(mailbox);
        self.pump(&mut state);
        fault
    }

    /// To be called by whoever has dropped a chunk that may have left the cache in the meantime.
    pub(super) fn gave_back(self: &Arc<Self>) {
        if self.starved.swap(false, Ordering::SeqCst) {
            self.pump(&mut self.lock());
        }
    }

    /// Room for so many bytes, for which others leave the cache. What was fetched ahead leaves only for
    /// what somebody waits for, and only if nothing else is going to.
    pub(super) fn make_room(
        &self,
        state: &mut State,
        bytes: usize,
        ahead: bool,
    ) -> Option<Reservation> {
        // Before the attempt: who gives something back after it sees this.
        self.starved.store(true, Ordering::SeqCst);
        loop {
            if let Some(reservation) = self.budget.reserve(bytes) {
                self.starved.store(false, Ordering::SeqCst);
                return Some(reservation);
            }
            // What calls have, and what readers are about to copy, comes back on its own.
            let settled = self.budget.used() <= state.cache.bytes();
            let evicted =
                state.cache.evict_read() || (!ahead && settled && state.cache.evict_unread());
            if !evicted {
                return None;
            }
        }
    }

    /// Waits with `mailbox` for the map of a chunk, with a flight for it if there is none.
    pub(super) fn want_region(&self, state: &mut State, region: u64, mailbox: &Arc<Mailbox>) {
        let key = Key::Region(region);
        if !state.flights.contains(key) {
            self.ask_region(state, region, false);
        }
        state.flights.join(key, mailbox);
    }

    /// A flight for a region that has none, and for those behind it that may go with it.
    pub(super) fn ask_region(&self, state: &mut State, region: u64, ahead: bool) {
        let wanted = state.map.wanted(region);
        let mut free = wanted.clone().skip(1);
        let end = free.find(|region| state.flights.contains(Key::Region(*region)));
        let cargo = Cargo::Regions(wanted.start..end.unwrap_or(wanted.end));
        state.flights.add(cargo, 0, ahead, true);
    }

    /// Waits with `mailbox` for these chunks, which are in ascending order, are stored and are not in the
    /// cache; neighbours that are not under way yet go together.
    pub(super) fn want_chunks(&self, state: &mut State, chunks: &[u64], mailbox: &Arc<Mailbox>) {
        let missing = chunks.iter().copied();
        let missing = missing.filter(|chunk| !state.flights.contains(Key::Chunk(*chunk)));
        for run in runs(missing.collect(), self.run_max) {
            self.ask_chunks(state, run, false);
        }
        for chunk in chunks {
            state.flights.join(Key::Chunk(*chunk), mailbox);
        }
    }

    /// A flight for chunks that have none.
    pub(super) fn ask_chunks(&self, state: &mut State, chunks: Range<u64>, ahead: bool) {
        let bytes = self.geometry.len_of(&chunks);
        let looked = self.disk.is_none();
        state
            .flights
            .add(Cargo::Chunks(chunks), bytes, ahead, looked);
    }
}

/// Ascending numbers as runs of at most `max`.
pub(super) fn runs(numbers: Vec<u64>, max: u64) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(run) if run.end == number && number.saturating_sub(run.start) < max => {
                run.end = number.saturating_add(1);
            }
            Some(run) if run.contains(&number) => {}
            _ => runs.push(number..number.saturating_add(1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_go_together_up_to_the_bound() {
        let numbers = vec![1, 2, 2, 3, 4, 5, 7, 9, 10];
        assert_eq!(runs(numbers.clone(), 4), [1..5, 5..6, 7..8, 9..11]);
        assert_eq!(runs(numbers, 1).len(), 8);
    }
}
