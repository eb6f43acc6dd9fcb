//! What Lightsail has.

use crate::aws_fake::config::{ACCOUNT, REGION};
use crate::aws_fake::context::Context;
use crate::aws_fake::model::Tags;
use crate::stand_in::Blocks;
use crate::stand_in::clock::epoch;
use crate::stand_in::encoding::hex;
use crate::stand_in::hash::sha256;
use serde_json::{Value, json};

/// Whose a thing is, and where.
#[derive(Clone, Debug)]
pub struct LightsailResource {
    /// Its name, which is its identity.
    pub name: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
    /// Tags.
    pub tags: Tags,
    /// Size in GiB.
    pub gib: u64,
    /// The instance that a disk is attached to.
    pub attached_to: Option<String>,
}

impl LightsailResource {
    /// One of the account `111122223333` in `us-east-1`.
    #[must_use]
    pub fn new(name: &str, gib: u64) -> Self {
        Self {
            name: name.to_owned(),
            owner: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            created: 1_795_176_000_000,
            tags: Tags::new(),
            gib,
            attached_to: None,
        }
    }

    /// Whether the caller sees it.
    pub(super) fn is_ours(&self, context: &Context<'_>) -> bool {
        self.owner == context.caller.account && self.region == context.caller.region
    }

    /// What every resource says of itself.
    pub(super) fn json(&self, kind: &str) -> Value {
        let Self { owner, region, .. } = self;
        let tags: Vec<_> = self
            .tags
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        let zone = match kind {
            "Instance" | "Disk" => format!("{region}a"),
            _ => "all".to_owned(),
        };
        json!({
            "name": self.name,
            "arn": arn(owner, region, kind, &self.name),
            "supportCode": format!("{owner}/{}", self.name),
            "createdAt": epoch(self.created),
            "location": {"availabilityZone": zone, "regionName": region},
            "resourceType": kind,
            "tags": tags,
        })
    }
}

/// The name of a resource in the whole of AWS, with what looks like a UUID.
pub(super) fn arn(owner: &str, region: &str, kind: &str, name: &str) -> String {
    let digits = hex(&sha256(
        format!("{owner} {region} {kind} {name}").as_bytes(),
    ));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
    format!(
        "arn:aws:lightsail:{region}:{owner}:{kind}/{}",
        parts.join("-")
    )
}

/// What was in a disk.
#[derive(Clone, Debug)]
pub struct LightsailDisk {
    /// Name of the disk; of a system disk, that of its instance.
    pub name: String,
    /// Such as `/dev/xvda`.
    pub path: String,
    /// What was in it.
    pub blocks: Blocks,
}

impl LightsailDisk {
    /// A system disk.
    #[must_use]
    pub fn system(instance: &str, blocks: Blocks) -> Self {
        Self {
            name: instance.to_owned(),
            path: "/dev/xvda".to_owned(),
            blocks,
        }
    }

    pub(super) fn is_system(&self) -> bool {
        self.path == "/dev/xvda"
    }
}

/// A snapshot of an instance, or of a disk.
#[derive(Clone, Debug)]
pub struct LightsailSnapshot {
    /// Whose, where, and under which name.
    pub resource: LightsailResource,
    /// Of an instance with its disks, or of one disk.
    pub of_instance: bool,
    /// Name of the instance or the disk.
    pub from: String,
    /// Pending until then, in milliseconds since 1970.
    pub ready: i64,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it was copied from an automatic one.
    pub from_auto: bool,
    /// What was in it.
    pub disks: Vec<LightsailDisk>,
}

impl LightsailSnapshot {
    /// A completed one.
    #[must_use]
    pub fn new(name: &str, from: &str, of_instance: bool, disks: Vec<LightsailDisk>) -> Self {
        let gib = disks.iter().map(|disk| disk.blocks.gib()).sum();
        Self {
            resource: LightsailResource::new(name, gib),
            of_instance,
            from: from.to_owned(),
            ready: 0,
            failed: false,
            from_auto: false,
            disks,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.of_instance {
            "InstanceSnapshot"
        } else {
            "DiskSnapshot"
        }
    }

    pub(super) fn state(&self, now: i64) -> &'static str {
        match (self.failed, self.of_instance) {
            (true, _) => "error",
            _ if now < self.ready => "pending",
            (_, true) => "available",
            (_, false) => "completed",
        }
    }
}

/// An automatic snapshot.
#[derive(Clone, Debug)]
pub struct AutoSnapshot {
    /// Whose and where; the name is that of the instance or the disk.
    pub resource: LightsailResource,
    /// Of an instance, or of a disk.
    pub of_instance: bool,
    /// `2026-11-20`
    pub date: String,
    /// `Success`, `Failed`, `InProgress` or `NotFound`.
    pub status: String,
    /// What was in it.
    pub disks: Vec<LightsailDisk>,
}

/// An operation.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) resource: LightsailResource,
    pub(super) resource_kind: &'static str,
    pub(super) kind: &'static str,
    pub(super) done: i64,
    pub(super) failed: bool,
}

impl Operation {
    pub(super) fn json(&self, now: i64) -> Value {
        let is_done = now >= self.done;
        let status = match (is_done, self.failed) {
            (false, _) => "Started",
            (true, true) => "Failed",
            (true, false) => "Succeeded",
        };
        let changed = if is_done {
            self.done
        } else {
            self.resource.created
        };
        let mut operation = json!({
            "id": self.id,
            "resourceName": self.resource.name,
            "resourceType": self.resource_kind,
            "createdAt": epoch(self.resource.created),
            "location": {"availabilityZone": "all", "regionName": self.resource.region},
            "isTerminal": is_done,
            "operationType": self.kind,
            "status": status,
            "statusChangedAt": epoch(changed),
        });
        if status == "Failed" {
            operation["errorCode"] = json!("OperationFailureException");
            operation["errorDetails"] = json!("The operation failed.");
        }
        operation
    }
}

/// What became of an export.
#[derive(Clone, Debug)]
pub struct LightsailRecord {
    /// Whose, where, and under which name.
    pub resource: LightsailResource,
    /// The snapshot that is exported, as it was.
    pub source: LightsailSnapshot,
    /// Started until then, in milliseconds since 1970.
    pub done: i64,
    /// Whether it fails.
    pub fails: bool,
    /// `ami-…` or `snap-…`, from the time on when it is done.
    pub destination: Option<String>,
}

/// What Lightsail has.
#[derive(Clone, Debug, Default)]
pub struct Lightsail {
    /// Instances.
    pub instances: Vec<LightsailResource>,
    /// Disks beside the system disks of instances.
    pub disks: Vec<LightsailResource>,
    /// Snapshots of both kinds.
    pub snapshots: Vec<LightsailSnapshot>,
    /// Automatic snapshots.
    pub auto_snapshots: Vec<AutoSnapshot>,
    /// What became of exports.
    pub records: Vec<LightsailRecord>,
    pub(super) operations: Vec<Operation>,
}
