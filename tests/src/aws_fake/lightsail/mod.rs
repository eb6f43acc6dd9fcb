//! Lightsail.

use super::context::Context;
use super::error::{Result, bad};

/// What Lightsail has.
#[derive(Clone, Debug, Default)]
pub struct Lightsail {}

pub(crate) fn answer(context: &Context<'_>, _body: &[u8]) -> Result {
    Err(bad("UnknownOperationException", &context.call.operation))
}
