//! What a process finds on its host: clock, chance, other processes, the disk with the journal.

use super::executor::Sleep;
use super::rng::Rng;
use super::world::{EPOCH, Pid, Shared};
use flr_provider::engine::store::Stored;
use flr_provider::engine::{
    BoxFuture, Clock, Duty, Liveness, MemoryStore, OpId, Owner, Processes, Rand, Record, SessionId,
    SessionRecord, Store, StoreError, StoreErrorKind, UnixTime,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The clocks of a host.
#[derive(Clone, Debug)]
pub(super) struct SimClock {
    /// The world.
    pub(super) world: Shared,
    /// Which host.
    pub(super) host: usize,
}

impl Clock for SimClock {
    fn wall(&self) -> UnixTime {
        let world = self.world.get();
        let seconds = EPOCH + world.now_ms / 1000;
        UnixTime(seconds.saturating_add_signed(world.hosts[self.host].skew))
    }

    fn since_boot(&self) -> Duration {
        let world = self.world.get();
        Duration::from_millis(world.now_ms - world.hosts[self.host].booted_ms)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        // Rounded up: whoever waits for two seconds must not look again after 1.999.
        let ms = u64::try_from(duration.as_nanos().div_ceil(1_000_000)).expect("a short time");
        Box::pin(Sleep::new(&self.world, ms))
    }
}

/// Chance of a process.
#[derive(Debug)]
pub(super) struct SimRand(pub Mutex<Rng>);

impl Rand for SimRand {
    fn next_u64(&self) -> u64 {
        self.0.lock().expect("no panic meanwhile").next()
    }
}

/// The processes of a host.
#[derive(Debug)]
pub(super) struct SimProcesses {
    /// The world.
    pub(super) world: Shared,
    /// This process.
    pub(super) me: Owner,
    /// Its host.
    pub(super) host: usize,
}

impl Processes for SimProcesses {
    fn current(&self) -> Owner {
        self.me.clone()
    }

    fn liveness(&self, owner: &Owner) -> Liveness {
        let world = self.world.get();
        let start_time = world.hosts[self.host].running.get(&owner.pid).copied();
        owner.liveness_given(&self.me, start_time)
    }
}

/// The journal on a disk that is slow, fills up, and fails. Commits are whole or not at all, as
/// SQLite's are.
#[derive(Debug)]
pub(super) struct SimStore {
    /// The world.
    pub(super) world: Shared,
    /// What is on the disk.
    pub(super) disk: Arc<MemoryStore>,
    /// Which process writes.
    pub(super) pid: Pid,
}

/// What goes wrong with a write.
enum Trouble {
    None,
    Full,
    Before,
    After,
}

impl SimStore {
    async fn write<'a, T>(
        &'a self,
        what: &'static str,
        commit: impl FnOnce() -> Stored<'a, T>,
    ) -> Result<T, StoreError> {
        Sleep::new(&self.world, 2).await;
        let trouble = {
            let mut world = self.world.get();
            let rates = world.rates.clone();
            match () {
                () if world.rng.chance(rates.disk_full) => Trouble::Full,
                () if world.rng.chance(rates.disk_error) => match world.rng.chance(500) {
                    true => Trouble::Before,
                    false => Trouble::After,
                },
                () => Trouble::None,
            }
        };
        let failed = |kind| Err(StoreError::new(kind, format!("{what}: the disk failed")));
        let result = match trouble {
            Trouble::None => commit().await,
            Trouble::Full => failed(StoreErrorKind::Full),
            Trouble::Before => failed(StoreErrorKind::Io),
            Trouble::After => {
                commit().await?;
                failed(StoreErrorKind::Io)
            }
        };
        let Pid { host, pid } = self.pid;
        let failed = result.as_ref().err();
        self.world
            .trace("store", &format_args!("{host}/{pid} {what} {failed:?}"));
        // A kill here finds it committed and the process unaware.
        Sleep::new(&self.world, 2).await;
        result
    }
}

impl Store for SimStore {
    fn begin<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        Box::pin(self.write("begin", move || self.disk.begin(session)))
    }

    fn set_session<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        Box::pin(self.write("session", move || self.disk.set_session(session)))
    }

    fn adopt<'a>(&'a self, session: SessionId, from: &'a Owner, to: &'a Owner) -> Stored<'a, bool> {
        Box::pin(self.write("adopt", move || self.disk.adopt(session, from, to)))
    }

    fn insert<'a>(&'a self, owner: &'a Owner, records: &'a [Record]) -> Stored<'a, ()> {
        Box::pin(self.write("insert", move || self.disk.insert(owner, records)))
    }

    fn update<'a>(&'a self, owner: &'a Owner, record: &'a Record) -> Stored<'a, ()> {
        Box::pin(self.write("update", move || self.disk.update(owner, record)))
    }

    fn sessions(&self) -> Stored<'_, Vec<SessionRecord>> {
        self.disk.sessions()
    }

    fn records(&self, session: SessionId) -> Stored<'_, Vec<Record>> {
        self.disk.records(session)
    }

    fn record(&self, op: OpId) -> Stored<'_, Option<(SessionRecord, Record)>> {
        self.disk.record(op)
    }

    fn put_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        Box::pin(self.write("duty", move || self.disk.put_duty(duty)))
    }

    fn duties(&self) -> Stored<'_, Vec<Duty>> {
        self.disk.duties()
    }

    fn remove_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        Box::pin(self.write("settled", move || self.disk.remove_duty(duty)))
    }

    fn forget(&self, before: UnixTime) -> Stored<'_, ()> {
        Box::pin(self.write("forget", move || self.disk.forget(before)))
    }
}
