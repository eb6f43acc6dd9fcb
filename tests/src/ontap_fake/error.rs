//! Errors as the REST interface has them: a number as text, a message, and what it is about.
//!
//! Numbers are those that the vendor's pages and clients give. Where none is known, what is returned is
//! one of the common ones (2, 3) with a message that says more.

use crate::stand_in::error::error;
use crate::stand_in::{Answer, ServiceError};
use serde_json::{Value, json};

/// The type of all bodies but data.
pub(crate) const HAL: &str = "application/hal+json";

/// No such file.
pub(crate) const ENOENT: &str = "6684674";
/// Not permitted.
pub(crate) const EACCES: &str = "6684685";
/// It is there already.
pub(crate) const EEXIST: &str = "6684689";
/// A directory, where a file is meant.
pub(crate) const EISDIR: &str = "6684693";
/// A directory that is not empty.
pub(crate) const ENOTEMPTY: &str = "6684738";
/// Nothing can be written here.
pub(crate) const EROFS: &str = "6684702";

/// An entry that is not there.
pub(crate) fn not_there(target: &str) -> ServiceError {
    error(404, "4", "entry doesn't exist").because(target)
}

/// There is one with this name.
pub(crate) fn duplicate(target: &str) -> ServiceError {
    error(409, "1", "duplicate entry").because(target)
}

/// A value that is not one of a field.
pub(crate) fn invalid(field: &str, value: &str) -> ServiceError {
    let message = format!("The value \"{value}\" is invalid for field \"{field}\"");
    error(400, "262197", message).because(field)
}

/// A field that is needed.
pub(crate) fn missing(field: &str) -> ServiceError {
    let message = format!("The field \"{field}\" is required");
    error(400, "262190", message).because(field)
}

/// A parameter or field that nobody knows.
pub(crate) fn unexpected(argument: &str) -> ServiceError {
    let message = format!("Unexpected argument \"{argument}\".");
    error(400, "262179", message).because(argument)
}

/// A field that is not for this operation.
pub(crate) fn not_settable(field: &str) -> ServiceError {
    let message = format!("Field \"{field}\" cannot be set in this operation");
    error(400, "262196", message).because(field)
}

/// Something that the interface does not do.
pub(crate) fn unsupported(message: impl Into<String>) -> ServiceError {
    error(400, "3", message)
}

/// The interface has no such path.
pub(crate) fn no_such_path() -> ServiceError {
    error(404, "3", "API not found")
}

/// The caller's role does not allow it.
pub(crate) fn denied() -> ServiceError {
    error(403, "6", "not authorized for that command")
}

/// Nobody is known by these credentials.
pub(crate) fn unknown_user() -> ServiceError {
    error(401, "6691623", "User is not authorized.")
}

/// An error as it is sent.
pub(crate) fn answer(wrong: &ServiceError) -> Answer {
    let answer = hal(wrong.status, &json!({ "error": body(wrong) }));
    match wrong.status {
        401 => answer.with("WWW-Authenticate", "Basic realm=\"Private\""),
        _ => answer,
    }
}

/// What is inside of `error`.
pub(crate) fn body(wrong: &ServiceError) -> Value {
    let mut body = json!({ "code": wrong.code, "message": wrong.message });
    if let Some(target) = &wrong.reason {
        body["target"] = json!(target);
    }
    body
}

/// A document.
pub(crate) fn hal(status: u16, document: &Value) -> Answer {
    let text = serde_json::to_string_pretty(document).expect("it is text");
    Answer::new(status, HAL, text.into_bytes())
}
