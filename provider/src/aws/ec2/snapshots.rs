//! Snapshots of volumes.

use super::fields::{flag, items, number, number_or_none, tags, text, time, time_or_none, word};
use super::pages::{self, Page};
use super::{Query, pair};
use crate::aws::client::Client;
use crate::engine::UnixTime;
use crate::fault::Fault;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub snapshot_id: String,
    /// What it was taken of. Of a copy this is no volume that ever was.
    #[serde(default, deserialize_with = "text")]
    pub volume_id: Option<String>,
    /// `pending`, `completed`, `error`, `recoverable`, `recovering`.
    #[serde(deserialize_with = "word")]
    pub status: String,
    /// Why it failed.
    #[serde(default, deserialize_with = "text")]
    pub status_message: Option<String>,
    /// When it was taken: what was written before is in it.
    #[serde(deserialize_with = "time")]
    pub start_time: UnixTime,
    /// When it was complete.
    #[serde(default, deserialize_with = "time_or_none")]
    pub completion_time: Option<UnixTime>,
    /// `42%`.
    #[serde(default, deserialize_with = "text")]
    pub progress: Option<String>,
    /// Size of the volume in GiB.
    #[serde(deserialize_with = "number")]
    pub volume_size: u64,
    /// Bytes of all its blocks, unchanged ones too.
    #[serde(default, deserialize_with = "number_or_none")]
    pub full_snapshot_size_in_bytes: Option<u64>,
    /// Whether it is encrypted.
    #[serde(default, deserialize_with = "flag")]
    pub encrypted: bool,
    /// The key's ARN.
    #[serde(default, deserialize_with = "text")]
    pub kms_key_id: Option<String>,
    /// `standard` or `archive`; not said by all.
    #[serde(default, deserialize_with = "text")]
    pub storage_tier: Option<String>,
    /// Until when it is out of the archive.
    #[serde(default, deserialize_with = "time_or_none")]
    pub restore_expiry_time: Option<UnixTime>,
    /// Whose it is.
    #[serde(default, deserialize_with = "text")]
    pub owner_id: Option<String>,
    /// `amazon` or a seller, of public ones.
    #[serde(default, deserialize_with = "text")]
    pub owner_alias: Option<String>,
    /// Where it lies, if not in the region.
    #[serde(default, deserialize_with = "text")]
    pub outpost_arn: Option<String>,
    /// In the user's or a service's words.
    #[serde(default, deserialize_with = "text")]
    pub description: Option<String>,
    /// Tags; of the account's own only.
    #[serde(default, deserialize_with = "tags")]
    pub tag_set: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    snapshot_set: Vec<Snapshot>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = Snapshot;

    fn split(self) -> (Vec<Snapshot>, Option<String>) {
        (self.snapshot_set, self.next_token)
    }
}

/// Snapshots of this account; with ids, whosesoever they are.
///
/// # Errors
/// What EC2 says, or an answer that makes no sense.
pub async fn describe_snapshots(client: &Client, query: &Query) -> Result<Vec<Snapshot>, Fault> {
    let mut params = query.params("SnapshotId");
    let by_id = !query.ids.is_empty();
    if !by_id {
        // Without it all public ones of the region are listed, tens of thousands.
        params.push(pair("Owner.1", "self"));
    }
    pages::all::<Answer>(client, "DescribeSnapshots", params, by_id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_emulator() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><snapshotSet><item><tagSet/><snapshotId>snap-03275a8ae39b1c85c</snapshotId><volumeId>vol-aaddcdcbbd0c10f14</volumeId><status>completed</status><startTime>2026-11-28T13:43:14.000Z</startTime><progress>100%</progress><ownerId>123456789012</ownerId><volumeSize>1</volumeSize><encrypted>false</encrypted></item></snapshotSet><requestId>request-id</requestId></DescribeSnapshotsResponse>"#;
        let answer: Answer = quick_xml::de::from_str(xml).unwrap();
        let (snapshots, next) = answer.split();
        assert_eq!((snapshots.len(), next), (1, None));
        let snapshot = &snapshots[0];
        assert_eq!(snapshot.snapshot_id, "snap-03275a8ae39b1c85c");
        assert_eq!((&*snapshot.status, snapshot.volume_size), ("completed", 1));
        assert_eq!(snapshot.storage_tier, None);
        assert_eq!(snapshot.start_time.to_string(), "2026-11-28T13:43:14Z");
    }

    #[test]
    fn a_documented_answer_with_a_next_page() {
        let xml = r#"<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
   <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
   <snapshotSet>
      <item>
         <snapshotId>snap-1234567890abcdef0</snapshotId>
         <volumeId>vol-ffffffff</volumeId>
         <status>pending</status>
         <startTime>2026-11-18T03:00:00.250Z</startTime>
         <progress>80%</progress>
         <ownerId>111122223333</ownerId>
         <volumeSize>15</volumeSize>
         <description>Daily &lt;Backup&gt;</description>
         <encrypted>true</encrypted>
         <kmsKeyId>arn:aws:kms:eu-west-1:111122223333:key/k</kmsKeyId>
         <storageTier>archive</storageTier>
         <restoreExpiryTime>2026-12-01T00:00:00.000Z</restoreExpiryTime>
         <fullSnapshotSizeInBytes>1048576</fullSnapshotSizeInBytes>
         <tagSet><item><key>Purpose</key><value>demo</value></item></tagSet>
      </item>
   </snapshotSet>
   <nextToken>eyJ2IjoiMiJ9</nextToken>
</DescribeSnapshotsResponse>"#;
        let answer: Answer = quick_xml::de::from_str(xml).unwrap();
        assert_eq!(answer.next_token.as_deref(), Some("eyJ2IjoiMiJ9"));
        let snapshot = &answer.snapshot_set[0];
        assert!(snapshot.encrypted && snapshot.restore_expiry_time.is_some());
        assert_eq!(snapshot.storage_tier.as_deref(), Some("archive"));
        assert_eq!(snapshot.description.as_deref(), Some("Daily <Backup>"));
        assert_eq!(snapshot.tag_set["Purpose"], "demo");
        let without_size = xml.replace("<volumeSize>15</volumeSize>", "");
        assert!(quick_xml::de::from_str::<Answer>(&without_size).is_err());
        let without_state = xml.replace("pending", "");
        assert!(quick_xml::de::from_str::<Answer>(&without_state).is_err());
    }
}
