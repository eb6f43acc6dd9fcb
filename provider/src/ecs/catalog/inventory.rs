//! Asking ECS what there is.

use super::named::named;
use super::wanted::Wanted;
use crate::ecs::api::{
    Disk, Image, Pages, Query, Snapshot, SnapshotPage, describe_disks, describe_image,
    describe_instances, describe_snapshot_groups, describe_snapshots, snapshot_pages,
};
use crate::ecs::backup::{self, BackupPoint, Sources, Subject};
use crate::ecs::client::Client;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::grouped::{self, Member};
use crate::point::PointInfo;
use crate::remote::retry_calls;
use std::collections::{BTreeMap, BTreeSet};

/// How many ids one call takes.
const IDS_MAX: usize = 100;

/// The points of an object, oldest first.
pub(super) async fn points(client: &Client, object: &str) -> Result<Vec<PointInfo>> {
    match Wanted::of(object) {
        Wanted::Name(name) => named(client, &name).await,
        wanted => by_id(client, wanted).await,
    }
}

/// The points of what an id stands for.
pub(super) async fn by_id(client: &Client, wanted: Wanted) -> Result<Vec<PointInfo>> {
    match wanted {
        Wanted::Snapshot(id) => snapshot(client, &id).await,
        Wanted::Disk(id) => disk(client, &id).await,
        Wanted::Instance(id) => instance(client, &id).await,
        Wanted::Image(id) => image(client, &id).await,
        Wanted::Name(name) => Err(not_here(client, &format!("thing called {name}"))),
    }
}

/// What a fault means while something is looked for.
pub(super) fn failed(doing: String) -> impl FnOnce(Fault) -> Error {
    move |fault| crate::ecs::fault::error(doing, fault)
}

pub(super) fn not_here(client: &Client, what: &str) -> Error {
    let region = client.region();
    Error::NoSuch {
        what: format!("there is no {what} in {region} that this account may see"),
        hint: Some(
            "if it is in another region: --region NAME; in another account: --profile NAME"
                .to_owned(),
        ),
    }
}

/// What was found; nothing if there is nothing of the id.
fn found<T>(answer: Result<Vec<T>, Fault>) -> Result<Vec<T>, Fault> {
    match answer {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(Vec::new()),
        answer => answer,
    }
}

/// The snapshots of these ids.
async fn snapshots(client: &Client, query: Query, of: &str) -> Result<Vec<Snapshot>> {
    let answer = describe_snapshots(client, &query.patiently()).await;
    found(answer).map_err(failed(format!("list the snapshots of {of}")))
}

/// Snapshots of which there may be very many, page by page.
pub(super) struct Listing<'c, 'o> {
    pages: Pages<'c, SnapshotPage>,
    of: &'o str,
    is_begun: bool,
}

impl<'c, 'o> Listing<'c, 'o> {
    /// Nothing is asked yet.
    pub(super) fn new(client: &'c Client, query: Query, of: &'o str) -> Self {
        Self {
            pages: snapshot_pages(client, query.patiently()),
            of,
            is_begun: false,
        }
    }

    /// The next page; `None` after the last one, and at once if there is nothing of the id.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Snapshot>>> {
        let is_begun = std::mem::replace(&mut self.is_begun, true);
        match self.pages.next().await {
            Err(fault) if fault.kind == FaultKind::NotFound && !is_begun => Ok(None),
            page => page.map_err(failed(format!("list the snapshots of {}", self.of))),
        }
    }
}

async fn disks(client: &Client, query: Query, of: &str) -> Result<Vec<Disk>> {
    let answer = describe_disks(client, &query.patiently()).await;
    found(answer).map_err(failed(format!("look for the disks of {of}")))
}

/// Snapshots of these ids.
async fn snapshots_of_ids(client: &Client, ids: &[String], of: &str) -> Result<Vec<Snapshot>> {
    let mut all = Vec::new();
    for some in ids.chunks(IDS_MAX) {
        let query = Query::ids("SnapshotIds", some);
        all.extend(snapshots(client, query, of).await?);
    }
    // A server that takes no notice of ids must not make a point of others' snapshots.
    all.retain(|snapshot| ids.contains(&snapshot.snapshot_id));
    Ok(all)
}

async fn snapshot(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let mut found = snapshots_of_ids(client, &[id.to_owned()], id).await?;
    let backups = match found.first() {
        Some(first) => {
            let disk = first.source_disk_id.as_deref();
            let everything = Subject {
                everything: true,
                ..Subject::default()
            };
            let subject = disk.map_or(everything, Subject::disk);
            backup::known(client, &subject).await
        }
        // Points of Cloud Backup have ids that look the same.
        None => {
            let backups = backup::known_by_id(client, id).await;
            let ids = backups.natives();
            found = snapshots_of_ids(client, &ids, id).await?;
            backups
        }
    };
    let object = match found.as_slice() {
        [only] => only.source_disk_id.clone(),
        _ => found
            .iter()
            .find_map(|it| backups.instance_of(&it.snapshot_id)),
    };
    let object = object.unwrap_or_else(|| id.to_owned());
    let sources = backup::mark(&mut found, &backups);
    let points = grouped::point(&object, client.region(), &[], &found);
    let mut points: Vec<_> = points.into_iter().collect();
    backup::label(
        &mut points,
        &backups,
        &sources,
        (&object, client.region()),
        |point| point.snapshot_id == id,
    );
    match points.is_empty() {
        true => Err(not_here(client, &format!("snapshot {id}"))),
        false => Ok(points),
    }
}

pub(super) async fn disk(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let mut listing = Listing::new(client, Query::by("DiskId", id), id);
    let mut page = listing.next().await?;
    let backups = backup::known(client, &Subject::disk(id)).await;
    let mut missing: BTreeSet<_> = backups.natives_of_disk(id).into_iter().collect();
    let is_backed_up = !missing.is_empty();
    let members = [Member {
        volume: id.to_owned(),
        device: None,
    }];
    let mut sources = Sources::default();
    // Two of one disk are two points. Only those that make a backup point with others wait for them.
    let (mut points, mut waiting) = (Vec::new(), Vec::new());
    while let Some(snapshots) = page {
        for mut snapshot in snapshots {
            if snapshot.source_disk_id.as_deref() != Some(id) {
                continue;
            }
            missing.remove(&snapshot.snapshot_id);
            sources.mark(&mut snapshot, &backups);
            match backups.is_alone(&snapshot.snapshot_id) {
                true => points.extend(grouped::point(id, client.region(), &members, &[snapshot])),
                false => waiting.push(snapshot),
            }
        }
        page = listing.next().await?;
    }
    for mut snapshot in missing_ones(client, missing, id).await? {
        sources.mark(&mut snapshot, &backups);
        waiting.push(snapshot);
    }
    points.extend(grouped::points(id, client.region(), &members, waiting));
    points.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    // A disk that is gone has left its snapshots; without any it must at least be there.
    let gone = match points.is_empty() || is_backed_up {
        true => {
            let there = disks(client, Query::ids("DiskIds", &[id]), id).await?;
            there.iter().all(|disk| disk.disk_id != id)
        }
        false => false,
    };
    if gone && points.is_empty() && !is_backed_up {
        let what = format!("disk {id}, and no snapshot of it,");
        return Err(not_here(client, &what));
    }
    sources.object_is_gone = gone;
    let is_of_disk = |point: &BackupPoint| point.natives().any(|(_, disk)| disk == Some(id));
    let place = (id, client.region());
    backup::label(&mut points, &backups, &sources, place, is_of_disk);
    Ok(points)
}

/// Snapshots that belong to an object and were not among those that are listed of it.
async fn missing_ones(client: &Client, ids: BTreeSet<String>, of: &str) -> Result<Vec<Snapshot>> {
    let ids: Vec<_> = ids.into_iter().collect();
    snapshots_of_ids(client, &ids, of).await
}

/// All points of the disks of an instance, and of sets of snapshots of it.
pub(super) async fn instance(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let mut attached = disks(client, Query::by("InstanceId", id), id).await?;
    attached.retain(|disk| disk.instance_id.as_deref() == Some(id));
    let groups = groups(client, id).await?;
    let members = members_of(&attached);
    let of_members: BTreeSet<_> = members
        .iter()
        .map(|member| member.volume.as_str())
        .collect();
    let is_of_it = |snapshot: &Snapshot| {
        let disk = snapshot.source_disk_id.as_deref().unwrap_or_default();
        of_members.contains(disk) || groups.contains_key(&snapshot.snapshot_id)
    };
    // Which belong together is known once all are there.
    let mut found = Vec::new();
    if !attached.is_empty() {
        let mut listing = Listing::new(client, Query::by("InstanceId", id), id);
        while let Some(page) = listing.next().await? {
            found.extend(page.into_iter().filter(is_of_it));
        }
    }
    let subject = Subject {
        instance: Some(id.to_owned()),
        disks: of_members.iter().map(|disk| (*disk).to_owned()).collect(),
        everything: false,
    };
    let backups = backup::known(client, &subject).await;
    // Of disks that are no longer attached.
    let natives = backups.natives_of_instance(id);
    let is_backed_up = !natives.is_empty();
    let mut missing: BTreeSet<_> = groups.keys().cloned().chain(natives).collect();
    for snapshot in &found {
        missing.remove(&snapshot.snapshot_id);
    }
    found.extend(missing_ones(client, missing, id).await?);
    for snapshot in &mut found {
        snapshot.group = groups.get(&snapshot.snapshot_id).cloned();
    }
    let mut sources = backup::mark(&mut found, &backups);
    if attached.is_empty() && (found.is_empty() || is_backed_up) {
        let query = Query::ids("InstanceIds", &[id]);
        let answer = describe_instances(client, &query.patiently()).await;
        let there = self::found(answer).map_err(failed(format!("look for {id}")))?;
        sources.object_is_gone = there.iter().all(|instance| instance.instance_id != id);
        if sources.object_is_gone && found.is_empty() && !is_backed_up {
            let what = format!("instance {id}, and no set of snapshots of it,");
            return Err(not_here(client, &what));
        }
    }
    let is_of_instance = |point: &BackupPoint| {
        let of = |disk: Option<&str>| disk.is_some_and(|disk| of_members.contains(disk));
        point.instance_id.as_deref() == Some(id) || point.natives().any(|(_, disk)| of(disk))
    };
    let mut points = grouped::points(id, client.region(), &members, found);
    let place = (id, client.region());
    backup::label(&mut points, &backups, &sources, place, is_of_instance);
    Ok(points)
}

/// The disks of an instance, the one that it boots from first.
pub(in crate::ecs) fn members_of(disks: &[Disk]) -> Vec<Member> {
    let mut ordered: Vec<_> = disks.iter().collect();
    ordered.sort_by_key(|disk| {
        let is_system = disk.kind.as_deref() == Some("system");
        (!is_system, disk.device.clone(), disk.disk_id.clone())
    });
    let members = ordered.into_iter().map(|disk| Member {
        volume: disk.disk_id.clone(),
        device: disk.device.clone(),
    });
    members.collect()
}

/// Which set each snapshot of an instance was taken in, if in one.
async fn groups(client: &Client, instance: &str) -> Result<BTreeMap<String, String>> {
    let query = Query::by("InstanceId", instance).patiently();
    let groups = match found(describe_snapshot_groups(client, &query).await) {
        Ok(groups) => groups,
        // Snapshots are put together by their times then.
        Err(fault) if fault.kind == FaultKind::Denied => {
            tracing::warn!("sets of snapshots of {instance} cannot be told: {fault}");
            Vec::new()
        }
        Err(fault) => {
            let doing = format!("list the sets of snapshots of {instance}");
            return Err(failed(doing)(fault));
        }
    };
    let of_instance = groups
        .into_iter()
        .filter(|group| group.instance_id.as_deref() == Some(instance));
    let pairs = of_instance.flat_map(|group| {
        let id = group.snapshot_group_id;
        let members = group.snapshots.into_iter();
        members.map(move |member| (member.snapshot_id, id.clone()))
    });
    Ok(pairs.collect())
}

async fn image(client: &Client, id: &str) -> Result<Vec<PointInfo>> {
    let answer = retry_calls(|| describe_image(client, id)).await;
    let image = match answer {
        Ok(image) => image,
        Err(fault) if fault.kind == FaultKind::NotFound => None,
        Err(fault) => return Err(failed(format!("look for {id}"))(fault)),
    };
    let image = image.ok_or_else(|| not_here(client, &format!("image {id}")))?;
    let mappings = image.disk_device_mappings.iter();
    let ids = mappings.filter_map(|mapping| mapping.snapshot_id.clone());
    let ids: Vec<_> = ids.collect();
    if ids.is_empty() {
        return Err(Error::Refused {
            what: format!("image {id} has no disk that is a snapshot of this account"),
            hint: None,
        });
    }
    let found = snapshots_of_ids(client, &ids, id).await?;
    Ok(of_image(client, &image, found).into_iter().collect())
}

/// The point that an image is: its disks in its own order, under its name and time.
fn of_image(client: &Client, image: &Image, mut found: Vec<Snapshot>) -> Option<PointInfo> {
    let mapping = |snapshot: &Snapshot| {
        let mut mappings = image.disk_device_mappings.iter();
        mappings.find(|it| it.snapshot_id.as_deref() == Some(snapshot.snapshot_id.as_str()))
    };
    let order = |snapshot: &Snapshot| {
        let mapping = mapping(snapshot);
        let is_system = mapping.is_some_and(|it| it.kind.as_deref() == Some("system"));
        (!is_system, mapping.and_then(|it| it.device.clone()))
    };
    found.sort_by_key(order);
    for snapshot in &mut found {
        // One image is one moment, however long the copying took.
        snapshot.group = Some(image.image_id.clone());
    }
    let mut point = grouped::point(&image.image_id, client.region(), &[], &found)?;
    for (disk, snapshot) in point.disks.iter_mut().zip(&found) {
        disk.device = mapping(snapshot).and_then(|it| it.device.clone());
    }
    point.name = image.image_name.clone().or(point.name);
    point.time = image.creation_time.unwrap_or(point.time);
    Some(point)
}
