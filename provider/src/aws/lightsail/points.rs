//! Points of an instance or a disk: its manual snapshots, and the automatic ones of the last days.
//!
//! A manual snapshot has a name, which is its id here. An automatic one has a date; its id is the resource's
//! name and the date, `web/2026-11-18`. Copies that an export has made are nobody's points.

use super::api::{self, AttachedDisk, AutoSnapshot, DiskSnapshot, InstanceSnapshot};
use super::{copies, names};
use crate::aws::Client;
use crate::engine::UnixTime;
use crate::fault::Fault;
use crate::point::{Access, Consistency, DiskInfo, PointInfo};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A gigabyte of Lightsail.
const GIB: u64 = 1 << 30;

/// What a copy is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A manual snapshot, by its name.
    Manual(String),
    /// An automatic one, by what it is of, and its date.
    Auto { resource: String, date: String },
}

impl Source {
    /// Its id among points.
    fn id(&self) -> String {
        match self {
            Self::Manual(name) => name.clone(),
            Self::Auto { resource, date } => format!("{resource}/{date}"),
        }
    }

    /// As the call that copies has it.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let field = |name: &str, value: &str| (name.to_owned(), Value::from(value));
        match self {
            Self::Manual(name) => Map::from_iter([field("sourceSnapshotName", name)]),
            Self::Auto { resource, date } => Map::from_iter([
                field("sourceResourceName", resource),
                field("restoreDate", date),
            ]),
        }
    }
}

/// A point, and how it is copied.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) info: PointInfo,
    pub(super) source: Source,
    /// Kind of the copy.
    pub(super) kind: &'static str,
    /// ARNs by which it may be asked for: its own, and that of what it is of.
    arns: Vec<String>,
}

/// What there is under a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    /// Points of an instance.
    pub(super) of_instance: Vec<Found>,
    /// Points of a disk.
    pub(super) of_disk: Vec<Found>,
    /// There is a resource of this name, with or without points.
    pub(super) exists: bool,
}

/// Points of the object, or the one that is called so.
pub(super) async fn list(client: &Client, object: &str) -> Result<Listed, Fault> {
    let region = client.region();
    let instances = api::instance_snapshots(client).await?.into_iter();
    let disks = api::disk_snapshots(client).await?.into_iter();
    let manual = instances.map(|snapshot| of_instance_snapshot(region, snapshot));
    let manual = manual.chain(disks.map(|snapshot| of_disk_snapshot(region, snapshot)));
    let manual = manual.filter(|found| names::tags_of(&found.info.id).is_none());
    let (resource, date) = match object.split_once('/') {
        // An ARN has slashes of its own.
        Some((resource, date)) if !object.starts_with("arn:") => (resource, Some(date)),
        _ => (object, None),
    };
    let mut listed = Listed::default();
    let asked_for = |found: &Found| {
        let of = found.info.object == object || found.info.id == object;
        date.is_none() && (of || found.arns.iter().any(|arn| arn == object))
    };
    let manual = manual.filter(asked_for).collect::<Vec<_>>();
    // By an ARN only what has a manual snapshot is found: automatic ones are asked for by name.
    let named = manual
        .iter()
        .find(|found| found.arns.iter().any(|arn| arn == object));
    let name = named
        .map_or(resource, |found| &*found.info.object)
        .to_owned();
    let is_snapshot = manual.iter().any(|found| found.info.id == object);
    for found in manual {
        listed.add(found);
    }
    let autos = match !is_snapshot && is_name(&name) {
        true => api::auto_snapshots(client, &name).await?,
        false => None,
    };
    if let Some(autos) = autos {
        listed.exists = date.is_none();
        let kind = match autos.resource_type.as_str() {
            "Disk" => copies::DISK,
            _ => copies::INSTANCE,
        };
        let autos = autos.auto_snapshots.into_iter();
        let asked_for = |auto: &AutoSnapshot| date.is_none_or(|date| date == auto.date);
        for auto in autos.filter(asked_for) {
            listed.add(of_auto_snapshot(region, &name, kind, auto));
        }
    }
    listed.sort();
    Ok(listed)
}

impl Listed {
    fn add(&mut self, found: Found) {
        match found.kind {
            copies::INSTANCE => self.of_instance.push(found),
            // The system disk of an instance, taken alone, is one of the instance's points.
            _ if found.info.disks.iter().any(|disk| disk.volume.is_none()) => {
                self.of_instance.push(found);
            }
            _ => self.of_disk.push(found),
        }
    }

    fn sort(&mut self) {
        for points in [&mut self.of_instance, &mut self.of_disk] {
            points.sort_by(|a, b| {
                let key = |found: &Found| (found.info.time, found.info.id.clone());
                key(a).cmp(&key(b))
            });
        }
    }
}

/// Whether Lightsail would take it as a name.
fn is_name(name: &str) -> bool {
    let word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
    (1..=255).contains(&name.len()) && name.chars().all(word)
}

fn of_instance_snapshot(region: &str, snapshot: InstanceSnapshot) -> Found {
    let object = snapshot.from_instance_name.clone();
    let object = object.unwrap_or_else(|| snapshot.name.clone());
    let disks = disks(
        &snapshot.name,
        snapshot.size_in_gb,
        &snapshot.from_attached_disks,
    );
    let region = snapshot.location.region_name.as_deref().unwrap_or(region);
    let mut info = point(snapshot.name.clone(), object, snapshot.created_at, disks);
    info.access = access(&snapshot.state);
    info.state = snapshot.state;
    info.region = Some(region.to_owned());
    info.account = account(&snapshot.arn);
    info.tags = api::tag_map(&snapshot.tags);
    let arns = std::iter::once(snapshot.arn).chain(snapshot.from_instance_arn);
    Found {
        info,
        arns: arns.filter(|arn| !arn.is_empty()).collect(),
        source: Source::Manual(snapshot.name),
        kind: copies::INSTANCE,
    }
}

fn of_disk_snapshot(region: &str, snapshot: DiskSnapshot) -> Found {
    let object = snapshot.from_disk_name.clone();
    let object = object.or_else(|| snapshot.from_instance_name.clone());
    let object = object.unwrap_or_else(|| snapshot.name.clone());
    let disk = DiskInfo {
        id: snapshot.name.clone(),
        volume: snapshot.from_disk_name,
        device: None,
        size: bytes(snapshot.size_in_gb),
    };
    let region = snapshot.location.region_name.as_deref().unwrap_or(region);
    let mut info = point(
        snapshot.name.clone(),
        object,
        snapshot.created_at,
        vec![disk],
    );
    info.access = access(&snapshot.state);
    info.state = snapshot.state;
    info.region = Some(region.to_owned());
    info.account = account(&snapshot.arn);
    info.tags = api::tag_map(&snapshot.tags);
    let arns = [
        Some(snapshot.arn),
        snapshot.from_disk_arn,
        snapshot.from_instance_arn,
    ];
    let arns = arns.into_iter().flatten();
    Found {
        info,
        arns: arns.filter(|arn| !arn.is_empty()).collect(),
        source: Source::Manual(snapshot.name),
        kind: copies::DISK,
    }
}

fn of_auto_snapshot(region: &str, resource: &str, kind: &'static str, auto: AutoSnapshot) -> Found {
    let source = Source::Auto {
        resource: resource.to_owned(),
        date: auto.date.clone(),
    };
    let id = source.id();
    let disks = match kind {
        copies::DISK => {
            let sizes = auto.from_attached_disks.iter();
            let size = sizes.map(|disk| disk.size_in_gb).max().unwrap_or(0);
            vec![DiskInfo {
                id: id.clone(),
                volume: Some(resource.to_owned()),
                device: None,
                size: bytes(size),
            }]
        }
        // The size of the system disk is not told of an automatic snapshot.
        _ => disks(&id, 0, &auto.from_attached_disks),
    };
    let mut info = point(id, resource.to_owned(), auto.created_at, disks);
    info.name = Some(auto.date);
    info.access = access(&auto.status);
    info.state = auto.status;
    info.region = Some(region.to_owned());
    Found {
        info,
        arns: Vec::new(),
        source,
        kind,
    }
}

/// The disks of a snapshot of an instance, that of the system first.
fn disks(id: &str, system_gb: u32, attached: &[AttachedDisk]) -> Vec<DiskInfo> {
    let disk = |volume: Option<String>, disk: &AttachedDisk| DiskInfo {
        id: id.to_owned(),
        volume,
        device: disk.path.clone(),
        size: bytes(disk.size_in_gb),
    };
    let (system, others): (Vec<_>, Vec<_>) = attached.iter().partition(|disk| disk.is_system_disk);
    let mut disks = vec![match system.first() {
        Some(system) => disk(None, system),
        None => DiskInfo {
            id: id.to_owned(),
            volume: None,
            device: None,
            size: bytes(system_gb),
        },
    }];
    let name = |disk: &AttachedDisk| disk.name.clone().or_else(|| disk.path.clone());
    disks.extend(others.iter().map(|other| disk(name(other), other)));
    disks
}

fn point(id: String, object: String, time: UnixTime, disks: Vec<DiskInfo>) -> PointInfo {
    let sizes = disks.iter().map(|disk| disk.size);
    PointInfo {
        name: Some(id.clone()),
        id,
        object,
        time,
        size: sizes.fold(0, u64::saturating_add),
        state: String::new(),
        // Of several disks it is not said whether they are of one moment.
        consistency: match disks.len() {
            1 => Consistency::Crash,
            _ => Consistency::Unknown,
        },
        access: Access::Clone,
        expires: None,
        region: None,
        account: None,
        tier: None,
        encrypted: false,
        skew: None,
        disks,
        tags: BTreeMap::new(),
    }
}

fn bytes(gigabytes: u32) -> u64 {
    u64::from(gigabytes).saturating_mul(GIB)
}

/// How a snapshot in this state can be read, in Lightsail's words for manual and automatic ones.
fn access(state: &str) -> Access {
    match state {
        "available" | "completed" | "Success" => Access::Clone,
        "pending" | "InProgress" => Access::None("it is still being taken".into()),
        "error" | "Failed" => Access::None("Lightsail could not take it".into()),
        "NotFound" => Access::None("Lightsail does not have it any more".into()),
        other => Access::None(format!(
            "Lightsail says it is {other:?}, not that it is complete"
        )),
    }
}

/// The account of `arn:aws:lightsail:us-east-1:111122223333:InstanceSnapshot/…`.
fn account(arn: &str) -> Option<String> {
    let account = arn.split(':').nth(4)?;
    (!account.is_empty()).then(|| account.to_owned())
}

#[cfg(test)]
#[path = "points_tests.rs"]
mod tests;
