//! An account of the provider: what is there, what was there a while ago, and what a call does to it.

use super::world::{Pid, World};
use flr_provider::engine::{
    Attachment, Fault, FaultKind, Kind, OpId, Phase, Repeat, Seen, Tags, tags,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Kinds of resources, as different as those of real providers.
pub(super) const KINDS: &[(&str, Kind)] = &[
    ("volume", kind(Repeat::Token, false, true)),
    ("lun", kind(Repeat::Name, true, true)),
    ("image", kind(Repeat::Nothing, false, true)),
    ("share", kind(Repeat::Token, false, false)),
];

const fn kind(repeat: Repeat, consistent: bool, taggable: bool) -> Kind {
    Kind {
        repeat,
        consistent,
        taggable,
    }
}

/// How a kind is treated.
#[must_use]
pub(super) fn kind_of(name: &str) -> Kind {
    let known = KINDS.iter().find(|(known, _)| *known == name);
    known.expect("a kind of the simulation").1
}

/// Others may not delete before this much has passed since the expiry.
pub(super) const GRACE: Duration = Duration::from_secs(3600);

/// A resource.
#[derive(Debug)]
pub(super) struct Resource {
    /// As it is now.
    pub(super) now: Seen,
    /// Which operation has made it; `None`: somebody else.
    pub(super) op: Option<OpId>,
    /// It is somebody else's, and must be there at the end.
    pub(super) protected: bool,
    /// What gave it its uniqueness.
    name: String,
    /// It is no more.
    pub(super) gone: bool,
    made_ms: u64,
    versions: Vec<(u64, Option<Seen>)>,
}

impl Resource {
    /// Something that was there before everything.
    #[must_use]
    pub(super) fn old(now: Seen, protected: bool) -> Self {
        Self {
            versions: vec![(0, Some(now.clone()))],
            now,
            op: None,
            protected,
            name: String::new(),
            gone: false,
            made_ms: 0,
        }
    }

    /// As it was at a time.
    #[must_use]
    pub(super) fn at(&self, ms: u64) -> Option<&Seen> {
        let versions = self.versions.iter().rev();
        versions
            .into_iter()
            .find(|(since, _)| *since <= ms)
            .and_then(|(_, seen)| seen.as_ref())
    }

    fn changed(&mut self, ms: u64) {
        let seen = (!self.gone).then(|| self.now.clone());
        self.versions.push((ms, seen));
    }
}

/// An account.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Its name.
    pub(super) name: String,
    /// What is there and what was.
    pub(super) resources: BTreeMap<String, Resource>,
    /// Tokens that were used, for what id and with which parameters.
    tokens: BTreeMap<String, (String, String)>,
    /// How many resources there may be.
    pub(super) quota: usize,
}

impl Account {
    /// An empty account.
    #[must_use]
    pub(super) fn new(name: &str, quota: usize) -> Self {
        Self {
            name: name.to_owned(),
            quota,
            ..Self::default()
        }
    }
}

/// A call that changes something.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Make a resource.
    Create {
        /// Of this kind.
        kind: String,
        /// Its token.
        token: String,
        /// Its name.
        name: String,
        /// What else is in the call, without the tags.
        parameters: String,
        /// Its tags.
        tags: BTreeMap<String, String>,
        /// Who makes it, as only the simulation knows.
        op: OpId,
    },
    /// Attach it.
    Attach(String, String),
    /// Detach it.
    Detach(String, String),
    /// Set tags.
    Tag(String, BTreeMap<String, String>),
    /// Delete it.
    Delete(String),
}

/// What a call has come to: an id, if something was made.
pub(super) type Done = Result<Option<String>, Fault>;

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// A call arrives.
    Call {
        /// Where its answer goes.
        answer: u64,
        /// In which account.
        account: usize,
        /// Whose call.
        by: Pid,
        /// What it does.
        change: Change,
    },
    /// A resource gets where it was on its way to.
    Arrives {
        /// In which account.
        account: usize,
        /// Which.
        id: String,
        /// To be usable, or to have failed.
        phase: Phase,
    },
    /// It is attached, or free.
    Moves {
        /// In which account.
        account: usize,
        /// Which.
        id: String,
    },
    /// It is no more.
    Ends {
        /// In which account.
        account: usize,
        /// Which.
        id: String,
    },
    /// The credentials of a process become those of another role.
    Role {
        /// Which process.
        pid: Pid,
        /// When it was started: its number may be another's by then.
        start_time: u64,
    },
    /// Somebody presses ^C.
    Signal {
        /// What the process looks at.
        flag: Arc<AtomicBool>,
    },
    /// Somebody sets a host's clock.
    Clock {
        /// Which host.
        host: usize,
        /// How far off it is then, in seconds.
        skew: i64,
    },
}

fn fault(kind: FaultKind, message: &str) -> Done {
    Err(Fault::new(kind, message))
}

impl World {
    /// Lets something happen.
    pub(super) fn apply(&mut self, effect: Effect) {
        let now = self.now_ms;
        match effect {
            Effect::Call {
                answer,
                account,
                by,
                change,
            } => {
                let done = self.change(account, by, change);
                // Of a call that arrives twice either answer may come back.
                match answer % 2 {
                    0 => drop(self.answers.insert(answer, done)),
                    _ => drop(self.answers.entry(answer).or_insert(done)),
                }
            }
            Effect::Arrives { account, id, phase } => self.update(account, &id, |resource| {
                if resource.now.phase == Phase::Pending {
                    resource.now.phase = phase;
                }
            }),
            Effect::Moves { account, id } => self.update(account, &id, |resource| {
                let attachment = match resource.now.attachment.clone() {
                    Attachment::Attaching(target) => Attachment::Attached(target),
                    Attachment::Detaching(_) => Attachment::Free,
                    other => other,
                };
                resource.now.attachment = attachment;
            }),
            Effect::Ends { account, id } => {
                self.update(account, &id, |resource| resource.gone = true);
                self.trace("gone", &format_args!("{id} at {now}"));
            }
            Effect::Role { pid, start_time } => {
                if self.owner(pid).start_time == start_time {
                    self.credentials.insert(pid, 1);
                    self.trace("role", &format_args!("{}/{}", pid.host, pid.pid));
                }
            }
            Effect::Signal { flag } => {
                flag.store(true, Ordering::Relaxed);
                self.trace("signal", &"");
            }
            Effect::Clock { host, skew } => {
                self.hosts[host].skew = skew;
                self.trace("clock", &format_args!("{host} {skew}"));
            }
        }
    }

    /// Frees what is attached to a target that is no more.
    pub(super) fn free_of(&mut self, target: &str) {
        for account in 0..self.accounts.len() {
            let resources = self.accounts[account].resources.values();
            let of_target = resources.filter(|one| one.now.attachment.target() == Some(target));
            let ids: Vec<_> = of_target.map(|one| one.now.id.clone()).collect();
            for id in ids {
                self.update(account, &id, |one| one.now.attachment = Attachment::Free);
            }
        }
    }

    /// What was stuck comes to its end.
    pub(super) fn hurry_up(&mut self) {
        let soon = self.now_ms + 30_000;
        let stuck = self.pending.split_off(&(soon, 0));
        for effect in stuck.into_values() {
            self.at(soon, effect);
        }
    }

    fn update(&mut self, account: usize, id: &str, change: impl FnOnce(&mut Resource)) {
        let now = self.now_ms;
        let resource = self.accounts[account].resources.get_mut(id);
        if let Some(resource) = resource.filter(|resource| !resource.gone) {
            change(resource);
            resource.changed(now);
        }
    }

    fn change(&mut self, account: usize, by: Pid, change: Change) -> Done {
        self.changes += 1;
        let what = self.log.is_some().then(|| format!("{change:?}"));
        let what = what.unwrap_or_default();
        let done = match change {
            Change::Create { .. } => self.create(account, by, change),
            Change::Attach(id, target) => self.attach(account, &id, &target),
            Change::Detach(id, target) => self.detach(account, &id, &target),
            Change::Tag(id, tags) => match self.there(account, &id) {
                None => fault(FaultKind::NotFound, "no such resource"),
                Some(_) => {
                    self.update(account, &id, |resource| resource.now.tags.extend(tags));
                    Ok(None)
                }
            },
            Change::Delete(id) => self.delete(account, by, &id),
        };
        self.trace(
            "change",
            &format_args!("{}/{} {what}: {done:?}", by.host, by.pid),
        );
        done
    }

    fn there(&self, account: usize, id: &str) -> Option<&Resource> {
        let resource = self.accounts[account].resources.get(id);
        resource.filter(|resource| !resource.gone)
    }

    fn create(&mut self, account: usize, by: Pid, change: Change) -> Done {
        let Change::Create {
            kind,
            token,
            name,
            parameters,
            tags,
            op,
        } = change
        else {
            return fault(FaultKind::Refused, "no creation");
        };
        let here = &self.accounts[account];
        let there = || here.resources.values().filter(|resource| !resource.gone);
        if there().count() >= here.quota {
            return fault(FaultKind::Quota, "too many resources");
        }
        let parameters = format!("{kind} {parameters} {tags:?}");
        match kind_of(&kind).repeat {
            Repeat::Token => {
                if let Some((id, with)) = here.tokens.get(&token) {
                    return match self.there(account, id) {
                        Some(_) if *with == parameters => Ok(Some(id.clone())),
                        _ => fault(FaultKind::Exists, "the token is used"),
                    };
                }
            }
            Repeat::Name => {
                if there().any(|resource| resource.name == name) {
                    return fault(FaultKind::Exists, "the name is taken");
                }
            }
            Repeat::Nothing => {}
        }
        let is_second = there().any(|resource| resource.op == Some(op));
        if is_second && kind_of(&kind).repeat != Repeat::Nothing {
            self.broken(format!("I3: a second {kind} of operation {op}"));
        }
        let written = self.hosts[by.host].store.durable(op);
        if written.is_none_or(|record| record.called.is_none()) {
            self.broken(format!(
                "I4: {kind} of operation {op} before its journal entry"
            ));
        }
        Ok(Some(self.make(
            account,
            kind,
            (token, parameters),
            name,
            tags,
            op,
        )))
    }

    fn make(
        &mut self,
        account: usize,
        kind: String,
        (token, parameters): (String, String),
        name: String,
        tags: BTreeMap<String, String>,
        op: OpId,
    ) -> String {
        let id = format!("{kind}-{}", self.number());
        let now = self.now_ms;
        let fails = self.rng.chance(self.rates.failed_make);
        let phase = if fails { Phase::Failed } else { Phase::Ready };
        let at = now + self.rng.between(100, 20_000);
        let arrives = Effect::Arrives {
            account,
            id: id.clone(),
            phase,
        };
        self.at(at, arrives);
        let seen = Seen {
            kind,
            id: id.clone(),
            phase: Phase::Pending,
            attachment: Attachment::Free,
            tags,
        };
        let mut resource = Resource::old(seen, false);
        resource.versions.clear();
        (resource.op, resource.name, resource.made_ms) = (Some(op), name, now);
        resource.changed(now);
        let here = &mut self.accounts[account];
        here.tokens.insert(token, (id.clone(), parameters));
        here.resources.insert(id.clone(), resource);
        id
    }

    fn attach(&mut self, account: usize, id: &str, target: &str) -> Done {
        let Some(resource) = self.there(account, id) else {
            return fault(FaultKind::NotFound, "no such resource");
        };
        let lost = |host: usize| self.hosts[host].lost && target == format!("i-{host}");
        if (0..self.hosts.len()).any(lost) {
            return fault(FaultKind::Refused, "the instance is no more");
        }
        let free = resource.now.attachment == Attachment::Free;
        if !free || resource.now.phase != Phase::Ready {
            return fault(FaultKind::InUse, "it is not free");
        }
        let to = Attachment::Attaching(target.to_owned());
        self.update(account, id, |resource| resource.now.attachment = to);
        self.moves_later(account, id);
        Ok(None)
    }

    fn detach(&mut self, account: usize, id: &str, target: &str) -> Done {
        let Some(resource) = self.there(account, id) else {
            return fault(FaultKind::NotFound, "no such resource");
        };
        if self.hides_deleting && resource.now.phase == Phase::Deleting {
            return fault(FaultKind::NotFound, "no such resource");
        }
        let attached = Attachment::Attached(target.to_owned());
        if resource.now.attachment != attached {
            return fault(FaultKind::InUse, "it is not attached there");
        }
        let from = Attachment::Detaching(target.to_owned());
        self.update(account, id, |resource| resource.now.attachment = from);
        self.moves_later(account, id);
        Ok(None)
    }

    fn moves_later(&mut self, account: usize, id: &str) {
        let at = self.now_ms + self.rng.between(200, 30_000);
        let id = id.to_owned();
        self.at(at, Effect::Moves { account, id });
    }

    fn delete(&mut self, account: usize, by: Pid, id: &str) -> Done {
        let polite = self.rng.chance(500);
        let Some(resource) = self.there(account, id) else {
            return match polite {
                true => Ok(None),
                false => fault(FaultKind::NotFound, "no such resource"),
            };
        };
        if resource.now.phase == Phase::Deleting {
            return Ok(None);
        }
        let young = self.now_ms.saturating_sub(resource.made_ms) < 10_000;
        let busy = resource.now.attachment != Attachment::Free
            || (resource.now.phase == Phase::Pending && young && polite);
        if busy {
            return fault(FaultKind::InUse, "it is in use");
        }
        if self.rng.chance(self.rates.lying_delete) {
            return Ok(None);
        }
        self.check_delete(account, by, id);
        self.update(account, id, |resource| resource.now.phase = Phase::Deleting);
        let takes = match self.rng.chance(self.rates.stuck_delete) {
            true => self.rng.between(60_000, 1_200_000),
            false => self.rng.between(0, 3) * 10_000,
        };
        let (at, id) = (self.now_ms + takes, id.to_owned());
        match takes {
            0 => self.apply(Effect::Ends { account, id }),
            _ => self.at(at, Effect::Ends { account, id }),
        }
        Ok(None)
    }

    /// Whether a resource is there and stays.
    #[must_use]
    pub(super) fn is_there(&self, id: &str) -> bool {
        let mut found = self
            .accounts
            .iter()
            .filter_map(|account| account.resources.get(id));
        found.any(|resource| !resource.gone && resource.now.phase != Phase::Deleting)
    }

    /// Whether something of an operation is there and stays, or is still on its way.
    #[must_use]
    pub(super) fn remains(&self, op: OpId) -> Option<String> {
        for account in &self.accounts {
            let mut there = account.resources.values().filter(|resource| !resource.gone);
            let of_op = there.find(|one| one.op == Some(op) && one.now.phase != Phase::Deleting);
            if let Some(resource) = of_op {
                return Some(resource.now.id.clone());
            }
        }
        let mut calls = self.pending.values();
        calls.find_map(|effect| match effect {
            Effect::Call {
                account,
                change:
                    Change::Create {
                        kind,
                        token,
                        op: of,
                        ..
                    },
                ..
            } if *of == op => {
                let known = self.accounts[*account].tokens.contains_key(token);
                let harmless = known && kind_of(kind).repeat == Repeat::Token;
                (!harmless).then(|| format!("a {kind} on its way"))
            }
            _ => None,
        })
    }

    /// Whether whoever deletes a resource may.
    fn check_delete(&mut self, account: usize, by: Pid, id: &str) {
        let resource = &self.accounts[account].resources[id];
        if resource.protected {
            let what = format!(
                "I2: {id} of somebody else was deleted: {:?}",
                resource.now.tags
            );
            return self.broken(what);
        }
        let Some(op) = resource.op else {
            return;
        };
        let expires = Tags::read(&resource.now.tags).map(|tags| tags.expires.plus(GRACE));
        let valid = expires.is_some_and(|expires| self.time() < expires)
            || !resource.now.tags.contains_key(tags::EXPIRES);
        let owner = self.open_ops.get(&op).filter(|owner| **owner != by);
        if let Some(owner) = owner
            && valid
        {
            let what = format!("I2: {id} was deleted while its owner {owner:?} lives");
            self.broken(what);
        }
    }
}
