//! A simulator for the clone engine: many lives of several hosts in a second, each from a seed.
//!
//! The engine runs as it is, with a clock, a provider, a journal's disk and processes that are all made
//! up (`host.rs`, `cloud.rs`, `account.rs`). Everything that can go wrong does (`faults.rs`), and at any
//! await a process may be killed (`executor.rs`). Afterwards the world is healed, whoever is left cleans up,
//! and the following must hold (`run.rs`):
//!
//! | | |
//! |---|---|
//! | I1 | nothing that we made remains, and what was said to be gone was |
//! | I2 | nothing of others was deleted, nor anything of an owner who lives |
//! | I3 | an operation has at most one resource at a time, where the provider can promise that |
//! | I4 | a resource is younger than its journal entry |
//! | I5 | cleaning up twice is cleaning up once |
//! | I6 | everything ends, in bounded time |
//! | I7 | the same seed gives the same run |

mod account;
mod cloud;
mod decoy;
mod executor;
mod faults;
mod host;
mod process;
mod rng;
mod run;
mod world;

use flr_provider::engine::Rule;

pub use run::{Options, Report, run};

/// Every rule that can be broken, to see that it is noticed.
pub const RULES: &[Rule] = &[
    Rule::WriteAhead,
    Rule::OneToken,
    Rule::TagsInCreate,
    Rule::UnknownOutcome,
    Rule::SeenGone,
    Rule::Denied,
    Rule::Account,
    Rule::Reaper,
    Rule::Fencing,
];
