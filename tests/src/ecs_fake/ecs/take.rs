//! Snapshots, taken of disks and copied.

use super::tokens::{made_before, remember};
use super::{forbidden, need_disk, need_instance, region};
use crate::ecs_fake::context::Context;
use crate::ecs_fake::error::missing;
use crate::ecs_fake::model::{Disk, Snapshot, SnapshotGroup, Tags};
use crate::ecs_fake::params::Params;
use crate::ecs_fake::state::State;
use crate::stand_in::Blocks;
use crate::stand_in::clock::ms;
use crate::stand_in::error::{Result, bad, error};
use serde_json::{Value, json};

const DISKS_MAX: usize = 128;

/// What a disk holds.
fn blocks(disk: &Disk) -> Blocks {
    let empty = || Blocks::from_fn(0, |_| None);
    disk.blocks.clone().unwrap_or_else(empty)
}

/// Whether a snapshot can be taken of a disk.
fn check(state: &State, disk: &Disk, now: i64) -> Result<()> {
    if !state.settings.snapshot_service {
        let message = "Snapshot service has not been opened yet.";
        let code = "InvalidAccountStatus.SnapshotServiceUnavailable";
        return Err(forbidden(code, message));
    }
    if !["In_use", "Available"].contains(&disk.status(now).unwrap_or_default()) {
        let message = "The current disk status does not support this operation.";
        return Err(forbidden("IncorrectDiskStatus.Invalid", message));
    }
    if disk.attached_to.is_none() {
        let message = "The specified disk has never been attached to any instance.";
        return Err(forbidden("IncorrectDiskStatus.NeverAttached", message));
    }
    let of_disk = |snapshot: &&Snapshot| snapshot.disk_id == disk.id;
    let snapshots: Vec<_> = state.snapshots.values().filter(of_disk).collect();
    if snapshots.iter().any(|one| one.status(now) == "progressing") {
        let message = "A previous snapshot creation is in process.";
        return Err(forbidden("IncorrectDiskStatus.CreatingSnapshot", message));
    }
    if snapshots.len() >= state.settings.snapshots_max {
        let message = "The snapshot quota exceeds.";
        return Err(forbidden("QuotaExceed.Snapshot", message));
    }
    Ok(())
}

fn take(state: &mut State, disk: &Disk, now: i64, tags: Tags) -> Snapshot {
    let id = state.id("s");
    Snapshot {
        owner: disk.owner.clone(),
        region: disk.region.clone(),
        disk_id: disk.id.clone(),
        disk_kind: disk.kind.clone(),
        disk_category: disk.category.clone(),
        gib: disk.gib,
        created: now,
        accomplished: now + ms(state.settings.snapshot_time),
        // What the newer categories have.
        available_early: disk.category == "cloud_essd" || disk.category == "cloud_auto",
        kms_key: disk.kms_key.clone(),
        tags,
        by_client: true,
        ..Snapshot::new(&id, blocks(disk))
    }
}

fn retention(params: &Params<'_>) -> Result<Option<u64>> {
    let days = params.number("RetentionDays")?;
    if days.is_some_and(|days| !(1..=65_536).contains(&days)) {
        let message = "The specified RetentionDays is not valid.";
        return Err(bad("InvalidRetentionDays.Malformed", message));
    }
    Ok(days)
}

pub(super) fn snapshot(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let id = params.need("DiskId")?;
    if let Some(id) = made_before(&state, context, params)? {
        return Ok(json!({ "SnapshotId": id }));
    }
    let name = params.name("SnapshotName")?;
    if name.starts_with("auto") {
        let message = "The specified snapshot name is wrongly formed.";
        return Err(bad("InvalidSnapshotName.Malformed", message));
    }
    let (description, tags) = (params.description("Description")?, params.tags()?);
    let retention_days = retention(params)?;
    let disk = need_disk(&state, context, id)?.clone();
    check(&state, &disk, context.now)?;
    let mut snapshot = take(&mut state, &disk, context.now, tags);
    snapshot.name = name;
    snapshot.description = description;
    snapshot.retention_days = retention_days;
    let id = snapshot.id.clone();
    state.change(context.now).add_snapshot(snapshot);
    remember(&mut state, context, params, &id);
    Ok(json!({ "SnapshotId": id }))
}

/// Disks of an instance that are in use.
fn disks_of(state: &State, context: &Context<'_>, instance: &str) -> Vec<Disk> {
    let is_of = |disk: &&Disk| {
        let attachment = disk.attachment(context.now);
        let is_there = attachment.is_some_and(|to| to.instance_id == instance);
        is_there && disk.status(context.now) == Some("In_use")
    };
    state.disks.values().filter(is_of).cloned().collect()
}

pub(super) fn group(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let region = region(&state, params)?;
    if let Some(id) = made_before(&state, context, params)? {
        return Ok(json!({ "SnapshotGroupId": id }));
    }
    let (name, description) = (params.name("Name")?, params.description("Description")?);
    let tags = params.tags()?;
    let (given, excluded) = (params.list("DiskId"), params.list("ExcludeDiskId"));
    if !given.is_empty() && !excluded.is_empty() {
        let message = "DiskId.N and ExcludeDiskId.N cannot be specified both.";
        return Err(bad("InvalidParameter.Conflict", message));
    }
    let instance = params.get("InstanceId");
    let instance = instance
        .map(|id| need_instance(&state, context, id))
        .transpose()?;
    let disks: Vec<_> = match instance {
        None if given.is_empty() => return Err(missing("InstanceId")),
        None => {
            let disks = given
                .iter()
                .map(|id| need_disk(&state, context, id).cloned());
            disks.collect::<Result<_>>()?
        }
        Some(instance) => disks_of(&state, context, &instance.id)
            .into_iter()
            .filter(|disk| given.is_empty() || given.contains(&disk.id.as_str()))
            .filter(|disk| !excluded.contains(&disk.id.as_str()))
            .collect(),
    };
    let is_elsewhere = |disk: &Disk| disk.region != region || disk.zone != disks[0].zone;
    if disks.is_empty() || disks.len() > DISKS_MAX || disks.iter().any(is_elsewhere) {
        let message = "The specified disks are not valid for one group.";
        return Err(bad("InvalidParameter.DiskId", message));
    }
    for disk in &disks {
        check(&state, disk, context.now)?;
    }
    let instance = instance.map(|instance| instance.id.clone());
    let group = SnapshotGroup {
        id: String::new(),
        owner: context.caller.account.clone(),
        region: region.to_owned(),
        instance_id: instance.unwrap_or_default(),
        name,
        description,
        created: context.now,
        snapshots: Vec::new(),
        tags,
    };
    let id = add(&mut state, context.now, group, &disks);
    remember(&mut state, context, params, &id);
    Ok(json!({ "SnapshotGroupId": id }))
}

/// Takes the snapshots of a group. Its id.
fn add(state: &mut State, now: i64, mut group: SnapshotGroup, disks: &[Disk]) -> String {
    group.id = state.id("ssg");
    let mut snapshots = Vec::new();
    for disk in disks {
        let mut snapshot = take(state, disk, now, group.tags.clone());
        snapshot.group_id = Some(group.id.clone());
        group.snapshots.push(snapshot.id.clone());
        snapshots.push(snapshot);
    }
    let id = group.id.clone();
    let tables = state.change(now);
    snapshots
        .into_iter()
        .for_each(|one| tables.add_snapshot(one));
    tables.groups.insert(id.clone(), group);
    id
}

/// Takes a group of an instance's disks, as its plugin for Cloud Assistant does: its id, or the code that
/// the plugin ends with.
pub(crate) fn take_group(
    state: &mut State,
    context: &Context<'_>,
    instance: &str,
    name: &str,
    excluded: &[String],
    tags: Tags,
) -> std::result::Result<String, i64> {
    let disks = disks_of(state, context, instance);
    let disks: Vec<_> = disks
        .into_iter()
        .filter(|disk| !excluded.contains(&disk.id))
        .collect();
    if disks.is_empty() {
        return Err(1);
    }
    for disk in &disks {
        if !["cloud_essd", "cloud_auto", "cloud_essd_entry"].contains(&disk.category.as_str()) {
            return Err(3);
        }
        check(state, disk, context.now).map_err(|error| match error.code.as_str() {
            "QuotaExceed.Snapshot" => 14,
            "IncorrectDiskStatus.CreatingSnapshot" => 16,
            _ => 4,
        })?;
    }
    let group = SnapshotGroup {
        id: String::new(),
        owner: context.caller.account.clone(),
        region: disks[0].region.clone(),
        instance_id: instance.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        created: context.now,
        snapshots: Vec::new(),
        tags,
    };
    Ok(add(state, context.now, group, &disks))
}

pub(super) fn copy(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let from = region(&state, params)?;
    let to = params.need("DestinationRegionId")?;
    let id = params.need("SnapshotId")?;
    if !state.regions.iter().any(|known| known == to) {
        let message = "The specified RegionId does not exist.";
        return Err(error(404, "InvalidRegionId.NotFound", message));
    }
    if from == to {
        let message = "Copying snapshot in the same region is not supported. Please specify a different DestinationRegionId and try again.";
        let code = "InvalidOperation.NotSupportCopyInSameRegion";
        return Err(forbidden(code, message));
    }
    if let Some(id) = made_before(&state, context, params)? {
        return Ok(json!({ "SnapshotId": id }));
    }
    let source = state
        .snapshots
        .get(id)
        .filter(|snapshot| snapshot.owner == context.caller.account && snapshot.region == from);
    let source = source.cloned().ok_or_else(|| {
        let message = "The specified SnapshotId does not exist.";
        error(404, "InvalidSnapshotId.NotFound", message)
    })?;
    if source.status(context.now) != "accomplished" {
        let message = "The specified snapshot has not completed yet.";
        return Err(forbidden("InvalidSnapshotId.NotReady", message));
    }
    let copy = Snapshot {
        id: state.id("s"),
        region: to.to_owned(),
        // The disk is not in that region.
        disk_id: String::new(),
        name: params.name("DestinationSnapshotName")?,
        description: params.description("DestinationSnapshotDescription")?,
        created: context.now,
        accomplished: context.now + ms(state.settings.snapshot_time),
        available_early: false,
        kind: "user".to_owned(),
        retention_days: retention(params)?,
        source_snapshot_id: Some(source.id.clone()),
        group_id: None,
        tags: params.tags()?,
        by_client: true,
        ..source
    };
    let id = copy.id.clone();
    state.change(context.now).add_snapshot(copy);
    remember(&mut state, context, params, &id);
    Ok(json!({ "SnapshotId": id }))
}
