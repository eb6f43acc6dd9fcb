//! The calls of Lightsail that an export needs, typed. JSON 1.1; times are seconds with a fraction;
//! lists come in pages.

use crate::aws::Client;
use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Pages of one list that are read at most; a page has some dozens of entries.
const PAGES_MAX: usize = 1000;
/// Entries of one list that are kept at most.
const ENTRIES_MAX: usize = 100_000;

/// A manual snapshot of an instance, with all disks that were attached.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstanceSnapshot {
    pub(super) name: String,
    #[serde(default)]
    pub(super) arn: String,
    #[serde(deserialize_with = "time")]
    pub(super) created_at: UnixTime,
    /// `pending`, `available`, `error`.
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) from_instance_name: Option<String>,
    #[serde(default)]
    pub(super) from_instance_arn: Option<String>,
    #[serde(default)]
    pub(super) from_attached_disks: Vec<AttachedDisk>,
    /// Of the system disk.
    #[serde(default)]
    pub(super) size_in_gb: u32,
    #[serde(default)]
    pub(super) location: ResourceLocation,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
}

/// A manual snapshot of a disk, or of the system disk of an instance.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiskSnapshot {
    pub(super) name: String,
    #[serde(default)]
    pub(super) arn: String,
    #[serde(deserialize_with = "time")]
    pub(super) created_at: UnixTime,
    /// `pending`, `completed`, `error`, `unknown`.
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) from_disk_name: Option<String>,
    #[serde(default)]
    pub(super) from_disk_arn: Option<String>,
    #[serde(default)]
    pub(super) from_instance_name: Option<String>,
    #[serde(default)]
    pub(super) from_instance_arn: Option<String>,
    #[serde(default)]
    pub(super) size_in_gb: u32,
    #[serde(default)]
    pub(super) location: ResourceLocation,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
}

/// A disk that was attached when a snapshot was taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttachedDisk {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) size_in_gb: u32,
    #[serde(default)]
    pub(super) is_system_disk: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceLocation {
    #[serde(default)]
    pub(super) region_name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// Tags as a map.
pub(super) fn tag_map(tags: &[Tag]) -> BTreeMap<String, String> {
    let pairs = tags.iter();
    pairs
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect()
}

/// The automatic snapshots of an instance or a disk: at most seven, one a day.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AutoSnapshots {
    /// `Instance`, `Disk`.
    #[serde(default)]
    pub(super) resource_type: String,
    #[serde(default)]
    pub(super) auto_snapshots: Vec<AutoSnapshot>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AutoSnapshot {
    /// `2026-11-18`: by this it is named in a copy.
    pub(super) date: String,
    #[serde(deserialize_with = "time")]
    pub(super) created_at: UnixTime,
    /// `Success`, `Failed`, `InProgress`, `NotFound`.
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) from_attached_disks: Vec<AttachedDisk>,
}

/// What an export left in writing; it cannot be deleted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportRecord {
    /// `Started`, `Succeeded`, `Failed`.
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) source_info: ExportSource,
    #[serde(default)]
    pub(super) destination_info: Option<ExportDestination>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ExportSource {
    /// Of the snapshot.
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ExportDestination {
    /// `ami-…` of an instance, `snap-…` of a disk.
    #[serde(default)]
    pub(super) id: String,
}

/// What a call began.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation {
    #[serde(default)]
    pub(super) id: Option<String>,
    /// `NotStarted`, `Started`, `Failed`, `Completed`, `Succeeded`.
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) error_code: Option<String>,
    #[serde(default)]
    pub(super) error_details: Option<String>,
}

impl Operation {
    pub(super) fn has_failed(&self) -> bool {
        self.status == "Failed"
    }

    /// Why it failed, as far as it says.
    pub(super) fn why(&self) -> String {
        let code = self.error_code.as_deref();
        match (code, self.error_details.as_deref()) {
            (Some(code), Some(details)) => format!("{code}: {details}"),
            (Some(only), None) | (None, Some(only)) => only.to_owned(),
            (None, None) => "no reason was given".to_owned(),
        }
    }
}

/// A page of a list.
trait Page: DeserializeOwned {
    type Entry;
    const OPERATION: &'static str;
    fn split(self) -> (Vec<Self::Entry>, Option<String>);
}

macro_rules! page {
    ($name:ident, $operation:literal, $field:literal, $entry:ty) => {
        #[derive(Deserialize)]
        struct $name {
            #[serde(rename = $field, default)]
            entries: Vec<$entry>,
            #[serde(rename = "nextPageToken", default)]
            next: Option<String>,
        }

        impl Page for $name {
            type Entry = $entry;
            const OPERATION: &'static str = $operation;
            fn split(self) -> (Vec<$entry>, Option<String>) {
                (self.entries, self.next)
            }
        }
    };
}

page!(
    InstanceSnapshotPage,
    "GetInstanceSnapshots",
    "instanceSnapshots",
    InstanceSnapshot
);
page!(
    DiskSnapshotPage,
    "GetDiskSnapshots",
    "diskSnapshots",
    DiskSnapshot
);
page!(
    ExportRecordPage,
    "GetExportSnapshotRecords",
    "exportSnapshotRecords",
    ExportRecord
);

/// All pages of a list. One that does not end, or that repeats itself, is no list.
async fn all<P: Page>(client: &Client) -> Result<Vec<P::Entry>, Fault> {
    let mut entries = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let body = match &token {
            Some(token) => json!({ "pageToken": token }),
            None => json!({}),
        };
        let page: P = client.lightsail(P::OPERATION, &body).await?;
        let (more, next) = page.split();
        entries.extend(more);
        let next = next.filter(|next| !next.is_empty());
        if next.is_none() {
            return Ok(entries);
        }
        if next == token || entries.len() > ENTRIES_MAX {
            break;
        }
        token = next;
    }
    let message = format!("{}: its pages do not end", P::OPERATION);
    Err(Fault::new(FaultKind::Unknown, message))
}

pub(super) async fn instance_snapshots(client: &Client) -> Result<Vec<InstanceSnapshot>, Fault> {
    all::<InstanceSnapshotPage>(client).await
}

pub(super) async fn disk_snapshots(client: &Client) -> Result<Vec<DiskSnapshot>, Fault> {
    all::<DiskSnapshotPage>(client).await
}

pub(super) async fn export_records(client: &Client) -> Result<Vec<ExportRecord>, Fault> {
    all::<ExportRecordPage>(client).await
}

/// What became of something that was begun.
pub(super) async fn operation(client: &Client, id: &str) -> Result<Operation, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        operation: Operation,
    }
    let body = json!({ "operationId": id });
    let answer: Answer = client.lightsail("GetOperation", &body).await?;
    Ok(answer.operation)
}

/// The automatic snapshots of an instance or a disk. `None`: there is no such resource (any more).
pub(super) async fn auto_snapshots(
    client: &Client,
    resource: &str,
) -> Result<Option<AutoSnapshots>, Fault> {
    let body = json!({ "resourceName": resource });
    match client.lightsail("GetAutoSnapshots", &body).await {
        Ok(answer) => Ok(Some(answer)),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

#[derive(Deserialize)]
struct Begun {
    #[serde(default)]
    operations: Vec<Operation>,
}

/// A call that begins something. What has failed by the time of the answer is a fault.
async fn begin(client: &Client, operation: &str, body: &Value) -> Result<Vec<Operation>, Fault> {
    let begun: Begun = client.lightsail(operation, body).await?;
    match begun.operations.iter().find(|one| one.has_failed()) {
        None => Ok(begun.operations),
        Some(failed) => {
            let fault = Fault::new(FaultKind::Refused, failed.why());
            let code = failed.error_code.clone();
            Err(match code {
                Some(code) => fault.with_code(code),
                None => fault,
            })
        }
    }
}

/// Copies a snapshot as a manual one of this name: `source` is what says of which.
pub(super) async fn copy_snapshot(
    client: &Client,
    mut source: serde_json::Map<String, Value>,
    target: &str,
) -> Result<(), Fault> {
    source.insert("targetSnapshotName".into(), target.into());
    source.insert("sourceRegion".into(), client.region().into());
    begin(client, "CopySnapshot", &Value::Object(source)).await?;
    Ok(())
}

/// Exports a snapshot, and gives the id of the operation.
pub(super) async fn export_snapshot(
    client: &Client,
    source: &str,
) -> Result<Option<String>, Fault> {
    let body = json!({ "sourceSnapshotName": source });
    let begun = begin(client, "ExportSnapshot", &body).await?;
    let mut operations = begun.into_iter();
    Ok(operations.find_map(|operation| operation.id))
}

pub(super) async fn delete_instance_snapshot(client: &Client, name: &str) -> Result<(), Fault> {
    let body = json!({ "instanceSnapshotName": name });
    begin(client, "DeleteInstanceSnapshot", &body).await?;
    Ok(())
}

pub(super) async fn delete_disk_snapshot(client: &Client, name: &str) -> Result<(), Fault> {
    let body = json!({ "diskSnapshotName": name });
    begin(client, "DeleteDiskSnapshot", &body).await?;
    Ok(())
}

pub(super) async fn tag_resource(
    client: &Client,
    name: &str,
    tags: &[(&'static str, String)],
) -> Result<(), Fault> {
    let tags = tags.iter();
    let tags: Vec<_> = tags
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect();
    let body = json!({ "resourceName": name, "tags": tags });
    let _: IgnoredAny = client.lightsail("TagResource", &body).await?;
    Ok(())
}

/// Seconds since 1970 with a fraction: `1543534665.678`, `1.543534665678E9`.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    // Beyond the year 9999 nothing was created; neither before 1970.
    let whole = format!("{:.0}", seconds.trunc());
    let whole = whole.parse().ok().filter(|whole| *whole < 253_402_300_800);
    let message = || serde::de::Error::custom(format!("expected seconds since 1970: {seconds}"));
    whole.map(UnixTime).ok_or_else(message)
}
