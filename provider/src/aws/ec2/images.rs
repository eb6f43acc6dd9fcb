//! Images that instances are started from.

use super::fields::{flag, items, number_or_none, tags, text, time_or_none, word};
use super::pages::{self, Page};
use super::{Query, pair};
use crate::aws::client::Client;
use crate::engine::UnixTime;
use crate::fault::Fault;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub image_id: String,
    /// `pending`, `available`, `failed`, `deregistered`, …
    #[serde(rename = "imageState", deserialize_with = "word")]
    pub state: String,
    /// Its name, unique in the account.
    #[serde(default, deserialize_with = "text")]
    pub name: Option<String>,
    /// In words.
    #[serde(default, deserialize_with = "text")]
    pub description: Option<String>,
    /// Whose it is.
    #[serde(default, rename = "imageOwnerId", deserialize_with = "text")]
    pub owner_id: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "time_or_none")]
    pub creation_date: Option<UnixTime>,
    /// The device that it boots from.
    #[serde(default, deserialize_with = "text")]
    pub root_device_name: Option<String>,
    /// `windows`, or nothing.
    #[serde(default, deserialize_with = "text")]
    pub platform: Option<String>,
    /// Its disks, in the order of the image.
    #[serde(default = "Vec::new", deserialize_with = "items")]
    pub block_device_mapping: Vec<ImageDevice>,
    /// Tags.
    #[serde(default, deserialize_with = "tags")]
    pub tag_set: BTreeMap<String, String>,
}

/// A disk of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDevice {
    /// The name of the device.
    #[serde(default, deserialize_with = "text")]
    pub device_name: Option<String>,
    /// What is on it, if it is a volume and not the instance's own disk.
    #[serde(default)]
    pub ebs: Option<ImageDisk>,
}

/// What is on a disk of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageDisk {
    /// Its snapshot; an empty disk has none.
    #[serde(default, deserialize_with = "text")]
    pub snapshot_id: Option<String>,
    /// GiB.
    #[serde(default, deserialize_with = "number_or_none")]
    pub volume_size: Option<u64>,
    /// Whether it is encrypted.
    #[serde(default, deserialize_with = "flag")]
    pub encrypted: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    images_set: Vec<Image>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = Image;

    fn split(self) -> (Vec<Image>, Option<String>) {
        (self.images_set, self.next_token)
    }
}

/// Images of this account; with ids, whosesoever they are.
///
/// # Errors
/// What EC2 says, or an answer that makes no sense.
pub async fn describe_images(client: &Client, query: &Query) -> Result<Vec<Image>, Fault> {
    let mut params = query.params("ImageId");
    let by_id = !query.ids.is_empty();
    if !by_id {
        params.push(pair("Owner.1", "self"));
    }
    pages::all::<Answer>(client, "DescribeImages", params, by_id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_emulator() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<DescribeImagesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><imagesSet><item><blockDeviceMapping><item><ebs><deleteOnTermination>false</deleteOnTermination><snapshotId>snap-838787c5934b86118</snapshotId><volumeSize>15</volumeSize><volumeType>standard</volumeType></ebs><deviceName>/dev/sda1</deviceName></item><item><deviceName>/dev/sdb</deviceName><virtualName>ephemeral0</virtualName></item></blockDeviceMapping><description>Microsoft</description><name>Windows_Server</name><rootDeviceName>/dev/sda1</rootDeviceName><tagSet/><imageId>ami-03cf127a</imageId><imageState>available</imageState><imageOwnerId>801119661308</imageOwnerId><creationDate>2026-11-28T13:43:11.000Z</creationDate><isPublic>true</isPublic><platform>windows</platform></item></imagesSet></DescribeImagesResponse>"#;
        let answer: Answer = quick_xml::de::from_str(xml).unwrap();
        let image = &answer.images_set[0];
        assert_eq!(
            (&*image.image_id, &*image.state),
            ("ami-03cf127a", "available")
        );
        let devices = &image.block_device_mapping;
        let disk = devices[0].ebs.as_ref().unwrap();
        assert_eq!(disk.snapshot_id.as_deref(), Some("snap-838787c5934b86118"));
        assert_eq!((disk.volume_size, &devices[1].ebs), (Some(15), &None));
    }
}
