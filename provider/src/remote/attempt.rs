//! One call to the store: bounded in time, and checked.

use super::budget::{Held, Reservation};
use super::flights::FlightId;
use super::hub::Hub;
use super::pump::Brought;
use crate::fault::{Fault, FaultKind};
use bytes::Bytes;
use flr_fs::bytes::len_u64;
use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// A call, from its start to its report. It reports also if it ends by a panic or is given up: nobody may
/// wait for it, or for its memory, in vain.
pub(super) struct Call {
    pub(super) hub: Arc<Hub>,
    id: FlightId,
    epoch: u64,
    pub(super) room: Option<Reservation>,
    reported: bool,
}

impl Call {
    pub(super) fn new(hub: &Arc<Hub>, id: FlightId, epoch: u64, room: Option<Reservation>) -> Self {
        Self {
            hub: Arc::clone(hub),
            id,
            epoch,
            room,
            reported: false,
        }
    }

    /// The disk cache has these chunks; it is to get the others under `names`.
    pub(super) fn report_looked(
        mut self,
        found: HashMap<u64, Arc<Held>>,
        names: &HashMap<u64, String>,
    ) {
        self.reported = true;
        drop(self.room.take());
        self.hub.looked(self.id, found, names);
        // What nobody took has been dropped by now.
        self.hub.gave_back();
    }

    fn report(mut self, brought: Result<Brought, Fault>) {
        self.reported = true;
        drop(self.room.take());
        self.hub.finish(self.id, self.epoch, brought);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.reported {
            drop(self.room.take());
            let fault = Fault::new(FaultKind::Refused, "the call ended without an answer");
            self.hub.finish(self.id, self.epoch, Err(fault));
        }
    }
}

/// Asks what is stored of these chunks.
pub(super) async fn map(call: Call, chunks: Range<u64>) {
    let hub = Arc::clone(&call.hub);
    hub.counters.map_calls.add(1);
    let started = Instant::now();
    let runs = limited(&hub, hub.store.map(chunks.clone())).await;
    if let Ok(runs) = &runs {
        let (count, took) = (runs.len(), started.elapsed());
        tracing::debug!(
            store = hub.store.name(),
            ?chunks,
            runs = count,
            ?took,
            "map"
        );
    }
    call.report(runs.map(Brought::Map));
}

/// Fetches these chunks into the memory that was set aside.
pub(super) async fn fetch(mut call: Call, chunks: Range<u64>) {
    let hub = Arc::clone(&call.hub);
    hub.counters.fetch_calls.add(1);
    let started = Instant::now();
    let answer = limited(&hub, hub.store.fetch(chunks.clone())).await;
    let held = answer.and_then(|bytes| cut(&hub, &chunks, &bytes, call.room.as_mut()));
    if held.is_ok() {
        let took = started.elapsed();
        tracing::debug!(store = hub.store.name(), ?chunks, ?took, "fetch");
    }
    call.report(held.map(Brought::Chunks));
}

/// What `call` gives, or a fault once an attempt has had its time.
async fn limited<T>(hub: &Hub, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let limit = hub.settings.attempt_limit;
    let timed_out = |_| {
        let text = format!("no answer within {limit:?}");
        Err(Fault::new(FaultKind::Unknown, text))
    };
    tokio::time::timeout(limit, call)
        .await
        .unwrap_or_else(timed_out)
}

/// An answer as chunks. One that is too short or too long is none.
fn cut(
    hub: &Hub,
    chunks: &Range<u64>,
    bytes: &Bytes,
    room: Option<&mut Reservation>,
) -> Result<Vec<Arc<Held>>, Fault> {
    let wanted = hub.geometry.len_of(chunks);
    let wrong = || {
        let text = format!(
            "expected {wanted} bytes for chunks {} to {}, found {}",
            chunks.start,
            chunks.end.saturating_sub(1),
            bytes.len()
        );
        Fault::new(FaultKind::Unknown, text)
    };
    let room = room.ok_or_else(wrong)?;
    if bytes.len() != wanted {
        return Err(wrong());
    }
    hub.counters.fetched_bytes.add(len_u64(bytes.len()));
    let mut rest: &[u8] = bytes;
    let mut held = Vec::new();
    for chunk in chunks.clone() {
        let len = hub.geometry.len_of(&(chunk..chunk.saturating_add(1)));
        let (first, later) = rest.split_at_checked(len).ok_or_else(wrong)?;
        held.push(room.hold(first));
        rest = later;
    }
    Ok(held)
}
