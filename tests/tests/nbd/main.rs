//! The NBD client against servers of other people (`qemu-nbd`, `nbdkit`), and against one that means ill.

mod faults;
mod harness;
mod hostile;
mod ill;
mod map;
mod read;
mod tls;
