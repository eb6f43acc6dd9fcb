//! An opened point in time: its volumes, the guest's own view of them, paths, walking, copying out.

pub mod address;
pub mod archive;
pub mod check;
pub mod choose;
pub mod copy;
pub mod diff;
pub mod error;
mod folders;
pub mod fstab;
pub mod guest;
mod id_names;
pub mod listing;
pub mod origin;
pub mod point;
pub mod registry;
pub mod shown;
pub mod streams;
#[cfg(test)]
mod testing;
pub mod view;
pub mod volumes;
pub mod walk;
pub mod windows;

pub use error::{Error, Result};
pub use id_names::{GROUP, IdNames, PASSWD};
pub use listing::{Listing, ListingEntry};
pub use point::{Lost, OpenOptions, Point, Target, follow};
pub use view::{Resolved, View, ViewNode};
