//! What Lightsail says of itself.

use super::model::{AutoSnapshot, LightsailDisk, LightsailRecord, LightsailSnapshot, arn};
use super::{Input, need};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::state::State;
use crate::stand_in::clock::epoch;
use serde_json::{Value, json};
use std::time::Duration;

const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// One page of things, and the token of the next.
fn page(
    context: &Context<'_>,
    state: &mut State,
    input: &Input,
    (name, things): (&str, Vec<Value>),
) -> Result<Value> {
    let from = match input.get("pageToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => {
            let page = state.pages.get(token).filter(|page| page.of == name);
            let message = "The page token is not valid.";
            page.ok_or_else(|| bad("InvalidInputException", message))?
                .next
        }
    };
    let from = usize::try_from(from).expect("small").min(things.len());
    let to = things.len().min(from + state.settings.page_max);
    let mut output = json!({});
    output[name] = Value::Array(things[from..to].to_vec());
    if to < things.len() {
        let next = u64::try_from(to).expect("small");
        let token = state.page_token(name.to_owned(), next, context.now, TOKEN_LIFE);
        output["nextPageToken"] = json!(token);
    }
    Ok(output)
}

pub(super) fn instances(context: &Context<'_>, input: &Input) -> Result<Value> {
    let mut state = context.state();
    let ours = state
        .lightsail
        .instances
        .iter()
        .filter(|instance| instance.is_ours(context));
    let instance = |instance: &super::LightsailResource| {
        let mut json = instance.json("Instance");
        json["blueprintId"] = json!("debian_12");
        json["bundleId"] = json!("nano_3_0");
        json["state"] = json!({"code": 16, "name": "running"});
        json["hardware"] = json!({"cpuCount": 2, "ramSizeInGb": 0.5, "disks": [{
            "sizeInGb": instance.gib, "isSystemDisk": true, "path": "/dev/xvda",
            "state": "in-use", "isAttached": true, "attachedTo": instance.name,
        }]});
        json
    };
    let things = ours.map(instance).collect();
    page(context, &mut state, input, ("instances", things))
}

pub(super) fn disks(context: &Context<'_>, input: &Input) -> Result<Value> {
    let mut state = context.state();
    let ours = state
        .lightsail
        .disks
        .iter()
        .filter(|disk| disk.is_ours(context));
    let disk = |disk: &super::LightsailResource| {
        let mut json = disk.json("Disk");
        json["sizeInGb"] = json!(disk.gib);
        json["isSystemDisk"] = json!(false);
        json["isAttached"] = json!(disk.attached_to.is_some());
        let state = if disk.attached_to.is_some() {
            "in-use"
        } else {
            "available"
        };
        json["state"] = json!(state);
        if let Some(to) = &disk.attached_to {
            json["attachedTo"] = json!(to);
            json["path"] = json!("/dev/xvdf");
        }
        json
    };
    let things = ours.map(disk).collect();
    page(context, &mut state, input, ("disks", things))
}

fn snapshot(snapshot: &LightsailSnapshot, now: i64) -> Value {
    let resource = &snapshot.resource;
    let mut json = resource.json(snapshot.kind());
    let state = snapshot.state(now);
    json["state"] = json!(state);
    json["progress"] = json!(if state == "pending" { "42%" } else { "100%" });
    json["sizeInGb"] = json!(resource.gib);
    json["isFromAutoSnapshot"] = json!(snapshot.from_auto);
    let from = |kind: &str| arn(&resource.owner, &resource.region, kind, &snapshot.from);
    if snapshot.of_instance {
        json["fromInstanceName"] = json!(snapshot.from);
        json["fromInstanceArn"] = json!(from("Instance"));
        json["fromBlueprintId"] = json!("debian_12");
        json["fromBundleId"] = json!("nano_3_0");
        let attached = snapshot.disks.iter().filter(|disk| !disk.is_system());
        let attached: Vec<_> = attached.map(of_disk).collect();
        json["fromAttachedDisks"] = json!(attached);
    } else if snapshot.disks.iter().any(LightsailDisk::is_system) {
        // Of the system disk of a running instance.
        json["fromInstanceName"] = json!(snapshot.from);
        json["fromInstanceArn"] = json!(from("Instance"));
    } else {
        json["fromDiskName"] = json!(snapshot.from);
        json["fromDiskArn"] = json!(from("Disk"));
    }
    json
}

fn of_disk(disk: &LightsailDisk) -> Value {
    json!({
        "name": disk.name,
        "path": disk.path,
        "sizeInGb": disk.blocks.gib(),
        "isSystemDisk": disk.is_system(),
    })
}

pub(super) fn snapshots(context: &Context<'_>, input: &Input, of_instance: bool) -> Result<Value> {
    let mut state = context.state();
    let snapshots = state.lightsail.snapshots.iter().filter(|snapshot| {
        snapshot.of_instance == of_instance && snapshot.resource.is_ours(context)
    });
    let things = snapshots.map(|one| snapshot(one, context.now)).collect();
    let name = if of_instance {
        "instanceSnapshots"
    } else {
        "diskSnapshots"
    };
    page(context, &mut state, input, (name, things))
}

pub(super) fn auto_snapshots(context: &Context<'_>, input: &Input) -> Result<Value> {
    let name = need(input, "resourceName")?;
    let state = context.state();
    let lightsail = &state.lightsail;
    let is_it =
        |resource: &&super::LightsailResource| resource.name == name && resource.is_ours(context);
    let is_instance = lightsail.instances.iter().any(|one| is_it(&one));
    if !is_instance && !lightsail.disks.iter().any(|one| is_it(&one)) {
        return Err(not_found("resource", name));
    }
    let autos = lightsail
        .auto_snapshots
        .iter()
        .filter(|auto| is_it(&&auto.resource));
    let auto = |auto: &AutoSnapshot| {
        let disks = auto.disks.iter().filter(|disk| !disk.is_system());
        let disk = |disk: &LightsailDisk| json!({"path": disk.path, "sizeInGb": disk.blocks.gib()});
        json!({
            "date": auto.date,
            "createdAt": epoch(auto.resource.created),
            "status": auto.status,
            "fromAttachedDisks": disks.map(disk).collect::<Vec<_>>(),
        })
    };
    Ok(json!({
        "resourceName": name,
        "resourceType": if is_instance { "Instance" } else { "Disk" },
        "autoSnapshots": autos.map(auto).collect::<Vec<_>>(),
    }))
}

pub(super) fn not_found(kind: &str, name: &str) -> crate::aws_fake::error::ServiceError {
    bad(
        "NotFoundException",
        format!("The {kind} does not exist: {name}"),
    )
}

pub(super) fn operation(context: &Context<'_>, input: &Input) -> Result<Value> {
    let id = need(input, "operationId")?;
    let state = context.state();
    let mut operations = state.lightsail.operations.iter();
    let found = operations.find(|one| one.id == id && one.resource.is_ours(context));
    let found = found.ok_or_else(|| not_found("Operation", id))?;
    Ok(json!({"operation": found.json(context.now)}))
}

pub(super) fn records(context: &Context<'_>, input: &Input) -> Result<Value> {
    let mut state = context.state();
    let records = state.lightsail.records.iter();
    let ours = records.filter(|record| record.resource.is_ours(context));
    let things = ours.map(|one| record(one, context.now)).collect();
    page(
        context,
        &mut state,
        input,
        ("exportSnapshotRecords", things),
    )
}

fn record(record: &LightsailRecord, now: i64) -> Value {
    let mut json = record.resource.json("ExportSnapshotRecord");
    let (source, of) = (&record.source, &record.source.resource);
    json["state"] = json!(match (now < record.done, record.fails) {
        (true, _) => "Started",
        (false, true) => "Failed",
        (false, false) => "Succeeded",
    });
    let from_kind = if source.of_instance {
        "Instance"
    } else {
        "Disk"
    };
    json["sourceInfo"] = json!({
        "resourceType": source.kind(),
        "createdAt": epoch(of.created),
        "name": of.name,
        "arn": arn(&of.owner, &of.region, source.kind(), &of.name),
        "fromResourceName": source.from,
        "fromResourceArn": arn(&of.owner, &of.region, from_kind, &source.from),
    });
    if source.of_instance {
        let disks: Vec<_> = source.disks.iter().map(of_disk).collect();
        json["sourceInfo"]["instanceSnapshotInfo"] = json!({
            "fromBundleId": "nano_3_0", "fromBlueprintId": "debian_12", "fromDiskInfo": disks,
        });
    } else {
        json["sourceInfo"]["diskSnapshotInfo"] = json!({"sizeInGb": of.gib});
    }
    if let Some(id) = &record.destination {
        let service = if source.of_instance {
            "Aws::EC2::Image"
        } else {
            "Aws::EC2::Snapshot"
        };
        json["destinationInfo"] = json!({"id": id, "service": service});
    }
    json
}
