//! Snapshots of a volume.

use super::context::Context;
use super::effects::Effect;
use super::error::{hal, missing, not_there, unsupported};
use super::model::{Snapshot, Tables, Volume};
use super::query::{Kind, Record};
use super::times::time;
use super::volumes::{svm, visible};
use crate::stand_in::error::{Result, error};
use serde_json::json;

const KIND: Kind = Kind {
    always: &["name", "uuid"],
    expensive: &["reclaimable_space", "delta"],
    known: &[
        "name",
        "uuid",
        "create_time",
        "expiry_time",
        "owners",
        "state",
        "size",
        "logical_size",
        "comment",
        "snapmirror_label",
        "version_uuid",
        "snaplock_expiry_time",
        "snaplock",
        "reclaimable_space",
        "delta",
        "svm",
        "volume",
        "provenance_volume",
    ],
};

fn record(tables: &Tables, volume: &Volume, snapshot: &Snapshot, offset: i64) -> Record {
    let mut value = json!({
        "name": snapshot.name,
        "uuid": snapshot.uuid,
        "create_time": time(snapshot.created, offset),
        "size": snapshot.size,
        "logical_size": snapshot.size,
        "version_uuid": snapshot.uuid,
        "svm": svm(tables, &volume.svm),
        "volume": { "name": volume.name, "uuid": volume.uuid },
    });
    let mut owners = snapshot.owners.clone();
    if tables.is_busy(&volume.uuid, &snapshot.uuid) {
        owners.push("volume_clone".to_owned());
    }
    if !owners.is_empty() {
        value["owners"] = json!(owners);
    }
    for (field, text) in [
        ("state", &snapshot.state),
        ("comment", &snapshot.comment),
        ("snapmirror_label", &snapshot.snapmirror_label),
    ] {
        if let Some(text) = text {
            value[field] = json!(text);
        }
    }
    if let Some(expires) = snapshot.expires {
        value["expiry_time"] = json!(time(expires, offset));
    }
    Record {
        key: format!("{:020}/{}", snapshot.created, snapshot.uuid),
        href: Some(format!(
            "/api/storage/volumes/{}/snapshots/{}",
            volume.uuid, snapshot.uuid
        )),
        value,
    }
}

/// `GET /storage/volumes/{volume}/snapshots`; of all volumes, if it is `*`.
pub(crate) fn list(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let uuid = context.route.id("volume");
    let volumes: Vec<_> = match uuid {
        "*" => tables
            .volumes
            .values()
            .filter(|volume| context.sees(&volume.svm))
            .collect(),
        uuid => vec![visible(context, tables, uuid, "volume.uuid")?],
    };
    let offset = state.settings.utc_offset;
    let records = volumes.into_iter().flat_map(|volume| {
        let snapshots = volume.snapshots.iter();
        snapshots.map(move |snapshot| record(tables, volume, snapshot, offset))
    });
    let at_most = state.settings.page_max;
    Ok(hal(
        200,
        &KIND.collection(&context.reading, records.collect(), at_most)?,
    ))
}

fn find<'t>(context: &Context<'_>, tables: &'t Tables) -> Result<(&'t Volume, &'t Snapshot)> {
    let volume = visible(context, tables, context.route.id("volume"), "volume.uuid")?;
    let mut snapshots = volume.snapshots.iter();
    let snapshot = snapshots.find(|snapshot| snapshot.uuid == context.route.id("uuid"));
    Ok((volume, snapshot.ok_or_else(|| not_there("uuid"))?))
}

/// `GET /storage/volumes/{volume}/snapshots/{uuid}`
pub(crate) fn get(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let (volume, snapshot) = find(context, tables)?;
    let record = record(tables, volume, snapshot, state.settings.utc_offset);
    Ok(hal(200, &KIND.single(&context.reading, &record)?))
}

/// `POST /storage/volumes/{volume}/snapshots`
pub(crate) fn create(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let uuid = context.route.id("volume").to_owned();
    let volume = visible(context, &state, &uuid, "volume.uuid")?.clone();
    let name = context
        .reading
        .text("name")
        .ok_or_else(|| missing("name"))?;
    if volume.snapshot(name).is_some() {
        return Err(error(409, "1", "duplicate entry").because("name"));
    }
    state.change(context.now);
    let now = context.now;
    let snapshot = state.take_snapshot(&volume.svm, &volume.name, name);
    snapshot.created = now;
    snapshot.comment = context.reading.text("comment").map(str::to_owned);
    let href = format!("/api/storage/volumes/{uuid}/snapshots/{}", snapshot.uuid);
    context.job(&mut state, Effect::Nothing("snapshot"), 201, Some(href))
}

/// `PATCH /storage/volumes/{volume}/snapshots/{uuid}`: only its name.
pub(crate) fn patch(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let (volume, snapshot) = find(context, &state)?;
    let (volume, old) = (volume.uuid.clone(), snapshot.name.clone());
    let name = context.reading.text("name").unwrap_or(&old).to_owned();
    let volume = state.change(context.now).volumes.get_mut(&volume);
    let snapshot = volume.and_then(|volume| volume.snapshot_mut(&old));
    snapshot.ok_or_else(|| not_there("uuid"))?.name = name;
    context.job(&mut state, Effect::Nothing("snapshot"), 200, None)
}

/// `DELETE /storage/volumes/{volume}/snapshots/{uuid}`
pub(crate) fn delete(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let (volume, snapshot) = find(context, &state)?;
    if volume.kind != super::VolumeType::Rw {
        let message = "Snapshots can only be deleted on read/write (RW) volumes.";
        return Err(error(400, "1638521", message));
    }
    let is_busy = state.is_busy(&volume.uuid, &snapshot.uuid) || !snapshot.owners.is_empty();
    if is_busy {
        let message = format!(
            "Snapshot \"{}\" of volume \"{}\" is busy or locked by an application.",
            snapshot.name, volume.name
        );
        return Err(error(409, "1638555", message));
    }
    if snapshot
        .expires
        .is_some_and(|expires| expires > context.now)
    {
        let message = format!("Snapshot \"{}\" has not expired.", snapshot.name);
        return Err(unsupported(message));
    }
    let (volume, uuid) = (volume.uuid.clone(), snapshot.uuid.clone());
    if let Some(answer) = context.approval(&mut state, &uuid) {
        return answer;
    }
    context.job(
        &mut state,
        Effect::DeleteSnapshot { volume, uuid },
        200,
        None,
    )
}
