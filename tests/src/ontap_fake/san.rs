//! Initiator groups and LUN maps. Our client makes none: that they are made is a violation.

use super::context::Context;
use super::error::{duplicate, hal, missing, not_there};
use super::model::{Igroup, LunMap, Tables};
use super::query::{Kind, Record};
use super::state::State;
use super::volumes::{svm, svm_of};
use crate::stand_in::ServiceError;
use crate::stand_in::error::{Result, error};
use serde_json::{Value, json};

const IGROUP: Kind = Kind {
    always: &["name", "uuid", "svm"],
    expensive: &["lun_maps"],
    known: &[
        "name",
        "uuid",
        "svm",
        "protocol",
        "os_type",
        "initiators",
        "delete_on_unmap",
        "lun_maps",
    ],
};

const MAP: Kind = Kind {
    always: &["svm", "lun", "igroup"],
    expensive: &["reporting_nodes"],
    known: &[
        "svm",
        "lun",
        "igroup",
        "logical_unit_number",
        "reporting_nodes",
    ],
};

/// Takes LUN maps away, and groups that go with their last one.
pub(crate) fn unmap_all(tables: &mut Tables, goes: impl Fn(&LunMap) -> bool) {
    let gone: Vec<_> = tables
        .maps
        .iter()
        .filter(|map| goes(map))
        .cloned()
        .collect();
    tables.maps.retain(|map| !goes(map));
    for map in gone {
        let is_used = tables.maps.iter().any(|other| other.igroup == map.igroup);
        let group = tables.igroups.get(&map.igroup);
        if !is_used && group.is_some_and(|group| group.delete_on_unmap) {
            tables.igroups.remove(&map.igroup);
        }
    }
}

/// A map as a LUN has it.
pub(crate) fn map_of(tables: &Tables, map: &LunMap) -> Value {
    let group = tables.igroups.get(&map.igroup);
    json!({
        "logical_unit_number": map.number,
        "igroup": { "uuid": map.igroup, "name": group.map(|group| &group.name) },
    })
}

fn igroup(tables: &Tables, group: &Igroup) -> Record {
    let initiators = group.initiators.iter().map(|name| json!({ "name": name }));
    Record {
        key: format!("{}/{}", group.svm, group.name),
        href: Some(format!("/api/protocols/san/igroups/{}", group.uuid)),
        value: json!({
            "name": group.name,
            "uuid": group.uuid,
            "svm": svm(tables, &group.svm),
            "protocol": "iscsi",
            "os_type": "linux",
            "delete_on_unmap": group.delete_on_unmap,
            "initiators": initiators.collect::<Vec<_>>(),
        }),
    }
}

fn map(tables: &Tables, map: &LunMap) -> Record {
    let lun = tables.luns.get(&map.lun);
    let group = tables.igroups.get(&map.igroup);
    let svm_name = group.map_or("?", |group| group.svm.as_str());
    let lun_name = lun.map(|lun| tables.name_of(lun)).unwrap_or_default();
    Record {
        key: format!("{svm_name}/{lun_name}/{}", map.igroup),
        href: Some(href(map)),
        value: json!({
            "svm": svm(tables, svm_name),
            "lun": { "uuid": map.lun, "name": lun_name },
            "igroup": { "uuid": map.igroup, "name": group.map(|group| &group.name) },
            "logical_unit_number": map.number,
        }),
    }
}

fn href(map: &LunMap) -> String {
    format!("/api/protocols/san/lun-maps/{}/{}", map.lun, map.igroup)
}

/// `GET /protocols/san/igroups`
pub(crate) fn list_igroups(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let groups = tables
        .igroups
        .values()
        .filter(|group| context.sees(&group.svm));
    let records = groups.map(|group| igroup(tables, group)).collect();
    let at_most = state.settings.page_max;
    Ok(hal(
        200,
        &IGROUP.collection(&context.reading, records, at_most)?,
    ))
}

fn no_such_group() -> ServiceError {
    error(404, "5374852", "The initiator group does not exist.").because("uuid")
}

/// `GET /protocols/san/igroups/{uuid}`
pub(crate) fn get_igroup(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let group = tables.igroups.get(context.route.id("uuid"));
    let group = group.ok_or_else(no_such_group)?;
    Ok(hal(
        200,
        &IGROUP.single(&context.reading, &igroup(tables, group))?,
    ))
}

/// `POST /protocols/san/igroups`
pub(crate) fn create_igroup(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let reading = &context.reading;
    let name = reading.text("name").ok_or_else(|| missing("name"))?;
    let svm = svm_of(context, &state)?;
    if state
        .igroups
        .values()
        .any(|group| group.svm == svm && group.name == name)
    {
        return Err(duplicate("name"));
    }
    let initiators = reading.field("initiators").and_then(Value::as_array);
    let name_of = |value: &Value| value["name"].as_str().map(str::to_owned);
    let group = Igroup {
        uuid: state.uuid(),
        name: name.to_owned(),
        svm,
        initiators: initiators
            .into_iter()
            .flatten()
            .filter_map(name_of)
            .collect(),
        delete_on_unmap: reading.flag("delete_on_unmap") == Some(true),
    };
    let href = format!("/api/protocols/san/igroups/{}", group.uuid);
    state.made.insert(group.uuid.clone());
    let tables = state.change(context.now);
    tables.igroups.insert(group.uuid.clone(), group);
    Ok(hal(201, &json!({})).with("Location", href))
}

/// `DELETE /protocols/san/igroups/{uuid}`
pub(crate) fn delete_igroup(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let uuid = context.route.id("uuid");
    let is_forced = context.reading.switch("allow_delete_while_mapped")?;
    if !state.igroups.contains_key(uuid) {
        return Err(no_such_group());
    }
    if state.maps.iter().any(|map| map.igroup == uuid) && !is_forced {
        let message = "The initiator group is mapped to one or more LUNs.";
        return Err(error(400, "1254213", message));
    }
    let tables = state.change(context.now);
    tables.maps.retain(|map| map.igroup != uuid);
    tables.igroups.remove(uuid);
    Ok(hal(200, &json!({})))
}

/// `GET /protocols/san/lun-maps`
pub(crate) fn list_maps(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let records = tables.maps.iter().map(|one| map(tables, one)).collect();
    let at_most = state.settings.page_max;
    Ok(hal(
        200,
        &MAP.collection(&context.reading, records, at_most)?,
    ))
}

fn is_it(context: &Context<'_>, map: &LunMap) -> bool {
    map.lun == context.route.id("lun") && map.igroup == context.route.id("igroup")
}

fn no_such_map() -> ServiceError {
    error(404, "5374922", "The specified LUN map does not exist.")
}

/// `GET /protocols/san/lun-maps/{lun}/{igroup}`
pub(crate) fn get_map(context: &Context<'_>) -> Result {
    let state = context.state();
    let tables = context.seen(&state);
    let found = tables.maps.iter().find(|map| is_it(context, map));
    let found = found.ok_or_else(no_such_map)?;
    Ok(hal(
        200,
        &MAP.single(&context.reading, &map(tables, found))?,
    ))
}

fn lun_and_group(context: &Context<'_>, state: &State) -> Result<(String, String)> {
    let reading = &context.reading;
    let fits = |field: &str, value: &str| reading.text(field).is_none_or(|text| text == value);
    let mut luns = state.luns.values();
    let lun = luns.find(|lun| fits("lun.uuid", &lun.uuid) && fits("lun.name", &state.name_of(lun)));
    let mut groups = state.igroups.values();
    let group =
        groups.find(|group| fits("igroup.uuid", &group.uuid) && fits("igroup.name", &group.name));
    let lun = lun.ok_or_else(|| not_there("lun"))?;
    let group = group.ok_or_else(|| not_there("igroup"))?;
    Ok((lun.uuid.clone(), group.uuid.clone()))
}

/// `POST /protocols/san/lun-maps`
pub(crate) fn create_map(context: &Context<'_>) -> Result {
    let mut state = context.state();
    let (lun, igroup) = lun_and_group(context, &state)?;
    if state
        .maps
        .iter()
        .any(|map| map.lun == lun && map.igroup == igroup)
    {
        let message = "The LUN is already mapped to this group.";
        return Err(error(409, "5374922", message));
    }
    let number = context.reading.field("logical_unit_number");
    let map = LunMap {
        number: number.and_then(Value::as_u64).unwrap_or(0),
        lun,
        igroup,
    };
    let answer = hal(201, &json!({})).with("Location", href(&map));
    state.change(context.now).maps.push(map);
    Ok(answer)
}

/// `DELETE /protocols/san/lun-maps/{lun}/{igroup}`
pub(crate) fn delete_map(context: &Context<'_>) -> Result {
    let mut state = context.state();
    if !state.maps.iter().any(|map| is_it(context, map)) {
        return Err(no_such_map());
    }
    unmap_all(state.change(context.now), |map| is_it(context, map));
    Ok(hal(200, &json!({})))
}
