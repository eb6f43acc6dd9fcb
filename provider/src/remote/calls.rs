//! Calls that are no chunks: asked again while that may help, within a deadline.

use super::repeat::{Failures, Verdict};
use super::settings::Settings;
use crate::fault::{Fault, FaultKind};
use std::future::Future;
use tokio::time::{Instant, timeout};

/// Makes a call that changes nothing, again after faults that may pass, within the default
/// [`Settings::deadline`].
///
/// # Errors
/// What was said last.
pub async fn retry_calls<T, F>(mut call: impl FnMut() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let settings = Settings::default();
    let begun = Instant::now();
    let left = || settings.deadline.saturating_sub(begun.elapsed());
    let mut failures = Failures::default();
    loop {
        // Pages of a listing are one call here: it may take all the time there is.
        let fault = match timeout(left(), call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(fault)) => fault,
            Err(_) => return Err(Fault::new(FaultKind::Unknown, "no answer in time")),
        };
        match failures.add(&fault, &settings) {
            Verdict::Again(wait) if wait < left() => tokio::time::sleep(wait).await,
            Verdict::Again(_) | Verdict::Ends => return Err(fault),
        }
    }
}
