//! The NBD client against servers of other people (`qemu-nbd`, `nbdkit`), and against one that means ill.

#![expect(
    clippy::disallowed_methods,
    reason = "tests make the files that are served"
)]

mod chunked;
mod faults;
mod harness;
mod hostile;
mod ill;
mod map;
mod read;
mod tls;
