//! The rules that keep anything from being left behind, each of which can be switched off for one
//! purpose: to prove that the simulator notices.

/// A rule of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Rule {
    /// The journal entry is durable before the call.
    WriteAhead,
    /// One token for an operation, however often the call is repeated.
    OneToken,
    /// Tags are part of the call that creates.
    TagsInCreate,
    /// An unknown outcome is searched for until "not found" can be believed.
    UnknownOutcome,
    /// Gone is what was seen gone.
    SeenGone,
    /// Before reads have caught up, gone is only what the path of writes denies, too.
    Denied,
    /// The account is checked before a delete, and before "clean" is said.
    Account,
    /// What carries our tags is deleted only once it has expired, is marked, and is free.
    Reaper,
    /// Only a dead owner's sessions are adopted.
    Fencing,
}

/// Which rules hold: all of them, outside of the tests of the simulator.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    broken: Option<Rule>,
}

impl Rules {
    /// All rules hold.
    pub(super) const ALL: Self = Self { broken: None };

    /// All but one. For the tests of the simulator alone.
    #[doc(hidden)]
    #[must_use]
    pub const fn without(rule: Rule) -> Self {
        Self { broken: Some(rule) }
    }

    pub(super) fn hold(self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
