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
//! | [`snapshot`] | an EBS snapshot as a store of chunks |
//! | `ebs`, `listing`, `coverage` | calls, pages, and what is known from them |
//! | `changed` | what two snapshots have in common |
//! | [`prices`] | what calls cost |

mod changed;
pub mod client;
mod coverage;
mod credentials;
mod ebs;
mod endpoint;
pub mod fault;
mod http_adapter;
mod listing;
pub mod prices;
mod sign;
mod skew;
pub mod snapshot;
mod text;
mod transport;

pub use client::{Client, ClientSettings};
pub use snapshot::{EbsSnapshot, SnapshotOptions};
