//! Backup points, as `DescribeUdmSnapshots` tells them.
//!
//! Source: the vendor's SDK of Cloud Backup, version 2017-09-08, `DescribeUdmSnapshotsResponseBody`.

use crate::account::answer::senseless;
use crate::account::text::tame;
use crate::ecs::fields::{number_or_none, text, word};
use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use crate::point::Consistency;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

/// The call.
pub(super) const ACTION: &str = "DescribeUdmSnapshots";

/// A backup point of an instance, of one of its disks, or of a disk alone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BackupPoint {
    /// Its id. It looks like that of a snapshot of ECS, and is none.
    #[serde(deserialize_with = "word")]
    pub snapshot_id: String,
    /// The snapshot of ECS that it is, if it is one.
    #[serde(default, deserialize_with = "text")]
    pub native_snapshot_id: Option<String>,
    /// `UDM_ECS`, `UDM_ECS_DISK`, `UDM_DISK`.
    #[serde(default, deserialize_with = "text")]
    pub source_type: Option<String>,
    /// `COMPLETE`, `PARTIAL_COMPLETE`, `FAILED`.
    #[serde(default, deserialize_with = "text")]
    pub status: Option<String>,
    /// Of which instance.
    #[serde(default, deserialize_with = "text")]
    pub instance_id: Option<String>,
    /// Of which disk, if of one.
    #[serde(default, deserialize_with = "text")]
    pub disk_id: Option<String>,
    /// When Cloud Backup deletes it.
    #[serde(default, rename = "ExpireTime", deserialize_with = "seconds")]
    pub expires: Option<UnixTime>,
    /// When it was made.
    #[serde(default, rename = "CreatedTime", deserialize_with = "seconds")]
    pub created: Option<UnixTime>,
    /// Bytes of what it was made of.
    #[serde(default, deserialize_with = "number_or_none")]
    pub bytes_total: Option<u64>,
    /// The rest.
    #[serde(default, deserialize_with = "detail")]
    pub detail: Detail,
}

/// More about a backup point.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Detail {
    /// Snapshots of ECS, one for each disk.
    #[serde(default, deserialize_with = "list")]
    pub native_snapshot_id_list: Vec<String>,
    /// The disks, in the same order.
    #[serde(default, deserialize_with = "list")]
    pub disk_id_list: Vec<String>,
    /// The provider's word for how consistent it is.
    #[serde(default, deserialize_with = "text")]
    pub consistent_level: Option<String>,
    /// Why it is less consistent than was asked for.
    #[serde(default, deserialize_with = "text")]
    pub downgrade_reason: Option<String>,
    /// The group that its snapshots were taken in.
    #[serde(default, deserialize_with = "text")]
    pub snapshot_group_id: Option<String>,
}

impl BackupPoint {
    /// The snapshots of ECS that it is kept as, with the disk of each where that is said.
    pub fn natives(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let detail = &self.detail;
        let disks = detail.disk_id_list.iter().map(String::as_str).map(Some);
        let disks = disks.chain(std::iter::repeat(None));
        let listed = detail.native_snapshot_id_list.iter().map(String::as_str);
        let single = self.native_snapshot_id.as_deref();
        let single = single.filter(|id| !detail.native_snapshot_id_list.iter().any(|it| it == id));
        let single = single.map(|id| (id, self.disk_id.as_deref()));
        listed.zip(disks).chain(single)
    }

    /// What may be expected of its files; nothing if Cloud Backup does not say, or in a word of later
    /// times.
    #[must_use]
    pub fn consistency(&self) -> Option<Consistency> {
        let level = self.detail.consistent_level.as_deref()?;
        let letters = level.chars().filter(char::is_ascii_alphabetic);
        let level: String = letters.map(|it| it.to_ascii_lowercase()).collect();
        let level = level.trim_end_matches("consistency");
        let level = level.trim_end_matches("consistent");
        match level {
            "app" | "application" => Some(Consistency::Application),
            "fs" | "file" | "filesystem" => Some(Consistency::Filesystem),
            "crash" => Some(Consistency::Crash),
            _ => None,
        }
    }

    /// Whether it lacks disks.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.status.as_deref() == Some("PARTIAL_COMPLETE")
    }
}

/// An answer.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    #[serde(default, deserialize_with = "text")]
    code: Option<String>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default, deserialize_with = "text")]
    message: Option<String>,
    #[serde(default)]
    snapshots: Option<Vec<BackupPoint>>,
    #[serde(default, deserialize_with = "number_or_none")]
    total_count: Option<u64>,
}

impl Answer {
    /// The points, and how many there are in all. A status of HTTP is not enough: both the code and the
    /// flag in the body have to say that it went well.
    ///
    /// # Errors
    /// They do not.
    pub(super) fn points(self) -> Result<(Vec<BackupPoint>, u64), Fault> {
        match (self.code.as_deref(), self.success) {
            (Some("200"), Some(true)) => {}
            (None, _) | (_, None) => {
                return Err(senseless(ACTION, "it does not say whether it went well"));
            }
            (Some(code), Some(_)) => {
                let message = self.message.unwrap_or_default();
                let message = tame(&message, &[]);
                let words = format!("{message} ({code})");
                return Err(Fault::new(FaultKind::Refused, words).with_code(code));
            }
        }
        // No list is not an empty list.
        let points = self.snapshots;
        let points = points.ok_or_else(|| senseless(ACTION, "it has no list"))?;
        let count = u64::try_from(points.len()).unwrap_or(u64::MAX);
        Ok((points, self.total_count.unwrap_or(count)))
    }
}

/// A time in seconds since 1970; 0, what is before, and nothing are none. Numbers may be text.
fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<UnixTime>, D::Error> {
    let number = match Value::deserialize(from)? {
        Value::Null => None,
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => {
            let wrong = |_| D::Error::custom(format!("expected seconds, found {text:?}"));
            Some(text.trim().parse::<i64>().map_err(wrong)?)
        }
        other => return Err(D::Error::custom(format!("expected seconds, found {other}"))),
    };
    let seconds = number.and_then(|number| u64::try_from(number).ok());
    Ok(seconds.filter(|seconds| *seconds > 0).map(UnixTime))
}

fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

fn detail<'de, D: Deserializer<'de>>(from: D) -> Result<Detail, D::Error> {
    Ok(Option::<Detail>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Result<(Vec<BackupPoint>, u64), Fault> {
        serde_json::from_str::<Answer>(json).unwrap().points()
    }

    /// Of the form of the example in the reference of the call.
    const EXAMPLE: &str = r#"{
        "Code": "200", "Message": "successful", "Success": true, "TotalCount": 1,
        "RequestId": "51CDEECB-7001-51CC-94AC-2A0F2A4B71D2",
        "Snapshots": [{
            "SnapshotId": "s-000e3vhhu62xsm6v92r0", "SnapshotHash": "f2f", "Status": "COMPLETE",
            "SourceType": "UDM_ECS", "InstanceId": "i-bp18x2k7sw925ir7ofh8", "DiskId": "",
            "NativeSnapshotId": "", "CreatedTime": 1642057551, "ExpireTime": "1643092168",
            "Retention": 7, "BytesTotal": 42949672960, "ActualBytes": "0",
            "Detail": {
                "NativeSnapshotIdList": ["s-bp1", "s-bp2"], "DiskIdList": ["d-bp1", "d-bp2"],
                "ConsistentLevel": "CRASH", "DowngradeReason": "", "SnapshotGroupId": "ssg-bp1",
                "OsType": "linux"
            }
        }]
    }"#;

    #[test]
    fn points_read_with_their_snapshots() {
        let (points, count) = answer(EXAMPLE).unwrap();
        assert_eq!((points.len(), count), (1, 1));
        let point = &points[0];
        assert_eq!(point.expires, Some(UnixTime(1_643_092_168)));
        assert_eq!(point.created, Some(UnixTime(1_642_057_551)));
        assert_eq!(point.disk_id, None);
        assert_eq!(point.detail.downgrade_reason, None);
        let natives: Vec<_> = point.natives().collect();
        assert_eq!(
            natives,
            [("s-bp1", Some("d-bp1")), ("s-bp2", Some("d-bp2"))]
        );
        assert_eq!(point.consistency(), Some(Consistency::Crash));
    }

    #[test]
    fn a_point_of_one_disk_is_one_snapshot() {
        let json = r#"{"Code":200,"Success":true,"Snapshots":[{"SnapshotId":"s-1",
            "NativeSnapshotId":"s-bp1","DiskId":"d-bp1","ExpireTime":0,"Detail":null}]}"#;
        let (points, count) = answer(json).unwrap();
        assert_eq!(count, 1);
        let natives: Vec<_> = points[0].natives().collect();
        assert_eq!(natives, [("s-bp1", Some("d-bp1"))]);
        assert_eq!(points[0].expires, None);
        // In both places, and of fewer disks than snapshots.
        let json = r#"{"SnapshotId":"s-1","NativeSnapshotId":"s-bp2","Detail":
            {"NativeSnapshotIdList":["s-bp1","s-bp2"],"DiskIdList":["d-bp1"]}}"#;
        let point: BackupPoint = serde_json::from_str(json).unwrap();
        let natives: Vec<_> = point.natives().collect();
        assert_eq!(natives, [("s-bp1", Some("d-bp1")), ("s-bp2", None)]);
    }

    #[test]
    fn words_for_consistency() {
        let of = |level: &str| {
            let json = format!(r#"{{"SnapshotId":"s","Detail":{{"ConsistentLevel":{level:?}}}}}"#);
            let point: BackupPoint = serde_json::from_str(&json).unwrap();
            point.consistency()
        };
        for level in ["APP", "app_consistent", "APPLICATION", "AppConsistency"] {
            assert_eq!(of(level), Some(Consistency::Application), "{level}");
        }
        for level in ["FILE_SYSTEM", "fs", "FileSystemConsistent"] {
            assert_eq!(of(level), Some(Consistency::Filesystem), "{level}");
        }
        for level in ["CRASH", "CRASH_CONSISTENT", "crash-consistency"] {
            assert_eq!(of(level), Some(Consistency::Crash), "{level}");
        }
        assert_eq!(of("SOMETHING"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn success_has_to_be_said_twice() {
        for (json, code) in [
            (
                r#"{"Code":"200","Success":false,"Snapshots":[]}"#,
                Some("200"),
            ),
            (
                r#"{"Code":"ServiceNotActivated","Success":true,"Snapshots":[]}"#,
                Some("ServiceNotActivated"),
            ),
            (r#"{"Success":true,"Snapshots":[]}"#, None),
            (r#"{"Code":"200","Snapshots":[]}"#, None),
            (r#"{"Code":"200","Success":true}"#, None),
        ] {
            let fault = answer(json).unwrap_err();
            assert_eq!(fault.code.as_deref(), code, "{json}");
        }
    }

    #[test]
    fn times_that_are_none() {
        let of = |time: &str| {
            let json = format!(r#"{{"SnapshotId":"s","ExpireTime":{time}}}"#);
            serde_json::from_str::<BackupPoint>(&json).map(|point| point.expires)
        };
        for none in ["0", "-1", "null", "\"\"", "\"-1\""] {
            assert_eq!(of(none).unwrap(), None, "{none}");
        }
        assert_eq!(of("\"12\"").unwrap(), Some(UnixTime(12)));
        for wrong in ["\"never\"", "[]", "{}"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
