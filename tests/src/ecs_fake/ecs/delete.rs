//! What takes away: disks and snapshots deleted, and a disk rolled back.

use super::{disk_of, done, dry_run, forbidden, is_ours, need_disk};
use crate::ecs_fake::context::Context;
use crate::ecs_fake::params::Params;
use crate::stand_in::clock::ms;
use crate::stand_in::error::Result;
use serde_json::Value;

pub(super) fn disk(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let now = context.now;
    let id = params.need("DiskId")?;
    let Some(disk) = disk_of(&state, context, id).cloned() else {
        // What is not there is ignored.
        return Ok(done());
    };
    if !is_ours(&state, &disk) {
        let what = format!("DeleteDisk of {id}, which has no tag of ours");
        state.violation(context.call.number, what);
    }
    let message = "The current disk status does not support this operation.";
    let status = disk.status(now).unwrap_or_default();
    if disk.kind == "system" {
        let message = "The specified disk is a system disk and cannot support the operation.";
        return Err(forbidden("DiskTypeViolation", message));
    }
    if ["In_use", "Attaching"].contains(&status) {
        let message = "The disk is still attached to the disk.";
        return Err(forbidden("DiskStillAttached", message));
    }
    if status == "Detaching" {
        return Err(forbidden("IncorrectDiskStatus", message));
    }
    if status == "Creating" || now < disk.initialized {
        return Err(forbidden("IncorrectDiskStatus.Initializing", message));
    }
    let mut snapshots = state.snapshots.values();
    if snapshots.any(|snapshot| snapshot.disk_id == id && snapshot.status(now) == "progressing") {
        let message = "A snapshot of the specified disk is not completed yet.";
        return Err(forbidden("DiskCreatingSnapshot", message));
    }
    if state.settings.deletions_lost > 0 {
        state.settings.deletions_lost -= 1;
        return Ok(done());
    }
    let gone = now + ms(state.settings.delete_time);
    let disks = &mut state.change(now).disks;
    disks.get_mut(id).expect("it is there").gone = Some(gone);
    Ok(done())
}

pub(super) fn snapshot(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let now = context.now;
    let id = params.need("SnapshotId")?;
    let snapshot = state.snapshots.get(id);
    let snapshot = snapshot.filter(|snapshot| snapshot.owner == context.caller.account);
    let Some(snapshot) = snapshot.cloned() else {
        // What is not there is ignored.
        return Ok(done());
    };
    if !snapshot.by_client {
        let what = format!("DeleteSnapshot of {id}, which the client has not made");
        state.violation(context.call.number, what);
    }
    let mut disks = state.images.values().flat_map(|image| &image.disks);
    if disks.any(|disk| disk.snapshot_id == id) {
        let message = "The snapshot has been used to create user defined image(s).";
        return Err(forbidden("SnapshotCreatedImage", message));
    }
    let mut disks = state.disks.values();
    let is_used = disks.any(|disk| {
        let is_there = disk.gone.is_none() && disk.status(now).is_some();
        is_there && disk.snapshot_id.as_deref() == Some(id)
    });
    if is_used && !params.flag("Force") {
        let message = "The snapshot has been used to create disk(s).";
        return Err(forbidden("SnapshotCreatedDisk", message));
    }
    let tables = state.change(now);
    tables.snapshots.remove(id);
    for group in tables.groups.values_mut() {
        group.snapshots.retain(|known| known != id);
    }
    tables.groups.retain(|_, group| !group.snapshots.is_empty());
    Ok(done())
}

pub(super) fn reset(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let id = params.need("DiskId")?;
    let what = format!("ResetDisk of {id}: it throws away what the disk holds");
    state.violation(context.call.number, what);
    let snapshot = params.need("SnapshotId")?;
    let disk = need_disk(&state, context, id)?;
    let snapshot = state.snapshots.get(snapshot);
    let snapshot = snapshot.filter(|snapshot| snapshot.disk_id == id);
    let Some(blocks) = snapshot.map(|snapshot| snapshot.blocks.clone()) else {
        let message = "The specified snapshot is not created from the specified disk.";
        return Err(forbidden(
            "InvalidParameter.InvalidDiskIdAndSnapshotId",
            message,
        ));
    };
    let instance = disk
        .attachment(context.now)
        .map(|to| to.instance_id.clone());
    let instance = instance.and_then(|id| state.instances.get(&id));
    if instance.is_some_and(|instance| instance.status != "Stopped") {
        let message = "The current status of the resource does not support this operation.";
        return Err(forbidden("IncorrectInstanceStatus", message));
    }
    dry_run(params)?;
    let disks = &mut state.change(context.now).disks;
    disks.get_mut(id).expect("it is there").blocks = Some(blocks);
    Ok(done())
}
