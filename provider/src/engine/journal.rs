//! Entries of the journal as types: only what has been committed can lead to a call.

use super::owner::Owner;
use super::record::{Moment, Record, State};
use super::rules::{Rule, Rules};
use super::store::{Store, StoreError};

/// A record that the store has taken.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    record: Record,
}

impl Entry {
    /// What was read from the store.
    pub(super) const fn loaded(record: Record) -> Self {
        Self { record }
    }

    pub(super) const fn record(&self) -> &Record {
        &self.record
    }
}

/// The permission for one call that makes the entry's resource: the journal says that it may have been
/// sent, and when.
#[derive(Debug)]
pub(super) struct Calling<'a> {
    record: &'a Record,
}

impl<'a> Calling<'a> {
    pub(super) const fn record(&self) -> &'a Record {
        self.record
    }
}

/// The journal, as the owner of a session writes it.
#[derive(Debug)]
pub(super) struct Journal<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) owner: &'a Owner,
    pub(super) rules: Rules,
}

impl Journal<'_> {
    /// Writes down what is to be made: all of it or nothing.
    pub(super) async fn intend(&self, records: Vec<Record>) -> Result<Vec<Entry>, StoreError> {
        if self.rules.hold(Rule::WriteAhead) {
            self.store.insert(self.owner, &records).await?;
        }
        let entries = records.into_iter().map(|record| Entry { record });
        Ok(entries.collect())
    }

    /// Writes down that a call is about to be sent.
    pub(super) async fn calling<'e>(
        &self,
        entry: &'e mut Entry,
        now: Moment,
    ) -> Result<Calling<'e>, StoreError> {
        let mut record = entry.record.clone();
        record.state = State::Creating;
        record.called = Some(now);
        if self.rules.hold(Rule::WriteAhead) {
            self.store.update(self.owner, &record).await?;
        }
        entry.record = record;
        Ok(Calling {
            record: &entry.record,
        })
    }

    /// Writes a change down. If the store fails, `entry` has it all the same when `anyway` is set: what
    /// was learnt must not be forgotten because a disk is full.
    pub(super) async fn change(
        &self,
        entry: &mut Entry,
        anyway: bool,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), StoreError> {
        let mut record = entry.record.clone();
        change(&mut record);
        let result = self.store.update(self.owner, &record).await;
        if result.is_ok() || anyway {
            entry.record = record;
        }
        result
    }
}
