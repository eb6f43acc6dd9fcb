//! Tags put on what is there.

use super::params::Params;
use super::select::Described;
use super::{done, missing};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::model::{Image, Instance, Snapshot, Tables, Tags, Volume};

pub(super) fn create(context: &Context<'_>, params: &Params<'_>) -> Result {
    let ids = params.list("ResourceId");
    let tags = params.tags("Tag")?;
    if ids.is_empty() {
        return Err(missing("resourceIdSet"));
    }
    if tags.is_empty() {
        return Err(missing("Tag"));
    }
    let mut state = context.state();
    // All or none.
    let mut changed = state.tables.clone();
    for id in ids {
        tags_of(&mut changed, context, id)?.extend(tags.clone());
    }
    *state.change(context.now) = changed;
    Ok(done(context))
}

fn tags_of<'a>(tables: &'a mut Tables, context: &Context<'_>, id: &str) -> Result<&'a mut Tags> {
    let account = &context.caller.account;
    let (found, code) = match id.split_once('-').map_or(id, |(kind, _)| kind) {
        "vol" => {
            let volume = tables.volumes.get_mut(id);
            let volume = volume.filter(|volume| volume.state(context.now).is_some());
            let found = volume.map(|volume| (&volume.owner, &mut volume.tags));
            (found, Volume::NOT_FOUND)
        }
        "snap" => {
            let found = tables.snapshots.get_mut(id);
            let found = found.map(|snapshot| (&snapshot.owner, &mut snapshot.tags));
            (found, Snapshot::NOT_FOUND)
        }
        "i" => {
            let found = tables.instances.get_mut(id);
            let found = found.map(|instance| (&instance.owner, &mut instance.tags));
            (found, Instance::NOT_FOUND)
        }
        "ami" => {
            let found = tables.images.get_mut(id);
            let found = found.map(|image| (&image.owner, &mut image.tags));
            (found, Image::NOT_FOUND)
        }
        _ => (None, "InvalidID"),
    };
    let ours = found
        .filter(|(owner, _)| *owner == account)
        .map(|(_, tags)| tags);
    ours.ok_or_else(|| bad(code, format!("The ID '{id}' does not exist")))
}
