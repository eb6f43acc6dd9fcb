//! Snapshots: described, and deleted.

use super::params::Params;
use super::select::{Described, page, select, write_tags};
use super::{done, reply};
use crate::aws_fake::context::Context;
use crate::aws_fake::error::{Result, bad};
use crate::aws_fake::model::{Snapshot, Tags};
use crate::stand_in::clock::iso;
use crate::stand_in::encoding::Xml;

impl Described for Snapshot {
    const NOT_FOUND: &'static str = "InvalidSnapshot.NotFound";
    const IDS: &'static str = "SnapshotId";

    fn id(&self) -> &str {
        &self.id
    }

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn values(&self, filter: &str, at: i64) -> Option<Vec<String>> {
        let value = match filter {
            "description" => self.description.clone(),
            "encrypted" => self.kms_key.is_some().to_string(),
            "owner-id" => self.owner.clone(),
            "progress" => progress(self, at).to_owned(),
            "snapshot-id" => self.id.clone(),
            "start-time" => iso(self.started),
            "status" => self.state(at).to_owned(),
            "storage-tier" => tier(self).to_owned(),
            "volume-id" => self.volume_id.clone(),
            "volume-size" => self.gib.to_string(),
            _ => return None,
        };
        Some(vec![value])
    }
}

fn tier(snapshot: &Snapshot) -> &'static str {
    if snapshot.archived {
        "archive"
    } else {
        "standard"
    }
}

fn progress(snapshot: &Snapshot, at: i64) -> &'static str {
    if snapshot.state(at) == "pending" {
        "42%"
    } else {
        "100%"
    }
}

pub(super) fn describe(context: &Context<'_>, params: &Params<'_>) -> Result {
    let mut state = context.state();
    let at = context.seen(&state);
    let account = &context.caller.account;
    let owners = params.list("Owner");
    let restorable = params.list("RestorableBy");
    let is_owned = |snapshot: &Snapshot| {
        let is_owner = |owner: &&str| match *owner {
            "self" => snapshot.owner == *account,
            "amazon" => snapshot.owner == "amazon",
            owner => snapshot.owner == owner,
        };
        owners.is_empty() || owners.iter().any(is_owner)
    };
    let is_restorable = |snapshot: &Snapshot| {
        let may = |who: &&str| match *who {
            "all" => snapshot.public,
            "self" => snapshot.is_visible(account),
            who => snapshot.is_visible(who),
        };
        restorable.is_empty() || restorable.iter().any(may)
    };
    let snapshots = state.at(at).snapshots.values();
    let visible = snapshots.filter(|snapshot| {
        let is_here = snapshot.region == context.caller.region;
        let is_wanted = is_owned(snapshot) && is_restorable(snapshot);
        is_here && snapshot.is_visible(account) && is_wanted
    });
    let found = select(params, visible, at)?;
    let (found, next) = page(context, params, &mut state, found)?;
    Ok(reply(context, |xml| {
        xml.set("snapshotSet", &found, |xml, snapshot| {
            write(xml, snapshot, at)
        });
        xml.maybe("nextToken", next);
    }))
}

fn write(xml: &mut Xml, snapshot: &Snapshot, at: i64) {
    let status = snapshot.state(at);
    xml.text("snapshotId", &snapshot.id);
    xml.text("volumeId", &snapshot.volume_id);
    xml.text("status", status);
    let message = snapshot.status.as_ref().map(|(_, message)| message);
    xml.maybe("statusMessage", message);
    xml.text("startTime", iso(snapshot.started));
    if status == "completed" {
        xml.text(
            "completionTime",
            iso(snapshot.started.max(snapshot.completes)),
        );
    }
    xml.text("progress", progress(snapshot, at));
    xml.text("ownerId", &snapshot.owner);
    xml.text("volumeSize", snapshot.gib);
    xml.maybe("fullSnapshotSizeInBytes", snapshot.full_bytes);
    xml.text("description", &snapshot.description);
    xml.text("encrypted", snapshot.kms_key.is_some());
    xml.maybe("kmsKeyId", snapshot.kms_key.as_ref());
    xml.text("storageTier", tier(snapshot));
    write_tags(xml, &snapshot.tags);
}

pub(super) fn delete(context: &Context<'_>, params: &Params<'_>) -> Result {
    let id = params.need("SnapshotId")?;
    let mut state = context.state();
    let is_ours = |snapshot: &&Snapshot| {
        let caller = &context.caller;
        snapshot.owner == caller.account && snapshot.region == caller.region
    };
    if state.snapshots.get(id).filter(is_ours).is_none() {
        let message = format!("The snapshot '{id}' does not exist.");
        return Err(bad(Snapshot::NOT_FOUND, message));
    }
    let mut images = state.images.values();
    let user = images.find(|image| image.disks.iter().any(|disk| disk.snapshot_id == id));
    if let Some(image) = user {
        let message = format!("The snapshot {id} is currently in use by {}", image.id);
        return Err(bad("InvalidSnapshot.InUse", message));
    }
    state.change(context.now).snapshots.remove(id);
    Ok(done(context))
}
