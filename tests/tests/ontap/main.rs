//! LUNs and files of snapshots of ONTAP, read through clones that leave nothing: by a process of its own, against a
//! stand-in, that is killed and lied to at every step.

#![expect(
    clippy::disallowed_methods,
    reason = "a test writes the files it needs"
)]

mod faults;
mod files;
mod kills;
mod life;
mod refused;
mod stage;
