//! Jobs: what a call that answers 202 has begun. A job that has ended is forgotten after five minutes.

use super::client::Client;
use super::fault::Said;
use crate::fault::{Fault, FaultKind};
use serde::Deserialize;
use std::time::Duration;

/// Waits between looks; the last one is repeated. Whoever waits has a deadline.
const WAITS: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_millis(1500),
    Duration::from_secs(2),
];

/// Looks at one job; longer than any deadline here.
const LOOKS_MAX: usize = 1000;

/// An answer that may have begun a job.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Begun {
    job: Option<JobId>,
    /// A success that is none: it waits for other administrators.
    error: Option<Said>,
}

#[derive(Debug, Deserialize)]
struct JobId {
    uuid: String,
}

/// A job as it is now.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Job {
    /// `queued`, `running`, `paused`, `success`, `failure`.
    state: String,
    message: Option<String>,
    code: serde_json::Value,
    error: Option<Said>,
}

/// How a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It has succeeded, or there was none.
    Done,
    /// Nothing is known of it any more: the object itself tells.
    Forgotten,
}

/// Waits for the job of an answer, if it has one. `again`: a job that failed for a reason that is not
/// known may be begun again, and is worth it.
///
/// # Errors
/// The job failed, and why. That it cannot be looked at says nothing of its end, so it is never a fault
/// that means "no effect".
pub(super) async fn end(client: &Client, begun: Begun, again: bool) -> Result<Ended, Fault> {
    if let Some(said) = begun.error {
        return Err(said.fault(Some(202), client.secret()));
    }
    let Some(JobId { uuid }) = &begun.job else {
        return Ok(Ended::Done);
    };
    for look in 0..LOOKS_MAX {
        let last = WAITS.last().copied().unwrap_or_default();
        let wait = WAITS.get(look).copied().unwrap_or(last);
        tokio::time::sleep(wait).await;
        match client.job::<Job>(uuid).await {
            Ok(job) => match job.state.as_str() {
                "success" => return Ok(Ended::Done),
                "failure" => return Err(job.fault(client, again)),
                _ => {}
            },
            Err(fault) if fault.kind == FaultKind::NotFound => return Ok(Ended::Forgotten),
            Err(fault) if fault.is_temporary() => {}
            Err(fault) => {
                let message = format!("the job of it cannot be looked at: {fault}");
                return Err(Fault::new(FaultKind::Unknown, message));
            }
        }
    }
    Err(Fault::new(FaultKind::Unknown, "its job does not end"))
}

impl Job {
    /// Why it failed.
    fn fault(self, client: &Client, again: bool) -> Fault {
        let said = self.error.unwrap_or(Said {
            message: self.message,
            code: self.code,
            target: None,
        });
        said.fault(again.then_some(500), client.secret())
    }
}
