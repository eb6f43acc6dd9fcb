//! How a call to a provider fails, sorted by what is known about its effect.

use std::fmt;
use std::time::Duration;

/// What is known of a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It may or may not have had its effect: no answer, an answer cut short, a 5xx.
    Unknown,
    /// Too many calls; no effect. Sorted by the code, not by the status: EBS says it with 400.
    Throttled,
    /// The credentials have run out; no effect. The next call brings fresh ones.
    Expired,
    /// The provider cannot be reached by this program at all.
    Unavailable,
    /// Not allowed; no effect.
    Denied,
    /// A quota is used up; no effect of this call.
    Quota,
    /// The token or the name is taken, by a resource with other parameters or by the same call.
    Exists,
    /// There is nothing of this id.
    NotFound,
    /// Not in this state: in use, still being made, still being detached. No effect; try again.
    InUse,
    /// Wrong for ever: no effect, and the same call fails again.
    Refused,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is known of its effect.
    pub kind: FaultKind,
    /// What the provider said, without secrets.
    pub message: String,
    /// The provider's own name for it: `InvalidVolume.NotFound`.
    pub code: Option<String>,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            retry_after: None,
        }
    }

    /// The same under the provider's own name.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Whether the provider calls it so.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self.kind {
            FaultKind::Unknown
            | FaultKind::Throttled
            | FaultKind::Expired
            | FaultKind::NotFound
            | FaultKind::InUse => true,
            FaultKind::Unavailable
            | FaultKind::Denied
            | FaultKind::Quota
            | FaultKind::Exists
            | FaultKind::Refused => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
