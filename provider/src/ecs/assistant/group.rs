//! Groups of snapshots: taking one at one moment, and waiting for one.

use super::output::is_group_id;
use crate::account::answer::senseless;
use crate::ecs::api::{Query, SnapshotGroup, describe_snapshot_groups};
use crate::ecs::client::{Client, Params, Service};
use crate::ecs::fields::word;
use crate::fault::Fault;
use serde::Deserialize;

/// Begins a group of an instance's disks, and gives its id. With the same token it is one, however often
/// it is asked for.
pub(super) async fn create(
    client: &Client,
    instance: &str,
    excluded: &[String],
    name: Option<&str>,
    tags: &[(String, String)],
    token: &str,
) -> Result<String, Fault> {
    const ACTION: &str = "CreateSnapshotGroup";
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(deserialize_with = "word")]
        snapshot_group_id: String,
    }
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut params: Params = vec![
        pair("RegionId", client.region()),
        pair("InstanceId", instance),
        pair("ClientToken", token),
    ];
    params.extend(name.map(|name| pair("Name", name)));
    for (number, disk) in (1_u32..).zip(excluded) {
        params.push((format!("ExcludeDiskId.{number}"), disk.clone()));
    }
    for (number, (key, value)) in (1_u32..).zip(tags) {
        params.push((format!("Tag.{number}.Key"), key.clone()));
        params.push((format!("Tag.{number}.Value"), value.clone()));
    }
    let answer: Answer = client.call(Service::Ecs, ACTION, &params).await?;
    match is_group_id(&answer.snapshot_group_id) {
        true => Ok(answer.snapshot_group_id),
        false => Err(senseless(ACTION, "the id is none of a group")),
    }
}

/// A group, if it is shown.
pub(super) async fn look(client: &Client, id: &str) -> Result<Option<SnapshotGroup>, Fault> {
    let query = Query::by("SnapshotGroupId.1", id).patiently();
    let found = describe_snapshot_groups(client, &query).await?;
    Ok(found.into_iter().find(|one| one.snapshot_group_id == id))
}
