//! Volumes, and FlexClone volumes.

use super::context::Context;
use super::effects::{Effect, VolumeChange};
use super::error::{duplicate, hal, invalid, missing, not_there, unexpected, unsupported};
use super::model::{Lun, Parent, Snapshot, Space, Tables, Volume, VolumeType};
use super::query::{Kind, Record};
use super::state::State;
use super::times::time;
use crate::stand_in::error::{Result, error};
use serde_json::{Value, json};

const KIND: Kind = Kind {
    always: &["name", "uuid"],
    expensive: &[
        "clone.parent_snapshot",
        "clone.parent_svm",
        "clone.parent_volume",
        "nas",
        "guarantee",
    ],
    known: &[
        "name",
        "uuid",
        "type",
        "state",
        "style",
        "size",
        "create_time",
        "comment",
        "svm.name",
        "svm.uuid",
        "clone.is_flexclone",
        "clone.has_flexclone",
        "clone.parent_volume",
        "clone.parent_snapshot",
        "clone.parent_svm",
        "clone.split_initiated",
        "space.size",
        "space.available",
        "space.used",
        "nas.path",
        "nas.security_style",
        "snapshot_directory_access_enabled",
        "snapmirror.is_protected",
        "is_svm_root",
        "snapshot_count",
        "guarantee.type",
    ],
};

/// Before this release nothing can be deleted past the recovery queue.
const FORCE_SINCE: super::Version = super::Version(9, 12, 0);

fn clone_of(tables: &Tables, volume: &Volume) -> Value {
    let mut clone = json!({
        "is_flexclone": volume.parent.is_some(),
        "has_flexclone": tables.has_clones(&volume.uuid),
    });
    let Some(parent) = &volume.parent else {
        return clone;
    };
    let from = tables.volumes.get(&parent.volume);
    let snapshot = from.and_then(|from| {
        let mut snapshots = from.snapshots.iter();
        snapshots.find(|snapshot| snapshot.uuid == parent.snapshot)
    });
    clone["split_initiated"] = json!(false);
    clone["parent_volume"] = json!({
        "uuid": parent.volume,
        "name": from.map(|from| &from.name),
    });
    clone["parent_snapshot"] = json!({
        "uuid": parent.snapshot,
        "name": snapshot.map(|snapshot| &snapshot.name),
    });
    clone["parent_svm"] = svm(tables, &volume.svm);
    clone
}

/// Name and UUID of an SVM.
pub(crate) fn svm(tables: &Tables, name: &str) -> Value {
    let uuid = tables.svms.get(name).map(|svm| &svm.uuid);
    json!({ "name": name, "uuid": uuid })
}

fn record(tables: &Tables, volume: &Volume, offset: i64) -> Record {
    let available = match volume.space {
        Space::Enough => volume.size / 2,
        Space::ForBrokenClones => 4096,
        Space::Full => 0,
    };
    let mut value = json!({
        "name": volume.name,
        "uuid": volume.uuid,
        "type": volume.kind.word(),
        "style": if volume.flexgroup { "flexgroup" } else { "flexvol" },
        "size": volume.size,
        "create_time": time(volume.created, offset),
        "comment": volume.comment,
        "svm": svm(tables, &volume.svm),
        "clone": clone_of(tables, volume),
        "space": {
            "size": volume.size,
            "available": available,
            "used": volume.size - available,
        },
        "nas": { "path": volume.junction, "security_style": "unix" },
        "snapshot_directory_access_enabled": volume.snapshot_directory,
        "snapmirror": { "is_protected": volume.kind != VolumeType::Rw },
        "is_svm_root": false,
        "snapshot_count": volume.snapshots.len(),
        "guarantee": { "type": "none" },
    });
    // A volume in the middle of things has none.
    if !volume.state.is_empty() {
        value["state"] = json!(volume.state);
    }
    if volume.junction.is_none() {
        value["nas"]
            .as_object_mut()
            .expect("an object")
            .remove("path");
    }
    Record {
        key: format!("{}/{}", volume.svm, volume.name),
        href: Some(format!("/api/storage/volumes/{}", volume.uuid)),
        value,
    }
}

/// `GET /storage/volumes`
pub(crate) fn list(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let volumes = tables
        .volumes
        .values()
        .filter(|volume| context.sees(&volume.svm));
    let offset = state.settings.utc_offset;
    let records = volumes
        .map(|volume| record(tables, volume, offset))
        .collect();
    let at_most = state.settings.page_max;
    Ok(hal(
        200,
        &KIND.collection(&context.reading, records, at_most)?,
    ))
}

/// `GET /storage/volumes/{uuid}`
pub(crate) fn get(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let volume = visible(context, tables, context.route.id("uuid"), "uuid")?;
    let record = record(tables, volume, state.settings.utc_offset);
    Ok(hal(200, &KIND.single(&context.reading, &record)?))
}

/// A volume that the caller may see.
pub(crate) fn visible<'t>(
    context: &Context<'_>,
    tables: &'t Tables,
    uuid: &str,
    target: &str,
) -> Result<&'t Volume> {
    let volume = tables.volumes.get(uuid);
    let volume = volume.filter(|volume| context.sees(&volume.svm));
    volume.ok_or_else(|| not_there(target))
}

/// The SVM that a document names.
pub(crate) fn svm_of(context: &Context<'_>, tables: &Tables) -> Result<String> {
    let reading = &context.reading;
    let (name, uuid) = (reading.text("svm.name"), reading.text("svm.uuid"));
    if name.is_none() && uuid.is_none() {
        let own = context.user.svm.clone();
        return own
            .ok_or_else(|| error(400, "2621707", "No SVM was specified.").because("svm.name"));
    }
    let is_it = |svm: &&super::Svm| {
        name.is_none_or(|name| name == svm.name) && uuid.is_none_or(|uuid| uuid == svm.uuid)
    };
    let found = tables.svms.values().find(is_it);
    let found = found.filter(|svm| context.sees(&svm.name));
    let message = "The specified SVM does not exist or is not accessible to the caller.";
    found
        .map(|svm| svm.name.clone())
        .ok_or_else(|| error(404, "2621462", message).because("svm.name"))
}

/// `POST /storage/volumes`
pub(crate) fn create(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let reading = &context.reading;
    let name = reading
        .text("name")
        .ok_or_else(|| missing("name"))?
        .to_owned();
    let svm = svm_of(context, &state)?;
    if state.volume(&svm, &name).is_some() {
        return Err(duplicate("name"));
    }
    let mut volume = state.add_volume(&svm, &name).clone();
    state.tables.volumes.remove(&volume.uuid);
    volume.created = context.now;
    volume.comment = reading.text("comment").unwrap_or_default().to_owned();
    let junction = reading.text("nas.path").filter(|path| !path.is_empty());
    volume.junction = junction.map(str::to_owned);
    let mut luns = Vec::new();
    if reading.field("clone").is_some() || reading.field("clone.is_flexclone").is_some() {
        let (parent, snapshot) = parent_of(context, &state, &svm)?;
        volume.size = parent.size;
        volume.files = snapshot.files.clone();
        volume.parent = Some(Parent {
            volume: parent.uuid.clone(),
            snapshot: snapshot.uuid.clone(),
        });
        for (path, lun) in snapshot.luns {
            luns.push(Lun {
                uuid: state.uuid(),
                volume: volume.uuid.clone(),
                path,
                content: lun.content,
                os_type: lun.os_type,
                serial: state.serial(),
                comment: None,
                // LUNs of a FlexClone volume are not mapped, and are there at once.
                state: "online".to_owned(),
                guaranteed: false,
                auto_delete: false,
                created: context.now,
            });
        }
    }
    let href = format!("/api/storage/volumes/{}", volume.uuid);
    let effect = Effect::CreateVolume(Box::new(volume), luns);
    context.job(&mut state, effect, 201, Some(href))
}

/// The volume and the snapshot that a FlexClone volume is to be of.
fn parent_of(context: &Context<'_>, state: &State, svm: &str) -> Result<(Volume, Snapshot)> {
    let reading = &context.reading;
    if reading.flag("clone.is_flexclone") != Some(true) {
        return Err(missing("clone.is_flexclone"));
    }
    let is_it = |volume: &&Volume| {
        let name = reading.text("clone.parent_volume.name");
        let uuid = reading.text("clone.parent_volume.uuid");
        (name.is_some() || uuid.is_some())
            && name.is_none_or(|name| name == volume.name)
            && uuid.is_none_or(|uuid| uuid == volume.uuid)
            && volume.svm == svm
    };
    let parent = state.volumes.values().find(is_it);
    let parent = parent.ok_or_else(|| not_there("clone.parent_volume"))?;
    if parent.flexgroup {
        return Err(unsupported(
            "FlexClone volumes of FlexGroups are not supported.",
        ));
    }
    if !parent.initialised {
        let message = "The volume has not been initialized by a SnapMirror transfer.";
        return Err(error(400, "917536", message));
    }
    if parent.state != "online" {
        return Err(unsupported(format!(
            "Volume \"{}\" is not online.",
            parent.name
        )));
    }
    let snapshot = parent.snapshots.iter().find(|snapshot| {
        let name = reading.text("clone.parent_snapshot.name");
        let uuid = reading.text("clone.parent_snapshot.uuid");
        (name.is_some() || uuid.is_some())
            && name.is_none_or(|name| name == snapshot.name)
            && uuid.is_none_or(|uuid| uuid == snapshot.uuid)
    });
    let snapshot = snapshot.ok_or_else(|| not_there("clone.parent_snapshot"))?;
    Ok((parent.clone(), snapshot.clone()))
}

/// `PATCH /storage/volumes/{uuid}`
pub(crate) fn patch(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let uuid = context.route.id("uuid").to_owned();
    let reading = &context.reading;
    visible(context, &state, &uuid, "uuid")?;
    if super::violations::restores(reading) {
        // What it would do is undone by nobody; it is enough to know that it was asked for.
        return context.job(&mut state, Effect::Nothing("restore"), 200, None);
    }
    let text = |field: &str| reading.text(field).map(str::to_owned);
    let change = VolumeChange {
        junction: text("nas.path"),
        state: text("state"),
        comment: text("comment"),
    };
    if let Some(word) = &change.state {
        if !["online", "offline", "restricted"].contains(&word.as_str()) {
            return Err(invalid("state", word));
        }
        let volume = &state.volumes[&uuid];
        let stays = volume.junction.is_some() && change.junction.as_deref() != Some("");
        if word == "offline" && stays {
            let message = format!("Volume \"{}\" is mounted: unmount it first.", volume.name);
            return Err(unsupported(message));
        }
    }
    context.job(&mut state, Effect::ChangeVolume(uuid, change), 200, None)
}

/// `DELETE /storage/volumes/{uuid}`
pub(crate) fn delete(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let uuid = context.route.id("uuid").to_owned();
    visible(context, &state, &uuid, "uuid")?;
    if context.reading.parameter("force").is_some() && state.version < FORCE_SINCE {
        return Err(unexpected("force"));
    }
    let force = context.reading.switch("force")?;
    if let Some(answer) = context.approval(&mut state, &uuid) {
        return answer;
    }
    context.job(&mut state, Effect::DeleteVolume { uuid, force }, 200, None)
}
