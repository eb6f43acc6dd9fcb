//! Instances: described, and what becomes of their disks.

use super::attach::instance;
use super::params::Params;
use super::select::{Described, page, select, write_tags};
use super::{done, missing, reply};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::model::{Attachment, Instance, Tables, Tags, Volume};
use crate::stand_in::clock::iso;
use crate::stand_in::encoding::Xml;

impl Described for Instance {
    const NOT_FOUND: &'static str = "InvalidInstanceID.NotFound";
    const IDS: &'static str = "InstanceId";

    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn values(&self, filter: &str, _at: i64) -> Option<Vec<String>> {
        let value = match filter {
            "availability-zone" => &self.zone,
            "image-id" => &self.image_id,
            "instance-id" => &self.id,
            "instance-state-name" => &self.state,
            "instance-type" => &self.kind,
            "owner-id" => &self.owner,
            _ => return None,
        };
        Some(vec![value.clone()])
    }
}

fn code(state: &str) -> u16 {
    match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    }
}

/// The disks of an instance, by the names they have there.
fn disks(tables: &Tables, id: &str, at: i64) -> Vec<(Volume, Attachment)> {
    let attached = |volume: &Volume| {
        let attachment = volume.attachment(at).filter(|to| to.instance_id == id)?;
        Some((volume.clone(), attachment.clone()))
    };
    let mut disks: Vec<_> = tables.volumes.values().filter_map(attached).collect();
    disks.sort_by(|(_, one), (_, other)| one.device.cmp(&other.device));
    disks
}

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result {
    let mut state = context.state();
    let at = context.seen(&state);
    let caller = &context.caller;
    let instances = state.at(at).instances.values();
    let visible = instances
        .filter(|instance| instance.owner == caller.account && instance.region == caller.region);
    let found = select(params, visible, at)?;
    let (found, next) = page(context, params, &mut state, found)?;
    let tables = state.at(at);
    Ok(reply(context, |xml| {
        xml.set("reservationSet", &found, |xml, instance: &Instance| {
            xml.text("reservationId", instance.id.replacen("i-", "r-", 1));
            xml.text("ownerId", &instance.owner);
            xml.set("instancesSet", [instance], |xml, instance| {
                write(xml, instance, &disks(tables, &instance.id, at), at);
            });
        });
        xml.maybe("nextToken", next);
    }))
}

fn write(xml: &mut Xml, instance: &Instance, disks: &[(Volume, Attachment)], at: i64) {
    xml.text("instanceId", &instance.id);
    xml.text("imageId", &instance.image_id);
    xml.inside("instanceState", |xml| {
        xml.text("code", code(&instance.state))
            .text("name", &instance.state);
    });
    xml.text("instanceType", &instance.kind);
    xml.text("launchTime", iso(instance.launched));
    xml.inside("placement", |xml| {
        xml.text("availabilityZone", &instance.zone)
            .text("tenancy", "default");
    });
    xml.maybe("platform", instance.platform.as_ref());
    xml.text("architecture", "x86_64");
    xml.text("rootDeviceType", "ebs");
    xml.text("rootDeviceName", &instance.root_device);
    xml.set("blockDeviceMapping", disks, |xml, (volume, attachment)| {
        xml.text("deviceName", &attachment.device);
        xml.inside("ebs", |xml| {
            xml.text("volumeId", &volume.id);
            xml.text("status", attachment.state(at));
            xml.text("attachTime", iso(attachment.asked));
            xml.text("deleteOnTermination", attachment.delete_on_termination);
        });
    });
    write_tags(xml, &instance.tags);
}

/// Whether disks end with the instance; nothing else can be modified here.
pub(super) fn modify(context: &Context<'_>, params: &Params<'_>) -> Result {
    let id = params.need("InstanceId")?;
    let mut state = context.state();
    instance(&state, context, id)?;
    let entry = |n: usize| {
        let device = params.get(&format!("BlockDeviceMapping.{n}.DeviceName"))?;
        let ends = params.get(&format!("BlockDeviceMapping.{n}.Ebs.DeleteOnTermination"));
        Some((device, ends == Some("true")))
    };
    let entries: Vec<_> = (1..).map_while(entry).collect();
    if entries.is_empty() {
        return Err(missing("BlockDeviceMapping"));
    }
    for (device, ends) in entries {
        let disks = disks(&state, id, context.now);
        let disk = disks.into_iter().find(|(_, to)| to.device == device);
        let (volume, _) = disk.ok_or_else(|| {
            let message = format!("No device is currently mapped at {device}");
            bad("InvalidInstanceAttributeValue", message)
        })?;
        let volumes = &mut state.change(context.now).volumes;
        let volume = volumes.get_mut(&volume.id).expect("it is there");
        if let Some(attachment) = &mut volume.attached_to {
            attachment.delete_on_termination = ends;
        }
    }
    Ok(done(context))
}
