//! Looking for chunks in the disk cache before the store is asked, and keeping there what it gave.

use super::attempt::Call;
use super::budget::Held;
use super::disk::{Disk, Write};
use super::hub::Hub;
use super::runtime;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Names under which a chunk is looked for, at most.
const NAMES_MAX: usize = 8;

/// Chunks that were found. Their memory is given back if nobody takes them.
pub(super) struct Looked {
    hub: Arc<Hub>,
    pub(super) found: HashMap<u64, Arc<Held>>,
}

impl Drop for Looked {
    fn drop(&mut self) {
        self.found.clear();
        self.hub.gave_back();
    }
}

/// Looks for these chunks in the disk cache.
pub(super) async fn look(mut call: Call, disk: Arc<Disk>, chunks: Range<u64>) {
    let hub = Arc::clone(&call.hub);
    let names = names(&hub, chunks).await;
    let mut keep_under = HashMap::new();
    for (chunk, names) in &names {
        keep_under.extend(names.first().map(|name| (*chunk, name.clone())));
    }
    let mut room = call.room.take();
    let blocking = runtime::handle().spawn_blocking(move || {
        let mut looked = Looked {
            hub,
            found: HashMap::new(),
        };
        for (chunk, names) in names {
            let (hub, geometry) = (&looked.hub, looked.hub.geometry);
            let len = geometry.len_of(&(chunk..chunk.saturating_add(1)));
            let bytes = disk.look(&names, chunk, len, &hub.counters);
            if let (Some(bytes), Some(room)) = (bytes, &mut room) {
                looked.found.insert(chunk, room.hold_vec(bytes));
            }
        }
        drop(room);
        looked
    });
    match blocking.await {
        Ok(mut looked) => {
            let found = std::mem::take(&mut looked.found);
            drop(looked);
            call.report_looked(found, &keep_under);
        }
        Err(error) => {
            tracing::debug!(%error, "the disk cache was not looked at");
            call.report_looked(HashMap::new(), &HashMap::new());
        }
    }
}

/// Under which names these chunks may lie. That takes no longer than a call may; what fails costs a fetch.
async fn names(hub: &Hub, chunks: Range<u64>) -> Vec<(u64, Vec<String>)> {
    let mut all = Vec::new();
    let asked = async {
        for chunk in chunks {
            let mut names = hub.store.cache_names(chunk).await;
            names.truncate(NAMES_MAX);
            all.push((chunk, names));
        }
    };
    if tokio::time::timeout(hub.settings.attempt_limit, asked)
        .await
        .is_err()
    {
        let store = hub.store.name();
        tracing::debug!(store, "no names for the disk cache in time");
    }
    all
}

/// Writes a chunk to the disk cache, in the background. Such chunks may take a quarter of the memory until
/// they are written; what is more is not kept.
pub(super) fn keep(hub: &Arc<Hub>, name: &str, chunk: u64, held: &Arc<Held>) {
    let Some(disk) = &hub.disk else {
        return;
    };
    let write = Write {
        name: name.to_owned(),
        chunk,
        held: Arc::clone(held),
    };
    let bytes_max = hub.budget.max().checked_div(4).unwrap_or(0);
    if disk.enqueue(write, bytes_max) {
        let (hub, disk) = (Arc::clone(hub), Arc::clone(disk));
        runtime::handle().spawn_blocking(move || {
            disk.write_queued(&hub.counters, || hub.gave_back());
        });
    }
}
