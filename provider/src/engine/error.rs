//! Why a session cannot have what it asked for.

use super::fault::{Fault, FaultKind};
use super::store::StoreError;
use super::time::UnixTime;
use std::fmt;

/// Why a step failed. What it may have made is in the journal, and goes when the session is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The journal cannot be written, so no call was made.
    Store(StoreError),
    /// The provider refused.
    Fault {
        /// What was done, on what: `create ebs-volume from snap-1`.
        doing: String,
        /// What it said.
        fault: Fault,
    },
    /// It did not come about in time.
    Deadline {
        /// What was done, on what.
        doing: String,
        /// What the provider said last.
        last: Option<Fault>,
    },
    /// The credentials are those of another account than before.
    Account {
        /// The session's.
        expected: String,
        /// Theirs.
        found: String,
    },
    /// The session expired before it was renewed: others may delete what it has made.
    LeaseLost {
        /// When.
        expired: UnixTime,
    },
    /// The provider gave up making it.
    Failed {
        /// What was done, on what.
        doing: String,
    },
    /// A signal came.
    Interrupted,
    /// The session has no such operation, or it is in no state for this.
    Misuse(&'static str),
}

impl Error {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Deadline { .. } => true,
            Self::Fault { fault, .. } => {
                fault.is_temporary() || matches!(fault.kind, FaultKind::Quota)
            }
            Self::Store(_)
            | Self::Account { .. }
            | Self::LeaseLost { .. }
            | Self::Failed { .. }
            | Self::Interrupted
            | Self::Misuse(_) => false,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Fault { doing, fault } => write!(f, "cannot {doing}: {fault}"),
            Self::Deadline { doing, last: None } => write!(f, "cannot {doing} in time"),
            Self::Deadline {
                doing,
                last: Some(fault),
            } => write!(f, "cannot {doing} in time: {fault}"),
            Self::Account { expected, found } => write!(
                f,
                "the credentials are of account {found}, and were of {expected}"
            ),
            Self::LeaseLost { expired } => write!(f, "the session expired at {expired}"),
            Self::Failed { doing } => write!(f, "cannot {doing}: the provider gave up"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Misuse(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}
