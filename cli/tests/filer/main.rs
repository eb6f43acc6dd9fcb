//! The command over a cluster of ONTAP, as its users meet it: LUNs and files of snapshots of a stand-in.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail, and writes the files it needs"
)]

mod clones;
mod files;
mod luns;
mod mounts;
#[path = "../command/schema.rs"]
mod schema;
mod setup;
mod stage;
