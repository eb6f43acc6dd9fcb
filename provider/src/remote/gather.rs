//! Reads, cut at the borders of chunks, gathered from memory and from flights.

use super::budget::Held;
use super::hub::Hub;
use super::mailbox::{Failure, Found, Key, Letter, Mailbox};
use super::store::ChunkState;
use crate::fault::{Fault, FaultKind};
use flr_fs::bytes::len_u64;
use flr_fs::error::Request;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Parts that are copied out of the cache before the lock is taken again.
const BATCH: usize = 64;

/// Chunks that one thread waits for at once, at least: what a limit of calls can do with.
const OUTSTANDING: u64 = 128;

/// A read has its deadline for each of these.
const DEADLINE_BYTES: u64 = 16 << 20;

/// The share of its deadline that a read has soon after another one has waited in vain.
const AFTER_SILENCE: u32 = 30;

/// It has so long at least: a network that has come back must not fail again for being asked in haste.
const AFTER_SILENCE_MIN: Duration = Duration::from_secs(1);

/// A part of a read that lies in one chunk.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// Which read it is of.
    pub(super) read: usize,
    /// First byte in the source.
    pub(super) at: u64,
    pub(super) chunk: u64,
    /// Where it begins in the chunk.
    pub(super) skip: usize,
    pub(super) buf: &'a mut [u8],
}

/// Pieces on their way.
pub(super) struct Gather<'h, 'a> {
    hub: &'h Arc<Hub>,
    mailbox: Arc<Mailbox>,
    todo: VecDeque<Piece<'a>>,
    waiting: HashMap<Key, Vec<Piece<'a>>>,
    failed: HashMap<usize, flr_fs::Error>,
    limit: Duration,
    until: Option<Instant>,
}

impl<'h, 'a> Gather<'h, 'a> {
    pub(super) fn new(hub: &'h Arc<Hub>, pieces: VecDeque<Piece<'a>>) -> Self {
        let bytes = pieces.iter().fold(0_u64, |sum, piece| {
            sum.saturating_add(len_u64(piece.buf.len()))
        });
        let parts = bytes.div_ceil(DEADLINE_BYTES).max(1);
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        Self {
            hub,
            mailbox: Arc::default(),
            todo: pieces,
            waiting: HashMap::new(),
            failed: HashMap::new(),
            limit: hub.settings.deadline.saturating_mul(parts),
            until: None,
        }
    }

    /// Serves what memory has, and asks for the rest. Does not wait. Whether there is a rest.
    pub(super) fn ask(&mut self) -> bool {
        while !self.todo.is_empty() && !self.hub.is_cancelled() {
            let room = self.hub.run_max.saturating_mul(OUTSTANDING);
            if len_u64(self.waiting.len()) >= room || !self.ask_batch() {
                break;
            }
        }
        !(self.todo.is_empty() && self.waiting.is_empty())
    }

    /// Takes a look at up to a batch of pieces; `false` if none is left.
    fn ask_batch(&mut self) -> bool {
        let mut ready: Vec<(Piece<'a>, Option<Arc<Held>>)> = Vec::new();
        let mut missing = Vec::new();
        {
            let hub = self.hub;
            let mut state = hub.lock();
            let mut left = BATCH.saturating_mul(usize::try_from(hub.run_max).unwrap_or(1));
            while ready.len() < BATCH && left > 0 {
                let Some(piece) = self.todo.pop_front() else {
                    break;
                };
                left = left.saturating_sub(1);
                if self.failed.contains_key(&piece.read) {
                    continue;
                }
                let chunk = piece.chunk;
                let end = piece.skip.saturating_add(piece.buf.len());
                let to_end = end >= hub.geometry.len_of(&(chunk..chunk.saturating_add(1)));
                if let Some(held) = state.cache.get(chunk, to_end) {
                    ready.push((piece, Some(held)));
                    continue;
                }
                let key = match state.map.state(chunk) {
                    Some(ChunkState::Hole) => {
                        ready.push((piece, None));
                        continue;
                    }
                    Some(ChunkState::Present) => Key::Chunk(chunk),
                    None => Key::Region(state.map.region_of(chunk)),
                };
                let pieces = self.waiting.entry(key).or_default();
                match key {
                    // One letter for each.
                    _ if !pieces.is_empty() => {}
                    Key::Chunk(chunk) => missing.push(chunk),
                    Key::Region(region) => hub.want_region(&mut state, region, &self.mailbox),
                }
                pieces.push(piece);
            }
            missing.sort_unstable();
            hub.want_chunks(&mut state, &missing, &self.mailbox);
            if hub.is_cancelled() {
                state.flights.cancel();
            }
            hub.pump(&mut state);
        }
        for (piece, held) in ready {
            match held {
                None => piece.buf.fill(0),
                Some(held) => {
                    self.hub.counters.cache_hits.add(1);
                    self.copy(piece, &held);
                }
            }
        }
        self.hub.gave_back();
        !self.todo.is_empty()
    }

    /// Waits for all the rest; the errors of the reads that failed.
    pub(super) fn finish(mut self) -> HashMap<usize, flr_fs::Error> {
        while self.ask() {
            if self.hub.is_cancelled() {
                self.fail_rest(|_| Request::Cancelled.into());
                break;
            }
            let until = self.until();
            let letters = self.mailbox.wait(until);
            if letters.is_empty() {
                let fault = self.too_late();
                self.fail_rest(|at| io_error(at, fault.clone()));
                break;
            }
            for letter in letters {
                self.receive(letter);
            }
            self.hub.gave_back();
        }
        if !self.failed.is_empty() {
            self.hub.leave(&self.mailbox);
            self.mailbox.clear();
            self.hub.gave_back();
        }
        self.failed
    }

    /// When it is too late, counted from the first wait. Soon after a read that has waited in vain for all
    /// its time the next ones have less: what tries many places in turn, such as the search for
    /// filesystems, is to end with the first of them.
    fn until(&mut self) -> Instant {
        let until = self.until.unwrap_or_else(|| {
            let (now, deadline) = (Instant::now(), self.hub.settings.deadline);
            let silence = self.hub.lock().silent_since;
            if silence.is_some_and(|since| now.saturating_duration_since(since) < deadline) {
                let share = deadline.checked_div(AFTER_SILENCE).unwrap_or(deadline);
                self.limit = share.max(AFTER_SILENCE_MIN).min(deadline);
            }
            now.checked_add(self.limit).unwrap_or(now)
        });
        self.until = Some(until);
        until
    }

    fn receive(&mut self, letter: Letter) {
        let Some(pieces) = self.waiting.remove(&letter.key) else {
            return;
        };
        match letter.outcome {
            Ok(Found::Region) => self.todo.extend(pieces),
            Ok(Found::Chunk(held)) => {
                for piece in pieces {
                    self.copy(piece, &held);
                }
            }
            Err(failure) => {
                for piece in pieces {
                    self.fail(piece.read, error(piece.at, &failure));
                }
            }
        }
    }

    fn copy(&mut self, piece: Piece<'_>, held: &Held) {
        let end = piece.skip.saturating_add(piece.buf.len());
        match held.bytes().get(piece.skip..end) {
            Some(bytes) => piece.buf.copy_from_slice(bytes),
            None => {
                let fault = Fault::new(
                    FaultKind::Unknown,
                    "a chunk is shorter than its source says",
                );
                self.fail(piece.read, io_error(piece.at, fault));
            }
        }
    }

    /// A read has failed: nothing more is done for it.
    fn fail(&mut self, read: usize, error: flr_fs::Error) {
        self.failed.entry(read).or_insert(error);
        self.todo.retain(|piece| piece.read != read);
        self.waiting.retain(|_, pieces| {
            pieces.retain(|piece| piece.read != read);
            !pieces.is_empty()
        });
    }

    fn fail_rest(&mut self, error: impl Fn(u64) -> flr_fs::Error) {
        let waiting = std::mem::take(&mut self.waiting).into_values().flatten();
        let mut rest: Vec<Piece<'a>> = waiting.chain(std::mem::take(&mut self.todo)).collect();
        rest.sort_unstable_by_key(|piece| piece.at);
        for piece in rest {
            self.failed
                .entry(piece.read)
                .or_insert_with(|| error(piece.at));
        }
    }

    fn too_late(&self) -> Fault {
        if self.limit >= self.hub.settings.deadline {
            self.hub.lock().silent_since = Some(Instant::now());
        }
        let mut text = format!(
            "{}: no answer within {:?}",
            self.hub.store.name(),
            self.limit
        );
        let Some(last) = self.hub.leave(&self.mailbox) else {
            return Fault::new(FaultKind::Unknown, text);
        };
        text = format!("{text}; the last one was: {last}");
        Fault {
            message: text,
            ..last
        }
    }
}

/// Waits until the region that holds `chunk` is in the map.
pub(super) fn wait_for_region(hub: &Arc<Hub>, chunk: u64) -> flr_fs::Result<()> {
    let at = hub.geometry.start_of(chunk);
    let mut gather = Gather::new(hub, VecDeque::new());
    {
        let mut state = hub.lock();
        if state.map.state(chunk).is_some() {
            return Ok(());
        }
        if hub.is_cancelled() {
            return Err(Request::Cancelled.into());
        }
        let region = state.map.region_of(chunk);
        hub.want_region(&mut state, region, &gather.mailbox);
        hub.pump(&mut state);
    }
    let until = gather.until();
    match gather.mailbox.wait(until).pop() {
        Some(letter) => letter
            .outcome
            .map(|_| ())
            .map_err(|failure| error(at, &failure)),
        None => Err(io_error(at, gather.too_late())),
    }
}

fn error(at: u64, failure: &Failure) -> flr_fs::Error {
    match failure {
        Failure::Fault(fault) => io_error(at, fault.clone()),
        Failure::Cancelled => Request::Cancelled.into(),
    }
}

/// A fault as the error of a read at byte `at`.
fn io_error(at: u64, fault: Fault) -> flr_fs::Error {
    let kind = match fault.kind {
        FaultKind::Denied | FaultKind::Expired => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    flr_fs::Error::io(at, io::Error::new(kind, fault))
}
