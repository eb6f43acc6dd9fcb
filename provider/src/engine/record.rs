//! What the journal holds: sessions, and one record for each resource.

use super::id::{OpId, SessionId};
use super::owner::Owner;
use super::tags::Tags;
use super::time::UnixTime;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A session, as written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// The process that may change it and what belongs to it; everybody else's changes are refused.
    pub owner: Owner,
    /// What it is for, as the user wrote it; no secrets.
    pub purpose: String,
    /// When it was begun.
    pub created: UnixTime,
    /// Until when its owner has promised to be done, or to have said so again.
    pub expires: UnixTime,
    /// Its resources stay until it expires, although its owner has ended.
    pub keep: bool,
    /// Everything of it is gone.
    pub closed: bool,
}

/// Where a resource lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The provider's name.
    pub provider: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.provider, self.account, self.region)
    }
}

/// How far a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is to be made; no call was begun.
    Intent,
    /// A call that makes it may have been sent.
    Creating,
    /// It was made and has an id.
    Created,
    /// It was seen ready.
    Ready,
    /// It is to be deleted; a call may have been sent.
    Releasing,
    /// It was seen gone, or is known never to have been.
    Gone,
}

/// Each state and its name in the journal.
const STATES: &[(State, &str)] = &[
    (State::Intent, "intent"),
    (State::Creating, "creating"),
    (State::Created, "created"),
    (State::Ready, "ready"),
    (State::Releasing, "releasing"),
    (State::Gone, "gone"),
];

impl State {
    /// Its name in the journal.
    #[must_use]
    pub fn name(self) -> &'static str {
        let known = STATES.iter().find(|(state, _)| *state == self);
        known.map_or("", |(_, name)| name)
    }
}

/// No state is called this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadState;

impl FromStr for State {
    type Err = BadState;

    fn from_str(text: &str) -> Result<Self, BadState> {
        let known = STATES.iter().find(|(_, name)| *name == text);
        known.map(|(state, _)| *state).ok_or(BadState)
    }
}

/// A moment that other processes of the same boot can measure from, whatever happens to the time of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which boot.
    pub boot: String,
    /// How long after its start; whole milliseconds.
    pub since_boot: Duration,
}

/// A resource, as written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The operation.
    pub op: OpId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// Place in the session: what was made first is deleted last.
    pub sequence: u32,
    /// Where it lives.
    pub scope: Scope,
    /// The provider's word for what it is: `ebs-volume`.
    pub kind: String,
    /// What it is made from: a snapshot.
    pub parent: String,
    /// Everything else that the call needs, in the provider's own form. Never a secret.
    pub parameters: String,
    /// Operations of the same session whose resources this one is made from.
    pub needs: Vec<OpId>,
    /// The tag `flr:owner`.
    pub owner_tag: String,
    /// When it was planned, by the provider's clock where it gives one.
    pub created: UnixTime,
    /// The tag `flr:expires`.
    pub expires: UnixTime,
    /// How far it is.
    pub state: State,
    /// Counted from 1; rises only after a failure that is known to have made nothing.
    pub attempt: u32,
    /// The provider's id.
    pub id: Option<String>,
    /// When the last call that makes it was begun.
    pub called: Option<Moment>,
    /// An earlier call without an answer may have its effect after the one that was answered.
    pub doubtful: bool,
    /// What it is, or was to be, attached to.
    pub target: Option<String>,
    /// What went wrong last.
    pub note: String,
}

impl Record {
    /// The tags of the resource.
    #[must_use]
    pub fn tags(&self) -> Tags {
        Tags {
            session: self.session,
            op: self.op,
            owner: self.owner_tag.clone(),
            created: self.created,
            expires: self.expires,
            marked: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_read_back() {
        for (state, name) in STATES {
            assert_eq!(state.name(), *name);
            assert_eq!(name.parse(), Ok(*state));
        }
        assert_eq!("lost".parse::<State>(), Err(BadState));
    }
}
