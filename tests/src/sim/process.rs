//! What processes do: make things and delete them, or clean up.

use super::account::Effect;
use super::cloud::SimCloud;
use super::executor::Sleep;
use super::host::{SimClock, SimProcesses, SimRand, SimStore};
use super::rng::Rng;
use super::run::Options;
use super::world::{Pid, Shared};
use flr_provider::engine::{
    Cleanup, Engine, Error, GcOptions, OpId, Parts, Plan, Rules, Session, Settings,
};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

fn settings(options: Options) -> Settings {
    let settings = Settings::default();
    Settings {
        consistency_window: options.window.unwrap_or(settings.consistency_window),
        call_limit: options.call_limit.unwrap_or(settings.call_limit),
        ..settings
    }
}

/// A process and its engine.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// The world.
    pub(super) world: Shared,
    /// Which process.
    pub(super) pid: Pid,
    /// Its engine.
    pub(super) engine: Engine,
    /// Raised by a signal.
    interrupt: Arc<AtomicBool>,
}

impl Process {
    /// Starts a process on a host.
    #[must_use]
    pub(super) fn start(world: &Shared, host: usize, options: Options) -> Self {
        let mut held = world.get();
        let pid = held.start(host);
        let me = held.owner(pid);
        let disk = Arc::clone(&held.hosts[host].store);
        let rng = Rng::new(held.rng.next());
        held.trace("start", &format_args!("{host}/{}", pid.pid));
        drop(held);
        let interrupt = Arc::<AtomicBool>::default();
        let parts = Parts {
            cloud: Arc::new(SimCloud {
                world: world.clone(),
                pid,
            }),
            store: Arc::new(SimStore {
                world: world.clone(),
                disk,
                pid,
            }),
            clock: Arc::new(SimClock {
                world: world.clone(),
                host,
            }),
            rand: Arc::new(SimRand(Mutex::new(rng))),
            processes: Arc::new(SimProcesses {
                world: world.clone(),
                me,
                host,
            }),
            settings: settings(options),
            interrupt: Arc::clone(&interrupt),
        };
        let engine = match options.broken {
            None => Engine::new(parts),
            Some(rule) => Engine::with_rules(parts, Rules::without(rule)),
        };
        Self {
            world: world.clone(),
            pid,
            engine,
            interrupt,
        }
    }

    fn chance(&self, per_mille: u64) -> bool {
        self.world.get().rng.chance(per_mille)
    }

    fn between(&self, low: u64, high: u64) -> u64 {
        self.world.get().rng.between(low, high)
    }

    /// A command that recovers something: opens a session, makes, attaches, reads for a while, closes.
    pub(super) async fn use_something(self) {
        let keep = self.chance(100);
        if self.chance(150) {
            let mut world = self.world.get();
            let at = world.now_ms + world.rng.below(60_000);
            let flag = Arc::clone(&self.interrupt);
            world.at(at, Effect::Signal { flag });
        }
        let opened = self.engine.open("sim:point", keep).await;
        let Ok(mut session) = opened else {
            return;
        };
        let done = self.work(&mut session).await;
        let Pid { host, pid } = self.pid;
        self.world
            .trace("work", &format_args!("{host}/{pid} {done:?}"));
        if self.chance(50) {
            // Something went wrong in the program itself, and it lives on.
            let ops: Vec<_> = session.records().map(|record| record.op).collect();
            drop(session);
            self.world.get().open_ops.retain(|op, _| !ops.contains(op));
            Sleep::new(&self.world, 600_000).await;
            return;
        }
        if self.chance(50) {
            self.world.get().credentials.insert(self.pid, 1);
        }
        let cleanup = session.close().await;
        self.check("close", &cleanup);
    }

    async fn work(&self, session: &mut Session) -> Result<(), Error> {
        let count = self.between(1, 3);
        let mut ops: Vec<OpId> = Vec::new();
        let at_once = self.chance(300);
        let kinds = ["volume", "volume", "lun", "image", "share"];
        let mut plans = Vec::new();
        for index in 0..count {
            let kind = *self.world.get().rng.pick(&kinds);
            let needs = match self.chance(300) && !at_once {
                true => ops.last().copied().into_iter().collect(),
                false => Vec::new(),
            };
            plans.push(Plan {
                kind: kind.to_owned(),
                // The same parent for all: what is made from it must still be told apart.
                parent: "snap-1".into(),
                parameters: format!("size={index}"),
                needs,
            });
            if !at_once {
                ops.extend(session.prepare(std::mem::take(&mut plans)).await?);
                self.note(&ops);
                self.make(session, ops[ops.len() - 1]).await?;
            }
        }
        if at_once {
            ops = session.prepare(plans).await?;
            self.note(&ops);
            for op in &ops {
                self.make(session, *op).await?;
            }
        }
        self.hold(session).await
    }

    fn note(&self, ops: &[OpId]) {
        let mut world = self.world.get();
        world.open_ops.extend(ops.iter().map(|op| (*op, self.pid)));
    }

    async fn make(&self, session: &mut Session, op: OpId) -> Result<(), Error> {
        session.create(op).await?;
        session.ready(op).await?;
        let kind = session.record(op).map(|record| record.kind.clone());
        if kind.as_deref() == Some("volume") && self.chance(600) {
            session.attach(op, &format!("i-{}", self.pid.host)).await?;
        }
        Ok(())
    }

    /// Reads for a while, and says in time that it goes on.
    async fn hold(&self, session: &mut Session) -> Result<(), Error> {
        let minutes = match self.chance(700) {
            true => self.between(0, 2),
            false => self.between(0, 150),
        };
        for _ in 0..minutes {
            Sleep::new(&self.world, 60_000).await;
            if session.wants_renewal() {
                // After any other failure it is tried again a minute later.
                if let Err(error @ Error::LeaseLost { .. }) = session.renew().await {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// `flr gc`.
    pub(super) async fn clean_up(self) -> Option<Cleanup> {
        let cleaned = self.engine.gc(GcOptions::default()).await;
        let Pid { host, pid } = self.pid;
        self.world
            .trace("gc", &format_args!("{host}/{pid} {cleaned:?}"));
        let cleanup = cleaned.ok()?;
        self.check("gc", &cleanup);
        Some(cleanup)
    }

    /// What was said to be gone has to be.
    fn check(&self, who: &str, cleanup: &Cleanup) {
        let mut world = self.world.get();
        for item in &cleanup.gone {
            // Where a call that arrives twice makes two, each is found by its own tags.
            let twin = item.kind == "image" && who == "gc";
            let id = item.id.as_deref().filter(|_| twin);
            let remains = match id {
                Some(id) => world.is_there(id).then(|| id.to_owned()),
                None => world.remains(item.op),
            };
            if let Some(what) = remains {
                let op = item.op;
                world.broken(format!(
                    "I1: {who} said that {op} is gone, but there is {what}"
                ));
            }
        }
    }
}
