//! What an operation works with.

use super::Aws;

/// A call that is worked on.
pub(crate) type Context<'a> = crate::stand_in::Context<'a, Aws>;
