//! Amazon Web Services: EBS snapshots read where they lie, volumes made from them where that is asked
//! for, and the inventory of EC2.
//!
//! | module | |
//! |---|---|
//! | [`client`] | signed calls |
//! | `credentials`, `http_adapter` | as whom |
//! | `endpoint` | where |
//! | `sign`, `skew` | signatures, and the time to sign with |
//! | [`fault`] | what AWS says when it refuses, sorted by its effect |
//! | `text` | encoding, and messages without secrets |
//! | [`ec2`] | what EC2 is asked, and its answers |
//! | [`lightsail`] | points of Lightsail, through an export |

pub mod client;
mod credentials;
pub mod ec2;
mod endpoint;
pub mod fault;
mod http_adapter;
pub mod lightsail;
mod sign;
mod skew;
mod text;
mod transport;

pub use client::{Client, ClientSettings};
