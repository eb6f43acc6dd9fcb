//! Images, described.

use super::{dry_run, region};
use crate::ecs_fake::context::{Context, time};
use crate::ecs_fake::model::Image;
use crate::ecs_fake::params::Params;
use crate::ecs_fake::select::{Paging, has_tags, page, write_tags};
use crate::stand_in::error::Result;
use serde_json::{Value, json};

/// It has pages by number only.
const PAGING: Paging = Paging {
    min: 1,
    max: 100,
    is_strict: true,
};

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    let region = region(&state, params)?;
    dry_run(params)?;
    let ids: Option<Vec<_>> = params.get("ImageId").map(|ids| ids.split(',').collect());
    let at = context.seen(&state);
    let found = state.at(at).images.values().filter(|image| {
        let is = |name: &str, value: &str| params.get(name).is_none_or(|wanted| wanted == value);
        let snapshot = params.get("SnapshotId");
        let mut disks = image.disks.iter();
        image.owner == context.caller.account
            && image.region == region
            && ids
                .as_ref()
                .is_none_or(|ids| ids.contains(&image.id.as_str()))
            && snapshot.is_none_or(|id| disks.any(|disk| disk.snapshot_id == id))
            && is("ImageOwnerAlias", "self")
            && is("ImageName", &image.name)
            && has_tags(params, &image.tags)
    });
    let found: Vec<_> = found.cloned().collect();
    let by_number = params.0.iter();
    let by_number: Vec<_> = by_number
        .filter(|(name, _)| !["MaxResults", "NextToken"].contains(&name.as_str()))
        .cloned()
        .collect();
    let page = page(context, &Params(&by_number), &mut state, &found, PAGING)?;
    let mut body = page.write("Images", "Image", write);
    body["RegionId"] = json!(region);
    body.as_object_mut().expect("an object").remove("NextToken");
    Ok(body)
}

fn write(image: &Image) -> Value {
    let disks = image.disks.iter().map(|disk| {
        json!({
            "Device": disk.device,
            "SnapshotId": disk.snapshot_id,
            "Size": disk.gib.to_string(),
            "Type": disk.kind,
            "Format": "",
            "Progress": "100%",
        })
    });
    json!({
        "ImageId": image.id,
        "ImageName": image.name,
        "ImageOwnerAlias": "self",
        "Status": image.status,
        "OSType": image.os,
        "OSName": image.os,
        "Size": image.disks.first().map_or(0, |disk| disk.gib),
        "Progress": "100%",
        "CreationTime": time(image.created, false),
        "Description": "",
        "DiskDeviceMappings": { "DiskDeviceMapping": disks.collect::<Vec<_>>() },
        "Tags": write_tags(&image.tags),
    })
}
