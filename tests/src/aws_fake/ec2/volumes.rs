//! Volumes: described, made and deleted.

use super::params::Params;
use super::select::{Described, page, select, write_tags};
use super::{done, missing, places, reply};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, ServiceError, bad};
use crate::aws_fake::model::{Attachment, Snapshot, Tags, Volume};
use crate::aws_fake::state::{State, TokenUse};
use crate::stand_in::clock::{iso, ms};
use crate::stand_in::encoding::Xml;

const CLIENT_TOKEN_MAX: usize = 64;
const KINDS: [&str; 7] = ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"];

impl Described for Volume {
    const NOT_FOUND: &'static str = "InvalidVolume.NotFound";
    const IDS: &'static str = "VolumeId";

    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn values(&self, filter: &str, at: i64) -> Option<Vec<String>> {
        let attachment = self.attachment(at);
        let attached = |value: fn(&Attachment) -> &String| attachment.map(value).cloned();
        let value = match filter {
            "attachment.device" => attached(|to| &to.device),
            "attachment.instance-id" => attached(|to| &to.instance_id),
            "attachment.status" => attachment.map(|to| to.state(at).to_owned()),
            "availability-zone" => Some(self.zone.clone()),
            "encrypted" => Some(self.kms_key.is_some().to_string()),
            "size" => Some(self.gib.to_string()),
            "snapshot-id" => self.snapshot_id.clone(),
            "status" => self.state(at).map(str::to_owned),
            "volume-id" => Some(self.id.clone()),
            "volume-type" => Some(self.kind.clone()),
            _ => return None,
        };
        Some(value.into_iter().collect())
    }
}

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result {
    let mut state = context.state();
    let at = context.seen(&state);
    let caller = &context.caller;
    let volumes = state.at(at).volumes.values();
    let visible = volumes.filter(|volume| {
        let is_ours = volume.owner == caller.account && volume.region == caller.region;
        is_ours && volume.state(at).is_some()
    });
    let found = select(params, visible, at)?;
    let (found, next) = page(context, params, &mut state, found)?;
    Ok(reply(context, |xml| {
        xml.set("volumeSet", &found, |xml, volume| write(xml, volume, at));
        xml.maybe("nextToken", next);
    }))
}

fn write(xml: &mut Xml, volume: &Volume, at: i64) {
    xml.text("volumeId", &volume.id);
    xml.text("size", volume.gib);
    xml.text(
        "snapshotId",
        volume.snapshot_id.as_deref().unwrap_or_default(),
    );
    xml.text("availabilityZone", &volume.zone);
    xml.maybe("status", volume.state(at));
    xml.text("createTime", iso(volume.created));
    xml.set("attachmentSet", volume.attachment(at), |xml, attachment| {
        write_attachment(xml, &volume.id, attachment, at);
    });
    xml.text("volumeType", &volume.kind);
    xml.text("encrypted", volume.kms_key.is_some());
    xml.maybe("kmsKeyId", volume.kms_key.as_ref());
    xml.text("multiAttachEnabled", false);
    write_tags(xml, &volume.tags);
}

pub(super) fn write_attachment(xml: &mut Xml, id: &str, attachment: &Attachment, at: i64) {
    xml.text("volumeId", id);
    xml.text("instanceId", &attachment.instance_id);
    xml.text("device", &attachment.device);
    xml.text("status", attachment.state(at));
    xml.text("attachTime", iso(attachment.asked));
    xml.text("deleteOnTermination", attachment.delete_on_termination);
}

/// A volume of the caller's that is there.
pub(super) fn ours<'a>(state: &'a State, context: &Context<'_>, id: &str) -> Result<&'a Volume> {
    let caller = &context.caller;
    let volume = state.volumes.get(id).filter(|volume| {
        let is_ours = volume.owner == caller.account && volume.region == caller.region;
        is_ours && volume.state(context.now).is_some()
    });
    volume.ok_or_else(|| {
        let message = format!("The volume '{id}' does not exist.");
        bad(Volume::NOT_FOUND, message)
    })
}

/// What makes two calls with one token the same call.
fn essence(params: &Params<'_>) -> Vec<(String, String)> {
    let beside = [
        "Action",
        "Version",
        "ClientToken",
        "AvailabilityZone",
        "AvailabilityZoneId",
    ];
    let all = params.0.iter();
    let mut essence: Vec<_> = all
        .filter(|(name, _)| !beside.contains(&name.as_str()))
        .cloned()
        .collect();
    essence.sort();
    essence
}

fn check_quota(state: &State, context: &Context<'_>) -> Result<()> {
    let is_ours = |volume: &&Volume| {
        volume.owner == context.caller.account && volume.state(context.now).is_some()
    };
    let count = state.volumes.values().filter(is_ours).count();
    match state.settings.volumes_max {
        Some(max) if count >= max => {
            let message = format!("You have exceeded your maximum number of volumes, {max}");
            Err(bad("VolumeLimitExceeded", message))
        }
        _ => Ok(()),
    }
}

pub(super) fn create(context: &Context<'_>, params: &Params<'_>) -> Result {
    let mut state = context.state();
    let zone = places::zone_of(context, params)?;
    // Over the quota even a call that was answered before is refused.
    check_quota(&state, context)?;
    let token = params.get("ClientToken").map(str::to_owned);
    let key = token.as_ref().map(|token| {
        let Context { caller, .. } = context;
        [&caller.account, &caller.region, &zone, token].map(String::clone)
    });
    if token
        .as_ref()
        .is_some_and(|token| token.len() > CLIENT_TOKEN_MAX || !token.is_ascii())
    {
        return Err(bad(
            "InvalidParameterValue",
            "ClientToken is longer than 64 characters",
        ));
    }
    let essence = essence(params);
    if let Some(used) = key.as_ref().and_then(|key| state.client_tokens.get(key)) {
        if used.parameters != essence {
            let message = "Client token was used with other parameters before.";
            return Err(bad("IdempotentParameterMismatch", message));
        }
        // Whatever has become of it since.
        let volume = state.volumes[&used.volume_id].clone();
        return Ok(created(context, &volume));
    }
    let mut volume = new(&state, context, params, zone)?;
    if state.settings.creations_that_fail > 0 {
        state.settings.creations_that_fail -= 1;
        volume.fails = true;
    }
    volume.id = state.id("vol");
    if let Some(key) = key {
        let used = TokenUse {
            parameters: essence,
            volume_id: volume.id.clone(),
        };
        state.client_tokens.insert(key, used);
    }
    state.change(context.now).add_volume(volume.clone());
    Ok(created(context, &volume))
}

fn created(context: &Context<'_>, volume: &Volume) -> crate::stand_in::Answer {
    reply(context, |xml| {
        let mut volume = volume.clone();
        volume.status = volume
            .state(context.now)
            .is_none()
            .then(|| "creating".to_owned());
        volume.gone = None;
        write(xml, &volume, context.now);
    })
}

/// What a call asks for, all but its id.
fn new(state: &State, context: &Context<'_>, params: &Params<'_>, zone: String) -> Result<Volume> {
    let invalid = |message: String| bad("InvalidParameterValue", message);
    let snapshot = params.get("SnapshotId").filter(|id| !id.is_empty());
    let snapshot = snapshot.map(|id| usable(state, context, id)).transpose()?;
    let size = params.number("Size")?;
    let gib = match (size, snapshot) {
        (None, None) => return Err(missing("Size")),
        (None, Some(snapshot)) => snapshot.gib,
        (Some(size), Some(snapshot)) if size < snapshot.gib => {
            let message = format!(
                "Volume of {size}GiB is smaller than snapshot '{}'",
                snapshot.id
            );
            return Err(invalid(message));
        }
        (Some(size), _) => size,
    };
    let kind = params.get("VolumeType").unwrap_or("gp2");
    if !KINDS.contains(&kind) {
        return Err(invalid(format!("Volume type '{kind}' is not supported")));
    }
    let mut tags = Tags::new();
    for n in (1..).take_while(|n| {
        params
            .get(&format!("TagSpecification.{n}.ResourceType"))
            .is_some()
    }) {
        let of = params.get(&format!("TagSpecification.{n}.ResourceType"));
        if of != Some("volume") {
            let of = of.unwrap_or_default();
            let message =
                format!("'{of}' is not a valid taggable resource type for this operation.");
            return Err(invalid(message));
        }
        tags.extend(params.tags(&format!("TagSpecification.{n}.Tag"))?);
    }
    let key = snapshot.and_then(|snapshot| snapshot.kms_key.clone());
    let asked_key = params.get("KmsKeyId").map(str::to_owned);
    let is_encrypted = params.flag("Encrypted") || key.is_some();
    let key = asked_key
        .or(key)
        .unwrap_or_else(|| "alias/aws/ebs".to_owned());
    Ok(Volume {
        owner: context.caller.account.clone(),
        region: context.caller.region.clone(),
        zone,
        snapshot_id: snapshot.map(|snapshot| snapshot.id.clone()),
        blocks: snapshot.map(|snapshot| snapshot.blocks.clone()),
        kind: kind.to_owned(),
        kms_key: is_encrypted.then_some(key),
        created: context.now,
        ready: context.now + ms(state.settings.create_time),
        // The key is used when the volume is made, not when it is asked for.
        fails: snapshot.is_some_and(|snapshot| snapshot.kms_denied),
        tags,
        client_token: params.get("ClientToken").map(str::to_owned),
        ..Volume::new("", gib)
    })
}

/// A snapshot that a volume can be made of.
fn usable<'a>(state: &'a State, context: &Context<'_>, id: &str) -> Result<&'a Snapshot> {
    let caller = &context.caller;
    let snapshot = state.snapshots.get(id).filter(|snapshot| {
        snapshot.region == caller.region && snapshot.is_visible(&caller.account)
    });
    let snapshot = snapshot.ok_or_else(|| {
        let message = format!("The snapshot '{id}' does not exist.");
        bad(Snapshot::NOT_FOUND, message)
    })?;
    let wrong = |what: &str| -> ServiceError {
        bad(
            "IncorrectState",
            format!("Snapshot is in invalid state - {what}"),
        )
    };
    match snapshot.state(context.now) {
        _ if snapshot.archived => Err(wrong("archived")),
        "completed" => Ok(snapshot),
        other => Err(wrong(other)),
    }
}

pub(super) fn delete(context: &Context<'_>, params: &Params<'_>) -> Result {
    let id = params.need("VolumeId")?;
    let mut state = context.state();
    let volume = ours(&state, context, id)?;
    match volume.state(context.now) {
        Some("available" | "error") => {}
        Some("in-use") => {
            let to = volume
                .attachment(context.now)
                .map(|to| to.instance_id.clone());
            let message = format!(
                "Volume {id} is currently attached to {}",
                to.unwrap_or_default()
            );
            return Err(bad("VolumeInUse", message));
        }
        other => {
            let message = format!("The volume '{id}' is '{}'", other.unwrap_or_default());
            return Err(bad("IncorrectState", message));
        }
    }
    let mut gone = context.now + ms(state.settings.delete_time);
    if state.settings.deletions_that_hang > 0 {
        state.settings.deletions_that_hang -= 1;
        gone = i64::MAX;
    }
    let volumes = &mut state.change(context.now).volumes;
    volumes.get_mut(id).expect("it is there").gone = Some(gone);
    Ok(done(context))
}
