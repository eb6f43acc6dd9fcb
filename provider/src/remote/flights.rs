//! What has been asked of the store and is not answered yet.

use super::mailbox::{Failure, Found, Key, Letter, Mailbox};
use super::repeat::Failures;
use crate::fault::Fault;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use tokio::task::AbortHandle;

/// A number that no two flights of a source share.
pub(super) type FlightId = u64;

/// What a flight is to bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cargo {
    /// The map of these regions.
    Regions(Range<u64>),
    /// The bytes of these chunks.
    Chunks(Range<u64>),
}

impl Cargo {
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + use<> {
        let (numbers, key): (_, fn(u64) -> Key) = match self {
            Self::Regions(regions) => (regions.clone(), Key::Region),
            Self::Chunks(chunks) => (chunks.clone(), Key::Chunk),
        };
        numbers.map(key)
    }
}

/// Where a flight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for its turn.
    Queued,
    /// The disk cache is being read.
    Looking,
    /// The store has been called.
    Calling,
    /// A call failed; it is made again after a while.
    Resting,
}

/// One thing asked of the store, for everybody who wants it.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) cargo: Cargo,
    /// Bytes of its chunks, none for a map.
    pub(super) bytes: usize,
    pub(super) waiters: Vec<(Key, Arc<Mailbox>)>,
    /// Nobody has asked for it yet.
    pub(super) ahead: bool,
    pub(super) stage: Stage,
    /// The disk cache does not have it, or is not asked.
    pub(super) looked: bool,
    /// Names for the disk cache, for the chunks that are to be kept there.
    pub(super) keep_under: HashMap<u64, String>,
    pub(super) failures: Failures,
    pub(super) last_fault: Option<Fault>,
    pub(super) task: Option<AbortHandle>,
}

/// Flights that wait for their turn: some may have left, or have gone over to the other queue.
#[derive(Debug, Default)]
struct Queues {
    demanded: VecDeque<FlightId>,
    ahead: VecDeque<FlightId>,
}

/// What a flight waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A look into the disk cache.
    Look,
    /// A call to the store.
    Call,
}

/// All flights of a source, one for each thing that is asked for.
#[derive(Debug, Default)]
pub(super) struct Flights {
    next_id: FlightId,
    table: HashMap<FlightId, Flight>,
    by_key: HashMap<Key, FlightId>,
    looks: Queues,
    calls: Queues,
    looking: u32,
    calling: u32,
    ahead_bytes: usize,
}

impl Flights {
    /// Flights that read the disk cache.
    pub(super) const fn looking(&self) -> u32 {
        self.looking
    }

    /// Flights whose call is under way.
    pub(super) const fn calling(&self) -> u32 {
        self.calling
    }

    /// Bytes of the flights that nobody has asked for.
    pub(super) const fn ahead_bytes(&self) -> usize {
        self.ahead_bytes
    }

    /// Whether there is a flight for it.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Waits with `mailbox` for the flight that brings `key`, `false` if there is none. It now goes
    /// before those that nobody has asked for.
    pub(super) fn join(&mut self, key: Key, mailbox: &Arc<Mailbox>) -> bool {
        let Some((id, flight)) = self
            .by_key
            .get(&key)
            .and_then(|id| self.table.get_mut(id).map(|flight| (*id, flight)))
        else {
            return false;
        };
        flight.waiters.push((key, Arc::clone(mailbox)));
        if std::mem::take(&mut flight.ahead) {
            self.ahead_bytes = self.ahead_bytes.saturating_sub(flight.bytes);
            if flight.stage == Stage::Queued {
                let turn = flight.turn();
                self.queue(turn, false).push_back(id);
            }
        }
        true
    }

    /// A new flight in the queue; there must be none yet for any of it. `ahead`: nobody asks for it.
    /// `looked`: the disk cache is not asked.
    pub(super) fn add(&mut self, cargo: Cargo, bytes: usize, ahead: bool, looked: bool) {
        let flight = Flight {
            cargo,
            bytes,
            waiters: Vec::new(),
            ahead,
            stage: Stage::Queued,
            looked,
            keep_under: HashMap::new(),
            failures: Failures::default(),
            last_fault: None,
            task: None,
        };
        let turn = flight.turn();
        let id = self.insert(flight);
        self.queue(turn, ahead).push_back(id);
    }

    fn insert(&mut self, flight: Flight) -> FlightId {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        self.by_key.extend(flight.cargo.keys().map(|key| (key, id)));
        if flight.ahead {
            self.ahead_bytes = self.ahead_bytes.saturating_add(flight.bytes);
        }
        self.table.insert(id, flight);
        id
    }

    fn queue(&mut self, turn: Turn, ahead: bool) -> &mut VecDeque<FlightId> {
        let queues = match turn {
            Turn::Look => &mut self.looks,
            Turn::Call => &mut self.calls,
        };
        match ahead {
            true => &mut queues.ahead,
            false => &mut queues.demanded,
        }
    }

    /// The flight whose turn is next.
    pub(super) fn next(&mut self, turn: Turn) -> Option<(FlightId, &mut Flight)> {
        for ahead in [false, true] {
            while let Some(id) = self.queue(turn, ahead).front().copied() {
                let waits = |flight: &&Flight| {
                    let queued = flight.stage == Stage::Queued && flight.ahead == ahead;
                    queued && flight.turn() == turn
                };
                if self.table.get(&id).filter(waits).is_some() {
                    return self.table.get_mut(&id).map(|flight| (id, flight));
                }
                self.queue(turn, ahead).pop_front();
            }
        }
        None
    }

    /// Moves a flight on. Its task, if it has a new one, is told by [`Flights::set_task`].
    pub(super) fn set_stage(&mut self, id: FlightId, stage: Stage) {
        let Some(flight) = self.table.get_mut(&id) else {
            return;
        };
        let (turn, ahead) = (flight.turn(), flight.ahead);
        let old = std::mem::replace(&mut flight.stage, stage);
        self.count(old, false);
        self.count(stage, true);
        if stage == Stage::Queued {
            // What has waited before goes first.
            self.queue(turn, ahead).push_front(id);
        }
    }

    fn count(&mut self, stage: Stage, more: bool) {
        let count = match stage {
            Stage::Looking => &mut self.looking,
            Stage::Calling => &mut self.calling,
            Stage::Queued | Stage::Resting => return,
        };
        *count = match more {
            true => count.saturating_add(1),
            false => count.saturating_sub(1),
        };
    }

    pub(super) fn set_task(&mut self, id: FlightId, task: AbortHandle) {
        if let Some(flight) = self.table.get_mut(&id) {
            flight.task = Some(task);
        }
    }

    pub(super) fn get_mut(&mut self, id: FlightId) -> Option<&mut Flight> {
        self.table.get_mut(&id)
    }

    /// Takes a flight out.
    pub(super) fn remove(&mut self, id: FlightId) -> Option<Flight> {
        let flight = self.table.remove(&id)?;
        self.count(flight.stage, false);
        if flight.ahead {
            self.ahead_bytes = self.ahead_bytes.saturating_sub(flight.bytes);
        }
        for key in flight.cargo.keys() {
            if self.by_key.get(&key) == Some(&id) {
                self.by_key.remove(&key);
            }
        }
        Some(flight)
    }

    /// A flight for some of the chunks of one that was taken out, for those who wait for them. The disk
    /// cache does not have them; it is to get them under these names.
    pub(super) fn add_rest(
        &mut self,
        of: &Flight,
        chunks: Range<u64>,
        bytes: usize,
        names: &HashMap<u64, String>,
    ) {
        let names = names.iter().filter(|(chunk, _)| chunks.contains(chunk));
        let inside = |key: &Key| matches!(key, Key::Chunk(chunk) if chunks.contains(chunk));
        let waiters = of.waiters.iter().filter(|(key, _)| inside(key));
        let rest = Flight {
            waiters: waiters.cloned().collect(),
            cargo: Cargo::Chunks(chunks.clone()),
            bytes,
            ahead: of.ahead,
            stage: Stage::Queued,
            looked: true,
            keep_under: names.map(|(chunk, name)| (*chunk, name.clone())).collect(),
            failures: of.failures,
            last_fault: of.last_fault.clone(),
            task: None,
        };
        let id = self.insert(rest);
        self.queue(Turn::Call, of.ahead).push_front(id);
    }

    /// `mailbox` waits no more. Flights for which nobody is left end. The last fault of one it waited
    /// for, for the message.
    pub(super) fn leave(&mut self, mailbox: &Arc<Mailbox>) -> Option<Fault> {
        let mut fault = None;
        let mut abandoned = Vec::new();
        for (id, flight) in &mut self.table {
            let before = flight.waiters.len();
            flight
                .waiters
                .retain(|(_, other)| !Arc::ptr_eq(other, mailbox));
            if flight.waiters.len() < before {
                fault = fault.or_else(|| flight.last_fault.clone());
                if flight.waiters.is_empty() {
                    abandoned.push(*id);
                }
            }
        }
        for id in abandoned {
            if let Some(task) = self.remove(id).and_then(|flight| flight.task) {
                task.abort();
            }
        }
        fault
    }

    /// Ends all flights.
    pub(super) fn cancel(&mut self) {
        let ids: Vec<FlightId> = self.table.keys().copied().collect();
        for id in ids {
            let Some(mut flight) = self.remove(id) else {
                continue;
            };
            if let Some(task) = flight.task.take() {
                task.abort();
            }
            flight.fail(&Failure::Cancelled);
        }
        self.looks = Queues::default();
        self.calls = Queues::default();
    }
}

impl Flight {
    /// What it waits for if it is queued.
    const fn turn(&self) -> Turn {
        match self.looked {
            true => Turn::Call,
            false => Turn::Look,
        }
    }

    /// Hands `found` to those who wait for `key`; whether there is anybody.
    pub(super) fn deliver(&self, key: Key, found: &Found) -> bool {
        let waiters = self.waiters.iter().filter(|(wanted, _)| *wanted == key);
        let mut any = false;
        for (_, mailbox) in waiters {
            any = true;
            let outcome = Ok(found.clone());
            mailbox.deliver(Letter { key, outcome });
        }
        any
    }

    /// Tells all who wait that nothing comes.
    pub(super) fn fail(&self, failure: &Failure) {
        for (key, mailbox) in &self.waiters {
            let outcome = Err(failure.clone());
            mailbox.deliver(Letter { key: *key, outcome });
        }
    }
}
