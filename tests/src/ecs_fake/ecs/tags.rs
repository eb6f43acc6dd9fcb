//! Tags of disks and snapshots.

use super::{done, region};
use crate::ecs_fake::context::Context;
use crate::ecs_fake::error::missing;
use crate::ecs_fake::model::{Tables, Tags};
use crate::ecs_fake::params::Params;
use crate::ecs_fake::select::{Paging, has_tags, page};
use crate::stand_in::error::{Result, bad, error};
use serde_json::{Value, json};

const RESOURCES_MAX: usize = 50;
const PAGING: Paging = Paging {
    min: 1,
    max: 50,
    is_strict: false,
};

/// Owner and tags of a resource.
fn resource<'a>(tables: &'a mut Tables, kind: &str, id: &str) -> Option<(&'a str, &'a mut Tags)> {
    match kind {
        "disk" => {
            let disk = tables.disks.get_mut(id)?;
            Some((&disk.owner, &mut disk.tags))
        }
        "snapshot" => {
            let snapshot = tables.snapshots.get_mut(id)?;
            Some((&snapshot.owner, &mut snapshot.tags))
        }
        "instance" => {
            let instance = tables.instances.get_mut(id)?;
            Some((&instance.owner, &mut instance.tags))
        }
        "image" => {
            let image = tables.images.get_mut(id)?;
            Some((&image.owner, &mut image.tags))
        }
        _ => None,
    }
}

/// Kind and ids that a call is about.
fn named<'a>(params: &Params<'a>) -> Result<(&'a str, Vec<&'a str>)> {
    let kind = params.need("ResourceType")?;
    if !["disk", "snapshot", "instance", "image"].contains(&kind) {
        let message = "The ResourceType provided does not exist in our records.";
        return Err(error(404, "InvalidResourceType.NotFound", message));
    }
    let ids = params.list("ResourceId");
    match ids.len() > RESOURCES_MAX {
        true => {
            let message = "The maximum number of ResourceIds is exceeded.";
            Err(bad("NumberExceed.ResourceIds", message))
        }
        false => Ok((kind, ids)),
    }
}

pub(super) fn tag(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    region(&state, params)?;
    let (kind, ids) = named(params)?;
    let tags = params.tags()?;
    if ids.is_empty() || tags.is_empty() {
        return Err(missing(if ids.is_empty() { "ResourceId" } else { "Tag" }));
    }
    let mut changed = state.tables.clone();
    for id in ids {
        let resource = resource(&mut changed, kind, id);
        let resource = resource.filter(|(owner, _)| *owner == context.caller.account);
        let (_, known) = resource.ok_or_else(|| {
            let message = "The ResourceId provided does not exist in our records.";
            error(404, "InvalidResourceId.NotFound", message)
        })?;
        known.extend(tags.clone());
    }
    *state.change(context.now) = changed;
    Ok(done())
}

pub(super) fn list(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    region(&state, params)?;
    let (kind, ids) = named(params)?;
    if ids.is_empty() && params.wanted_tags().is_empty() {
        return Err(missing("ResourceId or Tag"));
    }
    let at = context.seen(&state);
    let mut tables = state.at(at).clone();
    let all: Vec<String> = match kind {
        "disk" => {
            let there = tables.disks.values();
            let there = there.filter(|disk| disk.status(at).is_some());
            there.map(|disk| disk.id.clone()).collect()
        }
        "snapshot" => tables.snapshots.keys().cloned().collect(),
        "instance" => tables.instances.keys().cloned().collect(),
        _ => tables.images.keys().cloned().collect(),
    };
    let mut found = Vec::new();
    for id in all {
        if !ids.is_empty() && !ids.contains(&id.as_str()) {
            continue;
        }
        let Some((owner, tags)) = resource(&mut tables, kind, &id) else {
            continue;
        };
        if owner != context.caller.account || !has_tags(params, tags) {
            continue;
        }
        let each = tags.iter();
        found.extend(each.map(|(key, value)| [id.clone(), key.clone(), value.clone()]));
    }
    let mut asked = params.0.to_vec();
    // It has pages by token only, of as many as it likes.
    asked.push(("MaxResults".to_owned(), "50".to_owned()));
    let page = page(context, &Params(&asked), &mut state, &found, PAGING)?;
    let mut body = page.write("TagResources", "TagResource", |[id, key, value]| {
        json!({"ResourceId": id, "ResourceType": kind, "TagKey": key, "TagValue": value})
    });
    body.as_object_mut()
        .expect("an object")
        .remove("TotalCount");
    Ok(body)
}
