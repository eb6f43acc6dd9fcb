//! All that there is in a run: the time, the hosts, the provider's accounts, what is under way, and
//! what has gone wrong.

use super::account::{Account, Done, Effect};
use super::faults::Rates;
use super::rng::{Rng, mix};
use flr_provider::engine::{MemoryStore, OpId, Owner, UnixTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Time of the first moment of every run, by the provider's clock.
pub(super) const EPOCH: u64 = 1_800_000_000;

/// When the first task starts: reads may lag behind by less.
pub(super) const START_MS: u64 = 3_600_000;

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    /// Its name.
    pub(super) name: String,
    /// How often it was started.
    pub(super) boot: u64,
    /// When it was started last, in milliseconds.
    pub(super) booted_ms: u64,
    /// How far its time of day is off, in seconds.
    pub(super) skew: i64,
    /// Its disk with the journal.
    pub(super) store: Arc<MemoryStore>,
    /// Processes that run: number and start time.
    pub(super) running: BTreeMap<u32, u64>,
    /// It burnt down, with its journal.
    pub(super) lost: bool,
}

/// A process of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pid {
    /// Which host.
    pub(super) host: usize,
    /// Its number.
    pub(super) pid: u32,
}

/// Something that is broken. The text is for people.
pub(super) type Violation = String;

/// All of it.
#[derive(Debug)]
pub(super) struct World {
    /// Milliseconds since the first moment.
    pub(super) now_ms: u64,
    /// Chance.
    pub(super) rng: Rng,
    /// What may go wrong.
    pub(super) rates: Rates,
    /// How far reads may lag behind, in milliseconds.
    pub(super) lag_ms: u64,
    /// Whether the provider tells its time.
    pub(super) tells_time: bool,
    /// Whether it can be asked on the path of writes whether something is there.
    pub(super) denies: bool,
    /// Whether it shows nothing of what is being deleted.
    pub(super) hides_deleting: bool,
    /// How often it has denied what was asked for there.
    pub(super) denials: usize,
    /// Hosts.
    pub(super) hosts: Vec<Host>,
    /// Accounts of the provider.
    pub(super) accounts: Vec<Account>,
    /// Which account the credentials of a process are of.
    pub(super) credentials: BTreeMap<Pid, usize>,
    /// What happens at some time, in the order of it.
    pub(super) pending: BTreeMap<(u64, u64), Effect>,
    /// Answers of calls that have had their effect.
    pub(super) answers: BTreeMap<u64, Done>,
    /// Calls that change something, so far.
    pub(super) changes: u64,
    /// Operations of sessions that a process has open, and the process.
    pub(super) open_ops: BTreeMap<OpId, Pid>,
    /// When the task that runs wants to be woken.
    pub(super) wake_ms: Option<u64>,
    /// What is broken.
    pub(super) violations: BTreeSet<Violation>,
    /// Hash of all that happened.
    pub(super) hash: u64,
    /// What happened, if somebody wants to read it.
    pub(super) log: Option<Vec<String>>,
    next: u64,
}

/// A world that several tasks see.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// Shares it.
    #[must_use]
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// Notes what happens.
    pub(super) fn trace(&self, what: &str, detail: &dyn std::fmt::Display) {
        self.get().trace(what, detail);
    }

    /// The world, for a moment.
    pub(super) fn get(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// An empty world without faults.
    #[must_use]
    pub(super) fn new(seed: u64, log: bool) -> Self {
        Self {
            now_ms: START_MS,
            rng: Rng::new(seed),
            rates: Rates::default(),
            lag_ms: 0,
            tells_time: true,
            denies: false,
            hides_deleting: false,
            denials: 0,
            hosts: Vec::new(),
            accounts: Vec::new(),
            credentials: BTreeMap::new(),
            pending: BTreeMap::new(),
            answers: BTreeMap::new(),
            changes: 0,
            open_ops: BTreeMap::new(),
            wake_ms: None,
            violations: BTreeSet::new(),
            hash: 0,
            log: log.then(Vec::new),
            next: 0,
        }
    }

    /// A number that was not given before.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The provider's time.
    #[must_use]
    pub(super) fn time(&self) -> UnixTime {
        UnixTime(EPOCH + self.now_ms / 1000)
    }

    /// Something happens at a time.
    pub(super) fn at(&mut self, ms: u64, effect: Effect) {
        let number = self.number();
        self.pending.insert((ms, number), effect);
    }

    /// Notes what happens: the hash is the same if and only if the run is.
    pub(super) fn trace(&mut self, what: &str, detail: &dyn std::fmt::Display) {
        let now = self.now_ms;
        // Whatever differs shows in the time or in the chance that was used up soon after: words are
        // only made for those who read them.
        let mut hash = mix(self.hash ^ now ^ self.rng.clone().next().rotate_left(17));
        for byte in what.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.hash = hash;
        if let Some(log) = &mut self.log {
            log.push(format!(
                "{:>9}.{:03} {what} {detail}",
                now / 1000,
                now % 1000
            ));
        }
    }

    /// Notes that something is broken.
    pub(super) fn broken(&mut self, what: String) {
        self.trace("BROKEN", &what);
        self.violations.insert(what);
    }

    /// Starts a process.
    pub(super) fn start(&mut self, host: usize) -> Pid {
        // Numbers are given again soon, so that a number alone says nothing.
        let mut pid = u32::try_from(self.rng.below(4)).expect("small") + 100;
        while self.hosts[host].running.contains_key(&pid) {
            pid += 1;
        }
        let start_time = self.number();
        self.hosts[host].running.insert(pid, start_time);
        let pid = Pid { host, pid };
        self.credentials.insert(pid, 0);
        pid
    }

    /// A process as the engine knows it.
    #[must_use]
    pub(super) fn owner(&self, pid: Pid) -> Owner {
        let host = &self.hosts[pid.host];
        Owner {
            host: host.name.clone(),
            host_name: host.name.clone(),
            user: "op".into(),
            pid: pid.pid,
            start_time: host.running.get(&pid.pid).copied().unwrap_or_default(),
            boot: host.boot.to_string(),
            namespace: "pid:[1]".into(),
        }
    }

    /// Ends a process, in whatever way.
    pub(super) fn end(&mut self, pid: Pid) {
        self.trace("end", &format_args!("{}/{}", pid.host, pid.pid));
        self.hosts[pid.host].running.remove(&pid.pid);
        self.open_ops.retain(|_, owner| *owner != pid);
    }

    /// Does what is due by now.
    pub(super) fn run_pending(&mut self, until_ms: u64) {
        while let Some(entry) = self.pending.first_entry() {
            let (ms, _) = *entry.key();
            if ms > until_ms {
                break;
            }
            let effect = entry.remove();
            self.now_ms = self.now_ms.max(ms);
            self.apply(effect);
        }
    }
}
