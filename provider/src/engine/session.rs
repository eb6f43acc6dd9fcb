//! A session: what one command, or one mount, makes and deletes again.

use super::engine::Engine;
use super::error::Error;
use super::id::{OpId, SessionId};
use super::journal::Entry;
use super::outcome::{Cleanup, Item, Why};
use super::record::{Record, Scope, SessionRecord, State};
use super::release::release;
use super::time::UnixTime;
use std::time::Duration;

/// What is to be made. Deciding this is the provider's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The provider's word for what it is: `ebs-volume`.
    pub kind: String,
    /// What it is made from: a snapshot.
    pub parent: String,
    /// Everything else that the call needs, in the provider's own form. Never a secret.
    pub parameters: String,
    /// Earlier plans of the session, by their operations, whose resources this one is made from.
    pub needs: Vec<OpId>,
}

/// An open session. Close it: what it has made stays otherwise until `flr gc`.
#[derive(Debug)]
#[must_use = "what a session has made goes when it is closed"]
pub struct Session {
    pub(super) engine: Engine,
    pub(super) record: SessionRecord,
    pub(super) scope: Scope,
    pub(super) entries: Vec<Entry>,
    /// How many were planned so far: the next one's place.
    planned: u32,
    /// Those that are on their way out by themselves.
    pub(super) apart: u32,
}

impl Engine {
    /// Opens a session for `purpose`, which is shown to people. With `keep`, closing it leaves what it
    /// has made until it expires.
    ///
    /// # Errors
    /// The provider does not say whose credentials these are, or the journal cannot be written.
    pub async fn open(&self, purpose: &str, keep: bool) -> Result<Session, Error> {
        let identity = self.identity().await?;
        let now = self.now();
        let record = SessionRecord {
            id: SessionId::random(&*self.shared.parts.rand),
            owner: self.shared.me.clone(),
            purpose: purpose.to_owned(),
            created: now,
            expires: now.plus(self.settings().ttl),
            keep,
            closed: false,
        };
        self.store().begin(&record).await?;
        self.open_sessions().insert(record.id);
        Ok(Session {
            engine: self.clone(),
            record,
            scope: self.scope(&identity.account),
            entries: Vec::new(),
            planned: 0,
            apart: 0,
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // From here on it may be cleaned up like any that was left behind.
        self.engine.open_sessions().remove(&self.record.id);
    }
}

impl Session {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.record.id
    }

    /// Until when it has to be renewed.
    #[must_use]
    pub const fn expires(&self) -> UnixTime {
        self.record.expires
    }

    /// For how long it is promised to be done at each renewal.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.engine.settings().ttl
    }

    /// The record of an operation.
    #[must_use]
    pub fn record(&self, op: OpId) -> Option<&Record> {
        let entry = self.entries.iter().find(|entry| entry.record().op == op);
        entry.map(Entry::record)
    }

    /// All records, in the order in which they were planned.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.entries.iter().map(Entry::record)
    }

    /// Writes down what is to be made, all of it at once: a call that makes several things at a time
    /// leaves none of them unknown.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn prepare(&mut self, plans: Vec<Plan>) -> Result<Vec<OpId>, Error> {
        let rand = &*self.engine.shared.parts.rand;
        let created = self.engine.now();
        let first = self.planned;
        let records = plans
            .into_iter()
            .zip(first..)
            .map(|(plan, sequence)| Record {
                op: OpId::random(rand),
                session: self.record.id,
                sequence,
                scope: self.scope.clone(),
                kind: plan.kind,
                parent: plan.parent,
                parameters: plan.parameters,
                needs: plan.needs,
                owner_tag: self.record.owner.tag(),
                created,
                expires: self.record.expires,
                state: State::Intent,
                attempt: 1,
                id: None,
                called: None,
                doubtful: false,
                target: None,
                note: String::new(),
            });
        let records: Vec<_> = records.collect();
        let ops = records.iter().map(|record| record.op).collect();
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        // Also one that could not be written down keeps its place: the journal may have it.
        self.planned = self.planned.saturating_add(count);
        let entries = self.engine.journal().intend(records).await?;
        self.entries.extend(entries);
        Ok(ops)
    }

    /// Place of an operation in this session.
    pub(super) fn index(&self, op: OpId) -> Result<usize, Error> {
        let mut entries = self.entries.iter();
        entries
            .position(|entry| entry.record().op == op)
            .ok_or(Error::Misuse("the session has no such operation"))
    }

    /// Deletes everything, what was made last first, and returns when it was seen gone. With `keep` it
    /// stays, and is told as kept.
    pub async fn close(self) -> Cleanup {
        match self.record.keep {
            true => self.leave(),
            false => self.abandon().await,
        }
    }

    /// The same also with `keep`: what could not be used is nothing to keep.
    pub async fn abandon(mut self) -> Cleanup {
        let cleanup = release_all(&self.engine, &mut self.entries).await;
        // What is still on its way out by itself remains in the journal, and so does the session.
        if self.apart == 0 {
            close_record(&self.engine, &self.record, &self.entries).await;
        }
        cleanup
    }

    /// What a kept session leaves.
    fn leave(&self) -> Cleanup {
        let records = self.entries.iter().map(Entry::record);
        let there = records.filter(|record| record.state != State::Gone);
        let kept = there.map(|record| (Item::of(record), record.expires));
        Cleanup {
            kept: kept.collect(),
            ..Cleanup::default()
        }
    }
}

/// Deletes all of a session, what was made last first. What is needed by something that remains is not
/// touched: the provider would refuse until the deadline.
pub(super) async fn release_all(engine: &Engine, entries: &mut [Entry]) -> Cleanup {
    let mut cleanup = Cleanup::default();
    let mut needed: Vec<OpId> = Vec::new();
    for entry in entries.iter_mut().rev() {
        if entry.record().state == State::Gone {
            continue;
        }
        let released = match needed.contains(&entry.record().op) {
            true => Err(Why::Needed),
            false => release(engine, entry).await,
        };
        let item = Item::of(entry.record());
        match released {
            Ok(()) => cleanup.gone.push(item),
            Err(why) => {
                needed.extend(&entry.record().needs);
                cleanup.left.push((item, why));
            }
        }
    }
    cleanup
}

/// Marks a session as closed if nothing of it is left.
pub(super) async fn close_record(engine: &Engine, session: &SessionRecord, entries: &[Entry]) {
    if entries
        .iter()
        .all(|entry| entry.record().state == State::Gone)
    {
        let mut closed = session.clone();
        closed.closed = true;
        // OK to ignore: nothing remains, and the next clean-up closes it.
        let _ = engine.store().set_session(&closed).await;
    }
}
