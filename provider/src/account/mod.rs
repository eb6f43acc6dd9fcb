//! What clients of accounts in clouds have in common: where, how answers are read, whose clock counts.
//!
//! | module | |
//! |---|---|
//! | `settings` | where and as whom, by names |
//! | `place` | regions and endpoints that may be used |
//! | `text` | encoding, and messages without secrets |
//! | `clock` | the provider's clock |
//! | `answer` | bodies, bounded |
//! | `metadata` | what the machine says of itself |

pub(crate) mod answer;
pub(crate) mod clock;
pub(crate) mod metadata;
pub(crate) mod place;
mod settings;
pub(crate) mod text;

pub use settings::ClientSettings;

/// The code of the fault that there are no credentials.
pub const NO_CREDENTIALS: &str = "NoCredentials";
