//! Alibaba Cloud: snapshots of ECS, through disks that are made of them for a while.
//!
//! | module | |
//! |---|---|
//! | [`client`] | signed calls, of any service |
//! | `credentials` | as whom |
//! | `endpoint` | where |
//! | `wire`, `sign` | requests, and their signatures |
//! | [`fault`] | what is said to what is refused, sorted by its effect |
//! | `fields`, [`api`] | what ECS is asked, and its answers |
//! | [`cloud`], [`disk`] | what is made, for the clone engine |
//! | [`volume`] | a point opened through temporary disks |
//! | [`metadata`], `device` | this instance, and how a disk shows on it |
//! | [`policy`], `access` | what of all this an account must allow, and whether it does |
//! | [`prices`] | what disks cost |
//! | [`catalog`] | points in time of what ECS has |
//! | [`backup`] | points that Cloud Backup manages |
//! | [`assistant`] | snapshots that are taken when they are asked for |

mod access;
pub mod api;
pub mod assistant;
pub mod backup;
pub mod catalog;
pub mod client;
pub mod cloud;
mod credentials;
mod device;
pub mod disk;
mod endpoint;
pub mod fault;
mod fields;
pub mod metadata;
pub mod policy;
pub mod prices;
mod sign;
pub mod volume;
mod wire;

pub use crate::account::ClientSettings;
pub use access::{Look, check_access};
pub use catalog::{BeforeClone, Checked, EcsCatalog};
pub use client::{Client, Keys};
pub use cloud::{EcsCloud, is_configured};
#[cfg(test)]
pub(crate) use device::FAMILY as DEVICES;
pub use volume::clone_disks;
