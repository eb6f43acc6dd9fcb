//! Cloud Backup: backup points of instances and disks, which are kept as snapshots of ECS.

use super::config::{ACCOUNT, INSTANCE, REGION};
use super::context::Context;
use super::params::Params;
use super::route::not_found;
use super::state::State;
use crate::stand_in::error::{Result, bad};
use serde_json::{Value, json};

const DAY: i64 = 24 * 3600;

/// A backup point. Times are in seconds since 1970.
#[derive(Clone, Debug)]
pub struct BackupPoint {
    /// `s-…` of Cloud Backup: no snapshot of ECS.
    pub id: String,
    /// Account.
    pub owner: String,
    /// Region.
    pub region: String,
    /// `UDM_ECS`, `UDM_ECS_DISK` or `UDM_DISK`.
    pub source: String,
    /// `COMPLETE`, `PARTIAL_COMPLETE` or `FAILED`.
    pub status: String,
    /// The instance, unless it is of a disk alone.
    pub instance_id: Option<String>,
    /// Disks and their snapshots of ECS.
    pub disks: Vec<(String, String)>,
    /// When it was made.
    pub created: i64,
    /// When it ends.
    pub expires: i64,
    /// Days that it is kept.
    pub retention: i64,
    /// `CRASH`, `FILE_SYSTEM` or `APP`.
    pub consistency: String,
    /// Why it is less consistent than was asked.
    pub downgrade_reason: Option<String>,
    /// Fields that the answer lacks, such as `BytesTotal`.
    pub untold: Vec<&'static str>,
    /// The group of its snapshots.
    pub group_id: Option<String>,
    /// Whether a disk was made from one of its snapshots: Cloud Backup does not manage it any more, it
    /// never ends, and it is paid for.
    pub left_lifecycle: bool,
}

impl BackupPoint {
    /// A complete one of the usual instance, account and region, of 20 November 2026, for a week.
    #[must_use]
    pub fn new(id: &str, disks: &[(&str, &str)]) -> Self {
        let owned = |(disk, snapshot): &(&str, &str)| ((*disk).to_owned(), (*snapshot).to_owned());
        let created = 1_795_176_000;
        Self {
            id: id.to_owned(),
            owner: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            source: "UDM_ECS".to_owned(),
            status: "COMPLETE".to_owned(),
            instance_id: Some(INSTANCE.to_owned()),
            disks: disks.iter().map(owned).collect(),
            created,
            expires: created + 7 * DAY,
            retention: 7,
            consistency: "CRASH".to_owned(),
            downgrade_reason: None,
            untold: Vec::new(),
            group_id: None,
            left_lifecycle: false,
        }
    }
}

/// Notes that a disk or an image is made from a snapshot.
pub(crate) fn use_snapshot(state: &mut State, snapshot: &str) {
    for point in &mut state.backups {
        if point.disks.iter().any(|(_, native)| native == snapshot) {
            point.left_lifecycle = true;
        }
    }
}

pub(crate) fn answer(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    if context.call.operation != "DescribeUdmSnapshots" {
        return Err(not_found());
    }
    let state = context.state();
    if let Some((code, message)) = &state.settings.hbr_refuses {
        return Ok(json!({"Code": code, "Message": message, "Success": false}));
    }
    let source = params.need("SourceType")?;
    if !["UDM_ECS", "UDM_ECS_DISK", "UDM_DISK"].contains(&source) {
        let message = "The specified SourceType is invalid.";
        return Err(bad("InvalidSourceType", message));
    }
    params.need("StartTime")?;
    params.need("EndTime")?;
    let from = params.number("StartTime")?.unwrap_or_default();
    let to = params.number("EndTime")?.unwrap_or_default();
    let region = params.need("UdmRegionId")?;
    let ids = params.json_list("SnapshotIds")?;
    let (instance, disk) = (params.get("InstanceId"), params.get("DiskId"));
    let found = state.backups.iter().filter(|point| {
        let created = u64::try_from(point.created).unwrap_or_default();
        let is_of = |disk: &str| point.disks.iter().any(|(known, _)| known == disk);
        point.owner == context.caller.account
            && point.region == region
            && point.source == source
            && (from..=to).contains(&created)
            && ids.as_ref().is_none_or(|ids| ids.contains(&point.id))
            && instance.is_none_or(|id| point.instance_id.as_deref() == Some(id))
            && disk.is_none_or(is_of)
    });
    let found: Vec<_> = found.map(write).collect();
    Ok(json!({
        "Code": "200",
        "Message": "successful",
        "Success": true,
        "TotalCount": found.len(),
        "Snapshots": found,
    }))
}

fn write(point: &BackupPoint) -> Value {
    let natives: Vec<_> = point.disks.iter().map(|(_, native)| native).collect();
    let disks: Vec<_> = point.disks.iter().map(|(disk, _)| disk).collect();
    let single = match &point.disks[..] {
        [(disk, native)] if point.source != "UDM_ECS" => Some((disk, native)),
        _ => None,
    };
    let mut written = json!({
        "SnapshotId": point.id,
        "SnapshotHash": format!("hash-{}", point.id),
        "SourceType": point.source,
        "Status": point.status,
        "InstanceId": point.instance_id,
        "DiskId": single.map(|(disk, _)| disk),
        "NativeSnapshotId": single.map(|(_, native)| native),
        "CreatedTime": point.created,
        "StartTime": point.created,
        "CompleteTime": point.created + 60,
        "RealSnapshotTime": point.created,
        "ExpireTime": if point.left_lifecycle { 0 } else { point.expires },
        "Retention": point.retention,
        "BackupType": "COMPLETE",
        "BytesTotal": 1_073_741_824,
        "ActualBytes": "1073741824",
        "CanBeDeleted": point.source == "UDM_ECS_DISK",
        "JobId": format!("job-{}", point.id),
        "Detail": {
            "NativeSnapshotIdList": natives,
            "DiskIdList": disks,
            "OsDiskId": disks.first(),
            "OsType": "linux",
            "ConsistentLevel": point.consistency,
            "DowngradeReason": point.downgrade_reason,
            "SnapshotGroupId": point.group_id,
            "SystemDisk": single.is_some(),
        },
    });
    let fields = written.as_object_mut().expect("an object");
    fields.retain(|name, _| !point.untold.contains(&name.as_str()));
    written
}
