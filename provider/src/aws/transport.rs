//! What the client needs of HTTP.

pub(super) use crate::http::client;
pub(super) use crate::http::fault::{date, from_error, reasons, retry_after};
