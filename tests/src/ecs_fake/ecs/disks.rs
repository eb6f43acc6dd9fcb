//! Disks, described.

use super::{dry_run, locks, region};
use crate::ecs_fake::context::{Context, time};
use crate::ecs_fake::model::{Disk, Instance};
use crate::ecs_fake::params::Params;
use crate::ecs_fake::select::{Paging, has_tags, page, write_tags};
use crate::ecs_fake::state::State;
use crate::stand_in::error::{Result, error};
use serde_json::{Value, json};
use std::cmp::Reverse;

const PAGING: Paging = Paging {
    min: 10,
    max: 500,
    is_strict: false,
};
const STATUSES: [&str; 7] = [
    "Creating",
    "Available",
    "Attaching",
    "In_use",
    "Detaching",
    "ReIniting",
    "All",
];

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let region = region(&state, params)?;
    let ids = params.json_list("DiskIds")?;
    let status = params.get("Status").filter(|status| *status != "All");
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        let message = "The specified Status is not valid.";
        return Err(error(404, "InvalidStatus.NotFound", message));
    }
    dry_run(params)?;
    let at = context.seen(&state);
    let is = |name: &str, value: Option<&str>| {
        let wanted = params.get(name);
        wanted.is_none_or(|wanted| wanted == "all" || Some(wanted) == value)
    };
    let seen = state.at(at).disks.values();
    let found = seen.filter(|disk| {
        let attachment = disk.attachment(at);
        let (now, id) = (disk.status(at), &disk.id);
        disk.owner == context.caller.account
            && disk.region == region
            && now.is_some()
            && status.is_none_or(|status| Some(status) == now)
            && ids.as_ref().is_none_or(|ids| ids.contains(id))
            && is("InstanceId", attachment.map(|to| to.instance_id.as_str()))
            && is("SnapshotId", disk.snapshot_id.as_deref())
            && is("ZoneId", Some(&disk.zone))
            && is("Category", Some(&disk.category))
            && is("DiskType", Some(&disk.kind))
            && is("DiskName", Some(&disk.name))
            && has_tags(params, &disk.tags)
    });
    let mut found: Vec<_> = found.cloned().collect();
    found.sort_by_key(|disk| (Reverse(disk.created), disk.id.clone()));
    let page = page(context, params, &mut state, &found, PAGING)?;
    Ok(page.write("Disks", "Disk", |disk| write(&state, disk, at)))
}

fn write(state: &State, disk: &Disk, at: i64) -> Value {
    let settings = &state.settings;
    let time = |at: i64| time(at, settings.short_times);
    let attachment = disk.attachment(at);
    let instance = attachment.map_or("", |to| to.instance_id.as_str());
    let device = attachment.map_or("", |to| to.device.as_str());
    let attached = attachment.map_or_else(String::new, |to| time(to.asked));
    let is_attached = disk.status(at) == Some("In_use");
    let attachments = attachment.filter(|_| is_attached).map(|to| {
        json!({
            "InstanceId": to.instance_id,
            "Device": to.device,
            "AttachedTime": time(to.asked),
        })
    });
    let attachments: Vec<_> = attachments.into_iter().collect();
    let locks = locks(state, disk);
    let locks = locks.iter().map(|lock| json!({ "LockReason": lock }));
    let size = match settings.numbers_swapped {
        true => json!(disk.gib.to_string()),
        false => json!(disk.gib),
    };
    json!({
        "DiskId": disk.id,
        "RegionId": disk.region,
        "ZoneId": disk.zone,
        "Status": disk.status(at),
        "Size": size,
        "Category": disk.category,
        "PerformanceLevel": disk.level.as_deref().unwrap_or_default(),
        "Type": disk.kind,
        "DiskName": disk.name,
        "Description": disk.description,
        "SerialNumber": disk.serial.as_deref().unwrap_or_default(),
        "InstanceId": instance,
        "Device": device,
        "AttachedTime": attached,
        "DetachedTime": "",
        "Attachments": { "Attachment": attachments },
        "MountInstances": { "MountInstance": [] },
        "MountInstanceNum": 0,
        "MultiAttach": "Disabled",
        "SourceSnapshotId": disk.snapshot_id.as_deref().unwrap_or_default(),
        "SourceDiskId": "",
        "ImageId": "",
        "Portable": disk.portable,
        "DeleteWithInstance": disk.delete_with_instance,
        "DeleteAutoSnapshot": true,
        "EnableAutoSnapshot": true,
        "EnableAutomatedSnapshotPolicy": false,
        "AutoSnapshotPolicyId": "",
        "DiskChargeType": if disk.portable { "PostPaid" } else { "PrePaid" },
        "ExpiredTime": "2999-09-08T16:00Z",
        "Encrypted": disk.kms_key.is_some(),
        "KMSKeyId": disk.kms_key.as_deref().unwrap_or_default(),
        "CreationTime": time(disk.created),
        "OperationLocks": { "OperationLock": locks.collect::<Vec<_>>() },
        "Tags": write_tags(&disk.tags),
    })
}

/// The next name of a device that an instance has free.
pub(super) fn free_device(state: &State, instance: &Instance, now: i64) -> String {
    let taken: Vec<_> = state
        .disks
        .values()
        .filter_map(|disk| disk.attachment(now))
        .filter(|to| to.instance_id == instance.id)
        .map(|to| to.device.clone())
        .collect();
    let mut names = ('b'..='z').map(|letter| format!("/dev/xvd{letter}"));
    let free = names.find(|name| !taken.contains(name));
    free.unwrap_or_else(|| "/dev/xvdaa".to_owned())
}
