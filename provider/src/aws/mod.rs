//! Amazon Web Services: EBS snapshots read where they lie, volumes made from them where that is asked
//! for, and the inventory of EC2.
//!
//! | module | |
//! |---|---|
//! | [`client`] | signed calls |
//! | `credentials`, `http_adapter` | as whom |
//! | `endpoint` | where |
//! | `sign` | signatures |
//! | [`fault`] | what AWS says when it refuses, sorted by its effect |
//! | [`ec2`] | what EC2 is asked, and its answers |
//! | [`cloud`], [`ebs_volume`] | what is made in AWS, for the clone engine |
//! | [`policy`] | what of all this an account must allow |
//! | [`volume`] | a point opened through temporary volumes |
//! | [`instance`], `device`, `device_names` | this instance, and where a volume appears on it |
//! | [`snapshot`] | an EBS snapshot as a store of chunks |
//! | `ebs`, `listing`, `coverage` | calls, pages, and what is known from them |
//! | `changed` | what two snapshots have in common |
//! | [`catalog`] | points in time of what EC2 has |
//! | `meter` | a bound on what reading may cost |
//! | `access` | what an account may do |
//! | [`prices`] | what calls cost |
//! | [`lightsail`] | points of Lightsail, through an export |

mod access;
pub mod catalog;
mod changed;
pub mod client;
pub mod cloud;
mod coverage;
mod credentials;
mod device;
mod device_names;
mod ebs;
pub mod ebs_volume;
pub mod ec2;
mod endpoint;
pub mod fault;
mod http_adapter;
pub mod instance;
pub mod lightsail;
mod listing;
mod meter;
pub mod policy;
pub mod prices;
mod sign;
pub mod snapshot;
pub mod volume;

pub use access::{Look, check_access};
pub use catalog::AwsCatalog;
pub use client::{Client, ClientSettings, Keys};
pub use cloud::AwsCloud;
pub(crate) use credentials::CredentialSource;
pub use credentials::NO_CREDENTIALS;
#[cfg(test)]
pub(crate) use device::FAMILY as DEVICES;
pub use meter::OVER_COST;
pub use snapshot::{EbsSnapshot, SnapshotOptions};
pub use volume::clone_disks;
