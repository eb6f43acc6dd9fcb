//! Repeating the first calls for an image: nobody else repeats an opening.

use crate::fault::{Fault, FaultKind};
use std::time::Duration;

/// For all tries together.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits before the second and the third try.
const WAITS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// The longest wait that a server may ask for here.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Calls up to three times, within 30 seconds, as long as it may get better. That there is nothing is
/// believed at once.
pub(crate) async fn repeat<T>(call: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
    let tries = async {
        for wait in WAITS {
            match call().await {
                Err(fault) if fault.is_temporary() && fault.kind != FaultKind::NotFound => {
                    tokio::time::sleep(fault.retry_after.unwrap_or(wait).min(WAIT_MAX)).await;
                }
                done => return done,
            }
        }
        call().await
    };
    let done = tokio::time::timeout(DEADLINE, tries).await;
    done.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", DEADLINE.as_secs());
        Err(Fault::new(FaultKind::Unknown, message))
    })
}
