//! Groups of snapshots, described.

use super::region;
use crate::ecs_fake::context::{Context, time};
use crate::ecs_fake::model::{SnapshotGroup, Tables};
use crate::ecs_fake::params::Params;
use crate::ecs_fake::select::{Paging, has_tags, page, write_group_tags};
use crate::stand_in::error::{Result, bad};
use serde_json::{Value, json};
use std::cmp::Reverse;

const PAGING: Paging = Paging {
    min: 1,
    max: 100,
    is_strict: true,
};

fn status(tables: &Tables, group: &SnapshotGroup, at: i64) -> &'static str {
    let ids = group.snapshots.iter();
    let snapshots = ids.filter_map(|id| tables.snapshots.get(id));
    let statuses: Vec<_> = snapshots.map(|snapshot| snapshot.status(at)).collect();
    let has = |status| statuses.contains(&status);
    match (has("failed"), has("progressing")) {
        (true, _) => "failed",
        (false, true) => "progressing",
        (false, false) => "accomplished",
    }
}

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let region = region(&state, params)?;
    let (ids, statuses) = (params.list("SnapshotGroupId"), params.list("Status"));
    if ids.len() > 10 {
        let message = "The amount of specified SnapshotGroupId exceeds the limit.";
        return Err(bad("InvalidParameter.SnapshotGroupId", message));
    }
    let at = context.seen(&state);
    let tables = state.at(at).clone();
    let found = tables.groups.values().filter(|group| {
        let is = |name: &str, value: &str| params.get(name).is_none_or(|wanted| wanted == value);
        group.owner == context.caller.account
            && group.region == region
            && (ids.is_empty() || ids.contains(&group.id.as_str()))
            && (statuses.is_empty() || statuses.contains(&status(&tables, group, at)))
            && is("InstanceId", &group.instance_id)
            && is("Name", &group.name)
            && has_tags(params, &group.tags)
    });
    let mut found: Vec<_> = found.cloned().collect();
    found.sort_by_key(|group| (Reverse(group.created), group.id.clone()));
    let mut asked = params.0.to_vec();
    // It has pages by token only.
    if params.get("MaxResults").is_none() {
        asked.push(("MaxResults".to_owned(), "10".to_owned()));
    }
    let page = page(context, &Params(&asked), &mut state, &found, PAGING)?;
    let mut body = page.write("SnapshotGroups", "SnapshotGroup", |group| {
        write(&tables, group, at)
    });
    body.as_object_mut()
        .expect("an object")
        .remove("TotalCount");
    Ok(body)
}

fn write(tables: &Tables, group: &SnapshotGroup, at: i64) -> Value {
    let ids = group.snapshots.iter();
    let snapshots = ids.filter_map(|id| tables.snapshots.get(id));
    let snapshots = snapshots.map(|snapshot| {
        let is_done = snapshot.status(at) == "accomplished";
        json!({
            "SnapshotId": snapshot.id,
            "SourceDiskId": snapshot.disk_id,
            "SourceDiskType": snapshot.disk_kind,
            "Available": snapshot.is_available(at),
            "Progress": if is_done { "100%" } else { "50%" },
            "InstantAccess": false,
            "Tags": write_group_tags(&snapshot.tags),
        })
    });
    let is_late = ids_of_failed(tables, group, at) > 0;
    json!({
        "SnapshotGroupId": group.id,
        "Name": group.name,
        "Description": group.description,
        "InstanceId": group.instance_id,
        "Status": status(tables, group, at),
        "ProgressStatus": if is_late { "-" } else { "NORMAL" },
        "CreationTime": time(group.created, false),
        "Snapshots": { "Snapshot": snapshots.collect::<Vec<_>>() },
        "Tags": write_group_tags(&group.tags),
    })
}

fn ids_of_failed(tables: &Tables, group: &SnapshotGroup, at: i64) -> usize {
    let ids = group.snapshots.iter();
    let snapshots = ids.filter_map(|id| tables.snapshots.get(id));
    snapshots
        .filter(|snapshot| snapshot.status(at) == "failed")
        .count()
}
