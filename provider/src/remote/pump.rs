//! Starting what is queued, and what becomes of it: the one place where flights move.
//!
//! A flight has memory only while the disk cache or the store works for it, and both end on their own:
//! whatever waits for memory gets it.

use super::attempt::{self, Call};
use super::budget::Held;
use super::flights::{Cargo, Flight, FlightId, Stage, Turn};
use super::hub::{Hub, State, runs};
use super::look;
use super::mailbox::{Failure, Found, Key};
use super::repeat::Verdict;
use super::runtime;
use super::store::ChunkRun;
use crate::fault::{Fault, FaultKind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Looks into the disk cache at once: a disk does not get faster by more.
const LOOKS_MAX: u32 = 8;

/// What a call to the store brought.
#[derive(Debug)]
pub(super) enum Brought {
    Map(Vec<ChunkRun>),
    Chunks(Vec<Arc<Held>>),
}

impl Hub {
    /// Starts whatever may start.
    pub(super) fn pump(self: &Arc<Self>, state: &mut State) {
        while self.start_look(state) {}
        while self.start_call(state) {}
    }

    /// Looks for the next flight's chunks in the disk cache; `false` if there is none or it has to wait.
    fn start_look(self: &Arc<Self>, state: &mut State) -> bool {
        let Some(disk) = &self.disk else {
            return false;
        };
        let Some((id, flight)) = state.flights.next(Turn::Look) else {
            return false;
        };
        let (bytes, ahead) = (flight.bytes, flight.ahead);
        let Cargo::Chunks(chunks) = flight.cargo.clone() else {
            return false;
        };
        if state.flights.looking() >= LOOKS_MAX {
            return false;
        }
        let Some(room) = self.make_room(state, bytes, ahead) else {
            return false;
        };
        let call = Call::new(self, id, state.limiter.epoch(), Some(room));
        state.flights.set_stage(id, Stage::Looking);
        let task = runtime::handle().spawn(look::look(call, Arc::clone(disk), chunks));
        state.flights.set_task(id, task.abort_handle());
        true
    }

    /// The disk cache has been looked at: it has these chunks, and is to get the others.
    pub(super) fn looked(
        self: &Arc<Self>,
        id: FlightId,
        mut found: HashMap<u64, Arc<Held>>,
        names: &HashMap<u64, String>,
    ) {
        let mut state = self.lock();
        // It may have been given up in the meantime.
        if let Some(flight) = state.flights.remove(id)
            && let Cargo::Chunks(chunks) = flight.cargo.clone()
        {
            let mut missing = Vec::new();
            for chunk in chunks {
                match found.remove(&chunk) {
                    Some(held) => self.arrived(&mut state, &flight, Key::Chunk(chunk), held),
                    None => missing.push(chunk),
                }
            }
            for run in runs(missing, self.run_max) {
                let bytes = self.geometry.len_of(&run);
                state.flights.add_rest(&flight, run, bytes, names);
            }
        }
        self.pump(&mut state);
    }

    /// Calls for the flight whose turn it is; `false` if there is none or it has to wait.
    fn start_call(self: &Arc<Self>, state: &mut State) -> bool {
        let Some((id, flight)) = state.flights.next(Turn::Call) else {
            return false;
        };
        let (bytes, ahead) = (flight.bytes, flight.ahead);
        let cargo = flight.cargo.clone();
        if state.flights.calling() >= state.limiter.limit() {
            return false;
        }
        let now = Instant::now();
        let quiet = state.quiet_until.filter(|until| *until > now);
        if let Some(until) = quiet {
            self.set_alarm(state, until.saturating_duration_since(now));
            return false;
        }
        let wait = state.bucket.as_mut().and_then(|bucket| bucket.wait(now));
        if let Some(wait) = wait {
            self.set_alarm(state, wait);
            return false;
        }
        let room = match bytes {
            0 => None,
            _ => match self.make_room(state, bytes, ahead) {
                Some(room) => Some(room),
                None => return false,
            },
        };
        if let Some(bucket) = &mut state.bucket {
            bucket.take();
        }
        let call = Call::new(self, id, state.limiter.epoch(), room);
        state.flights.set_stage(id, Stage::Calling);
        let task = match cargo {
            Cargo::Regions(regions) => {
                let chunks = state.map.chunks_of(&regions);
                runtime::handle().spawn(attempt::map(call, chunks))
            }
            Cargo::Chunks(chunks) => runtime::handle().spawn(attempt::fetch(call, chunks)),
        };
        state.flights.set_task(id, task.abort_handle());
        true
    }

    /// Looks at the queue again after `wait`.
    fn set_alarm(self: &Arc<Self>, state: &mut State, wait: Duration) {
        if std::mem::replace(&mut state.alarm_set, true) {
            return;
        }
        let hub = Arc::clone(self);
        runtime::handle().spawn(async move {
            tokio::time::sleep(wait).await;
            let mut state = hub.lock();
            state.alarm_set = false;
            hub.pump(&mut state);
        });
    }

    /// A call of a flight has ended.
    pub(super) fn finish(
        self: &Arc<Self>,
        id: FlightId,
        epoch: u64,
        brought: Result<Brought, Fault>,
    ) {
        let mut state = self.lock();
        let brought = brought.and_then(|brought| match (brought, state.flights.get_mut(id)) {
            (Brought::Map(runs), Some(flight)) => match flight.cargo.clone() {
                Cargo::Regions(regions) => state.map.insert(regions, &runs).map(|()| Vec::new()),
                Cargo::Chunks(_) => Ok(Vec::new()),
            },
            (Brought::Chunks(chunks), _) => Ok(chunks),
            (Brought::Map(_), None) => Ok(Vec::new()),
        });
        match brought {
            Ok(chunks) => self.succeeded(&mut state, id, chunks),
            Err(fault) => self.failed(&mut state, id, epoch, fault),
        }
        self.pump(&mut state);
    }

    fn succeeded(self: &Arc<Self>, state: &mut State, id: FlightId, chunks: Vec<Arc<Held>>) {
        let full = state.flights.calling() >= state.limiter.limit();
        // It may have been given up in the moment in which it arrived.
        let Some(flight) = state.flights.remove(id) else {
            return;
        };
        if full {
            state.limiter.succeeded();
        }
        if let Some(bucket) = &mut state.bucket {
            bucket.succeeded();
        }
        match flight.cargo {
            Cargo::Regions(_) => {
                for key in flight.cargo.keys() {
                    flight.deliver(key, &Found::Region);
                }
                self.announce_again(state);
            }
            Cargo::Chunks(_) => {
                state.silent_since = None;
                let keys = flight.cargo.keys();
                for (key, held) in keys.zip(chunks) {
                    if let Key::Chunk(chunk) = key
                        && let Some(name) = flight.keep_under.get(&chunk)
                    {
                        look::keep(self, name, chunk, &held);
                    }
                    self.arrived(state, &flight, key, held);
                }
            }
        }
    }

    /// Keeps a chunk, and hands it to those who wait.
    pub(super) fn arrived(&self, state: &mut State, flight: &Flight, key: Key, held: Arc<Held>) {
        let Key::Chunk(chunk) = key else {
            return;
        };
        match flight.deliver(key, &Found::Chunk(Arc::clone(&held))) {
            true => state.cache.insert_read(chunk, held),
            false => {
                self.counters.ahead_chunks.add(1);
                state.cache.insert_unread(chunk, held);
            }
        }
    }

    fn failed(self: &Arc<Self>, state: &mut State, id: FlightId, epoch: u64, fault: Fault) {
        if fault.kind == FaultKind::Throttled {
            self.throttled(state, epoch, &fault);
        }
        let Some(flight) = state.flights.get_mut(id) else {
            return;
        };
        // What nobody waits for is asked again by whoever will.
        let verdict = match flight.waiters.is_empty() {
            true => Verdict::Ends,
            false => flight.failures.add(&fault, &self.settings),
        };
        tracing::debug!(
            store = self.store.name(), cargo = ?flight.cargo, kind = ?fault.kind,
            code = fault.code.as_deref(), ?verdict, "call failed"
        );
        let Verdict::Again(wait) = verdict else {
            if let Some(flight) = state.flights.remove(id) {
                flight.fail(&Failure::Fault(fault));
            }
            return;
        };
        flight.last_fault = Some(fault);
        self.counters.retries.add(1);
        state.flights.set_stage(id, Stage::Resting);
        let hub = Arc::clone(self);
        let task = runtime::handle().spawn(async move {
            tokio::time::sleep(wait).await;
            let mut state = hub.lock();
            state.flights.set_stage(id, Stage::Queued);
            hub.pump(&mut state);
        });
        state.flights.set_task(id, task.abort_handle());
    }

    fn throttled(&self, state: &mut State, epoch: u64, fault: &Fault) {
        self.counters.throttles.add(1);
        match &mut state.bucket {
            Some(bucket) => {
                if state.limiter.is_news(epoch) {
                    bucket.throttled(Instant::now());
                }
            }
            None => {
                let _ = state.limiter.throttled(epoch);
            }
        }
        if let Some(after) = fault.retry_after {
            let until = Instant::now().checked_add(after.min(self.settings.backoff_max));
            state.quiet_until = state.quiet_until.max(until);
        }
    }
}
