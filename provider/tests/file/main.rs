//! Files and devices that change, are in use, or are nothing to read from.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests make the files that they read, and fail by a panic"
)]

mod busy;
mod content;
mod harness;
