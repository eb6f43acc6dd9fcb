//! Backup points among the other points of an object.
//!
//! Their snapshots are listed by ECS like any others. Those of one backup point are put together, and the
//! point gets what only Cloud Backup knows: when it ends, how consistent it is, and why not more.

use super::answer::BackupPoint;
use super::known::Backups;
use crate::ecs::api::Snapshot;
use crate::point::{Access, Consistency, DiskInfo, PointInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The tag that a point of Cloud Backup has here: its own id.
pub(in crate::ecs) const POINT_TAG: &str = "cloud-backup:point";
const DOWNGRADED_TAG: &str = "cloud-backup:downgraded";
const SOURCE_TAG: &str = "cloud-backup:source";
const REPLICA_TAG: &str = "cloud-backup:replica-of";

/// What a point is called that has no name.
const NAME: &str = "Cloud Backup";

/// What is still there of what points were made of.
#[derive(Clone, Debug, Default)]
pub(in crate::ecs) struct Sources {
    /// The object that points are listed of is gone.
    pub(in crate::ecs) object_is_gone: bool,
    /// Snapshots that are copies, with where their original was: region and id.
    replicas: BTreeMap<String, String>,
}

impl Sources {
    /// Says of a snapshot of a backup point which one it belongs to. What is said of copies is kept for
    /// [`label`].
    pub(in crate::ecs) fn mark(&mut self, snapshot: &mut Snapshot, backups: &Backups) {
        let Some(backup) = backups.of(&snapshot.snapshot_id) else {
            return;
        };
        snapshot.group = Some(backup.snapshot_id.clone());
        if let Some(original) = &snapshot.source_snapshot_id {
            let region = snapshot.source_region_id.as_deref();
            let place =
                region.map_or_else(|| original.clone(), |region| format!("{region}/{original}"));
            self.replicas.insert(snapshot.snapshot_id.clone(), place);
        }
    }
}

/// Puts snapshots of one backup point together.
pub(in crate::ecs) fn mark(snapshots: &mut [Snapshot], backups: &Backups) -> Sources {
    let mut sources = Sources::default();
    for snapshot in snapshots {
        sources.mark(snapshot, backups);
    }
    sources
}

/// Says of points what only Cloud Backup knows. Backup points whose snapshots are gone are added, as far
/// as they are `of` the object and Cloud Backup tells of when and of how much they are; the others are
/// counted and named.
pub(in crate::ecs) fn label(
    points: &mut Vec<PointInfo>,
    backups: &Backups,
    sources: &Sources,
    (object, region): (&str, &str),
    of: impl Fn(&BackupPoint) -> bool,
) {
    let mut told = BTreeSet::new();
    for point in points.iter_mut() {
        told.extend(point.disks.iter().map(|disk| disk.id.clone()));
        let mut backup = None;
        for disk in &point.disks {
            backup = backups.of(&disk.id).or(backup);
        }
        if let Some(backup) = backup {
            say(point, backup, sources);
        }
    }
    let mut untold = Vec::new();
    for (backup, natives) in backups.points().filter(|(backup, _)| of(backup)) {
        if natives.iter().all(|(native, _)| !told.contains(*native)) {
            match without_snapshots(backup, &natives, sources, (object, region)) {
                Some(point) => points.push(point),
                None => untold.push(backup.snapshot_id.as_str()),
            }
        }
    }
    points.sort_by_key(|point| point.time);
    if !untold.is_empty() {
        tracing::warn!("{}", left_out(object, &untold));
    }
}

/// What is said of points that a listing leaves out.
fn left_out(object: &str, untold: &[&str]) -> String {
    /// So many are named.
    const NAMED_MAX: usize = 8;
    let count = untold.len();
    let named: Vec<_> = untold.iter().take(NAMED_MAX).copied().collect();
    let named = named.join(", ");
    let others = match count.saturating_sub(NAMED_MAX) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let (points, them) = match count {
        1 => ("backup point", "it"),
        _ => ("backup points", "them"),
    };
    format!(
        "{count} {points} of {object} cannot be listed: ECS does not show the snapshots, and Cloud Backup          does not tell of {them} when and how large: {named}{others}"
    )
}

/// Says of a point what its backup point does.
fn say(point: &mut PointInfo, backup: &BackupPoint, sources: &Sources) {
    const ONE_MOMENT: Duration = Duration::from_secs(1);
    // ECS shows its snapshots as if they stayed: what it says of their end is not to be believed.
    point.expires = backup.expires;
    let apart = point.skew.is_some_and(|skew| skew > ONE_MOMENT);
    match backup.consistency() {
        Some(consistency) => point.consistency = consistency,
        None if apart && backup.detail.snapshot_group_id.is_none() => {
            point.consistency = Consistency::Unknown;
        }
        None => {}
    }
    if backup.is_partial() && point.state == "accomplished" {
        "partial".clone_into(&mut point.state);
    }
    point.name.get_or_insert_with(|| NAME.to_owned());
    let mut tag = |key: &str, value: &str| point.tags.insert(key.to_owned(), value.to_owned());
    tag(POINT_TAG, &backup.snapshot_id);
    if let Some(reason) = &backup.detail.downgrade_reason {
        tag(DOWNGRADED_TAG, reason);
    }
    if sources.object_is_gone {
        tag(SOURCE_TAG, "released");
    }
    let mut disks = point.disks.iter();
    if let Some(original) = disks.find_map(|disk| sources.replicas.get(&disk.id)) {
        point.tags.insert(REPLICA_TAG.to_owned(), original.clone());
    }
}

/// A backup point whose snapshots ECS does not have, or not for this account. `None`: nobody tells when it
/// was made, or how large it is, and a listing must not make that up.
fn without_snapshots(
    backup: &BackupPoint,
    natives: &[(&str, Option<&str>)],
    sources: &Sources,
    (object, region): (&str, &str),
) -> Option<PointInfo> {
    let time = backup.created?;
    let size = backup.bytes_total.filter(|bytes| *bytes > 0)?;
    let (first, _) = natives.first().copied().unwrap_or_default();
    let disks = natives.iter().map(|(native, disk)| DiskInfo {
        id: (*native).to_owned(),
        volume: disk.map(str::to_owned),
        device: None,
        size: 0,
    });
    let mut point = PointInfo {
        id: first.to_owned(),
        name: None,
        object: object.to_owned(),
        time,
        size,
        state: "missing".to_owned(),
        consistency: Consistency::Unknown,
        access: Access::None(format!(
            "Cloud Backup has it as backup point {}, and ECS does not show its snapshot to this account",
            backup.snapshot_id
        )),
        expires: None,
        region: Some(region.to_owned()),
        account: None,
        tier: None,
        encrypted: false,
        skew: None,
        disks: disks.collect(),
        tags: BTreeMap::new(),
    };
    say(&mut point, backup, sources);
    Some(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_are_left_out_are_counted_and_named() {
        let one = left_out("i-1", &["s-1"]);
        assert!(one.starts_with("1 backup point of i-1 cannot"), "{one}");
        assert!(one.ends_with(": s-1"), "{one}");
        let many = left_out("i-1", &["s-1"; 10]);
        assert!(many.starts_with("10 backup points of i-1"), "{many}");
        assert!(many.ends_with("s-1 and 2 more"), "{many}");
    }
}
