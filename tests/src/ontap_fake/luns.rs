//! LUNs: which there are, and how they go.

use super::context::Context;
use super::effects::{Effect, run};
use super::error::hal;
use super::files::base;
use super::model::{Lun, Tables, VolumeType};
use super::query::{Kind, Record};
use super::state::State;
use super::times::time;
use super::volumes::svm;
use crate::stand_in::ServiceError;
use crate::stand_in::encoding::hex;
use crate::stand_in::error::{Result, error};
use serde_json::json;

pub(crate) const KIND: Kind = Kind {
    always: &["name", "uuid", "svm.name"],
    expensive: &[
        "attributes",
        "auto_delete",
        "copy",
        "lun_maps",
        "movement",
        "space.physical_used",
        "status.mapped",
        "statistics",
        "metric",
    ],
    known: &[
        "name",
        "uuid",
        "svm.name",
        "svm.uuid",
        "os_type",
        "serial_number",
        "serial_number_hex",
        "comment",
        "class",
        "enabled",
        "create_time",
        "auto_delete",
        "location.logical_unit",
        "location.volume",
        "location.qtree",
        "space.size",
        "space.used",
        "space.guarantee",
        "space.scsi_thin_provisioning_support_enabled",
        "space.physical_used",
        "status.state",
        "status.read_only",
        "status.mapped",
        "status.container_state",
        "lun_maps",
        "attributes",
        "copy",
        "movement",
        "clone",
    ],
};

/// No such LUN.
pub(crate) fn no_such_lun(state: &State, target: &str) -> ServiceError {
    let code = &state.settings.no_such_lun;
    let message = if code == "4" {
        "entry doesn't exist"
    } else {
        "The specified LUN was not found."
    };
    error(404, code, message).because(target)
}

fn record(tables: &Tables, lun: &Lun, offset: i64) -> Record {
    let volume = tables.volumes.get(&lun.volume);
    let svm_name = volume.map_or("?", |volume| volume.svm.as_str());
    let name = tables.name_of(lun);
    let is_online = volume.is_some_and(|volume| volume.state == "online");
    let maps: Vec<_> = tables
        .maps
        .iter()
        .filter(|map| map.lun == lun.uuid)
        .collect();
    let mut value = json!({
        "name": name,
        "uuid": lun.uuid,
        "svm": svm(tables, svm_name),
        "os_type": lun.os_type,
        "serial_number": lun.serial,
        "serial_number_hex": hex(lun.serial.as_bytes()),
        "class": "regular",
        "enabled": lun.state != "offline",
        "create_time": time(lun.created, offset),
        "auto_delete": lun.auto_delete,
        "location": {
            "logical_unit": base(&lun.path),
            "volume": {
                "name": volume.map(|volume| &volume.name),
                "uuid": lun.volume,
            },
        },
        "space": {
            "size": lun.content.len(),
            "used": lun.content.len() / 2,
            "scsi_thin_provisioning_support_enabled": false,
            "guarantee": { "requested": lun.guaranteed, "reserved": lun.guaranteed },
        },
        "status": {
            "state": if is_online { lun.state.as_str() } else { "offline" },
            "read_only": volume.is_some_and(|volume| volume.kind != VolumeType::Rw),
            "container_state": if is_online { "online" } else { "volume_offline" },
            "mapped": !maps.is_empty(),
        },
    });
    if let Some((qtree, _)) = lun.path.split_once('/') {
        value["location"]["qtree"] = json!({ "name": qtree, "id": 1 });
    }
    if let Some(comment) = &lun.comment {
        value["comment"] = json!(comment);
    }
    if !maps.is_empty() {
        let maps = maps.iter().map(|map| super::san::map_of(tables, map));
        value["lun_maps"] = maps.collect();
    }
    Record {
        key: format!("{svm_name}/{name}"),
        href: Some(format!("/api/storage/luns/{}", lun.uuid)),
        value,
    }
}

fn is_visible(context: &Context<'_>, tables: &Tables, lun: &Lun) -> bool {
    let volume = tables.volumes.get(&lun.volume);
    volume.is_some_and(|volume| context.sees(&volume.svm))
}

/// `GET /storage/luns`
pub(crate) fn list(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let luns = tables
        .luns
        .values()
        .filter(|lun| is_visible(context, tables, lun));
    let offset = state.settings.utc_offset;
    let records = luns.map(|lun| record(tables, lun, offset)).collect();
    let at_most = state.settings.page_max;
    Ok(hal(
        200,
        &KIND.collection(&context.reading, records, at_most)?,
    ))
}

/// A LUN that the caller may see, by what is in the path.
pub(crate) fn find<'t>(
    context: &Context<'_>,
    state: &State,
    tables: &'t Tables,
) -> Result<&'t Lun> {
    let lun = tables.luns.get(context.route.id("uuid"));
    let lun = lun.filter(|lun| is_visible(context, tables, lun));
    lun.ok_or_else(|| no_such_lun(state, "uuid"))
}

/// `GET /storage/luns/{uuid}`
pub(crate) fn get(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let lun = find(context, &state, tables)?;
    let record = record(tables, lun, state.settings.utc_offset);
    Ok(hal(200, &KIND.single(&context.reading, &record)?))
}

/// A document of a LUN, for those who make one and want it in the answer.
pub(crate) fn document(state: &State, lun: &Lun) -> serde_json::Value {
    let record = record(&state.tables, lun, state.settings.utc_offset);
    json!({ "num_records": 1, "records": [record.value] })
}

/// `PATCH /storage/luns/{uuid}`
pub(crate) fn patch(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let uuid = find(context, &state, &state.tables)?.uuid.clone();
    let reading = &context.reading;
    let overwritten = match reading.text("clone.source.name") {
        None => None,
        Some(name) => Some(super::lun_clone::source(&state, context, name)?.content),
    };
    let lun = state
        .change(context.now)
        .luns
        .get_mut(&uuid)
        .expect("it is there");
    if let Some(comment) = reading.text("comment") {
        lun.comment = Some(comment.to_owned());
    }
    if let Some(is_enabled) = reading.flag("enabled") {
        lun.state = if is_enabled { "online" } else { "offline" }.to_owned();
    }
    if let Some(content) = overwritten {
        lun.content = content;
    }
    Ok(hal(200, &json!({})))
}

/// `DELETE /storage/luns/{uuid}`
pub(crate) fn delete(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let lun = find(context, &state, &state.tables)?;
    let (uuid, volume) = (lun.uuid.clone(), lun.volume.clone());
    let while_mapped = context.reading.switch("allow_delete_while_mapped")?;
    if state.maps.iter().any(|map| map.lun == uuid) && !while_mapped {
        let message = "The LUN is mapped and cannot be deleted without specifying the \
                       allow_delete_while_mapped query parameter.";
        return Err(error(400, "1254197", message));
    }
    let is_online = state
        .volumes
        .get(&volume)
        .map(|volume| volume.state == "online");
    if is_online == Some(false) {
        let message = "The LUN's volume is offline.";
        return Err(error(400, "5374866", message));
    }
    if let Some(answer) = context.approval(&mut state, &uuid) {
        return answer;
    }
    if state.settings.luns_by_jobs {
        return context.job(&mut state, Effect::DeleteLun(uuid), 200, None);
    }
    run(&mut state, Effect::DeleteLun(uuid), context.now)?;
    Ok(hal(200, &json!({})))
}
