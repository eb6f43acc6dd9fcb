//! Disks, made: of nothing or of a snapshot.

use super::disks::free_device;
use super::tokens::{made_before, remember};
use super::{check_money, forbidden, need_instance, region};
use crate::ecs_fake::context::Context;
use crate::ecs_fake::error::{missing, quota};
use crate::ecs_fake::hbr::use_snapshot;
use crate::ecs_fake::model::{Attachment, Disk, Snapshot, Tags};
use crate::ecs_fake::params::Params;
use crate::ecs_fake::state::State;
use crate::stand_in::clock::ms;
use crate::stand_in::error::{Result, ServiceError, bad, error};
use serde_json::{Value, json};

/// Categories, with the sizes in GiB that they have. Those of `cloud_essd` depend on its level.
pub(super) const CATEGORIES: [(&str, u64, u64); 9] = [
    ("cloud", 5, 2000),
    ("cloud_efficiency", 20, 32_768),
    ("cloud_ssd", 20, 32_768),
    ("cloud_essd", 1, 65_536),
    ("cloud_auto", 1, 65_536),
    ("cloud_essd_entry", 10, 32_768),
    ("cloud_regional_disk_auto", 10, 65_536),
    ("elastic_ephemeral_disk_standard", 64, 8192),
    ("elastic_ephemeral_disk_premium", 64, 8192),
];
const LEVELS: [(&str, u64); 4] = [("PL0", 1), ("PL1", 20), ("PL2", 461), ("PL3", 1261)];

/// What no client of ours may do when it makes a disk.
fn watch(state: &mut State, context: &Context<'_>, params: &Params<'_>) {
    let call = context.call.number;
    if params.get("InstanceId").is_some() {
        let what = "CreateDisk with InstanceId: a subscription, without token and tags";
        state.violation(call, what);
    }
    for name in ["ClientToken", "DiskCategory"] {
        if params.get(name).is_none() {
            state.violation(call, format!("CreateDisk without {name}"));
        }
    }
    let prefix = &state.settings.tag_prefix;
    let tags = params.wanted_tags();
    if !tags.iter().any(|(key, _)| key.starts_with(prefix)) {
        state.violation(call, "CreateDisk without a tag of ours");
    }
}

pub(super) fn create(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    watch(&mut state, context, params);
    let region = region(&state, params)?.to_owned();
    if let Some(instance) = params.get("InstanceId") {
        return subscribe(&mut state, context, params, instance);
    }
    let zone = params.need("ZoneId")?.to_owned();
    if !["h", "k"]
        .map(|zone| format!("{region}-{zone}"))
        .contains(&zone)
    {
        let message = "The specified zone does not exist.";
        return Err(error(404, "InvalidZoneId.NotFound", message));
    }
    if let Some(id) = made_before(&state, context, params)? {
        return Ok(json!({ "DiskId": id }));
    }
    let account = &context.caller.account;
    check_money(&state, account)?;
    let counted = |disk: &&Disk| {
        let is_ours = disk.owner == *account && disk.portable;
        is_ours && disk.gone.is_none() && disk.status(context.now).is_some()
    };
    let count = state.disks.values().filter(counted).count();
    if state.settings.disks_max.is_some_and(|max| count >= max) {
        return Err(quota());
    }
    if state.settings.not_on_sale.contains(&zone) {
        let message = "The resource in the specified zone is no longer available for sale.";
        return Err(bad("Zone.NotOnSale", message));
    }
    let disk = Disk {
        owner: account.clone(),
        region,
        zone,
        tags: params.tags()?,
        client_token: params.get("ClientToken").map(str::to_owned),
        ..new(&state, context, params)?
    };
    let disk = add(&mut state, context, disk);
    remember(&mut state, context, params, &disk);
    Ok(json!({ "DiskId": disk }))
}

/// What a call asks for, all but where it is and whose.
fn new(state: &State, context: &Context<'_>, params: &Params<'_>) -> Result<Disk> {
    let snapshot = params.get("SnapshotId");
    let snapshot = snapshot
        .map(|id| usable(state, context, params, id))
        .transpose()?;
    let size = params.number("Size")?;
    let gib = match (size, snapshot) {
        (None, None) => return Err(missing("SnapshotId or Size")),
        (Some(size), None) => size,
        // What is too small for the snapshot is as large as it.
        (size, Some(snapshot)) => size.unwrap_or_default().max(snapshot.gib),
    };
    let (category, level) = category(state, params, gib)?;
    let encrypted = params.flag("Encrypted") || params.get("KMSKeyId").is_some();
    let key = snapshot.and_then(|snapshot| snapshot.kms_key.clone());
    let key = params.get("KMSKeyId").map(str::to_owned).or(key);
    let key = key.or_else(|| encrypted.then(|| "service-key".to_owned()));
    Ok(Disk {
        snapshot_id: snapshot.map(|snapshot| snapshot.id.clone()),
        blocks: snapshot.map(|snapshot| snapshot.blocks.clone()),
        category,
        level,
        kms_key: key,
        name: params.name("DiskName")?,
        description: params.description("Description")?,
        ..Disk::new("", gib)
    })
}

/// The category and level that are asked for, if they are sold in this size.
fn category(state: &State, params: &Params<'_>, gib: u64) -> Result<(String, Option<String>)> {
    let category = params.get("DiskCategory").unwrap_or("cloud");
    let known = CATEGORIES.iter().find(|(name, ..)| *name == category);
    let (_, min, max) = known.ok_or_else(|| {
        let message = "The specified parameter \"DiskCategory\" is not valid.";
        bad("InvalidDiskCategory.ValueNotSupported", message)
    })?;
    // Only this category has levels; elsewhere they are not looked at.
    let level = params.get("PerformanceLevel").unwrap_or("PL1");
    let level = (category == "cloud_essd").then_some(level);
    let mut full = category.to_owned();
    let mut min = *min;
    if let Some(given) = level {
        let known = LEVELS.iter().find(|(name, _)| *name == given);
        min = known.map(|(_, min)| *min).ok_or_else(malformed_level)?;
        full = format!("{category}/{given}");
    }
    let refused = &state.settings.refused;
    let refused = refused.get(&full).or_else(|| refused.get(category));
    if let Some((status, code)) = refused {
        let message = "The specified disk category is not supported.";
        return Err(error(*status, code, message));
    }
    if (min..=*max).contains(&gib) {
        return Ok((category.to_owned(), level.map(str::to_owned)));
    }
    Err(match category {
        "cloud_essd" => {
            let message = "The specified PerformanceLevel and disk size do not match.";
            forbidden("OperationDenied.PerformanceLevelNotMatch", message)
        }
        "cloud" | "cloud_efficiency" | "cloud_ssd" => forbidden(
            "InvalidDiskSize.NotSupported",
            "disk size is not supported.",
        ),
        _ => {
            let message = "The specified DataDisk.n.Size beyond the permitted range.";
            bad("InvalidDataDiskSize.ValueNotSupported", message)
        }
    })
}

fn malformed_level() -> ServiceError {
    let message = "The specified parameter PerformanceLevel is not valid.";
    bad("InvalidPerformanceLevel.Malformed", message)
}

/// A snapshot that a disk can be made of.
fn usable<'a>(
    state: &'a State,
    context: &Context<'_>,
    params: &Params<'_>,
    id: &str,
) -> Result<&'a Snapshot> {
    let account = &context.caller.account;
    let snapshot = state.snapshots.get(id).filter(|snapshot| {
        let is_shown = snapshot.owner == *account || snapshot.shared_with.contains(account);
        is_shown && Some(snapshot.region.as_str()) == params.get("RegionId")
    });
    let message = "The specified SnapshotId does not exist.";
    let snapshot = snapshot.ok_or_else(|| error(404, "InvalidSnapshotId.NotFound", message))?;
    if snapshot.is_available(context.now) {
        return Ok(snapshot);
    }
    Err(match snapshot.status(context.now) {
        "progressing" => {
            let message = "The specified snapshot has not completed yet.";
            forbidden("InvalidSnapshotId.NotReady", message)
        }
        _ => {
            let message = "The specified snapshot is not allowed to create disk.";
            forbidden("OperationDenied", message)
        }
    })
}

/// Puts a disk there. Its id.
fn add(state: &mut State, context: &Context<'_>, mut disk: Disk) -> String {
    if state.settings.creations_that_fail > 0 {
        state.settings.creations_that_fail -= 1;
        disk.fails = true;
    }
    if let Some(snapshot) = &disk.snapshot_id {
        use_snapshot(state, snapshot);
    }
    disk.id = state.id("d");
    let serial = disk.id.strip_prefix("d-").map(str::to_owned);
    disk.serial = serial.filter(|_| !state.settings.no_serial);
    disk.created = context.now;
    disk.ready = context.now + ms(state.settings.create_time);
    disk.initialized = disk.ready + ms(state.settings.initialize_time);
    disk.by_client = true;
    let id = disk.id.clone();
    state.change(context.now).add_disk(disk);
    id
}

/// A disk by subscription, attached at once: tags and token are not looked at.
fn subscribe(
    state: &mut State,
    context: &Context<'_>,
    params: &Params<'_>,
    instance: &str,
) -> Result<Value> {
    if params.get("ZoneId").is_some() {
        let message = "ZoneId and InstanceId cannot be specified both.";
        return Err(bad("InvalidParameter.Conflict", message));
    }
    check_money(state, &context.caller.account)?;
    let instance = need_instance(state, context, instance)?.clone();
    let mut disk = new(state, context, params)?;
    disk.owner.clone_from(&context.caller.account);
    disk.region.clone_from(&instance.region);
    disk.zone.clone_from(&instance.zone);
    disk.portable = false;
    disk.tags = Tags::new();
    disk.attached_to = Some(Attachment {
        device: free_device(state, &instance, context.now),
        instance_id: instance.id,
        asked: context.now,
        attached: context.now,
        detached: None,
    });
    let id = add(state, context, disk);
    Ok(json!({ "DiskId": id, "OrderId": "20000000000001" }))
}
