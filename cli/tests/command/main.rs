//! The command as its users meet it: what it prints where, what it ends with, and what it leaves.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail, and writes the files it needs"
)]

mod clone;
mod config;
mod copy;
mod diff;
mod dump;
mod filled;
mod interrupt;
mod json;
mod mount;
mod owners;
mod place;
mod policy;
#[path = "../shared/recorded.rs"]
mod recorded;
mod restore;
mod schema;
mod session;
mod source;
mod streams;
mod terminal;
mod transcript;
mod versions;
