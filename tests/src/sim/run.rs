//! One run: hosts, processes and faults from a seed, then a healed world, and what must hold there.

use super::account::{Account, Effect};
use super::decoy;
use super::executor::Executor;
use super::faults::Rates;
use super::process::Process;
use super::world::{Host, START_MS, Shared, World};
use flr_provider::engine::{Cleanup, MemoryStore, Phase, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const HOUR_MS: u64 = 3_600_000;

/// A clean-up in a healed world takes less than this, however much there is to do.
const CLEAN_UP_MS_MAX: u64 = HOUR_MS;

/// What a run has shown.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is broken.
    pub violations: BTreeSet<String>,
    /// Hash of all that happened.
    pub hash: u64,
    /// Awaits of all processes.
    pub awaits: u64,
    /// Resources that were made.
    pub made: usize,
    /// How often the path of writes has denied what was asked for there.
    pub denials: usize,
    /// What happened, if it was asked for.
    pub log: Vec<String>,
}

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The rule of the engine that is broken.
    pub broken: Option<Rule>,
    /// Write down what happens.
    pub log: bool,
    /// Another consistency window than 120 s.
    pub window: Option<Duration>,
    /// Another limit for a call than 30 s.
    pub call_limit: Option<Duration>,
}

/// What happens to hosts.
#[derive(Clone, Copy, Debug)]
enum Event {
    Use(usize),
    CleanUp(usize),
    Reboot(usize),
    Lose(usize),
    Clock(usize),
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, options: Options) -> Report {
    let mut run = Run::new(seed, options);
    run.disturbed();
    run.healed();
    run.report()
}

struct Run {
    world: Shared,
    executor: Executor,
    options: Options,
    awaits: u64,
}

impl Run {
    fn new(seed: u64, options: Options) -> Self {
        let mut world = World::new(seed, options.log);
        world.rates = Rates::draw(&mut world.rng);
        world.lag_ms = *world.rng.pick(&[0, 5_000, 120_000]);
        world.tells_time = world.rng.chance(900);
        world.denies = world.rng.chance(500);
        world.hides_deleting = world.rng.chance(500);
        let quota = *world.rng.pick(&[18, 20, 1000]);
        for name in ["111", "222"] {
            let mut account = Account::new(name, quota);
            decoy::fill(&mut account);
            world.accounts.push(account);
        }
        let hosts = world.rng.between(1, 2);
        for index in 0..hosts {
            world.hosts.push(Host {
                name: format!("host-{index}"),
                boot: 1,
                booted_ms: world.rng.below(START_MS),
                skew: 0,
                store: Arc::new(MemoryStore::default()),
                running: BTreeMap::new(),
                lost: false,
            });
        }
        let world = Shared::new(world);
        Self {
            executor: Executor::new(&world),
            world,
            options,
            awaits: 0,
        }
    }

    /// What happens when, in the order of it.
    fn events(&self) -> Vec<(u64, Event)> {
        let mut world = self.world.get();
        let rng = &mut world.rng.clone();
        let hosts = u64::try_from(world.hosts.len()).expect("few");
        let mut events = Vec::new();
        let host = |rng: &mut super::rng::Rng| usize::try_from(rng.below(hosts)).expect("few");
        let mut add = |rng: &mut super::rng::Rng, count: u64, event: fn(usize) -> Event| {
            for _ in 0..count {
                // Most of it at once, so that it meets.
                let span = *rng.pick(&[60_000, 600_000, 3 * HOUR_MS]);
                events.push((START_MS + rng.below(span), event(host(rng))));
            }
        };
        let uses = rng.between(1, 3);
        add(rng, uses, Event::Use);
        let cleans = rng.between(0, 3);
        add(rng, cleans, Event::CleanUp);
        let reboots = u64::from(rng.chance(150));
        add(rng, reboots, Event::Reboot);
        let losses = u64::from(rng.chance(100) && hosts > 1);
        add(rng, losses, Event::Lose);
        let jumps = match rng.chance(world.rates.clock_jump) {
            true => rng.between(1, 3),
            false => 0,
        };
        add(rng, jumps, Event::Clock);
        world.rng.next();
        drop(world);
        events.sort_by_key(|(at, _)| *at);
        events
    }

    fn disturbed(&mut self) {
        for (at, event) in self.events() {
            self.executor.run(at);
            self.happens(at, event);
        }
        self.executor.run(START_MS + 16 * HOUR_MS);
        if !self.executor.is_done() {
            self.world
                .get()
                .broken("I6: a process runs for ever".into());
        }
        self.awaits += self.executor.awaits;
        self.executor = Executor::new(&self.world);
    }

    fn happens(&mut self, at: u64, event: Event) {
        {
            let mut world = self.world.get();
            world.run_pending(at);
            world.now_ms = world.now_ms.max(at);
            world.trace("event", &format_args!("{event:?}"));
        }
        match event {
            Event::Use(host) | Event::CleanUp(host) if self.world.get().hosts[host].lost => {}
            Event::Use(host) => {
                let process = Process::start(&self.world, host, self.options);
                let killed_after = self.killed_after();
                let pid = process.pid;
                let work = Box::pin(process.use_something());
                self.executor.spawn(pid, at, killed_after, work);
            }
            Event::CleanUp(host) => {
                let process = Process::start(&self.world, host, self.options);
                let (pid, killed_after) = (process.pid, self.killed_after());
                self.change_role(pid);
                let work = Box::pin(async move { drop(process.clean_up().await) });
                self.executor.spawn(pid, at, killed_after, work);
            }
            Event::Reboot(host) => self.reboot(host),
            Event::Lose(host) => {
                self.reboot(host);
                self.lose(host);
            }
            Event::Clock(host) => {
                let mut world = self.world.get();
                let most = if world.tells_time { 7200 } else { 1200 };
                let skew = i64::try_from(world.rng.below(most)).expect("small");
                let skew = skew - i64::try_from(most / 2).expect("small");
                world.apply(Effect::Clock { host, skew });
            }
        }
    }

    /// After how many awaits a process is killed, if it is.
    fn killed_after(&self) -> Option<u64> {
        let mut world = self.world.get();
        let most = *world.rng.pick(&[20, 60, 300]);
        world.rng.chance(500).then(|| world.rng.below(most))
    }

    /// Sometimes the credentials are those of another role, from the start or from some time on.
    fn change_role(&self, pid: super::world::Pid) {
        let mut world = self.world.get();
        if world.rng.chance(150) {
            let at = world.now_ms + world.rng.below(60_000) * world.rng.below(2);
            let start_time = world.owner(pid).start_time;
            world.at(at, Effect::Role { pid, start_time });
        }
    }

    fn reboot(&mut self, host: usize) {
        self.executor.kill_host(host);
        let mut world = self.world.get();
        let running: Vec<_> = world.hosts[host].running.keys().copied().collect();
        for pid in running {
            world.end(super::world::Pid { host, pid });
        }
        let now = world.now_ms;
        let host = &mut world.hosts[host];
        host.boot += 1;
        host.booted_ms = now;
    }

    /// The host is terminated: its journal is lost, what was attached to it is free.
    fn lose(&mut self, host: usize) {
        let mut world = self.world.get();
        world.hosts[host].lost = true;
        world.free_of(&format!("i-{host}"));
    }

    fn healed(&mut self) {
        {
            let mut world = self.world.get();
            world.rates = Rates::default();
            world.trace("healed", &"");
            world.hurry_up();
        }
        let hosts: Vec<usize> = {
            let world = self.world.get();
            let there = world
                .hosts
                .iter()
                .enumerate()
                .filter(|(_, host)| !host.lost);
            there.map(|(index, _)| index).collect()
        };
        // What this host knows of, at once.
        for host in &hosts {
            self.clean_up(*host, 0);
        }
        // What was kept, and what nobody knows of: after expiry and grace, then after the mark.
        for hours in [4, 1] {
            self.pass(hours * HOUR_MS);
            for host in &hosts {
                self.clean_up(*host, 0);
                self.clean_up(*host, 1);
            }
        }
        self.check_nothing_is_left();
        // A listing may still show what has just been deleted, and who sees it deletes it again.
        self.pass(HOUR_MS);
        let before = self.world.get().changes;
        for host in &hosts {
            for account in [0, 1] {
                let cleanup = self.clean_up(*host, account).unwrap_or_default();
                self.check_clean(&cleanup);
            }
        }
        let mut world = self.world.get();
        if world.changes != before {
            world.broken("I5: a clean-up of what is clean changes something".into());
        }
    }

    fn pass(&mut self, ms: u64) {
        let until = self.world.get().now_ms + ms;
        let mut world = self.world.get();
        world.run_pending(until);
        world.now_ms = until;
    }

    /// Cleans up on a host, with nothing else going on.
    fn clean_up(&mut self, host: usize, account: usize) -> Option<Cleanup> {
        let process = Process::start(&self.world, host, self.options);
        let (pid, begun) = (process.pid, self.world.get().now_ms);
        self.world.get().credentials.insert(pid, account);
        let result = Arc::new(Mutex::new(None));
        let place = Arc::clone(&result);
        let work = Box::pin(async move {
            let cleanup = process.clean_up().await;
            *place.lock().expect("no panic meanwhile") = cleanup;
        });
        self.executor.spawn(pid, begun, None, work);
        self.executor.run(begun + CLEAN_UP_MS_MAX);
        if !self.executor.is_done() {
            let what = "I6: cleaning up takes longer than an hour".into();
            self.world.get().broken(what);
            self.executor = Executor::new(&self.world);
        }
        let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_none() {
            let what = "I6: a clean-up fails in a healed world".into();
            self.world.get().broken(what);
        }
        result.take()
    }

    fn check_nothing_is_left(&self) {
        let mut world = self.world.get();
        let mut left = Vec::new();
        for account in &world.accounts {
            let there = account
                .resources
                .values()
                .filter(|one| !one.gone && !one.protected)
                // What nobody is shown any more is on its way out for sure.
                .filter(|one| !(world.hides_deleting && one.now.phase == Phase::Deleting));
            left.extend(there.map(|one| format!("I1: {} remains: {:?}", one.now.id, one.now)));
        }
        for what in left {
            world.broken(what);
        }
    }

    fn check_clean(&self, cleanup: &Cleanup) {
        let mut world = self.world.get();
        let is_decoy = |id: &Option<String>| id.as_deref().is_some_and(|id| id.contains("-other-"));
        for (item, why) in &cleanup.left {
            // Records of the other account stay what they are with these credentials.
            if !is_decoy(&item.id) {
                world.broken(format!("I5: {item} is said to remain: {why}"));
            }
        }
        if !cleanup.gone.is_empty() {
            world.broken("I5: something was left to delete".into());
        }
    }

    fn report(self) -> Report {
        let mut world = self.world.get();
        let made = world
            .accounts
            .iter()
            .flat_map(|account| account.resources.values());
        let made = made.filter(|one| one.op.is_some()).count();
        Report {
            violations: std::mem::take(&mut world.violations),
            hash: world.hash,
            awaits: self.awaits + self.executor.awaits,
            made,
            denials: world.denials,
            log: world.log.take().unwrap_or_default(),
        }
    }
}
