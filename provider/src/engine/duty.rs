//! Duties: what our making has changed at the provider for good, and what somebody has to see to.
//!
//! The one case so far: a snapshot that a backup service manages leaves that service's care when a disk is made
//! of it. It will never expire, and it costs for as long as it is there. It is not ours, so it is never
//! deleted here; it is remembered, told by `flr gc`, and forgotten when the provider says that it is
//! gone.

use super::cloud::Cloud;
use super::engine::Engine;
use super::error::Error;
use super::id::{OpId, SessionId};
use super::record::{Scope, State};
use super::session::Session;
use super::time::UnixTime;

/// What is owed for one resource of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Where it is.
    pub scope: Scope,
    /// What it is: `snapshot`.
    pub kind: String,
    /// The provider's id. One resource has one duty, however often it is recorded.
    pub id: String,
    /// How the account is reached, as in [`Record::parameters`](super::Record::parameters).
    pub parameters: String,
    /// What was changed, in words.
    pub what: String,
    /// What to do once it is due, as a command.
    pub settle: String,
    /// From when on it may be done; what is still promised to somebody is not touched before.
    pub due: Option<UnixTime>,
    /// The session that brought it about.
    pub session: SessionId,
    /// The operation that did.
    pub op: OpId,
    /// When it was recorded.
    pub created: UnixTime,
}

/// A duty, as the provider words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// As [`Duty::kind`].
    pub kind: String,
    /// As [`Duty::id`].
    pub id: String,
    /// As [`Duty::what`].
    pub what: String,
    /// As [`Duty::settle`].
    pub settle: String,
    /// As [`Duty::due`].
    pub due: Option<UnixTime>,
}

/// What came of looking after a duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DutyState {
    /// The provider says that there is nothing to do any more; it is forgotten.
    Settled,
    /// There is, but not yet.
    Owed,
    /// There is, now.
    Due,
    /// It could not be looked at, and why.
    Unknown(String),
}

impl Session {
    /// Writes a duty down, durably, before a prepared operation brings it about. `None`: there is one for
    /// this resource already, which stands; what the provider says now of its time is taken over.
    ///
    /// # Errors
    /// The journal's, or the session has no such operation.
    pub async fn owe(&self, op: OpId, owed: Owed) -> Result<Option<Duty>, Error> {
        let record = self.record(op);
        let record = record.ok_or(Error::Misuse("the session has no such operation"))?;
        let duty = Duty {
            scope: record.scope.clone(),
            kind: owed.kind,
            id: owed.id,
            parameters: record.parameters.clone(),
            what: owed.what,
            settle: owed.settle,
            due: owed.due,
            session: record.session,
            op,
            created: self.engine.now(),
        };
        let store = self.engine.store();
        let known = store.duties().await?;
        let known = known.iter().any(|known| known.is_of_same(&duty));
        // Once it has left the care of a service, that may say nothing of its time any more.
        if !known || duty.due.is_some() {
            store.put_duty(&duty).await?;
        }
        Ok((!known).then_some(duty))
    }

    /// Whether an operation is over and nothing came of it, as the provider has said.
    #[must_use]
    pub fn is_known_not_made(&self, op: OpId) -> bool {
        let record = self.record(op);
        record.is_some_and(|record| record.state == State::Gone && record.id.is_none())
    }

    /// Takes a duty back that was not brought about after all.
    ///
    /// # Errors
    /// The journal's.
    pub async fn withdraw(&self, duty: &Duty) -> Result<(), Error> {
        self.engine.forget_duty(duty).await
    }
}

impl Duty {
    /// Whether it is about the same resource.
    fn is_of_same(&self, other: &Self) -> bool {
        (&self.scope, &self.kind, &self.id) == (&other.scope, &other.kind, &other.id)
    }
}

impl Engine {
    /// Takes a duty back that was not brought about after all.
    ///
    /// # Errors
    /// The journal's.
    pub async fn forget_duty(&self, duty: &Duty) -> Result<(), Error> {
        Ok(self.store().remove_duty(duty).await?)
    }

    /// Looks after the duties of this account and region: those that are settled are forgotten. With
    /// `dry_run` they are only told.
    ///
    /// # Errors
    /// The journal's. What the provider says is the state of each.
    pub async fn look_after_duties(&self, dry_run: bool) -> Result<Vec<(Duty, DutyState)>, Error> {
        let mut told = Vec::new();
        for duty in self.store().duties().await? {
            let (cloud, scope) = (self.cloud(), &duty.scope);
            let here = (cloud.provider(), cloud.region()) == (&*scope.provider, &*scope.region);
            if !here || !cloud.reaches_duty(&duty) {
                continue;
            }
            let state = match self.is_settled(cloud, &duty).await {
                Ok(true) => DutyState::Settled,
                Ok(false) if duty.due.is_some_and(|due| due > self.now()) => DutyState::Owed,
                Ok(false) => DutyState::Due,
                Err(why) => DutyState::Unknown(why),
            };
            if state == DutyState::Settled && !dry_run {
                self.store().remove_duty(&duty).await?;
            }
            told.push((duty, state));
        }
        Ok(told)
    }

    /// Asked with the credentials of another account, every provider says that it is not there.
    async fn is_settled(&self, cloud: &dyn Cloud, duty: &Duty) -> Result<bool, String> {
        let identity = self.identity().await.map_err(|error| error.to_string())?;
        if identity.account != duty.scope.account {
            let (theirs, ours) = (&duty.scope.account, &identity.account);
            return Err(format!(
                "it is in account {theirs}, and the credentials are of {ours}"
            ));
        }
        let settled = self.call(cloud.is_settled(duty)).await;
        settled.map_err(|fault| fault.to_string())
    }
}
