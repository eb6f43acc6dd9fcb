//! Snapshots of several volumes as points of what they belong to.
//!
//! Volumes of an instance are snapshotted together (at the same moment) or one after the other. Snapshots
//! of different volumes that lie near each other make a point; how far they are apart is its skew.

use super::label;
use crate::aws::ec2::Snapshot;
use crate::engine::UnixTime;
use crate::point::{Access, Consistency, PointInfo};
use std::collections::BTreeMap;
use std::time::Duration;

/// Snapshots that a script takes one after the other lie nearer than this; daily and hourly ones do not.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Snapshots that were taken in one call have the same time, to the second.
const SKEW_OF_ONE_MOMENT: Duration = Duration::from_secs(1);

/// A volume that a point should have, and where it is attached. The one that is booted from comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) volume: String,
    pub(super) device: Option<String>,
}

/// The points that `snapshots` make of `members`, oldest first.
pub(super) fn points(
    object: &str,
    region: &str,
    members: &[Member],
    mut snapshots: Vec<Snapshot>,
) -> Vec<PointInfo> {
    snapshots.sort_by(|a, b| (a.start_time, &a.snapshot_id).cmp(&(b.start_time, &b.snapshot_id)));
    let mut groups: Vec<Vec<Snapshot>> = Vec::new();
    for snapshot in snapshots {
        match groups.last_mut() {
            Some(group) if belongs(group, &snapshot) => group.push(snapshot),
            _ => groups.push(vec![snapshot]),
        }
    }
    let points = groups.into_iter();
    let points = points.filter_map(|group| point(object, region, members, &group));
    points.collect()
}

fn belongs(group: &[Snapshot], snapshot: &Snapshot) -> bool {
    let near = group
        .first()
        .is_some_and(|first| snapshot.start_time.since(first.start_time) <= WINDOW);
    let known = |other: &Snapshot| label::volume(other) == label::volume(snapshot);
    near && !group.iter().any(known)
}

/// One point. Its time is that of its last snapshot: nothing in it is younger.
pub(super) fn point(
    object: &str,
    region: &str,
    members: &[Member],
    group: &[Snapshot],
) -> Option<PointInfo> {
    let place = |snapshot: &&Snapshot| {
        let volume = label::volume(snapshot);
        let is_it = |member: &Member| Some(&member.volume) == volume.as_ref();
        members.iter().position(is_it).unwrap_or(usize::MAX)
    };
    let mut ordered: Vec<_> = group.iter().collect();
    ordered.sort_by_key(place);
    let first = *ordered.first()?;
    let times = || group.iter().map(|snapshot| snapshot.start_time);
    let (oldest, newest) = (times().min()?, times().max()?);
    let skew = newest.since(oldest);
    let disks = ordered.iter().map(|snapshot| {
        let member = members.get(place(snapshot));
        label::disk(snapshot, member.and_then(|member| member.device.clone()))
    });
    let missing = members.len().saturating_sub(group.len());
    let mut tags: BTreeMap<_, _> = first.tag_set.clone();
    // Only what is said of all of them is said of the point.
    tags.retain(|key, value| group.iter().all(|one| one.tag_set.get(key) == Some(value)));
    Some(PointInfo {
        id: first.snapshot_id.clone(),
        name: tags.get("Name").cloned().or_else(|| description(first)),
        object: object.to_owned(),
        time: newest,
        size: group.iter().map(label::bytes).fold(0, u64::saturating_add),
        state: state(group, missing),
        consistency: consistency(group, skew),
        access: access(group),
        expires: expires(group),
        region: Some(region.to_owned()),
        account: first.owner_id.clone(),
        tier: ordered
            .iter()
            .find_map(|snapshot| snapshot.storage_tier.clone()),
        encrypted: group.iter().any(|snapshot| snapshot.encrypted),
        skew: (group.len() > 1).then_some(skew),
        disks: disks.collect(),
        tags,
    })
}

fn description(snapshot: &Snapshot) -> Option<String> {
    let text = snapshot.description.clone();
    text.filter(|text| !text.trim().is_empty())
}

/// The worst of their states; `partial` if volumes lack a snapshot.
fn state(group: &[Snapshot], missing: usize) -> String {
    let unfinished = group.iter().find(|snapshot| snapshot.status != "completed");
    match unfinished {
        Some(snapshot) => snapshot.status.clone(),
        None if missing > 0 => "partial".to_owned(),
        None => "completed".to_owned(),
    }
}

/// Disks that were not taken at one moment are, together, no state that there ever was.
fn consistency(group: &[Snapshot], skew: Duration) -> Consistency {
    if skew > SKEW_OF_ONE_MOMENT {
        return Consistency::Unknown;
    }
    let labels = || group.iter().map(label::consistency);
    match labels().all(|label| label == Consistency::Application) {
        true => Consistency::Application,
        false => Consistency::Crash,
    }
}

/// What is in the way of one of them is in the way of the point.
fn access(group: &[Snapshot]) -> Access {
    let mut all = Access::Direct;
    for snapshot in group {
        match label::access(snapshot) {
            Access::None(why) if group.len() > 1 => {
                return Access::None(format!("{}: {why}", snapshot.snapshot_id));
            }
            Access::None(why) => return Access::None(why),
            Access::Clone => all = Access::Clone,
            Access::Direct => {}
        }
    }
    all
}

/// When it goes back to the archive, or services that keep a calendar delete it.
fn expires(group: &[Snapshot]) -> Option<UnixTime> {
    let times = group
        .iter()
        .filter_map(|snapshot| snapshot.restore_expiry_time);
    times.min()
}
