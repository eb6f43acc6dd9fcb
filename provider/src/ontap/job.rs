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

/// Waits for the job of an answer, if it has one.
///
/// # Errors
/// The job failed, and why. That it cannot be looked at says nothing of its end, so it is never a fault
/// that means "no effect".
pub(super) async fn end(client: &Client, begun: &Begun) -> Result<Ended, Fault> {
    let Some(JobId { uuid }) = &begun.job else {
        return Ok(Ended::Done);
    };
    let waits = WAITS
        .iter()
        .chain(std::iter::repeat(&WAITS[WAITS.len() - 1]));
    for wait in waits.take(LOOKS_MAX) {
        tokio::time::sleep(*wait).await;
        match client.job::<Job>(uuid).await {
            Ok(job) => match job.state.as_str() {
                "success" => return Ok(Ended::Done),
                "failure" => return Err(job.fault(client)),
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
    fn fault(self, client: &Client) -> Fault {
        let said = self.error.unwrap_or(Said {
            message: self.message,
            code: self.code,
            target: None,
        });
        said.fault(None, client.secret())
    }
}
