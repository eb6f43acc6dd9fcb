//! What an operation works with.

use super::service::Call;
use super::state::State;
use crate::stand_in::clock::{iso, ms};
use crate::stand_in::{Caller, lock};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// A call that is worked on.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) state: &'a Mutex<State>,
    pub(crate) call: &'a Call,
    pub(crate) caller: Caller,
    /// The model's time, in milliseconds since 1970.
    pub(crate) now: i64,
    /// How far this call is behind, if a fault says so.
    pub(crate) stale: Option<Duration>,
    pub(crate) request_id: String,
}

impl Context<'_> {
    /// The model, locked.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(self.state)
    }

    /// The time that a describing call sees, in milliseconds since 1970.
    pub(crate) fn seen(&self, state: &State) -> i64 {
        let lag = self.stale;
        self.now - ms(lag.unwrap_or_else(|| state.lag(&self.call.operation)))
    }
}

/// A time in seconds, `2026-11-20T12:00:00Z`, or in minutes, `2026-11-20T12:00Z`.
pub(crate) fn time(unix_ms: i64, short: bool) -> String {
    let digits = if short { 16 } else { 19 };
    format!("{}Z", &iso(unix_ms)[..digits])
}
