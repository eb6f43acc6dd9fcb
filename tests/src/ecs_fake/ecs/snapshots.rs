//! Snapshots, described.

use super::{dry_run, region};
use crate::ecs_fake::context::{Context, time};
use crate::ecs_fake::model::Snapshot;
use crate::ecs_fake::params::Params;
use crate::ecs_fake::select::{Paging, has_tags, page, write_tags};
use crate::ecs_fake::state::State;
use crate::stand_in::error::{Result, error};
use serde_json::{Value, json};
use std::cmp::Reverse;

const PAGING: Paging = Paging {
    min: 1,
    max: 100,
    is_strict: true,
};
const STATUSES: [&str; 4] = ["progressing", "accomplished", "failed", "all"];

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let region = region(&state, params)?;
    let ids = params.json_list("SnapshotIds")?;
    let is_known = |status: &str| STATUSES.contains(&status);
    if params.get("Status").is_some_and(|status| !is_known(status)) {
        let message = "The specified Status is not valid.";
        return Err(error(404, "InvalidStatus", message));
    }
    dry_run(params)?;
    let at = context.seen(&state);
    let tables = state.at(at);
    let usage = |snapshot: &Snapshot| usage(&state, snapshot, at);
    let found = tables.snapshots.values().filter(|snapshot| {
        let is = |name: &str, value: &str| {
            let wanted = params.get(name);
            wanted.is_none_or(|wanted| wanted == "all" || wanted.eq_ignore_ascii_case(value))
        };
        let disk = tables.disks.get(&snapshot.disk_id);
        let instance = disk.and_then(|disk| disk.attachment(at));
        let instance = instance.map_or("", |to| to.instance_id.as_str());
        let encrypted = snapshot.kms_key.is_some();
        snapshot.owner == context.caller.account
            && snapshot.region == region
            && snapshot.created <= at
            && ids.as_ref().is_none_or(|ids| ids.contains(&snapshot.id))
            && is("Status", snapshot.status(at))
            && is("DiskId", &snapshot.disk_id)
            && is("InstanceId", instance)
            && is("SnapshotName", &snapshot.name)
            && is("SnapshotType", &snapshot.kind)
            && is("SourceDiskType", &snapshot.disk_kind)
            && is("Category", &snapshot.category)
            && is("Usage", usage(snapshot))
            && is("SnapshotLinkId", &link(snapshot))
            && (encrypted || !params.flag("Encrypted"))
            && is_since(params, snapshot)
            && has_tags(params, &snapshot.tags)
    });
    let mut found: Vec<_> = found.cloned().collect();
    found.sort_by_key(|snapshot| (Reverse(snapshot.created), snapshot.id.clone()));
    let page = page(context, params, &mut state, &found, PAGING)?;
    Ok(page.write("Snapshots", "Snapshot", |snapshot| {
        write(&state, snapshot, at)
    }))
}

/// The chain of a disk's snapshots.
fn link(snapshot: &Snapshot) -> String {
    snapshot.disk_id.replacen("d-", "sl-", 1)
}

/// Whether it was made at or after the time that a filter names, in minutes.
fn is_since(params: &Params<'_>, snapshot: &Snapshot) -> bool {
    let names = (1..).map_while(|n| Some((n, params.get(&format!("Filter.{n}.Key"))?)));
    let mut times = names.filter(|(_, key)| *key == "CreationStartTime");
    times.all(|(n, _)| {
        let since = params.get(&format!("Filter.{n}.Value")).unwrap_or_default();
        // Both forms of a time are in the order of their text.
        let since = since.trim_end_matches('Z');
        time(snapshot.created, false)[..since.len().min(19)] >= *since
    })
}

/// What a snapshot was used for: `image`, `disk`, `image_disk` or `none`.
fn usage(state: &State, snapshot: &Snapshot, at: i64) -> &'static str {
    let mut images = state.images.values().flat_map(|image| &image.disks);
    let mut disks = state.disks.values();
    let image = images.any(|disk| disk.snapshot_id == snapshot.id);
    let disk = disks
        .any(|disk| disk.status(at).is_some() && disk.snapshot_id.as_ref() == Some(&snapshot.id));
    match (image, disk) {
        (true, true) => "image_disk",
        (true, false) => "image",
        (false, true) => "disk",
        (false, false) => "none",
    }
}

fn write(state: &State, snapshot: &Snapshot, at: i64) -> Value {
    let settings = &state.settings;
    let status = snapshot.status(at);
    let (progress, left) = match status {
        "progressing" => (
            "50%",
            ((snapshot.accomplished - at) / 1000).clamp(1, 86_400),
        ),
        "accomplished" => ("100%", 0),
        _ => ("0%", 0),
    };
    let size = match settings.numbers_swapped {
        true => json!(snapshot.gib),
        false => json!(snapshot.gib.to_string()),
    };
    let mut body = json!({
        "SnapshotId": snapshot.id,
        "SnapshotName": snapshot.name,
        "Description": snapshot.description,
        "RegionId": snapshot.region,
        "Status": status,
        "Available": snapshot.is_available(at),
        "Progress": progress,
        "RemainTime": left,
        "SourceDiskId": snapshot.disk_id,
        "SourceDiskSize": size,
        "SourceDiskType": snapshot.disk_kind,
        "SourceStorageType": "disk",
        "Encrypted": snapshot.kms_key.is_some(),
        "KMSKeyId": snapshot.kms_key.as_deref().unwrap_or_default(),
        "CreationTime": time(snapshot.created, settings.short_times),
        "LastModifiedTime": time(snapshot.created, settings.short_times),
        "SnapshotType": snapshot.kind,
        "Category": snapshot.category,
        "InstantAccess": snapshot.available_early,
        "SnapshotLinkId": link(snapshot),
        "ProductCode": "",
        "ResourceGroupId": "",
        "Usage": usage(state, snapshot, at),
        "Tags": write_tags(&snapshot.tags),
    });
    if let Some(days) = snapshot.retention_days {
        body["RetentionDays"] = match settings.numbers_swapped {
            true => json!(days.to_string()),
            false => json!(days),
        };
    }
    if let Some(source) = &snapshot.source_snapshot_id {
        body["SourceSnapshotId"] = json!(source);
    }
    body
}
