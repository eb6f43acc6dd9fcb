//! A store without a disk, for simulations.

use super::{Store, StoreError, Stored};
use crate::engine::duty::Duty;
use crate::engine::id::{OpId, SessionId};
use crate::engine::owner::Owner;
use crate::engine::record::{Record, SessionRecord};
use crate::engine::time::UnixTime;
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions and records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    sessions: BTreeMap<SessionId, SessionRecord>,
    records: BTreeMap<OpId, Record>,
    duties: Vec<Duty>,
}

impl MemoryStore {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of an operation, as it would be read after a crash.
    #[must_use]
    pub fn durable(&self, op: OpId) -> Option<Record> {
        self.held().records.get(&op).cloned()
    }

    /// Every session, closed ones too.
    #[must_use]
    pub fn all_sessions(&self) -> Vec<SessionRecord> {
        self.held().sessions.values().cloned().collect()
    }
}

fn is_same(one: &Duty, other: &Duty) -> bool {
    (&one.scope, &one.kind, &one.id) == (&other.scope, &other.kind, &other.id)
}

impl Held {
    fn check(&self, session: SessionId, owner: &Owner) -> Result<(), StoreError> {
        match self.sessions.get(&session) {
            Some(found) if found.owner == *owner => Ok(()),
            _ => Err(StoreError::fenced(session)),
        }
    }

    fn put(&mut self, owner: &Owner, records: &[Record]) -> Result<(), StoreError> {
        for record in records {
            self.check(record.session, owner)?;
        }
        let records = records.iter().cloned();
        self.records
            .extend(records.map(|record| (record.op, record)));
        Ok(())
    }
}

impl Store for MemoryStore {
    fn begin<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        self.held().sessions.insert(session.id, session.clone());
        Box::pin(ready(Ok(())))
    }

    fn set_session<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()> {
        let mut held = self.held();
        let result = held.check(session.id, &session.owner);
        if result.is_ok() {
            held.sessions.insert(session.id, session.clone());
        }
        Box::pin(ready(result))
    }

    fn adopt<'a>(&'a self, session: SessionId, from: &'a Owner, to: &'a Owner) -> Stored<'a, bool> {
        let mut held = self.held();
        let found = held.sessions.get_mut(&session);
        let found = found.filter(|found| found.owner == *from && !found.closed);
        let adopted = found.map(|found| found.owner = to.clone()).is_some();
        Box::pin(ready(Ok(adopted)))
    }

    fn insert<'a>(&'a self, owner: &'a Owner, records: &'a [Record]) -> Stored<'a, ()> {
        Box::pin(ready(self.held().put(owner, records)))
    }

    fn update<'a>(&'a self, owner: &'a Owner, record: &'a Record) -> Stored<'a, ()> {
        let result = self.held().put(owner, std::slice::from_ref(record));
        Box::pin(ready(result))
    }

    fn sessions(&self) -> Stored<'_, Vec<SessionRecord>> {
        let held = self.held();
        let open = held.sessions.values().filter(|session| !session.closed);
        Box::pin(ready(Ok(open.cloned().collect())))
    }

    fn records(&self, session: SessionId) -> Stored<'_, Vec<Record>> {
        let held = self.held();
        let of_session = held
            .records
            .values()
            .filter(|record| record.session == session);
        let mut records: Vec<_> = of_session.cloned().collect();
        records.sort_by_key(|record| record.sequence);
        Box::pin(ready(Ok(records)))
    }

    fn record(&self, op: OpId) -> Stored<'_, Option<(SessionRecord, Record)>> {
        let held = self.held();
        let found = held.records.get(&op).and_then(|record| {
            let session = held.sessions.get(&record.session)?;
            Some((session.clone(), record.clone()))
        });
        Box::pin(ready(Ok(found)))
    }

    fn put_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        let mut held = self.held();
        held.duties.retain(|held| !is_same(held, duty));
        held.duties.push(duty.clone());
        Box::pin(ready(Ok(())))
    }

    fn duties(&self) -> Stored<'_, Vec<Duty>> {
        Box::pin(ready(Ok(self.held().duties.clone())))
    }

    fn remove_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()> {
        self.held().duties.retain(|held| !is_same(held, duty));
        Box::pin(ready(Ok(())))
    }

    fn forget(&self, before: UnixTime) -> Stored<'_, ()> {
        let mut held = self.held();
        let Held {
            sessions, records, ..
        } = &mut *held;
        sessions.retain(|_, session| !session.closed || session.created >= before);
        records.retain(|_, record| sessions.contains_key(&record.session));
        Box::pin(ready(Ok(())))
    }
}
