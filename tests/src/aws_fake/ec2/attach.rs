//! Volumes attached to instances, and detached.

use super::params::Params;
use super::reply;
use super::select::Described as _;
use super::volumes::{ours, write_attachment};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, ServiceError, bad};
use crate::aws_fake::model::{Attachment, Instance, Volume};
use crate::aws_fake::state::State;
use crate::stand_in::clock::ms;

fn incorrect(volume: &Volume, now: i64) -> ServiceError {
    let (id, is) = (&volume.id, volume.state(now).unwrap_or_default());
    let message = format!("Volume '{id}' is in the '{is}' state.");
    bad("IncorrectState", message)
}

/// An instance of the caller's that disks can be attached to.
pub(super) fn instance<'a>(
    state: &'a State,
    context: &Context<'_>,
    id: &str,
) -> Result<&'a Instance> {
    let caller = &context.caller;
    let instance = state
        .instances
        .get(id)
        .filter(|instance| instance.owner == caller.account && instance.region == caller.region);
    let message = format!("The instance ID '{id}' does not exist");
    instance.ok_or_else(|| bad(Instance::NOT_FOUND, message))
}

pub(super) fn attach(context: &Context<'_>, params: &Params<'_>) -> Result {
    let (id, device) = (params.need("VolumeId")?, params.need("Device")?);
    let mut state = context.state();
    let now = context.now;
    check(&state, context, params, id, device)?;
    let mut attached = now + ms(state.settings.attach_time);
    if state.settings.attachments_that_hang > 0 {
        state.settings.attachments_that_hang -= 1;
        attached = i64::MAX;
    }
    let attachment = Attachment {
        instance_id: params.need("InstanceId")?.to_owned(),
        device: device.to_owned(),
        asked: now,
        attached,
        detached: None,
        delete_on_termination: false,
    };
    let volume = state.change(now).volumes.get_mut(id).expect("it is there");
    volume.attached_to = Some(attachment.clone());
    Ok(reply(context, |xml| {
        write_attachment(xml, id, &attachment, now)
    }))
}

fn check(
    state: &State,
    context: &Context<'_>,
    params: &Params<'_>,
    id: &str,
    device: &str,
) -> Result<()> {
    let now = context.now;
    let volume = ours(state, context, id)?;
    let instance = instance(state, context, params.need("InstanceId")?)?;
    match volume.state(now) {
        Some("available") => {}
        Some("in-use") => {
            let message = format!("{id} is already attached to an instance");
            return Err(bad("VolumeInUse", message));
        }
        _ => return Err(incorrect(volume, now)),
    }
    if !["running", "stopped"].contains(&instance.state.as_str()) {
        let message = format!("Instance '{}' is not 'running'.", instance.id);
        return Err(bad("IncorrectState", message));
    }
    if volume.zone != instance.zone {
        let message = format!(
            "The volume '{id}' is not in the same zone as '{}'",
            instance.id
        );
        return Err(bad("InvalidVolume.ZoneMismatch", message));
    }
    let name = device.strip_prefix("/dev/").unwrap_or_default();
    if !(name.starts_with("xvd") || name.starts_with("sd")) {
        let message = format!("Value ({device}) for parameter device is invalid.");
        return Err(bad("InvalidParameterValue", message));
    }
    let attachments = state
        .volumes
        .values()
        .filter_map(|other| other.attachment(now));
    let attachments = attachments.filter(|to| to.instance_id == instance.id);
    let devices: Vec<_> = attachments.map(|to| to.device.as_str()).collect();
    if devices.contains(&device) || device == instance.root_device {
        let message = format!(
            "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        );
        return Err(bad("InvalidParameterValue", message));
    }
    if devices.len() >= state.settings.attachments_max {
        let message = "The maximum number of attachments is reached.";
        return Err(bad("AttachmentLimitExceeded", message));
    }
    Ok(())
}

pub(super) fn detach(context: &Context<'_>, params: &Params<'_>) -> Result {
    let id = params.need("VolumeId")?;
    let now = context.now;
    let mut state = context.state();
    let volume = ours(&state, context, id)?;
    let attachment = volume.attachment(now).cloned();
    let mut attachment = attachment.ok_or_else(|| incorrect(volume, now))?;
    let is_it = |name, value: &String| params.get(name).is_none_or(|given| given == value);
    let is_right = is_it("InstanceId", &attachment.instance_id);
    if !is_right || !is_it("Device", &attachment.device) {
        let message = format!("The volume '{id}' is not attached there.");
        return Err(bad("InvalidAttachment.NotFound", message));
    }
    if attachment.detached.is_some() {
        return Err(incorrect(volume, now));
    }
    attachment.detached = Some(now + ms(state.settings.detach_time));
    let volume = state.change(now).volumes.get_mut(id).expect("it is there");
    volume.attached_to = Some(attachment.clone());
    Ok(reply(context, |xml| {
        write_attachment(xml, id, &attachment, now)
    }))
}
