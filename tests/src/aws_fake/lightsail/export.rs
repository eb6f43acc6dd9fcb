//! Exports: what was a snapshot of Lightsail becomes an image or a snapshot of EC2.

use super::changes::note;
use super::get::not_found;
use super::model::{LightsailRecord, LightsailResource, LightsailSnapshot};
use super::{Input, need, operations};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::model::{Image, ImageDisk, Snapshot};
use crate::aws_fake::state::State;
use crate::stand_in::clock::ms;
use serde_json::Value;

pub(super) fn export(context: &Context<'_>, input: &Input) -> Result<Value> {
    let name = need(input, "sourceSnapshotName")?;
    let mut state = context.state();
    let mut snapshots = state.lightsail.snapshots.iter();
    let source = snapshots.find(|one| one.resource.name == name && one.resource.is_ours(context));
    let source = source.ok_or_else(|| not_found("Snapshot", name))?.clone();
    let is = source.state(context.now);
    if !["available", "completed"].contains(&is) {
        let message = format!("The snapshot {name} is {is}");
        return Err(bad("OperationFailureException", message));
    }
    let fails = state.settings.exports_that_fail > 0;
    state.settings.exports_that_fail -= u32::from(fails);
    let done = context.now + ms(state.settings.export_time);
    let record = format!("ExportSnapshotRecord-{}", state.uuid());
    state.lightsail.records.push(LightsailRecord {
        resource: LightsailResource {
            owner: context.caller.account.clone(),
            region: context.caller.region.clone(),
            created: context.now,
            ..LightsailResource::new(&record, 0)
        },
        source,
        done,
        fails,
        destination: None,
    });
    let of = ("ExportSnapshotRecord", record.as_str());
    let noted = note(&mut state, context, of, "ExportSnapshot", (done, fails));
    Ok(operations(vec![noted]))
}

/// Makes what exports that are done have made.
pub(crate) fn settle(state: &mut State, now: i64) {
    let is_due = |record: &LightsailRecord| {
        record.done <= now && !record.fails && record.destination.is_none()
    };
    while let Some(place) = state.lightsail.records.iter().position(is_due) {
        let source = state.lightsail.records[place].source.clone();
        let id = make(state, &source, now);
        state.lightsail.records[place].destination = Some(id);
    }
}

fn make(state: &mut State, source: &LightsailSnapshot, now: i64) -> String {
    let LightsailResource { owner, region, .. } = &source.resource;
    let mut disks = Vec::new();
    for disk in &source.disks {
        let snapshot = Snapshot {
            owner: owner.clone(),
            region: region.clone(),
            volume_id: "vol-ffffffff".to_owned(),
            description: format!("Exported from Lightsail: {}", source.resource.name),
            started: now,
            ..Snapshot::new(&state.id("snap"), disk.blocks.clone())
        };
        disks.push(ImageDisk {
            device: disk.path.clone(),
            snapshot_id: snapshot.id.clone(),
            gib: snapshot.gib,
        });
        state.change(now).add_snapshot(snapshot);
    }
    if !source.of_instance {
        return disks.swap_remove(0).snapshot_id;
    }
    let image = Image {
        owner: owner.clone(),
        region: region.clone(),
        name: format!("{}-{now}", source.resource.name),
        created: now,
        ..Image::new(&state.id("ami"), disks)
    };
    let id = image.id.clone();
    state.change(now).add_image(image);
    id
}
