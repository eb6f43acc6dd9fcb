//! What is asked of EC2 about what an export has made, beside the inventory.

use crate::aws::Client;
use crate::aws::client::Params;
use crate::aws::ec2::{Image, Query, Snapshot, describe_images, describe_snapshots};
use crate::fault::{Fault, FaultKind};
use serde::de::IgnoredAny;

/// Values of one filter, by EC2's rule.
const VALUES_MAX: usize = 200;

/// Whether a fault says that there is no such thing, or no more.
fn is_absent(fault: &Fault) -> bool {
    // EC2 remembers an image that was deregistered for a while.
    fault.kind == FaultKind::NotFound || fault.is("InvalidAMIID.Unavailable")
}

/// An image by its id, whosesoever it is. One that was deregistered is none.
pub(super) async fn image(client: &Client, id: &str) -> Result<Option<Image>, Fault> {
    match describe_images(client, &Query::ids([id])).await {
        Ok(images) => Ok(images.into_iter().find(is_image_there)),
        Err(fault) if is_absent(&fault) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Images of this account by their ids; those that are there.
pub(super) async fn images_of(client: &Client, ids: &[String]) -> Result<Vec<Image>, Fault> {
    let mut found = Vec::new();
    for ids in ids.chunks(VALUES_MAX) {
        let filters = vec![("image-id".to_owned(), ids.to_vec())];
        let query = Query {
            filters,
            ..Query::default()
        };
        found.extend(describe_images(client, &query).await?);
    }
    found.retain(is_image_there);
    Ok(found)
}

pub(super) fn is_image_there(image: &Image) -> bool {
    image.state != "deregistered"
}

/// A snapshot by its id.
pub(super) async fn snapshot(client: &Client, id: &str) -> Result<Option<Snapshot>, Fault> {
    match describe_snapshots(client, &Query::ids([id])).await {
        Ok(snapshots) => Ok(snapshots.into_iter().next()),
        Err(fault) if is_absent(&fault) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Snapshots of this account by their ids; those that are there.
pub(super) async fn snapshots_of(client: &Client, ids: &[String]) -> Result<Vec<Snapshot>, Fault> {
    let mut found = Vec::new();
    for ids in ids.chunks(VALUES_MAX) {
        let filters = vec![("snapshot-id".to_owned(), ids.to_vec())];
        let query = Query {
            filters,
            ..Query::default()
        };
        found.extend(describe_snapshots(client, &query).await?);
    }
    Ok(found)
}

/// Deregisters an image. That there is none is what was wanted.
pub(super) async fn deregister_image(client: &Client, id: &str) -> Result<(), Fault> {
    let params = vec![("ImageId".to_owned(), id.to_owned())];
    done(client.ec2("DeregisterImage", params).await)
}

/// Deletes a snapshot. That there is none is what was wanted.
pub(super) async fn delete_snapshot(client: &Client, id: &str) -> Result<(), Fault> {
    let params = vec![("SnapshotId".to_owned(), id.to_owned())];
    done(client.ec2("DeleteSnapshot", params).await)
}

fn done(answer: Result<IgnoredAny, Fault>) -> Result<(), Fault> {
    match answer {
        Ok(IgnoredAny) => Ok(()),
        Err(fault) if is_absent(&fault) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Sets tags on all of `ids` in one call, and leaves their others.
pub(super) async fn create_tags(
    client: &Client,
    ids: &[String],
    tags: &[(&str, String)],
) -> Result<(), Fault> {
    let mut params = Params::new();
    for (number, id) in (1_u32..).zip(ids) {
        params.push((format!("ResourceId.{number}"), id.clone()));
    }
    for (number, (key, value)) in (1_u32..).zip(tags) {
        params.push((format!("Tag.{number}.Key"), (*key).to_owned()));
        params.push((format!("Tag.{number}.Value"), value.clone()));
    }
    let IgnoredAny = client.ec2("CreateTags", params).await?;
    Ok(())
}

/// The snapshots of an image with their devices, that of the root disk first, then by device.
pub(super) fn disks_of(image: &Image) -> Vec<(Option<&str>, &str)> {
    let mut disks: Vec<_> = image
        .block_device_mapping
        .iter()
        .filter_map(|mapping| {
            let id = mapping.ebs.as_ref()?.snapshot_id.as_deref()?;
            Some((mapping.device_name.as_deref(), id))
        })
        .collect();
    let root = image.root_device_name.as_deref();
    disks.sort_by_key(|(device, _)| (*device != root, *device));
    disks
}
