//! Lightsail: points of instances and disks, read through an export to EC2.
//!
//! Lightsail has no interface for blocks, and a disk of its own can only be detached from an instance that is
//! stopped. So a snapshot is copied, the copy exported to EC2, the snapshots of EBS that come of it read
//! where they lie, and everything that was made is deleted. That takes minutes and costs storage meanwhile;
//! it is not begun without consent.
//!
//! ```text
//!  snapshot ──CopySnapshot──► copy flr_… ──ExportSnapshot──► image + snapshots ──► EBS direct
//!  (yours)                    (ours)         (record)         (ours, in EC2)
//! ```
//!
//! A manual snapshot is copied too, although it could be exported as it is. The copy has a name of
//! its own, and an export is known by nothing else than the name of what was exported: without the copy one's
//! own export could not be told from another's of the same snapshot after a lost reply.
//!
//! | module | |
//! |---|---|
//! | [`catalog`] | points, cost, opening |
//! | [`cloud`] | the same for the clone engine |
//! | `points` | snapshots as points |
//! | `export_session` | one export from end to end |
//! | `copies`, `export`, `made` | the three kinds of things that are made |
//! | `parameters` | what the journal keeps of a plan |
//! | `names` | the name of a copy, which carries its tags |
//! | `api`, `ec2` | typed calls |
//!
//! Not supported: snapshots of another region, and of databases.

mod api;
pub mod catalog;
pub mod cloud;
mod copies;
mod disks;
mod ec2;
mod export;
mod export_session;
mod made;
mod names;
mod parameters;
mod points;

pub use catalog::Lightsail;
pub use cloud::LightsailCloud;
