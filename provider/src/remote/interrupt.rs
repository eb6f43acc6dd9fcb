//! From a flag that a signal handler raises to the end of all reads.

use super::cancel::Cancel;
use super::runtime;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A handler may do no more than raise a flag; so it is looked at. Nobody notices this much.
const LOOK_GAP: Duration = Duration::from_millis(50);

/// A [`Cancel`] that follows a flag, for as long as the process runs.
#[must_use]
pub fn cancelled_by(flag: &Arc<AtomicBool>) -> Cancel {
    let cancel = Cancel::default();
    let (flag, following) = (Arc::clone(flag), cancel.clone());
    runtime::handle().spawn(async move {
        while !flag.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_GAP).await;
        }
        following.cancel();
    });
    cancel
}
