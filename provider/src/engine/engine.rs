//! The engine's parts, and what every step needs of them: calls with a limit, waits with jitter, the
//! provider's time.

use super::clock::{Clock, Rand, timeout};
use super::cloud::{Answer, Cloud, Identity};
use super::error::Error;
use super::fault::{Fault, FaultKind};
use super::id::SessionId;
use super::journal::Journal;
use super::owner::{Owner, Processes};
use super::record::{Moment, Scope};
use super::rules::Rules;
use super::settings::Settings;
use super::store::Store;
use super::time::UnixTime;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What an engine is put together from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The provider.
    pub cloud: Arc<dyn Cloud>,
    /// The journal.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rand: Arc<dyn Rand>,
    /// This process and the others.
    pub processes: Arc<dyn Processes>,
    /// Limits.
    pub settings: Settings,
    /// Raised by whoever wants the making of things to end. Cleaning up goes on.
    pub interrupt: Arc<AtomicBool>,
}

/// Makes temporary resources of one account in one region, and deletes them again. Clones are the same
/// engine; a process has one for each provider, account and region.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) parts: Parts,
    pub(super) rules: Rules,
    pub(super) me: Owner,
    /// Sessions that this process has open.
    open: Mutex<BTreeSet<SessionId>>,
    /// The provider's time, and when that was.
    time: Mutex<Option<(UnixTime, Duration)>>,
}

impl Engine {
    /// An engine.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self::with_rules(parts, Rules::ALL)
    }

    /// An engine with a rule broken, to prove that the simulator notices.
    #[doc(hidden)]
    #[must_use]
    pub fn with_rules(parts: Parts, rules: Rules) -> Self {
        let me = parts.processes.current();
        let shared = Shared {
            parts,
            rules,
            me,
            open: Mutex::default(),
            time: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(super) fn cloud(&self) -> &dyn Cloud {
        &*self.shared.parts.cloud
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.shared.parts.store
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.shared.parts.clock
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.shared.parts.settings
    }

    pub(super) fn journal(&self) -> Journal<'_> {
        Journal {
            store: self.store(),
            owner: &self.shared.me,
            rules: self.shared.rules,
        }
    }

    pub(super) fn open_sessions(&self) -> MutexGuard<'_, BTreeSet<SessionId>> {
        self.shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn time(&self) -> MutexGuard<'_, Option<(UnixTime, Duration)>> {
        self.shared
            .time
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider's time if it ever told it, else this machine's. All hosts that use the account
    /// measure expiry by the same clock then.
    pub(super) fn now(&self) -> UnixTime {
        match *self.time() {
            Some((time, then)) => time.plus(self.clock().since_boot().saturating_sub(then)),
            None => self.clock().wall(),
        }
    }

    /// A moment to measure from, also for later processes.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            boot: self.shared.me.boot.clone(),
            since_boot: self.clock().since_boot(),
        }
    }

    /// Makes a call. One without an answer in time has an unknown outcome.
    pub(super) async fn call<T>(&self, answer: Answer<'_, T>) -> Result<T, Fault> {
        let limit = self.settings().call_limit;
        match timeout(self.clock(), limit, answer).await {
            Some(result) => result,
            None => Err(Fault::new(FaultKind::Unknown, "no answer in time")),
        }
    }

    /// Whose credentials these are, repeated until it is known.
    pub(super) async fn identity(&self) -> Result<Identity, Error> {
        let mut backoff = self.backoff(self.settings().attach_limit);
        loop {
            match self.call(self.cloud().identity()).await {
                Ok(identity) => {
                    if let Some(time) = identity.time {
                        *self.time() = Some((time, self.clock().since_boot()));
                    }
                    return Ok(identity);
                }
                Err(fault) if fault.is_temporary() => {
                    if !backoff.wait(Some(&fault)).await {
                        let doing = "ask whose credentials these are".to_owned();
                        let last = Some(fault);
                        return Err(Error::Deadline { doing, last });
                    }
                }
                Err(fault) => {
                    let doing = "ask whose credentials these are".to_owned();
                    return Err(Error::Fault { doing, fault });
                }
            }
        }
    }

    /// This engine's place with a given account.
    pub(super) fn scope(&self, account: &str) -> Scope {
        Scope {
            provider: self.cloud().provider().to_owned(),
            account: account.to_owned(),
            region: self.cloud().region().to_owned(),
        }
    }

    /// Fails once somebody wants the making of things to end.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        match self.shared.parts.interrupt.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    /// Waits for a step that may take `limit`.
    pub(super) fn backoff(&self, limit: Duration) -> Backoff<'_> {
        Backoff {
            engine: self,
            deadline: self.clock().since_boot().saturating_add(limit),
            cap: self.settings().backoff_min,
        }
    }
}

/// Waits that double, each of a random length up to its bound, until a deadline. So that many who were
/// refused at once do not come again at once.
#[derive(Debug)]
pub(super) struct Backoff<'a> {
    engine: &'a Engine,
    deadline: Duration,
    cap: Duration,
}

impl Backoff<'_> {
    /// Waits. `false`: the deadline has passed, and there was no wait.
    pub(super) async fn wait(&mut self, after: Option<&Fault>) -> bool {
        let clock = self.engine.clock();
        let left = self.deadline.saturating_sub(clock.since_boot());
        if left.is_zero() {
            return false;
        }
        let cap_ms = u64::try_from(self.cap.as_millis()).unwrap_or(u64::MAX);
        let chance = self.engine.shared.parts.rand.next_u64();
        let chance = chance.checked_rem(cap_ms.saturating_add(1)).unwrap_or(0);
        let asked = after
            .and_then(|fault| fault.retry_after)
            .unwrap_or_default();
        let wait = Duration::from_millis(chance).max(asked).min(left);
        self.cap = self
            .cap
            .saturating_mul(2)
            .min(self.engine.settings().backoff_max);
        clock.sleep(wait).await;
        true
    }

    /// The same at least so long: between two looks at what takes its time.
    pub(super) async fn wait_at_least(&mut self, least: Duration, after: Option<&Fault>) -> bool {
        let start = self.engine.clock().since_boot();
        if !self.wait(after).await {
            return false;
        }
        let waited = self.engine.clock().since_boot().saturating_sub(start);
        let rest = least.saturating_sub(waited);
        if !rest.is_zero() {
            self.engine.clock().sleep(rest).await;
        }
        true
    }
}
