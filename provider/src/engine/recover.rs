//! What dead owners have left, by the journal.

use super::engine::Engine;
use super::error::Error;
use super::fault::{Fault, FaultKind};
use super::id::SessionId;
use super::journal::Entry;
use super::outcome::{Cleanup, Item, Why};
use super::owner::Liveness;
use super::reap::reap;
use super::record::{Record, SessionRecord, State};
use super::rules::Rule;
use super::session::{close_record, release_all};
use super::store::{StoreError, StoreErrorKind};
use super::time::UnixTime;
use std::time::Duration;

/// Closed sessions stay in the journal so long: what still shows by its tags is known to be ours.
const FORGET_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// What `gc` is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// How long after its expiry what other hosts left is taken, if not the setting's grace.
    pub older_than: Option<Duration>,
}

/// Who a session belongs to, as far as cleaning up is concerned.
enum Claim {
    /// It may be cleaned up.
    Ours,
    /// It belongs to a process that lives, or may live.
    Live,
    /// It was to be kept, and has not expired.
    Kept,
}

impl Engine {
    /// Cleans up what dead owners have left, by the journal alone. Doing it twice is doing it once.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn recover(&self, options: GcOptions) -> Result<Cleanup, Error> {
        let mut cleanup = Cleanup::default();
        for session in self.store().sessions().await? {
            let records = self.store().records(session.id).await?;
            let mine = records.iter().any(|record| self.is_mine(record));
            if mine || records.is_empty() {
                cleanup.add(self.recover_one(&session, records, options).await?);
            }
        }
        if !options.dry_run {
            let before = self.now().0.saturating_sub(FORGET_AFTER.as_secs());
            // OK to ignore: they are forgotten another time.
            let _ = self.store().forget(UnixTime(before)).await;
        }
        Ok(cleanup)
    }

    /// The same, then what carries our tags and has expired, whoever has made it. Nothing without all
    /// of our tags is ever touched.
    ///
    /// # Errors
    /// The journal cannot be read, or the provider not be asked. What was done by then is done.
    pub async fn gc(&self, options: GcOptions) -> Result<Cleanup, Error> {
        let mut cleanup = self.recover(options).await?;
        cleanup.add(self.reap(options).await?);
        Ok(cleanup)
    }

    /// The second half of [`gc`](Self::gc): by tags alone.
    ///
    /// # Errors
    /// The journal cannot be read, or the provider not be asked.
    pub async fn reap(&self, options: GcOptions) -> Result<Cleanup, Error> {
        reap(self, options).await
    }

    /// Cleans up one session whatever its expiry and `keep`, unless its owner lives.
    ///
    /// # Errors
    /// There is no such session, it belongs to a process that lives, or the journal fails.
    pub async fn close_session(&self, session: SessionId) -> Result<Cleanup, Error> {
        let mut session = find_session(self, session).await?;
        // By request of the user, who knows better than the expiry.
        session.keep = false;
        let records = self.store().records(session.id).await?;
        match self.claim(&session, &GcOptions::default()) {
            Claim::Live => Err(Error::Misuse("it belongs to a process that lives")),
            Claim::Ours | Claim::Kept => self.take(&session, records).await,
        }
    }

    /// Moves the expiry of a kept session, in the tags of its resources and in the journal.
    ///
    /// # Errors
    /// There is no such session, it belongs to a process that lives, the provider refuses, or the
    /// journal fails.
    pub async fn extend_session(&self, session: SessionId, expires: UnixTime) -> Result<(), Error> {
        let mut session = find_session(self, session).await?;
        let records = self.store().records(session.id).await?;
        if matches!(self.claim(&session, &GcOptions::default()), Claim::Live) {
            return Err(Error::Misuse("it belongs to a process that lives"));
        }
        // Asked before it changes hands.
        self.identity().await?;
        self.adopt(&mut session).await?;
        for record in records.into_iter().filter(|record| self.is_mine(record)) {
            if record.state == State::Gone {
                continue;
            }
            self.same_account(&record).await?;
            let mut entry = Entry::loaded(record);
            super::attach::extend(self, &entry, expires).await?;
            let journal = self.journal();
            journal
                .change(&mut entry, true, |record| record.expires = expires)
                .await?;
        }
        session.expires = expires;
        session.keep = true;
        self.store().set_session(&session).await?;
        Ok(())
    }

    async fn recover_one(
        &self,
        session: &SessionRecord,
        records: Vec<Record>,
        options: GcOptions,
    ) -> Result<Cleanup, Error> {
        let mut cleanup = Cleanup::default();
        let mine = records.iter().filter(|record| self.is_mine(record));
        let there = mine.filter(|record| record.state != State::Gone);
        match self.claim(session, &options) {
            Claim::Live => cleanup.live.push(session.clone()),
            Claim::Kept => {
                let kept = there.map(|record| (Item::of(record), session.expires));
                cleanup.kept.extend(kept);
            }
            Claim::Ours if options.dry_run => cleanup.planned.extend(there.map(Item::of)),
            Claim::Ours => return self.take(session, records).await,
        }
        Ok(cleanup)
    }

    fn claim(&self, session: &SessionRecord, options: &GcOptions) -> Claim {
        let grace = options.older_than.unwrap_or(self.settings().grace);
        let fenced = self.shared.rules.hold(Rule::Fencing);
        let is_me = session.owner == self.shared.me;
        let live = match self.shared.parts.processes.liveness(&session.owner) {
            Liveness::Alive if is_me => self.open_sessions().contains(&session.id),
            Liveness::Alive => true,
            Liveness::Dead => false,
            // Of a journal that several hosts share: only the expiry tells.
            Liveness::Unknown => self.now() < session.expires.plus(grace),
        };
        if live && fenced {
            return Claim::Live;
        }
        match session.keep && self.now() < session.expires {
            true => Claim::Kept,
            false => Claim::Ours,
        }
    }

    /// Makes a session ours.
    async fn adopt(&self, session: &mut SessionRecord) -> Result<(), Error> {
        let me = &self.shared.me;
        if session.owner == *me {
            return Ok(());
        }
        let adopted = self.store().adopt(session.id, &session.owner, me).await?;
        if !adopted {
            return Err(Error::Store(StoreError::fenced(session.id)));
        }
        session.owner = me.clone();
        Ok(())
    }

    /// Adopts a session and deletes what this engine's provider has of it.
    async fn take(&self, session: &SessionRecord, records: Vec<Record>) -> Result<Cleanup, Error> {
        if let Some(cleanup) = self.out_of_reach(&records).await {
            return Ok(cleanup);
        }
        let mut session = session.clone();
        match self.adopt(&mut session).await {
            Ok(()) => {}
            // Somebody else was faster.
            Err(Error::Store(error)) if error.kind == StoreErrorKind::Fenced => {
                return Ok(Cleanup::default());
            }
            Err(error) => {
                // It remains; another session may fare better.
                let why = match error {
                    Error::Store(error) => Why::Store(error),
                    other => Why::Refused(Fault::new(FaultKind::Refused, other.to_string())),
                };
                let there = records.iter().filter(|record| record.state != State::Gone);
                let left = there.map(|record| (Item::of(record), why.clone()));
                return Ok(Cleanup {
                    left: left.collect(),
                    ..Cleanup::default()
                });
            }
        }
        // Read again: until it was adopted, the process before us may have written.
        let records = self.store().records(session.id).await?;
        let (mine, others): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| self.is_mine(record));
        let mut mine: Vec<_> = mine.into_iter().map(Entry::loaded).collect();
        let cleanup = release_all(self, &mut mine).await;
        mine.extend(others.into_iter().map(Entry::loaded));
        close_record(self, &session, &mine).await;
        Ok(cleanup)
    }

    /// What becomes of records whose provider cannot be asked at all: they stay as they are, with the
    /// owner that they had.
    async fn out_of_reach(&self, records: &[Record]) -> Option<Cleanup> {
        let mine = records.iter().filter(|record| self.is_mine(record));
        let there = mine.filter(|record| !matches!(record.state, State::Intent | State::Gone));
        let items: Vec<_> = there.map(Item::of).collect();
        if items.is_empty() {
            return None;
        }
        match self.identity().await {
            Err(Error::Fault { fault, .. }) if fault.kind == FaultKind::Unavailable => {
                let left = items.into_iter().map(|item| (item, Why::Unavailable));
                Some(Cleanup {
                    left: left.collect(),
                    ..Cleanup::default()
                })
            }
            _ => None,
        }
    }

    fn is_mine(&self, record: &Record) -> bool {
        (record.scope.provider == self.cloud().provider())
            && record.scope.region == self.cloud().region()
            && self.cloud().reaches(record)
    }

    /// Fails if the credentials in use now are not those of a record.
    pub(super) async fn same_account(&self, record: &Record) -> Result<(), Error> {
        let found = self.identity().await?.account;
        let expected = record.scope.account.clone();
        match found == expected {
            true => Ok(()),
            false => Err(Error::Account { expected, found }),
        }
    }
}

async fn find_session(engine: &Engine, id: SessionId) -> Result<SessionRecord, Error> {
    let sessions = engine.store().sessions().await?;
    let mut sessions = sessions.into_iter();
    sessions
        .find(|session| session.id == id)
        .ok_or(Error::Misuse("there is no such session"))
}
