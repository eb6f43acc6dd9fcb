//! Amazon Web Services: EBS snapshots read where they lie, volumes made from them where that is asked
//! for, and the inventory of EC2.
//!
//! | module | |
//! |---|---|
//! | [`client`] | signed calls |
//! | [`ec2`] | what EC2 is asked, and its answers |
//! | [`lightsail`] | points of Lightsail, through an export |

pub mod client;
pub mod ec2;
pub mod lightsail;

pub use client::{Client, ClientSettings};
