//! What an account may do, found out without doing it.

use super::client::{Client, Params};
use super::ebs_volume::EBS_VOLUME;
use super::ec2::{self, Query};
use super::snapshot::EbsSnapshot;
use crate::fault::{Fault, FaultKind};
use crate::remote::retry_calls;
use serde::Deserialize;

/// What a call was tried for, and what it came to.
pub type Look = (&'static str, Result<String, Fault>);

/// The code of a call that would have succeeded.
const WOULD_SUCCEED: &str = "DryRunOperation";

#[derive(Debug, Deserialize)]
struct Nothing {}

/// Tries what commands need: listing snapshots, reading one directly, and, as dry runs, making and
/// deleting volumes. Makes nothing.
pub async fn check_access(client: &Client) -> Vec<Look> {
    let query = Query::default();
    let listed = retry_calls(|| ec2::describe_snapshots(client, &query)).await;
    let newest = listed.as_ref().ok().and_then(|snapshots| {
        let complete = snapshots.iter().filter(|one| one.status == "completed");
        let standard = complete.filter(|one| one.storage_tier.as_deref() != Some("archive"));
        standard
            .max_by_key(|one| one.start_time)
            .map(|one| one.snapshot_id.clone())
    });
    let count = listed.map(|snapshots| format!("{} snapshots", snapshots.len()));
    let mut looks = vec![("points", count)];
    if let Some(id) = &newest {
        let opened = retry_calls(|| EbsSnapshot::open(client, id)).await;
        looks.push((
            "direct reading",
            opened.map(|_| format!("{id} can be read")),
        ));
        looks.push(("temporary volumes", would_create(client, id).await));
    }
    looks
}

/// Whether a volume of a snapshot could be made.
async fn would_create(client: &Client, snapshot: &str) -> Result<String, Fault> {
    let params: Params = [
        ("DryRun", "true"),
        ("SnapshotId", snapshot),
        ("AvailabilityZone", &format!("{}a", client.region())),
        ("VolumeType", "gp3"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    match client.ec2::<Nothing>("CreateVolume", params).await {
        Err(fault) if fault.is(WOULD_SUCCEED) => Ok(format!("an {EBS_VOLUME} could be made")),
        Err(fault) => Err(fault),
        Ok(Nothing {}) => Err(Fault::new(
            FaultKind::Refused,
            "expected a dry run, found a volume made: look for it with the provider's own tools",
        )),
    }
}
