//! Disks attached to instances, and detached.

use super::disks::free_device;
use super::{done, forbidden, is_ours, locks, need_disk, need_instance};
use crate::ecs_fake::context::Context;
use crate::ecs_fake::model::{Attachment, Disk};
use crate::ecs_fake::params::Params;
use crate::ecs_fake::state::State;
use crate::stand_in::clock::ms;
use crate::stand_in::error::{Result, ServiceError, bad, error};
use serde_json::Value;

fn incorrect_disk() -> ServiceError {
    let message = "The operation is not supported in this status.";
    forbidden("IncorrectDiskStatus", message)
}

/// What no client of ours may do when it attaches or detaches a disk.
fn watch(state: &mut State, context: &Context<'_>, params: &Params<'_>) {
    let (call, operation) = (context.call.number, &context.call.operation);
    if operation == "AttachDisk" && !params.flag("DeleteWithInstance") {
        let what = "AttachDisk without DeleteWithInstance: the disk outlives its instance";
        state.violation(call, what);
    }
    for name in ["Bootable", "Force"] {
        if params.flag(name) {
            state.violation(call, format!("{operation} with {name}"));
        }
    }
    let id = params.get("DiskId").unwrap_or_default();
    let disk = state.disks.get(id);
    if operation == "DetachDisk" && disk.is_none() {
        let what = format!("DetachDisk of {id:?}, which never was");
        return state.violation(call, what);
    }
    let foreign = disk.filter(|disk| !is_ours(state, disk));
    if let Some(id) = foreign.map(|disk| disk.id.clone()) {
        state.violation(
            call,
            format!("{operation} of {id}, which has no tag of ours"),
        );
    }
}

pub(super) fn attach(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let now = context.now;
    watch(&mut state, context, params);
    let id = params.need("DiskId")?;
    let instance_id = params.need("InstanceId")?;
    check(&state, context, id, instance_id)?;
    let mut attached = now + ms(state.settings.attach_time);
    if state.settings.attachments_that_hang > 0 {
        state.settings.attachments_that_hang -= 1;
        attached = i64::MAX;
    }
    let instance = need_instance(&state, context, instance_id)?;
    let attachment = Attachment {
        device: free_device(&state, instance, now),
        instance_id: instance_id.to_owned(),
        asked: now,
        attached,
        detached: None,
    };
    let disk = state.change(now).disks.get_mut(id).expect("it is there");
    disk.attached_to = Some(attachment);
    disk.delete_with_instance = params.flag("DeleteWithInstance");
    Ok(done())
}

/// Whether an instance may have one more disk on its way.
fn check_others(state: &State, now: i64, instance: &str) -> Result<()> {
    let is_busy = |disk: &Disk| {
        let attachment = disk.attachment(now);
        let is_there = attachment.is_some_and(|to| to.instance_id == instance);
        is_there && ["Attaching", "Detaching"].contains(&disk.status(now).unwrap_or_default())
    };
    match state.settings.one_at_a_time && state.disks.values().any(is_busy) {
        true => {
            let message = "The number of disks attaching parallelly exceeds the limit.";
            let code = "OperationConflict.DisksAttachingParallellyExceed";
            Err(bad(code, message))
        }
        false => Ok(()),
    }
}

fn check(state: &State, context: &Context<'_>, id: &str, instance: &str) -> Result<()> {
    let now = context.now;
    let disk = need_disk(state, context, id)?;
    let instance = need_instance(state, context, instance)?;
    match disk.status(now) {
        Some("Available") => {}
        Some("In_use") => {
            let message = "The specified disk has been occupied.";
            // Documented with this status, though the disk is there.
            return Err(error(404, "InvalidDisk.InUse", message));
        }
        _ => return Err(incorrect_disk()),
    }
    if locks(state, disk).iter().any(|lock| lock == "financial") {
        let message = "The specified operation is denied as your disk owing fee.";
        return Err(forbidden("DiskInArrears", message));
    }
    if !disk.portable {
        let message = "The specified disk is not a portable disk.";
        return Err(forbidden("DiskNotPortable", message));
    }
    if instance.locks.iter().any(|lock| lock == "security") {
        let message = "The instance is locked due to security.";
        return Err(forbidden("InstanceLockedForSecurity", message));
    }
    if !["Running", "Stopped"].contains(&instance.status.as_str()) {
        let message = "The current status of the resource does not support this operation.";
        return Err(bad("IncorrectInstanceStatus", message));
    }
    check_others(state, now, &instance.id)?;
    if disk.zone != instance.zone {
        let message = "The specified instance and disk are not in the same zone.";
        return Err(forbidden("ResourcesNotInSameZone", message));
    }
    if instance.not_categories.contains(&disk.category) {
        let message =
            "The instanceType of the specified instance does not support this disk category.";
        let code = "InvalidInstanceType.NotSupportDiskCategory";
        return Err(forbidden(code, message));
    }
    let attachments = state.disks.values().filter_map(|disk| disk.attachment(now));
    let count = attachments
        .filter(|to| to.instance_id == instance.id)
        .count();
    if count >= instance.disks_max {
        let message = "The amount of the disk on instance in question reach its limits.";
        return Err(forbidden("InstanceDiskLimitExceeded", message));
    }
    Ok(())
}

pub(super) fn detach(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let now = context.now;
    watch(&mut state, context, params);
    let id = params.need("DiskId")?;
    let instance = params.need("InstanceId")?;
    let disk = need_disk(&state, context, id)?;
    let instance = need_instance(&state, context, instance)?;
    let attachment = disk.attachment(now).cloned();
    let attachment = attachment.filter(|to| to.instance_id == instance.id);
    let is_attached = disk.status(now) == Some("In_use");
    let attachment = attachment.filter(|_| is_attached);
    let mut attachment = attachment.ok_or_else(incorrect_disk)?;
    if !disk.portable {
        let message = "The specified disk is not a portable disk.";
        return Err(forbidden("DiskNotPortable", message));
    }
    if instance.locks.iter().any(|lock| lock == "security") {
        let message = "The instance is locked due to security.";
        return Err(forbidden("InstanceLockedForSecurity", message));
    }
    check_others(&state, now, &instance.id)?;
    let mut detached = now + ms(state.settings.detach_time);
    if state.settings.detachments_that_hang > 0 {
        state.settings.detachments_that_hang -= 1;
        detached = i64::MAX;
    }
    attachment.detached = Some(detached);
    let disk = state.change(now).disks.get_mut(id).expect("it is there");
    disk.attached_to = Some(attachment);
    disk.delete_with_instance = params.flag("DeleteWithInstance");
    Ok(done())
}
