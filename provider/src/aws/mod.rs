//! Amazon Web Services: EBS snapshots read where they lie, volumes made from them where that is asked
//! for, and the inventory of EC2.
//!
//! | module | |
//! |---|---|
//! | [`client`] | signed calls |

pub mod client;

pub use client::{Client, ClientSettings};
