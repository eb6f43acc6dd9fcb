//! What an operation works with.

use super::Alibaba;
use crate::stand_in::clock::iso;

/// A call that is worked on.
pub(crate) type Context<'a> = crate::stand_in::Context<'a, Alibaba>;

/// A time in seconds, `2026-11-20T12:00:00Z`, or in minutes, `2026-11-20T12:00Z`.
pub(crate) fn time(unix_ms: i64, short: bool) -> String {
    let digits = if short { 16 } else { 19 };
    format!("{}Z", &iso(unix_ms)[..digits])
}
