//! Snapshots copied, deleted and tagged.

use super::get::not_found;
use super::model::{LightsailResource, LightsailSnapshot, Operation};
use super::{Input, need, new_name, operations};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::state::State;
use crate::stand_in::clock::ms;
use serde_json::Value;

/// Writes an operation down.
pub(super) fn note(
    state: &mut State,
    context: &Context<'_>,
    (resource_kind, name): (&'static str, &str),
    kind: &'static str,
    (done, failed): (i64, bool),
) -> Value {
    let operation = Operation {
        id: state.uuid(),
        resource: LightsailResource {
            owner: context.caller.account.clone(),
            region: context.caller.region.clone(),
            created: context.now,
            ..LightsailResource::new(name, 0)
        },
        resource_kind,
        kind,
        done,
        failed,
    };
    let json = operation.json(context.now);
    state.lightsail.operations.push(operation);
    json
}

pub(super) fn copy(context: &Context<'_>, input: &Input) -> Result<Value> {
    let target = new_name(input, "targetSnapshotName")?;
    let region = need(input, "sourceRegion")?;
    let mut state = context.state();
    let mut copied = match input.contains_key("sourceSnapshotName") {
        true => manual(&state, context, input, region)?,
        false => automatic(&state, context, input, region)?,
    };
    let is_taken =
        |one: &LightsailSnapshot| one.resource.name == target && one.resource.is_ours(context);
    if state.lightsail.snapshots.iter().any(is_taken) {
        let message = format!("Some names are already in use: {target}");
        return Err(bad("InvalidInputException", message));
    }
    copied.ready = context.now + ms(state.settings.copy_time);
    copied.resource = LightsailResource {
        owner: context.caller.account.clone(),
        region: context.caller.region.clone(),
        created: context.now,
        ..LightsailResource::new(target, copied.resource.gib)
    };
    let (kind, ready) = (copied.kind(), copied.ready);
    let operation = match copied.of_instance {
        true => "CreateInstanceSnapshot",
        false => "CreateDiskSnapshot",
    };
    state.lightsail.snapshots.push(copied);
    let noted = note(
        &mut state,
        context,
        (kind, target),
        operation,
        (ready, false),
    );
    Ok(operations(vec![noted]))
}

fn manual(
    state: &State,
    context: &Context<'_>,
    input: &Input,
    region: &str,
) -> Result<LightsailSnapshot> {
    let name = need(input, "sourceSnapshotName")?;
    let mut snapshots = state.lightsail.snapshots.iter();
    let found = snapshots.find(|one| {
        let of = &one.resource;
        of.name == name && of.region == region && of.owner == context.caller.account
    });
    let found = found.ok_or_else(|| not_found("Snapshot", name))?;
    match found.state(context.now) {
        "available" | "completed" => Ok(found.clone()),
        other => {
            let message = format!("The snapshot {name} is {other}");
            Err(bad("OperationFailureException", message))
        }
    }
}

fn automatic(
    state: &State,
    context: &Context<'_>,
    input: &Input,
    region: &str,
) -> Result<LightsailSnapshot> {
    let name = need(input, "sourceResourceName")?;
    let date = input.get("restoreDate").and_then(Value::as_str);
    let latest = input.get("useLatestRestorableAutoSnapshot");
    let latest = latest.and_then(Value::as_bool).unwrap_or(false);
    if date.is_some() == latest {
        let message = "either restoreDate or useLatestRestorableAutoSnapshot has to be given";
        return Err(bad("InvalidInputException", message));
    }
    let autos = state.lightsail.auto_snapshots.iter().filter(|auto| {
        let of = &auto.resource;
        let is_theirs = of.name == name && of.region == region;
        let is_wanted = date.is_none_or(|date| date == auto.date);
        is_theirs && of.owner == context.caller.account && is_wanted && auto.status == "Success"
    });
    let found = autos.max_by_key(|auto| auto.date.clone());
    let found = found.ok_or_else(|| not_found("AutoSnapshot", name))?;
    let copied = LightsailSnapshot::new(name, name, found.of_instance, found.disks.clone());
    Ok(LightsailSnapshot {
        from_auto: true,
        ..copied
    })
}

pub(super) fn delete(context: &Context<'_>, input: &Input, of_instance: bool) -> Result<Value> {
    let (parameter, kind, operation) = match of_instance {
        true => (
            "instanceSnapshotName",
            "InstanceSnapshot",
            "DeleteInstanceSnapshot",
        ),
        false => ("diskSnapshotName", "DiskSnapshot", "DeleteDiskSnapshot"),
    };
    let name = need(input, parameter)?;
    let mut state = context.state();
    let place = state.lightsail.snapshots.iter().position(|one| {
        let is_it = one.resource.name == name && one.of_instance == of_instance;
        is_it && one.resource.is_ours(context)
    });
    let place = place.ok_or_else(|| not_found(kind, name))?;
    state.lightsail.snapshots.remove(place);
    let done = (context.now, false);
    let noted = note(&mut state, context, (kind, name), operation, done);
    Ok(operations(vec![noted]))
}

pub(super) fn tag(context: &Context<'_>, input: &Input) -> Result<Value> {
    let name = need(input, "resourceName")?;
    let given = input
        .get("tags")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let text = |tag: &Value, name: &str| tag[name].as_str().unwrap_or_default().to_owned();
    let tags: Vec<_> = given
        .iter()
        .map(|tag| (text(tag, "key"), text(tag, "value")))
        .collect();
    if tags.is_empty() || tags.iter().any(|(key, _)| key.is_empty()) {
        return Err(bad(
            "InvalidInputException",
            "tags with keys have to be given",
        ));
    }
    let mut state = context.state();
    let lightsail = &mut state.lightsail;
    let snapshots = lightsail.snapshots.iter_mut();
    let snapshots = snapshots.map(|one| (one.kind(), &mut one.resource));
    let instances = lightsail.instances.iter_mut().map(|one| ("Instance", one));
    let disks = lightsail.disks.iter_mut().map(|one| ("Disk", one));
    let mut all = snapshots.chain(instances).chain(disks);
    let found = all.find(|(_, one)| one.name == name && one.is_ours(context));
    let (kind, found) = found.ok_or_else(|| not_found("resource", name))?;
    found.tags.extend(tags);
    let done = (context.now, false);
    let noted = note(&mut state, context, (kind, name), "TagResource", done);
    Ok(operations(vec![noted]))
}
