//! Images: what instances are made of.

use super::{in_region, pair};
use crate::ecs::client::{Client, Service};
use crate::ecs::fields::{Named, items, text, time_or_none, word};
use crate::engine::UnixTime;
use crate::fault::Fault;
use serde::Deserialize;

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub image_id: String,
    /// What its owner calls it.
    #[serde(default, deserialize_with = "text")]
    pub image_name: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "time_or_none")]
    pub creation_time: Option<UnixTime>,
    /// The snapshots behind it.
    #[serde(deserialize_with = "items")]
    pub disk_device_mappings: Vec<Mapping>,
}

impl Named for Image {
    const NAME: &'static str = "Image";
}

/// A disk of an image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mapping {
    /// Its snapshot.
    #[serde(default, deserialize_with = "text")]
    pub snapshot_id: Option<String>,
    /// Where it goes: `/dev/xvda`.
    #[serde(default, deserialize_with = "text")]
    pub device: Option<String>,
    /// `system` or `data`.
    #[serde(rename = "Type", default, deserialize_with = "text")]
    pub kind: Option<String>,
}

impl Named for Mapping {
    const NAME: &'static str = "DiskDeviceMapping";
}

/// An image of this id, if there is one.
///
/// # Errors
/// As [`Client::call`].
pub async fn describe_image(client: &Client, id: &str) -> Result<Option<Image>, Fault> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(deserialize_with = "items")]
        images: Vec<Image>,
    }
    let mut params = in_region(client);
    params.push(pair("ImageId", id));
    let answer: Answer = client.call(Service::Ecs, "DescribeImages", &params).await?;
    Ok(answer.images.into_iter().find(|image| image.image_id == id))
}
