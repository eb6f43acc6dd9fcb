//! An opened point in time: its volumes, the guest's own view of them, paths, walking, copying out.

pub mod copy;
pub mod error;
pub mod listing;
pub mod nearest;
pub mod shown;
#[cfg(test)]
mod testing;
pub mod view;
pub mod walk;

pub use error::{Error, Result};
pub use listing::{Listing, ListingEntry};
pub use view::{Resolved, View, ViewNode};
