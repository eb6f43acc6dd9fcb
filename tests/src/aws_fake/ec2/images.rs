//! Images: described, and deregistered.

use super::params::Params;
use super::select::{Described, page, select, write_tags};
use super::{done, reply};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::model::{Image, Tags};
use crate::stand_in::clock::iso;
use crate::stand_in::encoding::Xml;

impl Described for Image {
    const NOT_FOUND: &'static str = "InvalidAMIID.NotFound";
    const IDS: &'static str = "ImageId";

    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn values(&self, filter: &str, _at: i64) -> Option<Vec<String>> {
        let snapshots = self.disks.iter().map(|disk| disk.snapshot_id.clone());
        let value = match filter {
            "block-device-mapping.snapshot-id" => return Some(snapshots.collect()),
            "image-id" => self.id.clone(),
            "is-public" => self.public.to_string(),
            "name" => self.name.clone(),
            "owner-id" => self.owner.clone(),
            "state" => self.state.clone(),
            _ => return None,
        };
        Some(vec![value])
    }
}

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result {
    let mut state = context.state();
    let at = context.seen(&state);
    let caller = &context.caller;
    let owners = params.list("Owner");
    let images = state.at(at).images.values();
    let visible = images.filter(|image| {
        let is_owner = |owner: &&str| match *owner {
            "self" => image.owner == caller.account,
            owner => image.owner == owner,
        };
        let is_owned = owners.is_empty() || owners.iter().any(is_owner);
        let is_visible = image.public || image.owner == caller.account;
        image.region == caller.region && is_visible && is_owned
    });
    let found = select(params, visible, at)?;
    let (found, next) = page(context, params, &mut state, found)?;
    Ok(reply(context, |xml| {
        xml.set("imagesSet", &found, write);
        xml.maybe("nextToken", next);
    }))
}

fn write(xml: &mut Xml, image: &Image) {
    xml.text("imageId", &image.id);
    xml.text("imageLocation", format!("{}/{}", image.owner, image.name));
    xml.text("imageState", &image.state);
    xml.text("imageOwnerId", &image.owner);
    xml.text("isPublic", image.public);
    xml.text("creationDate", iso(image.created));
    xml.text("architecture", "x86_64");
    xml.text("imageType", "machine");
    xml.text("name", &image.name);
    xml.maybe("platform", image.platform.as_ref());
    xml.text("rootDeviceType", "ebs");
    xml.text("rootDeviceName", &image.root_device);
    xml.set("blockDeviceMapping", &image.disks, |xml, disk| {
        xml.text("deviceName", &disk.device);
        xml.inside("ebs", |xml| {
            xml.text("snapshotId", &disk.snapshot_id);
            xml.text("volumeSize", disk.gib);
            xml.text("deleteOnTermination", true);
            xml.text("volumeType", "gp3");
            xml.text("encrypted", false);
        });
    });
    xml.text("virtualizationType", "hvm");
    write_tags(xml, &image.tags);
}

pub(super) fn deregister(context: &Context<'_>, params: &Params<'_>) -> Result {
    let id = params.need("ImageId")?;
    let mut state = context.state();
    let caller = &context.caller;
    let image = state
        .images
        .get(id)
        .filter(|image| image.owner == caller.account && image.region == caller.region);
    if image.is_none() {
        let message = format!("The image id '[{id}]' does not exist");
        return Err(bad(Image::NOT_FOUND, message));
    }
    // Its snapshots stay.
    state.change(context.now).images.remove(id);
    Ok(done(context))
}
