//! Cloud Backup: points that it keeps as snapshots of ECS, and what becomes of those that a disk is made of.
//!
//! A backup point is listed by Cloud Backup and read as snapshots of ECS, one for each disk. Only Cloud
//! Backup knows when it ends: `DescribeSnapshots` shows its snapshots as if they stayed for ever. And once
//! a disk is made of one, they do: Cloud Backup lets go of it. That is asked about before, and
//! remembered.
//!
//! | module | |
//! |---|---|
//! | [`answer`] | backup points, as Cloud Backup tells them |
//! | `ask` | asking for them |
//! | `known` | which snapshot belongs to which point |
//! | `list` | the points among the others of an object |
//! | `check` | before a disk is made |
//! | `duty` | what is owed after that |
//! | `signs` | by what a snapshot of Cloud Backup is known where it cannot be asked |

pub mod answer;
mod ask;
mod check;
mod duty;
mod known;
mod list;
mod signs;

pub use answer::BackupPoint;
pub(super) use ask::{Subject, look};
pub use check::CloudBackup;
pub(super) use duty::is_settled;
pub(super) use known::{known, known_by_id};
pub(super) use list::{POINT_TAG, Sources, label, mark};
