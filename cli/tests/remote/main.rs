//! The command over what is not of this machine, as its users meet it: snapshots of a stand-in for AWS, images
//! behind other people's servers.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail, and writes the files it needs"
)]

mod alibaba;
mod clones;
mod differences;
mod money;
mod points;
mod reading;
#[path = "../shared/recorded.rs"]
mod recorded;
mod restores;
#[path = "../command/schema.rs"]
mod schema;
mod secrets;
mod servers;
mod stage;
mod stalled;
mod versions;
