//! Keeps a point open for others: read-only FUSE mounts.
//!
//! [`serve`] mounts a view and answers the kernel until the mount is gone; [`unmount`] takes mounts
//! away again and waits until their images are free. [`background`] is how a command leaves the
//! process that serves behind. What is mounted is written down in a [`Registry`], so that a mount
//! whose process died is told from one that somebody else owns.

mod attributes;
pub mod background;
mod daemon;
mod directory;
mod errno;
pub mod error;
mod filesystem;
mod fusermount;
mod holders;
mod inode;
mod mount;
mod mounted;
pub mod mountinfo;
mod options;
mod overlap;
mod owner_table;
mod owners;
mod process;
mod read;
mod registry;
mod reports;
mod umount;
mod xattr;

pub use daemon::{End, Ready, serve};
pub use error::{Error, ErrorKind, Result};
pub use options::{MountOptions, Tuning};
pub use owner_table::{BadTable, OwnerTable};
pub use process::Process;
pub use registry::{Record, Registry};
pub use umount::{Outcome, UnmountOptions, unmount, unmount_all};
