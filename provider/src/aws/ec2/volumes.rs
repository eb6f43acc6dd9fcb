//! Volumes, and what they are attached to.

use super::fields::{flag, items, number, tags, text, time_or_none, word};
use super::pages::{self, Page};
use super::{Done, Query, pair, tag_params};
use crate::aws::client::Client;
use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub volume_id: String,
    /// `creating`, `available`, `in-use`, `deleting`, `deleted`, `error`.
    #[serde(deserialize_with = "word")]
    pub status: String,
    /// GiB.
    #[serde(deserialize_with = "number")]
    pub size: u64,
    /// The snapshot that it was made from.
    #[serde(default, deserialize_with = "text")]
    pub snapshot_id: Option<String>,
    /// Where it is.
    #[serde(default, deserialize_with = "text")]
    pub availability_zone: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "time_or_none")]
    pub create_time: Option<UnixTime>,
    /// Whether it is encrypted.
    #[serde(default, deserialize_with = "flag")]
    pub encrypted: bool,
    /// What it is attached to.
    #[serde(default = "Vec::new", deserialize_with = "items")]
    pub attachment_set: Vec<VolumeAttachment>,
    /// Tags.
    #[serde(default, deserialize_with = "tags")]
    pub tag_set: BTreeMap<String, String>,
}

/// An attachment of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeAttachment {
    /// To which instance; none where a service of Amazon has it.
    #[serde(default, deserialize_with = "text")]
    pub instance_id: Option<String>,
    /// The name that was asked for: `/dev/xvdba`.
    #[serde(default, deserialize_with = "text")]
    pub device: Option<String>,
    /// `attaching`, `attached`, `detaching`, `detached`, `busy`.
    #[serde(deserialize_with = "word")]
    pub status: String,
    /// Whether it goes with the instance.
    #[serde(default, deserialize_with = "flag")]
    pub delete_on_termination: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    volume_set: Vec<Volume>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = Volume;

    fn split(self) -> (Vec<Volume>, Option<String>) {
        (self.volume_set, self.next_token)
    }
}

/// Volumes of this account.
///
/// # Errors
/// What EC2 says, or an answer that makes no sense.
pub async fn describe_volumes(client: &Client, query: &Query) -> Result<Vec<Volume>, Fault> {
    let params = query.params("VolumeId");
    let by_id = !query.ids.is_empty();
    pages::all::<Answer>(client, "DescribeVolumes", params, by_id).await
}

/// A volume to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateVolume {
    /// From this snapshot, in its size.
    pub snapshot_id: String,
    /// Where.
    pub availability_zone: String,
    /// `gp3`. What EC2 takes without it is older and dearer.
    pub volume_type: String,
    /// With this key; else as the snapshot and the account's default say.
    pub kms_key_id: Option<String>,
    /// Tags that it has from its beginning.
    pub tags: Vec<(String, String)>,
    /// At most 64 letters.
    pub client_token: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(deserialize_with = "word")]
    volume_id: String,
}

/// Whether this can be an id: it becomes part of names of files.
#[must_use]
pub fn is_volume_id(id: &str) -> bool {
    let digits = id.strip_prefix("vol-").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (1..=40).contains(&digits.len()) && digits.bytes().all(plain)
}

/// Makes a volume and gives its id.
///
/// # Errors
/// What EC2 says. An answer that makes no sense has an unknown outcome.
pub async fn create_volume(client: &Client, volume: &CreateVolume) -> Result<String, Fault> {
    let mut params = vec![
        pair("AvailabilityZone", &volume.availability_zone),
        pair("SnapshotId", &volume.snapshot_id),
        pair("VolumeType", &volume.volume_type),
        pair("ClientToken", &volume.client_token),
    ];
    if let Some(key) = &volume.kms_key_id {
        params.extend([pair("Encrypted", "true"), pair("KmsKeyId", key)]);
    }
    if !volume.tags.is_empty() {
        params.push(pair("TagSpecification.1.ResourceType", "volume"));
        params.extend(tag_params("TagSpecification.1.", &volume.tags));
    }
    let created: Created = client.ec2("CreateVolume", params).await?;
    match is_volume_id(&created.volume_id) {
        true => Ok(created.volume_id),
        false => {
            let message = format!(
                "expected the id of a volume, found {:?}",
                created.volume_id.chars().take(64).collect::<String>()
            );
            Err(Fault::new(FaultKind::Unknown, message))
        }
    }
}

/// Attaches a volume under a name such as `/dev/xvdba`. EC2 answers before it is attached.
///
/// # Errors
/// What EC2 says.
pub async fn attach_volume(
    client: &Client,
    volume_id: &str,
    instance_id: &str,
    device: &str,
) -> Result<(), Fault> {
    let params = vec![
        pair("VolumeId", volume_id),
        pair("InstanceId", instance_id),
        pair("Device", device),
    ];
    client
        .ec2::<Done>("AttachVolume", params)
        .await
        .map(|Done {}| ())
}

/// Detaches a volume. EC2 answers before it is detached.
///
/// # Errors
/// What EC2 says.
pub async fn detach_volume(
    client: &Client,
    volume_id: &str,
    instance_id: &str,
) -> Result<(), Fault> {
    let params = vec![pair("VolumeId", volume_id), pair("InstanceId", instance_id)];
    client
        .ec2::<Done>("DetachVolume", params)
        .await
        .map(|Done {}| ())
}

/// Deletes a volume that is attached to nothing.
///
/// # Errors
/// What EC2 says.
pub async fn delete_volume(client: &Client, volume_id: &str) -> Result<(), Fault> {
    let params = vec![pair("VolumeId", volume_id)];
    client
        .ec2::<Done>("DeleteVolume", params)
        .await
        .map(|Done {}| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_emulator() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><volumeSet><item><iops>3000</iops><tagSet><item><key>flr:op</key><value>1</value></item></tagSet><volumeType>gp3</volumeType><volumeId>vol-75fba878e26ec8c54</volumeId><size>1</size><snapshotId>snap-03275a8ae39b1c85c</snapshotId><availabilityZone>us-east-1a</availabilityZone><status>in-use</status><createTime>2026-11-28T13:43:21.000Z</createTime><attachmentSet><item><volumeId>vol-75fba878e26ec8c54</volumeId><instanceId>i-192d5c088d67e4f67</instanceId><device>/dev/xvdba</device><status>attached</status><attachTime>2026-11-28T13:43:21.000Z</attachTime></item></attachmentSet><encrypted>false</encrypted></item></volumeSet><requestId>request-id</requestId></DescribeVolumesResponse>"#;
        let answer: Answer = quick_xml::de::from_str(xml).unwrap();
        let volume = &answer.volume_set[0];
        assert_eq!((&*volume.status, volume.size), ("in-use", 1));
        assert_eq!(volume.tag_set["flr:op"], "1");
        let attachment = &volume.attachment_set[0];
        assert_eq!(
            attachment.instance_id.as_deref(),
            Some("i-192d5c088d67e4f67")
        );
        assert_eq!(attachment.device.as_deref(), Some("/dev/xvdba"));
        assert!(!attachment.delete_on_termination);
        let without_state = xml.replace("<status>attached</status>", "");
        assert!(quick_xml::de::from_str::<Answer>(&without_state).is_err());
    }

    #[test]
    fn nothing_is_an_answer_too() {
        let xml = "<DescribeVolumesResponse><requestId>r</requestId><volumeSet/>\
            <nextToken/></DescribeVolumesResponse>";
        let answer: Answer = quick_xml::de::from_str(xml).unwrap();
        assert!(answer.volume_set.is_empty() && answer.next_token.is_none());
        // What is no list at all must not be taken for an empty one: it would say that a volume is gone.
        for other in ["<html><body/></html>", "<DescribeVolumesResponse/>", ""] {
            assert!(quick_xml::de::from_str::<Answer>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn calls_that_only_do_something() {
        for xml in [
            "<DeleteVolumeResponse><requestId>r</requestId><return>true</return>\
             </DeleteVolumeResponse>",
            "<DetachVolumeResponse><volumeId>vol-1</volumeId><status>detaching</status>\
             </DetachVolumeResponse>",
        ] {
            let Done {} = quick_xml::de::from_str(xml).unwrap();
        }
    }

    #[test]
    fn ids_cannot_be_paths() {
        assert!(is_volume_id("vol-0123456789abcdef0") && is_volume_id("vol-01234567"));
        for id in [
            "",
            "vol-",
            "vol-../../x",
            "vol-0A",
            "snap-0123",
            "vol-0123 ",
        ] {
            assert!(!is_volume_id(id), "{id}");
        }
    }
}
