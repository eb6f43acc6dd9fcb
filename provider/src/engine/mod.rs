//! The clone engine: whatever creates something temporary, creates it through this, and it is deleted
//! again, also after a crash.
//!
//! ```text
//!            commit         commit              commit        commit            commit
//!  plan ──► INTENT ──► CREATING ──► create ──► CREATED ──► READY ──► RELEASING ──► delete ──► seen gone ──► GONE
//!                          ▲           │ no answer: look for the tag,                 │
//!                          └───────────┘ then the same call, the same token           └ detach, again, look
//! ```
//!
//! Nine rules, each of which the simulator sees broken within seconds:
//!
//! 1. An entry is durable before the first call. Only a committed entry gives out the type that the
//!    call takes.
//! 2. A token belongs to one operation; it changes only after a failure that is known to have made nothing.
//! 3. Tags are part of the call that creates.
//! 4. After an unknown outcome the tag is searched for; "not found" is believed only when reads cannot lag
//!    behind any more.
//! 5. A delete is repeated until the resource is seen gone; nothing that was said on the way counts.
//! 6. The account is checked before each delete, and before "gone" is said.
//! 7. By tags alone, only what has expired, is free, and was marked earlier is deleted.
//! 8. Only a dead owner's session is adopted: process number, start time, boot and PID namespace.
//! 9. Where the path of writes can be asked, "gone" is believed earlier: of what was shown, has one id, was
//!    deleted by this process and not found twice, once that path denies it.
//!
//! | module | |
//! |---|---|
//! | [`cloud`], [`fault`] | what a provider implements, and how its calls fail |
//! | [`store`], [`record`] | the journal: in SQLite, or in memory for simulations |
//! | `journal` | entries as types |
//! | [`engine`], [`session`], `create`, `attach`, `release`, [`apart`] | making and deleting |
//! | [`recover`], `reap` | what was left behind, by the journal and by tags |
//! | [`clock`], [`owner`] | time, chance, processes |
//! | `named` | tags as a name |
//! | [`duty`] | what was changed for good, and who has to see to it |
//! | [`nowhere`] | a provider that cannot be reached |
//!
//! It needs no runtime: every wait is one of [`Clock::sleep`]. It runs under [`block_on`], under tokio
//! with a clock of tokio's, and under the simulator's clock, which no two runs see differently.

pub use crate::fault;

pub mod apart;
mod attach;
pub mod clock;
pub mod cloud;
mod create;
pub mod duty;
#[expect(clippy::module_inception, reason = "the engine of the clone engine")]
pub mod engine;
pub mod error;
pub mod id;
mod journal;
pub(crate) mod named;
pub mod nowhere;
pub mod outcome;
pub mod owner;
mod reap;
pub mod record;
pub mod recover;
mod release;
mod rules;
pub mod session;
pub mod settings;
pub mod store;
pub mod tags;
pub mod time;

pub use apart::Apart;
pub use clock::{Clock, Rand, SystemClock, SystemRand, block_on};
pub use cloud::{
    Answer, AttachCall, Attachment, BoxFuture, Cloud, CreateCall, DeleteCall, Identity, Kind,
    Phase, Repeat, Seen, TagCall,
};
pub use duty::{Duty, DutyState, Owed};
pub use engine::{Engine, Parts};
pub use error::Error;
pub use fault::{Fault, FaultKind};
pub use id::{OpId, SessionId};
pub use nowhere::Nowhere;
pub use outcome::{Cleanup, Item, Why};
pub use owner::{Liveness, Owner, Processes, SystemProcesses};
pub use record::{Record, Scope, SessionRecord, State};
pub use recover::GcOptions;
#[doc(hidden)]
pub use rules::{Rule, Rules};
pub use session::{Plan, Session};
pub use settings::Settings;
pub use store::memory::MemoryStore;
pub use store::sqlite::{SqliteStore, state_dir};
pub use store::{Store, StoreError, StoreErrorKind};
pub use tags::Tags;
pub use time::UnixTime;
