//! What is called by a name: by its own name, or by the tag `Name`.

use super::inventory::{Listing, by_id, disk, failed, instance, not_here};
use super::wanted::Wanted;
use crate::ecs::api::{Query, describe_disks, describe_instances};
use crate::ecs::client::Client;
use crate::error::{Error, Result};
use crate::grouped;
use crate::point::PointInfo;
use std::collections::BTreeMap;

/// Candidates that a message names.
const NAMED_MAX: usize = 8;

const TAG: &str = "Name";

/// Whether something is called so. ECS takes `*` for anything, and we do not.
fn is_called(own: Option<&str>, tags: &BTreeMap<String, String>, name: &str) -> bool {
    own == Some(name) || tags.get(TAG).is_some_and(|tag| tag == name)
}

/// Questions for what is called so.
fn questions(parameter: &str, name: &str) -> [Query; 2] {
    [Query::by(parameter, name), Query::tagged(TAG, Some(name))]
}

/// The points of what is called `name`.
pub(super) async fn named(client: &Client, name: &str) -> Result<Vec<PointInfo>> {
    let instances = instances(client, name).await?;
    let disks = disks(client, name, &instances).await?;
    match (instances.as_slice(), disks.as_slice()) {
        ([id], []) => instance(client, id).await,
        ([], [id]) => disk(client, id).await,
        ([], []) => otherwise(client, name).await,
        _ => Err(ambiguous(name, instances.into_iter().chain(disks))),
    }
}

/// The one instance that is meant.
pub(super) async fn instance_of(client: &Client, object: &str) -> Result<String> {
    let other = |what: &str| {
        Err(Error::Refused {
            what: format!(
                "{object} is {what}: snapshots are taken of instances, with all their disks"
            ),
            hint: Some("name its instance: i-… or ecs:NAME".to_owned()),
        })
    };
    let name = match Wanted::of(object) {
        Wanted::Instance(id) => return Ok(id),
        Wanted::Snapshot(_) => return other("a snapshot"),
        Wanted::Disk(_) => return other("a disk"),
        Wanted::Image(_) => return other("an image"),
        Wanted::Name(name) => name,
    };
    let ids = instances(client, &name).await?;
    match (ids.as_slice(), Wanted::of_old(&name)) {
        ([id], _) => Ok(id.clone()),
        ([], Some(Wanted::Instance(id))) => Ok(id),
        ([], _) => Err(not_here(client, &format!("instance called {name}"))),
        _ => Err(ambiguous(&name, ids.into_iter())),
    }
}

/// Ids of instances of this name.
async fn instances(client: &Client, name: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for query in questions("InstanceName", name) {
        let found = describe_instances(client, &query.patiently()).await;
        let found = found.map_err(failed(format!("look for what is called {name}")))?;
        let named = found
            .into_iter()
            .filter(|it| is_called(it.instance_name.as_deref(), &it.tags, name));
        ids.extend(named.map(|it| it.instance_id));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// Ids of disks of this name. The disks of an instance are often called as it is.
async fn disks(client: &Client, name: &str, instances: &[String]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for query in questions("DiskName", name) {
        let found = describe_disks(client, &query.patiently()).await;
        let found = found.map_err(failed(format!("look for what is called {name}")))?;
        let named = found.into_iter().filter(|it| {
            let of = it.instance_id.as_ref();
            is_called(it.disk_name.as_deref(), &it.tags, name)
                && !of.is_some_and(|of| instances.contains(of))
        });
        ids.extend(named.map(|it| it.disk_id));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// Snapshots of this name; else it may be an id of old.
async fn otherwise(client: &Client, name: &str) -> Result<Vec<PointInfo>> {
    let mut points = Vec::new();
    let region = client.region();
    for query in questions("SnapshotName", name) {
        let mut listing = Listing::new(client, query, name);
        while let Some(page) = listing.next().await? {
            let mut called = page.into_iter();
            while let Some(one) =
                called.find(|it| is_called(it.snapshot_name.as_deref(), &it.tags, name))
            {
                points.extend(grouped::point(name, region, &[], &[one]));
            }
        }
    }
    points.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    points.dedup_by(|a, b| a.id == b.id);
    if points.is_empty() {
        if let Some(id) = Wanted::of_old(name) {
            return by_id(client, id).await;
        }
        let what = format!("instance, disk or snapshot called {name}");
        return Err(not_here(client, &what));
    }
    Ok(points)
}

fn ambiguous(name: &str, ids: impl Iterator<Item = String>) -> Error {
    let ids: Vec<_> = ids.collect();
    let shown: Vec<_> = ids.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = match ids.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Error::Usage {
        what: format!("{} things are called {name}", ids.len()),
        hint: Some(format!("name one of them: {}{more}", shown.join(" "))),
    }
}
