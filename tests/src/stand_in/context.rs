//! What an operation works with.

use super::clock::ms;
use super::{Asked, Call, Caller, Cloud, lock};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// A call that is worked on, and who has made it.
#[derive(Debug)]
pub struct Context<'a, C: Cloud> {
    pub(crate) state: &'a Mutex<C::State>,
    pub(crate) call: &'a Call<C::Service>,
    pub(crate) caller: Caller,
    /// The model's time, in milliseconds since 1970.
    pub(crate) now: i64,
    /// How far this call is behind, if a fault says so.
    pub(crate) stale: Option<Duration>,
    pub(crate) request_id: String,
}

impl<'a, C: Cloud> Context<'a, C> {
    /// Of what was asked.
    pub(crate) fn new(asked: &Asked<'a, C>, caller: Caller) -> Self {
        Self {
            state: asked.state,
            call: asked.call,
            caller,
            now: asked.now,
            stale: asked.stale,
            request_id: asked.request_id.clone(),
        }
    }

    /// The model, locked.
    pub(crate) fn state(&self) -> MutexGuard<'a, C::State> {
        lock(self.state)
    }

    /// The time that a describing call sees, in milliseconds since 1970.
    pub(crate) fn seen(&self, state: &C::State) -> i64 {
        let lag = self.stale;
        self.now - ms(lag.unwrap_or_else(|| C::lag(state, &self.call.operation)))
    }
}
