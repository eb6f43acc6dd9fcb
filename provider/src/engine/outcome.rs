//! What became of resources: what is gone, and what remains and why.

use super::fault::Fault;
use super::id::{OpId, SessionId};
use super::record::{Record, Scope, SessionRecord};
use super::store::StoreError;
use super::time::UnixTime;
use std::fmt;

/// A resource, to be named to people and scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it lives.
    pub scope: Scope,
    /// Its session.
    pub session: SessionId,
    /// Its operation.
    pub op: OpId,
    /// What it is.
    pub kind: String,
    /// The provider's id; `None` if none was learnt, so that it may not even exist.
    pub id: Option<String>,
}

impl Item {
    /// The resource of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            scope: record.scope.clone(),
            session: record.session,
            op: record.op,
            kind: record.kind.clone(),
            id: record.id.clone(),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, op, .. } = self;
        match &self.id {
            Some(id) => write!(f, "{kind} {id}"),
            None => write!(f, "{kind} of operation {op}"),
        }
    }
}

/// Why a resource remains, or may remain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The credentials are those of another account.
    Account {
        /// Theirs.
        found: String,
    },
    /// It is attached to something that the journal does not know of.
    Attached {
        /// To what.
        target: String,
    },
    /// Its tags are no longer ours: somebody has taken it over.
    NotOurs,
    /// The provider refused for good.
    Refused(Fault),
    /// It was not gone in time.
    Deadline(Option<Fault>),
    /// The journal cannot be read or written.
    Store(StoreError),
    /// What was made from it remains.
    Needed,
    /// This program, as it was started, cannot reach its provider.
    Unavailable,
    /// It was marked as left behind; a later run deletes it.
    Marked {
        /// When.
        since: UnixTime,
    },
    /// It was renewed meanwhile.
    Renewed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { found } => write!(f, "the credentials are of account {found}"),
            Self::Attached { target } => write!(f, "it is attached to {target}"),
            Self::NotOurs => f.write_str("its tags are no longer ours"),
            Self::Refused(fault) => write!(f, "refused: {fault}"),
            Self::Deadline(None) => f.write_str("it was not gone in time"),
            Self::Deadline(Some(fault)) => write!(f, "it was not gone in time: {fault}"),
            Self::Store(error) => error.fmt(f),
            Self::Needed => f.write_str("what was made from it remains"),
            Self::Unavailable => f.write_str("its provider cannot be reached from here"),
            Self::Marked { since } => write!(f, "marked as left behind at {since}; run it again"),
            Self::Renewed => f.write_str("it was renewed meanwhile"),
        }
    }
}

/// What became of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleanup {
    /// Seen gone, or known never to have been.
    pub gone: Vec<Item>,
    /// Kept on purpose, and until when.
    pub kept: Vec<(Item, UnixTime)>,
    /// What remains, or may remain.
    pub left: Vec<(Item, Why)>,
    /// Only looked at: what would be deleted, or marked first.
    pub planned: Vec<Item>,
    /// Sessions of processes that live.
    pub live: Vec<SessionRecord>,
}

impl Cleanup {
    /// Whether nothing remains that should be gone.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left.is_empty()
    }

    /// The exit code of a command that has done its work, if `complete`, and then cleaned up.
    #[must_use]
    pub fn exit_code(&self, complete: bool) -> u8 {
        match (self.is_clean(), complete) {
            (true, true) => 0,
            (true, false) => 3,
            (false, true) => 20,
            (false, false) => 21,
        }
    }

    /// Adds what became of others. What both tell of, because two ways lead to it, is told once.
    pub fn add(&mut self, other: Self) {
        self.left.retain(|(item, _)| !other.gone.contains(item));
        add_new(&mut self.gone, other.gone, |item| item);
        add_new(&mut self.kept, other.kept, |(item, _)| item);
        add_new(&mut self.left, other.left, |(item, _)| item);
        add_new(&mut self.planned, other.planned, |item| item);
        for session in other.live {
            if !self.live.iter().any(|known| known.id == session.id) {
                self.live.push(session);
            }
        }
    }
}

fn add_new<T>(all: &mut Vec<T>, others: Vec<T>, item: impl Fn(&T) -> &Item) {
    for other in others {
        if !all.iter().any(|known| item(known) == item(&other)) {
            all.push(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_decides_the_exit_code() {
        let mut cleanup = Cleanup::default();
        assert_eq!((cleanup.exit_code(true), cleanup.exit_code(false)), (0, 3));
        let item = Item {
            scope: Scope {
                provider: "test".into(),
                account: "1".into(),
                region: "here".into(),
            },
            session: "00000000000000000000000000000001".parse().unwrap(),
            op: "00000000000000000000000000000002".parse().unwrap(),
            kind: "volume".into(),
            id: None,
        };
        cleanup.kept.push((item.clone(), UnixTime(0)));
        assert_eq!(cleanup.exit_code(true), 0);
        cleanup.left.push((item.clone(), Why::NotOurs));
        assert_eq!(
            (cleanup.exit_code(true), cleanup.exit_code(false)),
            (20, 21)
        );
        let mut other = Cleanup::default();
        other.left.push((item.clone(), Why::Renewed));
        cleanup.add(other);
        assert_eq!(cleanup.left.len(), 1);
        let mut other = Cleanup::default();
        other.gone.push(item);
        cleanup.add(other);
        assert!(cleanup.is_clean() && cleanup.gone.len() == 1);
    }
}
