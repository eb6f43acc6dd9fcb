//! The journal's store: sessions and records, durable before a call returns.

pub mod memory;
mod schema;
pub mod sqlite;

use super::cloud::BoxFuture;
use super::duty::Duty;
use super::id::{OpId, SessionId};
use super::owner::Owner;
use super::record::{Record, SessionRecord};
use super::time::UnixTime;
use std::fmt;

/// Result of a call, pending.
pub type Stored<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Why the store cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The disk, or the quota, is full. Nothing was changed.
    Full,
    /// The system failed. The change may or may not be there.
    Io,
    /// The user may not use it, or others may.
    Denied,
    /// It is damaged.
    Corrupt,
    /// It was written by a later version.
    Newer,
    /// Another process has held it for too long. Nothing was changed.
    Busy,
    /// The session has another owner now, or is there no more. Nothing was changed.
    Fenced,
}

/// The store failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// Why.
    pub kind: StoreErrorKind,
    /// In words, with the file.
    pub message: String,
}

impl StoreError {
    /// An error.
    #[must_use]
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A change by somebody who is not, or no longer, the owner.
    #[must_use]
    pub fn fenced(session: SessionId) -> Self {
        let message = format!("session {session} belongs to another process now");
        Self::new(StoreErrorKind::Fenced, message)
    }

    /// What to try next.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self.kind {
            StoreErrorKind::Full => Some("make room there, then run flr gc"),
            StoreErrorKind::Denied => Some("set XDG_STATE_HOME to a folder of your own"),
            StoreErrorKind::Corrupt => Some(
                "move the file away; what it knew of is found by its tags: flr gc, once it has expired",
            ),
            StoreErrorKind::Newer => Some("use the newer flr, or another XDG_STATE_HOME"),
            StoreErrorKind::Busy => Some("try again"),
            StoreErrorKind::Io | StoreErrorKind::Fenced => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}

/// Where sessions and records are written down.
///
/// Every change is whole or not at all, and durable when the call has returned `Ok`. One that names
/// an owner is refused with [`StoreErrorKind::Fenced`] if the session has another.
pub trait Store: fmt::Debug + Send + Sync {
    /// Adds a session.
    fn begin<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()>;

    /// Changes expiry, `keep` and `closed` of a session.
    fn set_session<'a>(&'a self, session: &'a SessionRecord) -> Stored<'a, ()>;

    /// Gives the session to `to` if it still belongs to `from`; says whether it did.
    fn adopt<'a>(&'a self, session: SessionId, from: &'a Owner, to: &'a Owner) -> Stored<'a, bool>;

    /// Adds records of one session of `owner`: all of them or none.
    fn insert<'a>(&'a self, owner: &'a Owner, records: &'a [Record]) -> Stored<'a, ()>;

    /// Replaces a record of a session of `owner`.
    fn update<'a>(&'a self, owner: &'a Owner, record: &'a Record) -> Stored<'a, ()>;

    /// All sessions that are not closed, in the order of their ids.
    fn sessions(&self) -> Stored<'_, Vec<SessionRecord>>;

    /// The records of a session, in their sequence.
    fn records(&self, session: SessionId) -> Stored<'_, Vec<Record>>;

    /// One record, and the session that it belongs to.
    fn record(&self, op: OpId) -> Stored<'_, Option<(SessionRecord, Record)>>;

    /// Adds a duty, or replaces that of the same resource. It outlives every session.
    fn put_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()>;

    /// All duties, the oldest first.
    fn duties(&self) -> Stored<'_, Vec<Duty>>;

    /// Forgets the duty of this resource, if there is one.
    fn remove_duty<'a>(&'a self, duty: &'a Duty) -> Stored<'a, ()>;

    /// Removes closed sessions begun before this.
    fn forget(&self, before: UnixTime) -> Stored<'_, ()>;
}
