//! Cloud Backup and snapshots on request, against a stand-in for Alibaba Cloud.

mod check;
mod duties;
mod kills;
mod points;
mod snapshot;
mod stage;
