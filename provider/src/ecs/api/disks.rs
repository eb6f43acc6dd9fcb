//! Disks.

use super::pages::{self, Page};
use super::{Done, Query, in_region, pair, tag_params};
use crate::account::answer::senseless;
use crate::ecs::client::{Client, Service};
use crate::ecs::fields::{Named, flag, items, number, tags, text, word};
use crate::fault::Fault;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Disk {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub disk_id: String,
    /// What its owner calls it.
    #[serde(default, deserialize_with = "text")]
    pub disk_name: Option<String>,
    /// `Creating`, `Available`, `Attaching`, `In_use`, `Detaching`, `ReIniting`.
    #[serde(deserialize_with = "word")]
    pub status: String,
    /// What the kernel has as its serial number. Very old disks have none.
    #[serde(default, deserialize_with = "text")]
    pub serial_number: Option<String>,
    /// What it is attached to.
    #[serde(default, deserialize_with = "text")]
    pub instance_id: Option<String>,
    /// Where: `/dev/xvdb`. A hint, and not the kernel's name.
    #[serde(default, deserialize_with = "text")]
    pub device: Option<String>,
    /// `system` or `data`.
    #[serde(rename = "Type", default, deserialize_with = "text")]
    pub kind: Option<String>,
    /// GiB.
    #[serde(deserialize_with = "number")]
    pub size: u64,
    /// `cloud_essd`.
    #[serde(default, deserialize_with = "text")]
    pub category: Option<String>,
    /// Its zone.
    #[serde(default, deserialize_with = "text")]
    pub zone_id: Option<String>,
    /// What it was made of.
    #[serde(default, deserialize_with = "text")]
    pub source_snapshot_id: Option<String>,
    /// Whether it goes with the instance that it is attached to.
    #[serde(default, deserialize_with = "flag")]
    pub delete_with_instance: bool,
    /// Why the provider has locked it: `financial`, `security`.
    #[serde(rename = "OperationLocks", default, deserialize_with = "locks")]
    pub locks: Vec<String>,
    /// Tags.
    #[serde(default, deserialize_with = "tags")]
    pub tags: BTreeMap<String, String>,
}

impl Named for Disk {
    const NAME: &'static str = "Disk";
}

fn locks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Lock {
        #[serde(default)]
        lock_reason: Option<String>,
    }
    #[derive(Deserialize)]
    struct Locks {
        #[serde(rename = "OperationLock", default)]
        locks: Vec<Lock>,
    }
    let locks = Option::<Locks>::deserialize(from)?;
    let locks = locks.into_iter().flat_map(|locks| locks.locks);
    Ok(locks.filter_map(|lock| lock.lock_reason).collect())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    disks: Vec<Disk>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = Disk;
    const ACTION: &'static str = "DescribeDisks";
    const ITEMS: &'static str = "500";

    fn split(self) -> (Vec<Disk>, Option<String>) {
        (self.disks, self.next_token)
    }
}

/// Disks in the client's region.
///
/// # Errors
/// As [`Client::call`].
pub async fn describe_disks(client: &Client, query: &Query) -> Result<Vec<Disk>, Fault> {
    pages::all::<Answer>(client, query).await
}

/// A disk that is to be made of a snapshot, paid for by the second. It is attached to nothing: made for
/// an instance in the same call, it would be another kind of disk, without tags and token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateDisk {
    /// The snapshot.
    pub snapshot_id: String,
    /// The zone.
    pub zone_id: String,
    /// `cloud_essd`.
    pub category: String,
    /// `PL0`, where the category has levels.
    pub performance_level: Option<String>,
    /// Its name: 2 to 128 characters.
    pub name: String,
    /// All its tags.
    pub tags: Vec<(String, String)>,
    /// Makes a repeated call harmless.
    pub client_token: String,
}

/// Makes a disk and gives its id.
///
/// # Errors
/// As [`Client::call`].
pub async fn create_disk(client: &Client, disk: &CreateDisk) -> Result<String, Fault> {
    const ACTION: &str = "CreateDisk";
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(deserialize_with = "word")]
        disk_id: String,
    }
    let mut params = in_region(client);
    params.push(pair("ZoneId", &disk.zone_id));
    params.push(pair("SnapshotId", &disk.snapshot_id));
    params.push(pair("DiskCategory", &disk.category));
    if let Some(level) = &disk.performance_level {
        params.push(pair("PerformanceLevel", level));
    }
    params.push(pair("DiskName", &disk.name));
    params.push(pair("ClientToken", &disk.client_token));
    params.extend(tag_params(&disk.tags));
    let answer: Answer = client.call(Service::Ecs, ACTION, &params).await?;
    match is_disk_id(&answer.disk_id) {
        true => Ok(answer.disk_id),
        false => Err(senseless(ACTION, "the id is none of a disk")),
    }
}

/// Attaches a disk. It goes with the instance, should that be released before we are done.
///
/// # Errors
/// As [`Client::call`].
pub async fn attach_disk(client: &Client, disk: &str, instance: &str) -> Result<(), Fault> {
    let mut params = in_region(client);
    params.push(pair("DiskId", disk));
    params.push(pair("InstanceId", instance));
    params.push(pair("DeleteWithInstance", "true"));
    let Done {} = client.call(Service::Ecs, "AttachDisk", &params).await?;
    Ok(())
}

/// Begins to detach a disk.
///
/// # Errors
/// As [`Client::call`].
pub async fn detach_disk(client: &Client, disk: &str, instance: &str) -> Result<(), Fault> {
    let mut params = in_region(client);
    params.push(pair("DiskId", disk));
    params.push(pair("InstanceId", instance));
    let Done {} = client.call(Service::Ecs, "DetachDisk", &params).await?;
    Ok(())
}

/// Deletes a disk. Success proves nothing: it is what is said of one that never was, too.
///
/// # Errors
/// As [`Client::call`].
pub async fn delete_disk(client: &Client, disk: &str) -> Result<(), Fault> {
    let mut params = in_region(client);
    params.push(pair("DiskId", disk));
    let Done {} = client.call(Service::Ecs, "DeleteDisk", &params).await?;
    Ok(())
}

/// Whether it may be the id of a disk.
#[must_use]
pub fn is_disk_id(id: &str) -> bool {
    let rest = id.strip_prefix("d-").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=40).contains(&rest.len()) && rest.bytes().all(plain)
}
