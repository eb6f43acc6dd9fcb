//! Asking EC2 what there is.

use super::wanted::Wanted;
use crate::aws::client::Client;
use crate::aws::ec2::{
    Image, Instance, Query, Snapshot, describe_images, describe_instances, describe_snapshots,
    describe_volumes,
};
use crate::engine::UnixTime;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::grouped::{self as group, Member};
use crate::point::{Access, Consistency, DiskInfo, PointInfo};
use crate::remote::retry_calls;
use std::collections::BTreeMap;
use std::future::Future;

/// Candidates that a message names.
const NAMED_MAX: usize = 8;

/// The points of an object, oldest first.
pub(super) async fn points(client: &Client, object: &str) -> Result<Vec<PointInfo>> {
    match Wanted::of(object) {
        Wanted::Snapshot(id) => snapshot(client, &id).await,
        Wanted::Volume(id) => volume(client, &id).await,
        Wanted::Instance(id) => instance(client, &id).await,
        Wanted::Image(id) => image(client, &Query::ids([id.clone()]), &id).await,
        Wanted::Name(name) => named(client, &name).await,
    }
}

/// A question, asked again while that may help.
async fn ask<T, F: Future<Output = Result<T, Fault>>>(
    doing: impl FnOnce() -> String,
    call: impl FnMut() -> F,
) -> Result<T> {
    let answer = retry_calls(call).await;
    answer.map_err(|fault| crate::aws::fault::error(doing(), fault))
}

fn not_here(client: &Client, what: &str) -> Error {
    let region = client.region();
    Error::NoSuch {
        what: format!("there is no {what} in {region} that this account may see"),
        hint: Some(
            "if it is in another region: --region NAME; in another account: --profile NAME"
                .to_owned(),
        ),
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Remote { fault, .. } if fault.kind == FaultKind::NotFound)
}

fn is_denied(error: &Error) -> bool {
    matches!(error, Error::Remote { fault, .. } if fault.kind == FaultKind::Denied)
}

async fn snapshots(client: &Client, query: Query, of: &str) -> Result<Vec<Snapshot>> {
    let doing = || format!("list the snapshots of {of}");
    ask(doing, || describe_snapshots(client, &query)).await
}

async fn snapshot(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let found = snapshots(client, Query::ids([id]), id).await;
    let found = match found {
        Ok(found) => found,
        Err(error) if is_missing(&error) => {
            return Err(not_here(client, &format!("snapshot {id}")));
        }
        // Who may read its blocks need not be allowed to list snapshots.
        Err(error) if is_denied(&error) => return Ok(vec![undescribed(client, id)]),
        Err(error) => return Err(error),
    };
    let region = client.region();
    let object = found.first().and_then(super::label::volume);
    let object = object.unwrap_or_else(|| id.to_owned());
    let point = group::point(&object, region, &[], &found);
    let point = point.ok_or_else(|| not_here(client, &format!("snapshot {id}")))?;
    Ok(vec![point])
}

/// A snapshot of which nothing but its id is known.
fn undescribed(client: &Client, id: &str) -> PointInfo {
    PointInfo {
        id: id.to_owned(),
        name: None,
        object: id.to_owned(),
        time: UnixTime(0),
        size: 0,
        state: "unknown".to_owned(),
        consistency: Consistency::Unknown,
        access: Access::Direct,
        expires: None,
        region: Some(client.region().to_owned()),
        account: None,
        tier: None,
        encrypted: false,
        skew: None,
        disks: vec![DiskInfo {
            id: id.to_owned(),
            volume: None,
            device: None,
            size: 0,
        }],
        tags: BTreeMap::new(),
    }
}

async fn volume(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let found = snapshots(client, Query::filter("volume-id", id), id).await?;
    if found.is_empty() {
        // A volume that is gone has left its snapshots; without any it must at least be there.
        let doing = || format!("look for {id}");
        let query = Query::ids([id]);
        match ask(doing, || describe_volumes(client, &query)).await {
            Err(error) if is_missing(&error) => {
                return Err(not_here(
                    client,
                    &format!("volume {id}, and no snapshot of it,"),
                ));
            }
            Err(error) => return Err(error),
            Ok(_) => return Ok(Vec::new()),
        }
    }
    let member = Member {
        volume: id.to_owned(),
        device: None,
    };
    Ok(group::points(id, client.region(), &[member], found))
}

async fn instance(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let doing = || format!("look for {id}");
    let query = Query::ids([id]);
    let found = match ask(doing, || describe_instances(client, &query)).await {
        Ok(found) => found,
        Err(error) if is_missing(&error) => Vec::new(),
        Err(error) => return Err(error),
    };
    match found.first() {
        Some(instance) if !members_of(instance).is_empty() => of_instance(client, instance).await,
        _ => of_the_departed(client, id).await,
    }
}

/// The volumes of an instance, the one that it boots from first.
fn members_of(instance: &Instance) -> Vec<Member> {
    let members = instance.block_device_mapping.iter().filter_map(|mapping| {
        Some(Member {
            volume: mapping.ebs.as_ref()?.volume_id.clone()?,
            device: mapping.device_name.clone(),
        })
    });
    let mut members: Vec<_> = members.collect();
    members.sort_by_key(|member| member.device != instance.root_device_name);
    members
}

async fn of_instance(client: &Client, instance: &Instance) -> Result<Vec<PointInfo>> {
    let (id, members) = (&instance.instance_id, members_of(instance));
    let volumes = members.iter().map(|member| member.volume.clone()).collect();
    let query = Query {
        ids: Vec::new(),
        filters: vec![("volume-id".to_owned(), volumes)],
    };
    let found = snapshots(client, query, id).await?;
    Ok(group::points(id, client.region(), &members, found))
}

/// Snapshots of an instance that is gone: those that name it in their description, as the making of
/// images and backups does.
async fn of_the_departed(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let query = Query::filter("description", format!("*{id}*"));
    let found = snapshots(client, query, id).await?;
    if found.is_empty() {
        let what = format!("instance {id}, and no snapshot that names it,");
        return Err(not_here(client, &what));
    }
    Ok(group::points(id, client.region(), &[], found))
}

async fn image(client: &Client, query: &Query, what: &str) -> Result<Vec<PointInfo>> {
    let doing = || format!("look for {what}");
    let found = match ask(doing, || describe_images(client, query)).await {
        Ok(found) => found,
        Err(error) if is_missing(&error) => Vec::new(),
        Err(error) => return Err(error),
    };
    let missing = || not_here(client, &format!("image {what}"));
    let image = found.first().ok_or_else(missing)?;
    let devices = image.block_device_mapping.iter().filter_map(|mapping| {
        let snapshot = mapping.ebs.as_ref()?.snapshot_id.clone()?;
        Some((snapshot, mapping.device_name.clone()))
    });
    let devices: Vec<_> = devices.collect();
    if devices.is_empty() {
        return Err(Error::Refused {
            what: format!("image {what} has no disk that is a snapshot"),
            hint: None,
        });
    }
    let ids = devices.iter().map(|(snapshot, _)| snapshot.clone());
    let found = snapshots(client, Query::ids(ids), &image.image_id).await?;
    Ok(of_image(client, image, &devices, found)
        .into_iter()
        .collect())
}

/// The point that an image is: its disks in its own order, under its name and time.
fn of_image(
    client: &Client,
    image: &Image,
    devices: &[(String, Option<String>)],
    mut found: Vec<Snapshot>,
) -> Option<PointInfo> {
    let device_of = |snapshot: &Snapshot| {
        devices
            .iter()
            .position(|(id, _)| *id == snapshot.snapshot_id)
    };
    let device = |snapshot: &Snapshot| {
        let (_, device) = devices.get(device_of(snapshot)?)?;
        device.clone()
    };
    let order = |snapshot: &Snapshot| {
        (
            device(snapshot) != image.root_device_name,
            device_of(snapshot),
        )
    };
    found.sort_by_key(order);
    let mut point = group::point(&image.image_id, client.region(), &[], &found)?;
    for (disk, snapshot) in point.disks.iter_mut().zip(&found) {
        disk.device = device(snapshot);
    }
    point.name = image.name.clone().or(point.name);
    point.time = image.creation_date.unwrap_or(point.time);
    Some(point)
}

async fn named(client: &Client, name: &str) -> Result<Vec<PointInfo>> {
    let doing = || format!("look for what is called {name}");
    let query = Query::filter("tag:Name", name);
    let mut instances = ask(doing, || describe_instances(client, &query)).await?;
    instances.retain(|instance| instance.state != "terminated");
    let volumes = ask(doing, || describe_volumes(client, &query)).await?;
    // The volumes of an instance are often called as it is.
    let members: Vec<_> = instances.iter().flat_map(members_of).collect();
    let free = volumes.iter().filter(|volume| {
        !members
            .iter()
            .any(|member| member.volume == volume.volume_id)
    });
    let free: Vec<_> = free.map(|volume| volume.volume_id.clone()).collect();
    match (instances.as_slice(), free.as_slice()) {
        ([instance], []) => of_instance(client, instance).await,
        ([], [id]) => volume(client, id).await,
        ([], []) => named_otherwise(client, name).await,
        _ => {
            let ids = instances
                .iter()
                .map(|instance| instance.instance_id.clone());
            Err(ambiguous(name, ids.chain(free)))
        }
    }
}

fn ambiguous(name: &str, ids: impl Iterator<Item = String>) -> Error {
    let ids: Vec<_> = ids.collect();
    let shown: Vec<_> = ids.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = ids.len().saturating_sub(shown.len());
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Error::Usage {
        what: format!("{} things are called {name}", ids.len()),
        hint: Some(format!("name one of them: {}{more}", shown.join(" "))),
    }
}

/// Images, then snapshots of this name.
async fn named_otherwise(client: &Client, name: &str) -> Result<Vec<PointInfo>> {
    match image(client, &Query::filter("name", name), name).await {
        Err(Error::NoSuch { .. }) => {}
        found => return found,
    }
    let found = snapshots(client, Query::filter("tag:Name", name), name).await?;
    if found.is_empty() {
        let what = format!("instance, volume, image or snapshot called {name}");
        return Err(not_here(client, &what));
    }
    let region = client.region();
    let points = found
        .iter()
        .filter_map(|snapshot| group::point(name, region, &[], std::slice::from_ref(snapshot)));
    let mut points: Vec<_> = points.collect();
    points.sort_by_key(|point| point.time);
    Ok(points)
}
