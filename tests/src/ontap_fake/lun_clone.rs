//! LUNs that are made: clones of others, also of those in snapshots.

use super::content::Content;
use super::context::Context;
use super::effects::{Effect, run};
use super::error::{hal, invalid, missing, not_settable};
use super::luns::{document, no_such_lun};
use super::model::{Lun, SnapshotLun, Space, Volume, VolumeType};
use super::state::State;
use super::volumes::svm_of;
use crate::stand_in::error::{Result, error};
use serde_json::json;

/// The longest comment.
const COMMENT_MAX: usize = 254;

/// Volume, and path in it, of `/vol/VOLUME/PATH`.
fn parts(name: &str) -> Option<(&str, &str)> {
    let (volume, path) = name.strip_prefix("/vol/")?.split_once('/')?;
    (!volume.is_empty() && !path.is_empty()).then_some((volume, path))
}

/// What a LUN, or a LUN in a snapshot, has.
pub(crate) fn source(state: &State, context: &Context<'_>, name: &str) -> Result<SnapshotLun> {
    let svm = svm_of(context, state)?;
    let not_there = || no_such_lun(state, "clone.source.name");
    let (volume, path) = parts(name).ok_or_else(|| invalid("clone.source.name", name))?;
    let volume = state.volume(&svm, volume).ok_or_else(not_there)?;
    let Some(inside) = path.strip_prefix(".snapshot/") else {
        let lun = state.lun_of(&volume.uuid, path).ok_or_else(not_there)?;
        return Ok(SnapshotLun {
            content: lun.content.clone(),
            os_type: lun.os_type.clone(),
        });
    };
    let (snapshot, path) = inside.split_once('/').ok_or_else(not_there)?;
    let snapshot = volume.snapshot(snapshot).ok_or_else(not_there)?;
    snapshot.luns.get(path).cloned().ok_or_else(not_there)
}

fn volume_of<'s>(state: &'s State, context: &Context<'_>, name: &str) -> Result<&'s Volume> {
    let svm = svm_of(context, state)?;
    let volume = state.volume(&svm, name);
    let message = "The specified volume was not found.";
    volume.ok_or_else(|| error(404, "917927", message).because("name"))
}

/// Whether a LUN can be put there.
fn takes_luns(volume: &Volume) -> Result<()> {
    if volume.kind != VolumeType::Rw {
        if !volume.initialised {
            let message = "The volume has not been initialized by a SnapMirror transfer.";
            return Err(error(400, "917536", message));
        }
        let message = format!(
            "Operation is not allowed on volume \"{}\": it is read-only, the destination of a \
             SnapMirror relationship.",
            volume.name
        );
        return Err(error(400, "5242886", message));
    }
    if volume.state != "online" {
        return Err(error(400, "5374866", "The LUN's volume is offline."));
    }
    if volume.space == Space::Full {
        let message = format!("No space left in volume \"{}\".", volume.name);
        return Err(error(400, "5242886", message));
    }
    Ok(())
}

/// What a clone is of, and what the document must not have beside it.
fn cloned(state: &State, context: &Context<'_>, volume: &Volume) -> Result<Option<SnapshotLun>> {
    let reading = &context.reading;
    let uuid = reading.text("clone.source.uuid");
    let name = reading.text("clone.source.name");
    if uuid.is_none() && name.is_none() {
        return Ok(None);
    }
    if state.settings.disaggregated {
        return Err(not_settable("clone"));
    }
    for field in ["os_type", "space.size", "attributes"] {
        if reading.field(field).is_some() {
            let message = "The property cannot be specified when creating a LUN clone.";
            return Err(error(400, "5374883", message).because(field));
        }
    }
    if volume.flexgroup {
        let message = "LUN clones are not supported in FlexGroup volumes.";
        return Err(error(400, "5242886", message));
    }
    let by_uuid = match uuid {
        None => None,
        Some(uuid) => {
            // Of a snapshot's LUN there is no UUID: it cannot be found, and giving both is refused.
            if name.is_some_and(|name| name.contains("/.snapshot/")) {
                let message = "The clone.source.uuid property is not supported when specifying a \
                               source LUN from a snapshot.";
                return Err(error(400, "5374899", message).because("clone.source.uuid"));
            }
            let lun = state.luns.get(uuid);
            Some(lun.ok_or_else(|| no_such_lun(state, "clone.source.uuid"))?)
        }
    };
    let of_volume = |name: &str| parts(name).is_some_and(|(other, _)| other == volume.name);
    let is_inside = match (by_uuid, name) {
        (_, Some(name)) => of_volume(name),
        (Some(lun), None) => lun.volume == volume.uuid,
        (None, None) => false,
    };
    if !is_inside {
        let message = "The LUN clone and its source must reside in the same volume.";
        return Err(error(400, "5374886", message).because("clone.source.name"));
    }
    match (name, by_uuid) {
        (Some(name), _) => source(state, context, name).map(Some),
        (None, Some(lun)) => Ok(Some(SnapshotLun {
            content: lun.content.clone(),
            os_type: lun.os_type.clone(),
        })),
        (None, None) => Ok(None),
    }
}

/// `POST /storage/luns`
pub(crate) fn create(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let reading = &context.reading;
    let name = reading.text("name").ok_or_else(|| missing("name"))?;
    let (volume_name, path) = parts(name).ok_or_else(|| invalid("name", name))?;
    if path.starts_with(".snapshot") {
        let message = "LUNs cannot be created in snapshots.";
        return Err(error(400, "5374238", message).because("name"));
    }
    let volume = volume_of(&state, context, volume_name)?.clone();
    let comment = reading.text("comment").map(str::to_owned);
    if comment
        .as_ref()
        .is_some_and(|comment| comment.len() > COMMENT_MAX)
    {
        return Err(invalid("comment", comment.as_deref().unwrap_or_default()));
    }
    takes_luns(&volume)?;
    let source = match cloned(&state, context, &volume)? {
        Some(source) => source,
        None => new(context)?,
    };
    if state.lun_of(&volume.uuid, path).is_some() {
        let code = &state.settings.lun_exists;
        let message = "A LUN already exists at the specified path.";
        return Err(error(409, code, message).because("name"));
    }
    let is_broken = volume.space == Space::ForBrokenClones;
    let lun = Lun {
        uuid: state.uuid(),
        volume: volume.uuid,
        path: path.to_owned(),
        content: source.content,
        os_type: source.os_type,
        serial: state.serial(),
        comment,
        state: if is_broken { "space_error" } else { "online" }.to_owned(),
        guaranteed: reading.flag("space.guarantee.requested") == Some(true),
        auto_delete: reading.flag("auto_delete") == Some(true),
        created: context.now,
    };
    let href = format!("/api/storage/luns/{}", lun.uuid);
    if state.settings.luns_by_jobs {
        let effect = Effect::CreateLun(Box::new(lun));
        return context.job(&mut state, effect, 201, Some(href));
    }
    run(
        &mut state,
        Effect::CreateLun(Box::new(lun.clone())),
        context.now,
    )?;
    let body = match reading.switch("return_records")? {
        true => document(&state, &lun),
        false => json!({}),
    };
    Ok(hal(201, &body).with("Location", href))
}

/// A LUN that is no clone: zeros.
fn new(context: &Context<'_>) -> Result<SnapshotLun> {
    let reading = &context.reading;
    let os_type = reading.text("os_type").ok_or_else(|| missing("os_type"))?;
    let size = reading
        .field("space.size")
        .ok_or_else(|| missing("space.size"))?;
    let size = size
        .as_u64()
        .ok_or_else(|| invalid("space.size", &size.to_string()))?;
    Ok(SnapshotLun {
        content: Content::from_bytes("").with_len(size),
        os_type: os_type.to_owned(),
    })
}
