//! A single thread, a clock that jumps to the next thing that happens, and the power to end a task at
//! any await.

use super::world::{Pid, Shared};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future that is ready after some simulated time. Everything that waits waits for one of these.
#[derive(Debug)]
pub(super) struct Sleep {
    world: Shared,
    ms: u64,
    until: Option<u64>,
}

impl Sleep {
    /// Ready so many milliseconds after it is polled first.
    #[must_use]
    pub(super) fn new(world: &Shared, ms: u64) -> Self {
        Self {
            world: world.clone(),
            ms,
            until: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut world = this.world.get();
        let until = *this
            .until
            .get_or_insert(world.now_ms.saturating_add(this.ms));
        if world.now_ms >= until {
            return Poll::Ready(());
        }
        let first = world.wake_ms.map_or(until, |wake| wake.min(until));
        world.wake_ms = Some(first);
        Poll::Pending
    }
}

/// What a process does.
pub(super) type Work = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    pid: Pid,
    work: Work,
    next_ms: u64,
    awaits: u64,
    /// After so many awaits it is killed.
    killed_after: Option<u64>,
}

/// Processes that run by turns.
pub(super) struct Executor {
    world: Shared,
    tasks: Vec<Task>,
    /// Awaits of all tasks, to see that it ends.
    pub(super) awaits: u64,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tasks", self.tasks.len())
    }
}

/// A run with more awaits does not end.
const AWAITS_MAX: u64 = 200_000;

impl Executor {
    /// An executor without tasks.
    #[must_use]
    pub(super) fn new(world: &Shared) -> Self {
        Self {
            world: world.clone(),
            tasks: Vec::new(),
            awaits: 0,
        }
    }

    /// Adds a process that begins at some time, and may be killed after so many awaits.
    pub(super) fn spawn(&mut self, pid: Pid, at_ms: u64, killed_after: Option<u64>, work: Work) {
        self.tasks.push(Task {
            pid,
            work,
            next_ms: at_ms,
            awaits: 0,
            killed_after,
        });
    }

    /// Runs until all tasks have ended or nothing more happens before `until_ms`.
    pub(super) fn run(&mut self, until_ms: u64) {
        while let Some(index) = self.next(until_ms) {
            self.step(index);
            if self.awaits > AWAITS_MAX {
                self.world.get().broken("I6: it does not end".into());
                self.tasks.clear();
            }
        }
        let mut world = self.world.get();
        if self.tasks.is_empty() {
            return;
        }
        world.run_pending(until_ms);
        world.now_ms = world.now_ms.max(until_ms);
    }

    /// Ends all tasks of a host, as a power failure does.
    pub(super) fn kill_host(&mut self, host: usize) {
        self.tasks.retain(|task| task.pid.host != host);
    }

    /// Whether there is nothing left to run.
    #[must_use]
    pub(super) fn is_done(&self) -> bool {
        self.tasks.is_empty()
    }

    fn next(&self, until_ms: u64) -> Option<usize> {
        let tasks = self.tasks.iter().enumerate();
        let first = tasks.min_by_key(|(index, task)| (task.next_ms, *index));
        first
            .filter(|(_, task)| task.next_ms <= until_ms)
            .map(|(index, _)| index)
    }

    fn step(&mut self, index: usize) {
        let task = &mut self.tasks[index];
        {
            let mut world = self.world.get();
            world.run_pending(task.next_ms);
            world.now_ms = world.now_ms.max(task.next_ms);
            world.wake_ms = None;
        }
        self.awaits += 1;
        task.awaits += 1;
        let killed = task.killed_after.is_some_and(|after| task.awaits > after);
        let ended = !killed && {
            let mut context = Context::from_waker(Waker::noop());
            task.work.as_mut().poll(&mut context).is_ready()
        };
        if killed || ended {
            let task = self.tasks.swap_remove(index);
            // Dropped first: what it does on its way out must not look like the act of a process.
            let pid = task.pid;
            drop(task);
            let mut world = self.world.get();
            if killed {
                world.trace("kill", &format_args!("{}/{}", pid.host, pid.pid));
            }
            world.end(pid);
            return;
        }
        let wake = self.world.get().wake_ms;
        let wake = wake.expect("whoever waits, waits for a time");
        self.tasks[index].next_ms = wake;
    }
}
