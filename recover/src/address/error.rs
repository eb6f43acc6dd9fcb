//! What is wrong with an address, where, and what to try.

use std::borrow::Cow;
use std::fmt;

/// An address, object or point that the string rules refuse.
///
/// `Display` says what was expected and at which byte; the next thing to try is in
/// [`AddressError::hint`]. The address itself is not repeated, the caller has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    problem: Cow<'static, str>,
    position: usize,
    hint: Cow<'static, str>,
}

impl AddressError {
    /// `problem` completes "… at byte N"; both texts are lower case without a period.
    pub(super) fn new(
        problem: impl Into<Cow<'static, str>>,
        position: usize,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            problem: problem.into(),
            position,
            hint: hint.into(),
        }
    }

    /// The same error for a part that begins `by` bytes into the whole text.
    pub(super) fn shifted(self, by: usize) -> Self {
        Self {
            position: self.position.saturating_add(by),
            ..self
        }
    }

    /// Byte offset from the start of the text, 0 for the first byte; the length of the text where
    /// something is missing at its end.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// What to try instead, one line.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.problem, self.position)
    }
}

impl std::error::Error for AddressError {}
