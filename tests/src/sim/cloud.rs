//! The provider, as a process sees it: calls that take their time, fail, arrive late or twice, and
//! reads that lag behind.

use super::account::{Change, Done, Effect, KINDS, kind_of};
use super::executor::Sleep;
use super::world::{Pid, Shared};
use flr_provider::engine::{
    Answer, AttachCall, Cloud, CreateCall, DeleteCall, Fault, FaultKind, Identity, Kind, OpId,
    Phase, Seen, TagCall, tags,
};
use std::collections::BTreeMap;

/// The latest that a call can have its effect after it was begun, in milliseconds: sooner than the
/// engine gives it up.
const EFFECT_MS_MAX: u64 = 29_000;

/// Longer than any engine waits for an answer.
const NEVER_MS: u64 = 10_000_000;

/// The provider as one process sees it.
#[derive(Clone, Debug)]
pub(super) struct SimCloud {
    /// The world.
    pub(super) world: Shared,
    /// The process.
    pub(super) pid: Pid,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Throttled,
    Expired,
    ErrorBefore,
    ErrorAfter,
    TimeoutBefore,
    TimeoutAfter,
    Twice,
}

impl SimCloud {
    fn trouble(&self) -> Trouble {
        let mut world = self.world.get();
        let rates = world.rates.clone();
        let kinds = [
            (rates.throttle, Trouble::Throttled),
            (rates.expired, Trouble::Expired),
            (rates.error_before, Trouble::ErrorBefore),
            (rates.error_after, Trouble::ErrorAfter),
            (rates.timeout_before, Trouble::TimeoutBefore),
            (rates.timeout_after, Trouble::TimeoutAfter),
            (rates.duplicate, Trouble::Twice),
        ];
        for (rate, trouble) in kinds {
            if rate > 0 && world.rng.chance(rate) {
                return trouble;
            }
        }
        Trouble::None
    }

    fn latency_ms(&self) -> u64 {
        let mut world = self.world.get();
        match world.rng.chance(20) {
            true => world.rng.between(2_000, 20_000),
            false => world.rng.between(10, 500),
        }
    }

    async fn sleep(&self, ms: u64) {
        Sleep::new(&self.world, ms).await;
    }

    /// A call that changes something. Its effect comes about even if nobody waits for its answer.
    async fn change(&self, change: Change) -> Done {
        let trouble = self.trouble();
        let latency = self.latency_ms();
        match trouble {
            Trouble::Throttled | Trouble::Expired | Trouble::ErrorBefore => {
                self.sleep(latency).await;
                return Err(refused(trouble));
            }
            Trouble::TimeoutBefore => {
                self.sleep(NEVER_MS).await;
                return Err(refused(trouble));
            }
            Trouble::None | Trouble::ErrorAfter | Trouble::TimeoutAfter | Trouble::Twice => {}
        }
        let answer = self.send(change, trouble, latency);
        let wait = match trouble {
            Trouble::TimeoutAfter => NEVER_MS,
            _ => latency,
        };
        self.sleep(wait).await;
        let done = self.world.get().answers.remove(&answer);
        match (trouble, done) {
            (Trouble::None | Trouble::Twice, Some(done)) => done,
            _ => Err(refused(trouble)),
        }
    }

    /// Sends a call on its way; returns where its answer will be.
    fn send(&self, change: Change, trouble: Trouble, latency: u64) -> u64 {
        let mut world = self.world.get();
        let answer = world.number();
        let account = world.credentials[&self.pid];
        let effect = Effect::Call {
            answer,
            account,
            by: self.pid,
            change,
        };
        let now = world.now_ms;
        let latest = match trouble {
            Trouble::ErrorAfter | Trouble::TimeoutAfter => EFFECT_MS_MAX,
            _ => latency,
        };
        let at = now + world.rng.between(0, latest);
        if trouble == Trouble::Twice {
            let again = now + world.rng.between(0, latest);
            world.at(again, effect.clone());
        }
        world.at(at, effect);
        answer
    }

    /// A call that only looks, at a state of some time ago.
    async fn look(&self, consistent: bool) -> Result<u64, Fault> {
        let trouble = self.trouble();
        match trouble {
            Trouble::None | Trouble::Twice => {}
            Trouble::TimeoutBefore | Trouble::TimeoutAfter => self.sleep(NEVER_MS).await,
            _ => {
                self.sleep(self.latency_ms()).await;
                return Err(refused(trouble));
            }
        }
        self.sleep(self.latency_ms()).await;
        let mut world = self.world.get();
        let lag_max = world.lag_ms;
        let lag = match consistent || world.rng.chance(300) {
            true => 0,
            false => world.rng.between(0, lag_max),
        };
        world
            .now_ms
            .checked_sub(lag)
            .ok_or_else(|| refused(Trouble::ErrorBefore))
    }

    fn seen_at(&self, ms: u64, wanted: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let world = self.world.get();
        let account = &world.accounts[world.credentials[&self.pid]];
        let shown = account.resources.values().filter_map(|one| one.at(ms));
        let is_hidden = |seen: &Seen| world.hides_deleting && seen.phase == Phase::Deleting;
        let shown = shown.filter(|seen| wanted(seen) && !is_hidden(seen));
        shown.cloned().collect()
    }

    fn note(&self, what: &str, result: &dyn std::fmt::Debug) {
        let Pid { host, pid } = self.pid;
        let mut world = self.world.get();
        world.trace(what, &format_args!("{host}/{pid} {result:?}"));
    }
}

fn refused(trouble: Trouble) -> Fault {
    let (kind, message) = match trouble {
        Trouble::Throttled => (FaultKind::Throttled, "400 too many calls"),
        Trouble::Expired => (FaultKind::Expired, "the token has expired"),
        _ => (FaultKind::Unknown, "503 try again"),
    };
    Fault::new(kind, message)
}

fn owned(tags: &[(&'static str, String)]) -> BTreeMap<String, String> {
    let tags = tags.iter().cloned();
    tags.map(|(key, value)| (key.to_owned(), value)).collect()
}

impl Cloud for SimCloud {
    fn provider(&self) -> &str {
        "sim"
    }

    fn region(&self) -> &str {
        "here"
    }

    fn kind(&self, kind: &str) -> Kind {
        kind_of(kind)
    }

    fn identity(&self) -> Answer<'_, Identity> {
        Box::pin(async move {
            self.look(true).await?;
            let world = self.world.get();
            let account = &world.accounts[world.credentials[&self.pid]];
            Ok(Identity {
                account: account.name.clone(),
                time: world.tells_time.then(|| world.time()),
            })
        })
    }

    fn create<'a>(&'a self, call: CreateCall<'a>) -> Answer<'a, String> {
        let record = call.record();
        let change = Change::Create {
            kind: record.kind.clone(),
            token: call.token().to_owned(),
            name: call.name(),
            parameters: format!(
                "{} {} {:?}",
                record.parent,
                record.parameters,
                call.inputs()
            ),
            tags: owned(call.tags()),
            op: record.op,
        };
        Box::pin(async move {
            let id = self.change(change).await?;
            id.ok_or_else(|| Fault::new(FaultKind::Unknown, "no id in the answer"))
        })
    }

    fn describe<'a>(&'a self, kind: &'a str, id: &'a str) -> Answer<'a, Option<Seen>> {
        Box::pin(async move {
            let at = self.look(kind_of(kind).consistent).await?;
            let found = self.seen_at(at, |seen| seen.id == id).pop();
            self.note("describe", &found);
            Ok(found)
        })
    }

    fn find<'a>(&'a self, kind: &'a str, op: OpId) -> Answer<'a, Vec<Seen>> {
        Box::pin(async move {
            let at = self.look(kind_of(kind).consistent).await?;
            let op = op.to_string();
            let has = |seen: &Seen| seen.kind == kind && seen.tags.get(tags::OP) == Some(&op);
            let found = self.seen_at(at, has);
            self.note("find", &found);
            Ok(found)
        })
    }

    fn list(&self) -> Answer<'_, Vec<Seen>> {
        Box::pin(async move {
            let at = self.look(false).await?;
            let ours = |seen: &Seen| {
                let known = KINDS.iter().any(|(kind, _)| *kind == seen.kind);
                known && seen.tags.contains_key(tags::SESSION)
            };
            Ok(self.seen_at(at, ours))
        })
    }

    fn attach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        let change = Change::Attach(call.id().to_owned(), call.target().to_owned());
        Box::pin(async move { self.change(change).await.map(drop) })
    }

    fn detach<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, ()> {
        let change = Change::Detach(call.id().to_owned(), call.target().to_owned());
        Box::pin(async move { self.change(change).await.map(drop) })
    }

    fn is_there<'a>(&'a self, call: AttachCall<'a>) -> Answer<'a, Option<bool>> {
        let change = Change::Detach(call.id().to_owned(), call.target().to_owned());
        Box::pin(async move {
            if !self.world.get().denies {
                return Ok(None);
            }
            match self.change(change).await {
                Ok(_) => Ok(Some(true)),
                Err(fault) if fault.kind == FaultKind::InUse => Ok(Some(true)),
                Err(fault) if fault.kind == FaultKind::NotFound => {
                    self.world.get().denials += 1;
                    Ok(Some(false))
                }
                Err(fault) => Err(fault),
            }
        })
    }

    fn tag<'a>(&'a self, call: TagCall<'a>) -> Answer<'a, ()> {
        let change = Change::Tag(call.id().to_owned(), owned(call.tags()));
        Box::pin(async move { self.change(change).await.map(drop) })
    }

    fn delete<'a>(&'a self, call: DeleteCall<'a>) -> Answer<'a, ()> {
        let change = Change::Delete(call.id().to_owned());
        Box::pin(async move { self.change(change).await.map(drop) })
    }
}
