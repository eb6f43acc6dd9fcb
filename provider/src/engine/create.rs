//! Making a resource: write down, call, write down what came of it.
//!
//! A call whose outcome is unknown is followed by a search for the operation's tag, then by the same
//! call with the same token. When the making has to be given up, the search goes on until reads cannot
//! lag behind any more: "not found" is an answer only then.

use super::cloud::{CreateCall, Phase, Repeat, Seen, TagCall};
use super::engine::{Backoff, Engine};
use super::error::Error;
use super::fault::{Fault, FaultKind};
use super::id::{OpId, token};
use super::journal::{Calling, Entry};
use super::record::{Record, State};
use super::rules::Rule;
use super::session::Session;
use super::tags::Tags;

/// A token that the provider holds against us is replaced at most so often.
const ATTEMPTS_MAX: u32 = 3;

impl Session {
    /// Makes the resource of an operation and gives its id, which is in the journal by then.
    ///
    /// # Errors
    /// The provider refuses, it takes too long, the journal fails, a signal comes. Whatever may have
    /// been made goes when the session is closed.
    pub async fn create(&mut self, op: OpId) -> Result<String, Error> {
        let index = self.index(op)?;
        let inputs = self.inputs(op)?;
        let entry = self
            .entries
            .get_mut(index)
            .filter(|entry| entry.record().state == State::Intent)
            .ok_or(Error::Misuse("it was made before"))?;
        let making = Making {
            engine: &self.engine,
            entry,
            inputs,
            maybe_made: false,
        };
        making.run().await
    }

    /// Ids of what an operation needs.
    fn inputs(&self, op: OpId) -> Result<Vec<String>, Error> {
        let record = self.record(op);
        let needs = record
            .map(|record| record.needs.clone())
            .unwrap_or_default();
        let id = |op| self.record(op).and_then(|record| record.id.clone());
        let missing = Error::Misuse("what it is made from was not made yet");
        needs
            .into_iter()
            .map(id)
            .collect::<Option<_>>()
            .ok_or(missing)
    }

    /// Waits until the resource of an operation can be used.
    ///
    /// # Errors
    /// The provider gives up, or it takes too long.
    pub async fn ready(&mut self, op: OpId) -> Result<(), Error> {
        let index = self.index(op)?;
        let entry = self.entries.get_mut(index);
        let entry = entry.ok_or(Error::Misuse("the session has no such operation"))?;
        let engine = &self.engine;
        let record = entry.record();
        let doing = format!("use {} of {}", record.kind, record.parent);
        let id = record.id.clone().ok_or(Error::Misuse("it was not made"))?;
        let mut backoff = engine.backoff(engine.settings().ready_limit);
        let mut absent_since = None;
        loop {
            engine.go_on()?;
            let answer = engine.cloud().describe(&entry.record().kind, &id);
            let last = match engine.call(answer).await {
                Ok(Some(seen)) if seen.phase == Phase::Ready => break,
                Ok(Some(seen)) if seen.phase == Phase::Pending => {
                    absent_since = None;
                    None
                }
                Ok(Some(_)) => return Err(Error::Failed { doing }),
                // Made, and not shown yet; or its making has failed, and nothing is left to be shown.
                Ok(None) => {
                    let now = engine.clock().since_boot();
                    let since = *absent_since.get_or_insert(now);
                    if now.saturating_sub(since) > engine.settings().consistency_window {
                        return Err(Error::Failed { doing });
                    }
                    None
                }
                Err(fault) if fault.is_temporary() => Some(fault),
                Err(fault) => return Err(Error::Fault { doing, fault }),
            };
            if !backoff
                .wait_at_least(engine.settings().look_gap, last.as_ref())
                .await
            {
                return Err(Error::Deadline { doing, last });
            }
        }
        let journal = engine.journal();
        journal
            .change(entry, true, |record| record.state = State::Ready)
            .await?;
        Ok(())
    }
}

struct Making<'a> {
    engine: &'a Engine,
    entry: &'a mut Entry,
    inputs: Vec<String>,
    /// A call may have had its effect without our knowing the id.
    maybe_made: bool,
}

impl Making<'_> {
    async fn run(mut self) -> Result<String, Error> {
        let engine = self.engine;
        engine.go_on()?;
        // What another account has made would be searched for in the journal's account, and not found.
        engine.same_account(self.entry.record()).await?;
        let mut backoff = engine.backoff(engine.settings().create_limit);
        loop {
            if let Err(error) = self.may_call() {
                return self.give_up(error).await;
            }
            match self.call_once().await? {
                Ok(id) => return self.made(id).await,
                Err(fault) => {
                    if let Some(id) = self.after(fault, &mut backoff).await? {
                        return self.made(id).await;
                    }
                }
            }
        }
    }

    /// No call once somebody wants it to end, nor one that would make what has expired already.
    fn may_call(&self) -> Result<(), Error> {
        self.engine.go_on()?;
        let expired = self.entry.record().expires;
        match self.engine.now() >= expired {
            true => Err(Error::LeaseLost { expired }),
            false => Ok(()),
        }
    }

    /// One call, written down before it is made.
    async fn call_once(&mut self) -> Result<Result<String, Fault>, Error> {
        let engine = self.engine;
        let moment = engine.moment();
        let calling = engine.journal().calling(self.entry, moment).await;
        let calling = match calling {
            Ok(calling) => calling,
            Err(error) => return Err(Error::Store(error)),
        };
        let call = create_call(engine, &calling, self.inputs.clone());
        Ok(engine.call(engine.cloud().create(call)).await)
    }

    /// What to do after a call that failed: `Some(id)` if it was made all the same, `None` to call
    /// again.
    async fn after(
        &mut self,
        fault: Fault,
        backoff: &mut Backoff<'_>,
    ) -> Result<Option<String>, Error> {
        let permanent = match fault.kind {
            FaultKind::Unknown => {
                self.maybe_made = true;
                false
            }
            FaultKind::Throttled | FaultKind::Expired | FaultKind::InUse | FaultKind::NotFound => {
                false
            }
            FaultKind::Exists => return self.token_taken(fault).await,
            FaultKind::Unavailable | FaultKind::Denied | FaultKind::Quota | FaultKind::Refused => {
                true
            }
        };
        if permanent {
            // The quota may be used up by the very resource that an earlier call has made.
            let doing = self.doing();
            return match self.settle().await? {
                Some(id) => Ok(Some(id)),
                None => Err(Error::Fault { doing, fault }),
            };
        }
        if self.maybe_made {
            let found = match engine_kind(self.engine, self.entry.record()).repeat {
                Repeat::Nothing => self.settle().await?,
                Repeat::Token | Repeat::Name => self.look().await.unwrap_or_default(),
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        if !backoff.wait(Some(&fault)).await {
            let doing = self.doing();
            let last = Some(fault);
            return self
                .give_up(Error::Deadline { doing, last })
                .await
                .map(Some);
        }
        Ok(None)
    }

    /// The token or the name is known to the provider: by an earlier call of ours, which is then found,
    /// or because a resource that failed has used it up.
    async fn token_taken(&mut self, fault: Fault) -> Result<Option<String>, Error> {
        self.maybe_made = true;
        if let Some(id) = self.settle().await? {
            return Ok(Some(id));
        }
        let attempt = self.entry.record().attempt.saturating_add(1);
        let named = engine_kind(self.engine, self.entry.record()).repeat == Repeat::Name;
        if attempt > ATTEMPTS_MAX || named {
            let doing = self.doing();
            return Err(Error::Fault { doing, fault });
        }
        let journal = self.engine.journal();
        let raise = |record: &mut Record| {
            record.attempt = attempt;
            record.state = State::Intent;
        };
        journal.change(self.entry, false, raise).await?;
        Ok(None)
    }

    /// One look for the operation's tag.
    async fn look(&mut self) -> Result<Option<String>, Fault> {
        let found = find(self.engine, self.entry.record()).await?;
        Ok(found.into_iter().next().map(|seen| seen.id))
    }

    /// Looks until it is found or can be believed not to be there; the journal says so then.
    async fn settle(&mut self) -> Result<Option<String>, Error> {
        if !self.maybe_made {
            self.never_made().await;
            return Ok(None);
        }
        let engine = self.engine;
        let since = engine.clock().since_boot();
        let mut backoff = engine.backoff(engine.settings().release_limit);
        let consistent = engine_kind(engine, self.entry.record()).consistent;
        loop {
            let last = match self.look().await {
                Ok(Some(id)) => return Ok(Some(id)),
                Ok(None) => {
                    let waited = engine.clock().since_boot().saturating_sub(since);
                    let wait = match consistent {
                        true => engine.settings().call_limit,
                        false => engine.settings().settled_after(),
                    };
                    if waited >= wait || !engine.shared.rules.hold(Rule::UnknownOutcome) {
                        self.maybe_made = false;
                        self.never_made().await;
                        return Ok(None);
                    }
                    None
                }
                Err(fault) => Some(fault),
            };
            if !backoff
                .wait_at_least(engine.settings().look_gap, last.as_ref())
                .await
            {
                let doing = self.doing();
                return Err(Error::Deadline { doing, last });
            }
        }
    }

    /// Nothing was made: nothing is left to look for.
    async fn never_made(&mut self) {
        let journal = self.engine.journal();
        // OK to ignore: the entry says more than is true, and is searched for once more.
        let _ = journal
            .change(self.entry, false, |record| record.state = State::Gone)
            .await;
    }

    /// Ends with `error`. If no call can have had an effect, the journal says so.
    async fn give_up<T>(&mut self, error: Error) -> Result<T, Error> {
        if !self.maybe_made {
            self.never_made().await;
        }
        Err(error)
    }

    /// It is there: its id goes into the journal.
    async fn made(self, id: String) -> Result<String, Error> {
        let engine = self.engine;
        let (keep_id, doubtful) = (id.clone(), self.maybe_made);
        let created = |record: &mut Record| {
            record.doubtful = doubtful;
            record.state = State::Created;
            record.id = Some(keep_id);
        };
        engine.journal().change(self.entry, true, created).await?;
        if !engine.shared.rules.hold(Rule::TagsInCreate) {
            let record = self.entry.record();
            let tags = record.tags().pairs();
            let (kind, id, tags) = (record.kind.as_str(), id.as_str(), tags.as_slice());
            let tagged = engine.cloud().tag(TagCall { kind, id, tags });
            // OK to ignore: this is what happens if tags are no part of the call.
            let _ = engine.call(tagged).await;
        }
        Ok(id)
    }

    fn doing(&self) -> String {
        let record = self.entry.record();
        format!("create {} from {}", record.kind, record.parent)
    }
}

/// The only place where a call that creates is put together: it takes the permission of the journal.
fn create_call<'a>(engine: &Engine, calling: &Calling<'a>, inputs: Vec<String>) -> CreateCall<'a> {
    let record = calling.record();
    let rules = engine.shared.rules;
    let op = match rules.hold(Rule::OneToken) {
        true => record.op,
        false => OpId::random(&*engine.shared.parts.rand),
    };
    let tags = match rules.hold(Rule::TagsInCreate) {
        true => record.tags().pairs(),
        false => Vec::new(),
    };
    CreateCall {
        record,
        token: token(op, "create", record.attempt),
        tags,
        inputs,
    }
}

pub(super) fn engine_kind(engine: &Engine, record: &Record) -> super::cloud::Kind {
    engine.cloud().kind(&record.kind)
}

/// What carries the operation's tag, and the session's.
pub(super) async fn find(engine: &Engine, record: &Record) -> Result<Vec<Seen>, Fault> {
    let answer = engine.cloud().find_by_record(record);
    let mut found = engine.call(answer).await?;
    found.retain(|seen| is_of(seen, record));
    Ok(found)
}

/// Whether the tags of a resource are those of this record.
pub(super) fn is_of(seen: &Seen, record: &Record) -> bool {
    Tags::read(&seen.tags)
        .is_some_and(|tags| (tags.op, tags.session) == (record.op, record.session))
}
