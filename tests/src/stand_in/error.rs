//! Errors of services, and who calls them.

use super::http::Answer;

/// An error of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// Status of the answer.
    pub status: u16,
    /// Such as `InternalError`.
    pub code: String,
    /// What it says to people.
    pub message: String,
    /// More than the code, where a service has it.
    pub reason: Option<String>,
}

/// What an operation comes to.
pub type Result<T = Answer> = std::result::Result<T, ServiceError>;

/// An error with a status.
pub fn error(status: u16, code: &str, message: impl Into<String>) -> ServiceError {
    ServiceError {
        status,
        code: code.to_owned(),
        message: message.into(),
        reason: None,
    }
}

/// What the caller did wrong.
pub fn bad(code: &str, message: impl Into<String>) -> ServiceError {
    error(400, code, message)
}

impl ServiceError {
    /// With a reason.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }
}

/// A caller. Where nothing is signed all of it is empty.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Account.
    pub account: String,
    /// What the account's directory calls the caller.
    pub arn: String,
    /// Region that the request is for.
    pub region: String,
}
