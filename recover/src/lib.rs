//! An opened point in time: addresses, the guest view, paths, walking, copying out.

pub mod address;
pub mod shown;
