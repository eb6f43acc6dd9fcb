//! Where bytes come from: regular files, block devices, servers, and snapshots in clouds.
//!
//! A source is opened once, read-only, and must stay as it was: [`FileSource`] refuses what somebody
//! else may write to ([`Error::Busy`]), and notices a file that changes all the same. Whoever wants to
//! read it nevertheless says so with [`OpenOptions::live`].
//!
//! | module | |
//! |---|---|
//! | [`mod@file`] | opening, reading, the map of holes |
//! | `watch` | has the file changed since it was opened? |
//! | `device` | what stands on a block device: partitions, holders, loop devices |
//! | `mounted` | who has it mounted, or swaps on it |
//! | `locks` | virtual machines that run on it |
//! | [`error`] | why it cannot be opened, and what to try next |
//! | [`fault`] | how a call over a network fails |
//! | [`remote`] | chunks from the other side of a network as a byte source |
//! | [`point`] | points in time, and what a provider that has them offers |
//! | [`aws`], [`ecs`], [`ontap`], [`http`], [`nbd`], [`object`] | where they are from |
//! | [`account`] | what clients of clouds have in common |
//! | `attached`, `temporary` | volumes that are made for reading, and their devices |
//! | `grouped` | snapshots of several disks as one point |
//! | [`config`] | `config.toml` |
//! | [`secret`] | passwords, and where users keep them |
//! | [`interruptible`] | reads that end with a signal |
//! | [`clouds`] | the providers that make something temporary |
//! | [`engine`] | temporary resources of providers, and their end |
//! | [`held`] | a session of it that is kept open |

pub mod account;
mod attached;
pub mod aws;
pub mod clouds;
pub mod config;
mod device;
pub mod ecs;
pub mod engine;
pub mod error;
pub mod fault;
pub mod file;
mod grouped;
pub mod held;
pub mod http;
pub mod interruptible;
mod locks;
mod mounted;
pub mod nbd;
pub mod object;
pub mod ontap;
pub mod point;
pub mod remote;
pub mod secret;
pub mod spent;
mod temporary;
mod watch;

pub use error::{Error, Result};
pub use fault::{Fault, FaultKind};
pub use file::{FileSource, OpenOptions};
pub use secret::Secret;
pub use watch::ImageChanged;
