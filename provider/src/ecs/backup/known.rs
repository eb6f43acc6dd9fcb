//! Which snapshot of ECS belongs to which backup point.

use super::answer::BackupPoint;
use super::ask::{self, Subject};
use crate::ecs::client::Client;
use crate::fault::{Fault, FaultKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// Backup points, and the snapshots that they are kept as.
#[derive(Clone, Debug, Default)]
pub(in crate::ecs) struct Backups {
    points: Vec<BackupPoint>,
    /// By the snapshot's id.
    of: BTreeMap<String, usize>,
}

impl Backups {
    /// Of points that may overlap: a part of a whole is told beside it.
    pub(in crate::ecs) fn new(mut points: Vec<BackupPoint>) -> Self {
        let is_part = |point: &BackupPoint| point.source_type.as_deref() == Some("UDM_ECS_DISK");
        points.sort_by_key(is_part);
        let mut known = BTreeSet::new();
        points.retain(|point| known.insert(point.snapshot_id.clone()));
        let mut of = BTreeMap::new();
        for (index, point) in points.iter().enumerate() {
            for (native, _) in point.natives() {
                of.entry(native.to_owned()).or_insert(index);
            }
        }
        Self { points, of }
    }

    /// The point that a snapshot of ECS belongs to.
    pub(in crate::ecs) fn of(&self, native: &str) -> Option<&BackupPoint> {
        self.points.get(*self.of.get(native)?)
    }

    /// Whether a snapshot is the only one of its point, or belongs to none.
    pub(in crate::ecs) fn is_alone(&self, native: &str) -> bool {
        self.of(native)
            .is_none_or(|point| point.natives().nth(1).is_none())
    }

    /// Points that are told of: each snapshot belongs to one of them.
    pub(super) fn points(&self) -> impl Iterator<Item = (&BackupPoint, Vec<(&str, Option<&str>)>)> {
        let pairs = self.points.iter().enumerate().map(|(index, point)| {
            let natives = point.natives();
            let own = natives.filter(|(native, _)| self.of.get(*native) == Some(&index));
            (point, own.collect::<Vec<_>>())
        });
        pairs.filter(|(_, natives)| !natives.is_empty())
    }

    /// All snapshots.
    pub(in crate::ecs) fn natives(&self) -> Vec<String> {
        self.of.keys().cloned().collect()
    }

    /// The instance that a snapshot of a whole one is of.
    pub(in crate::ecs) fn instance_of(&self, native: &str) -> Option<String> {
        self.of(native)?.instance_id.clone()
    }

    /// Snapshots of points of this instance.
    pub(in crate::ecs) fn natives_of_instance(&self, instance: &str) -> Vec<String> {
        let points = self.points.iter();
        let of_it = points.filter(|point| point.instance_id.as_deref() == Some(instance));
        let natives = of_it.flat_map(|point| point.natives().map(|(native, _)| native.to_owned()));
        natives.collect()
    }

    /// Snapshots of this disk.
    pub(in crate::ecs) fn natives_of_disk(&self, disk: &str) -> Vec<String> {
        let natives = self.points.iter().flat_map(BackupPoint::natives);
        let of_it = natives.filter(|(_, of)| *of == Some(disk));
        of_it.map(|(native, _)| native.to_owned()).collect()
    }
}

/// How long a listing waits for Cloud Backup, which not everybody can reach, or has.
const LISTING_PATIENCE: Duration = Duration::from_secs(5);

/// The points of a subject, if they are told within a time.
///
/// # Errors
/// As [`ask::points`].
pub(super) async fn asked(
    client: &Client,
    subject: &Subject,
    patience: Duration,
) -> Result<Backups, Fault> {
    match timeout(patience, ask::points(client, subject)).await {
        Ok(points) => Ok(Backups::new(points?)),
        Err(_) => Err(no_answer(patience)),
    }
}

/// The same for a listing, which goes on without Cloud Backup: that it could not be asked is told once.
pub(in crate::ecs) async fn known(client: &Client, subject: &Subject) -> Backups {
    asked(client, subject, LISTING_PATIENCE)
        .await
        .unwrap_or_else(|fault| {
            unanswered(&fault);
            Backups::default()
        })
}

/// The point of an id of Cloud Backup's own, if there is one; for a listing.
pub(in crate::ecs) async fn known_by_id(client: &Client, id: &str) -> Backups {
    let asked = timeout(LISTING_PATIENCE, ask::point_of_id(client, id)).await;
    let point = asked.unwrap_or_else(|_| Err(no_answer(LISTING_PATIENCE)));
    let point = point.unwrap_or_else(|fault| {
        unanswered(&fault);
        None
    });
    Backups::new(point.into_iter().collect())
}

fn no_answer(patience: Duration) -> Fault {
    let words = format!("Cloud Backup gave no answer within {patience:?}");
    Fault::new(FaultKind::Unknown, words)
}

/// Says that Cloud Backup could not be asked, the first time.
fn unanswered(fault: &Fault) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "Cloud Backup was not asked, so its points are shown as plain snapshots, and when they end \
             is not known: {fault}; `flr policy aliyun` prints what has to be allowed"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(kind: &str, id: &str, natives: &[&str]) -> BackupPoint {
        let json = serde_json::json!({
            "SnapshotId": id, "SourceType": kind, "InstanceId": "i-1",
            "Detail": {"NativeSnapshotIdList": natives, "DiskIdList": ["d-1", "d-2"]},
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_snapshot_belongs_to_the_whole_and_not_to_its_part() {
        let part = point("UDM_ECS_DISK", "s-part", &["s-1"]);
        let alone = point("UDM_DISK", "s-alone", &["s-3"]);
        let whole = point("UDM_ECS", "s-whole", &["s-1", "s-2"]);
        let backups = Backups::new(vec![part.clone(), alone, whole.clone(), whole]);
        let of = |native| backups.of(native).map(|point| point.snapshot_id.as_str());
        assert_eq!(of("s-1"), Some("s-whole"));
        assert_eq!(of("s-2"), Some("s-whole"));
        assert_eq!(of("s-3"), Some("s-alone"));
        assert_eq!(of("s-4"), None);
        let told: Vec<_> = backups
            .points()
            .map(|(point, natives)| (point.snapshot_id.as_str(), natives.len()))
            .collect();
        assert_eq!(told, [("s-alone", 1), ("s-whole", 2)]);
        assert_eq!(backups.natives_of_disk("d-2"), ["s-2"]);
        // Where the whole is not told of, the part is.
        let backups = Backups::new(vec![part]);
        assert_eq!(backups.of("s-1").unwrap().snapshot_id, "s-part");
    }
}
