//! EC2.

use super::context::Context;
use super::error::{Result, bad};

pub(crate) fn answer(context: &Context<'_>) -> Result {
    let operation = &context.call.operation;
    Err(bad(
        "InvalidAction",
        format!("The action {operation} is not valid for this web service."),
    ))
}
