//! What jobs do, when they do it.

use super::error::{EEXIST, duplicate, not_there};
use super::files::FileNode;
use super::model::{Deleted, Lun, Volume};
use super::state::State;
use crate::stand_in::ServiceError;
use crate::stand_in::clock::ms;
use crate::stand_in::error::error;

/// What of a volume is to be changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct VolumeChange {
    /// An empty one unmounts.
    pub(crate) junction: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) comment: Option<String>,
}

/// Something that is done later.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    CreateLun(Box<Lun>),
    DeleteLun(String),
    /// A volume, and the LUNs in it.
    CreateVolume(Box<Volume>, Vec<Lun>),
    ChangeVolume(String, VolumeChange),
    DeleteVolume {
        uuid: String,
        force: bool,
    },
    CloneFile {
        volume: String,
        path: String,
        of: Box<FileNode>,
        overwrite: bool,
        auto_delete: bool,
    },
    DeleteSnapshot {
        volume: String,
        uuid: String,
    },
    /// It is said that it was done.
    Nothing(&'static str),
}

impl Effect {
    pub(crate) fn description(&self) -> String {
        let (method, path) = match self {
            Self::CreateLun(lun) => ("POST", format!("/api/storage/luns/{}", lun.uuid)),
            Self::DeleteLun(uuid) => ("DELETE", format!("/api/storage/luns/{uuid}")),
            Self::CreateVolume(volume, _) => {
                ("POST", format!("/api/storage/volumes/{}", volume.uuid))
            }
            Self::ChangeVolume(uuid, _) => ("PATCH", format!("/api/storage/volumes/{uuid}")),
            Self::DeleteVolume { uuid, .. } => ("DELETE", format!("/api/storage/volumes/{uuid}")),
            Self::CloneFile { .. } => ("POST", "/api/storage/file/clone".to_owned()),
            Self::DeleteSnapshot { volume, uuid } => (
                "DELETE",
                format!("/api/storage/volumes/{volume}/snapshots/{uuid}"),
            ),
            Self::Nothing(what) => ("PATCH", (*what).to_owned()),
        };
        format!("{method} {path}")
    }
}

/// Does it.
pub(crate) fn run(state: &mut State, effect: Effect, now: i64) -> Result<(), ServiceError> {
    match effect {
        Effect::CreateLun(lun) => {
            if state.lun_of(&lun.volume, &lun.path).is_some() {
                return Err(duplicate("name"));
            }
            state.made.insert(lun.uuid.clone());
            state.change(now).luns.insert(lun.uuid.clone(), *lun);
        }
        Effect::DeleteLun(uuid) => {
            let tables = state.change(now);
            tables.luns.remove(&uuid).ok_or_else(|| not_there("uuid"))?;
            super::san::unmap_all(tables, |map| map.lun == uuid);
        }
        Effect::CreateVolume(volume, luns) => {
            if state.volume(&volume.svm, &volume.name).is_some() {
                return Err(duplicate("name"));
            }
            state.made.insert(volume.uuid.clone());
            let tables = state.change(now);
            tables.volumes.insert(volume.uuid.clone(), *volume);
            let luns = luns.into_iter().map(|lun| (lun.uuid.clone(), lun));
            tables.luns.extend(luns);
        }
        Effect::ChangeVolume(uuid, change) => {
            let volume = state.change(now).volumes.get_mut(&uuid);
            let volume = volume.ok_or_else(|| not_there("uuid"))?;
            if let Some(junction) = change.junction {
                volume.junction = (!junction.is_empty()).then_some(junction);
            }
            volume.state = change.state.unwrap_or_else(|| volume.state.clone());
            volume.comment = change.comment.unwrap_or_else(|| volume.comment.clone());
        }
        Effect::DeleteVolume { uuid, force } => return delete_volume(state, &uuid, force, now),
        Effect::CloneFile {
            volume,
            path,
            of,
            overwrite,
            auto_delete,
        } => {
            let key = format!("{volume}/{path}");
            let volume = state.change(now).volumes.get_mut(&volume);
            let volume = volume.ok_or_else(|| not_there("volume.uuid"))?;
            if volume.files.get(&path).is_some() && !overwrite {
                return Err(error(409, EEXIST, "File exists").because("destination_path"));
            }
            volume.files.add_clone(&path, &of, auto_delete, now);
            state.made.insert(key);
        }
        Effect::DeleteSnapshot { volume, uuid } => {
            let volume = state.change(now).volumes.get_mut(&volume);
            let volume = volume.ok_or_else(|| not_there("volume.uuid"))?;
            volume.snapshots.retain(|snapshot| snapshot.uuid != uuid);
        }
        Effect::Nothing(_) => {}
    }
    Ok(())
}

fn delete_volume(state: &mut State, uuid: &str, force: bool, now: i64) -> Result<(), ServiceError> {
    let until = now + ms(state.settings.recovery_time);
    let volume = state.volumes.get(uuid).ok_or_else(|| not_there("uuid"))?;
    if let Some(junction) = &volume.junction {
        let message = format!(
            "Volume \"{}\" in SVM \"{}\" is mounted at \"{junction}\": unmount it first.",
            volume.name, volume.svm
        );
        return Err(error(400, "3", message));
    }
    if state.has_clones(uuid) {
        let message = "Volume is busy: it has one or more clones.";
        return Err(error(409, "524486", message));
    }
    let tables = state.change(now);
    let volume = tables.volumes.remove(uuid).expect("it was there");
    let of_volume: Vec<_> = tables
        .luns
        .values()
        .filter(|lun| lun.volume == uuid)
        .collect();
    let of_volume: Vec<_> = of_volume.into_iter().map(|lun| lun.uuid.clone()).collect();
    for lun in of_volume {
        tables.luns.remove(&lun);
        super::san::unmap_all(tables, |map| map.lun == lun);
    }
    if !force {
        tables.recovery_queue.push(Deleted { volume, until });
    }
    Ok(())
}
