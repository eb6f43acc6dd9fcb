//! Real mounts of a tree held in memory: what programs see, and how mounts come and go.
//!
//! As root through mount(2), as `nobody` through fusermount3. Where that cannot be had the tests say
//! so and pass; with `CI` set they fail instead.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as tests do"
)]

mod content;
mod directories;
mod harness;
mod lifecycle;
mod users;
