//! An opened point in time: its volumes, the guest's own view of them, paths, walking, copying out.

pub mod address;
pub mod error;
pub mod listing;
pub mod shown;
pub mod view;
pub mod walk;

pub use error::{Error, Result};
pub use listing::{Listing, ListingEntry};
pub use view::{Resolved, View, ViewNode};
