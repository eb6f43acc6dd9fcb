//! Where bytes come from: regular files and block devices.
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
//! | [`clouds`] | the providers that make something temporary |
//! | [`engine`] | temporary resources of providers, and their end |

pub mod clouds;
mod device;
pub mod engine;
pub mod error;
pub mod file;
mod locks;
mod mounted;
mod watch;

pub use error::{Error, Result};
pub use file::{FileSource, OpenOptions};
pub use watch::ImageChanged;
