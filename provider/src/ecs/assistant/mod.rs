//! Snapshots of an instance's disks that are taken when they are asked for.
//!
//! By itself ECS takes the disks at one moment, as after a loss of power. Applications and filesystems hold
//! still for it with the help of a plug-in that Cloud Assistant runs inside of the instance; what that
//! has come to is said by the tags of the snapshots, and by nothing else. These snapshots are the
//! user's: they carry no tags of sessions, and nothing of flr ever deletes them.
//!
//! | module | |
//! |---|---|
//! | [`command`] | the command line of the plug-in, safe to be run by a shell |
//! | [`exit_code`] | how the plug-in ends |
//! | `output` | what it says |
//! | `invocation` | running a command, and how that goes |
//! | `role` | the role of an instance |
//! | `group` | taking a group without the plug-in, and waiting for one |
//! | `take` | all of it |

pub mod command;
pub mod exit_code;
mod group;
mod invocation;
mod output;
mod role;
mod take;

pub(super) use take::take;
