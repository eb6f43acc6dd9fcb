//! Snapshots of several volumes as points of what they belong to.
//!
//! Volumes of an instance are snapshotted together (at the same moment) or one after the other. Snapshots
//! of different volumes that lie near each other make a point; how far they are apart is its skew.

use crate::engine::UnixTime;
use crate::point::{Access, Consistency, DiskInfo, PointInfo};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A snapshot of one disk, as any provider has it.
pub(crate) trait Taken: fmt::Debug + Clone {
    /// The provider's word for one that is whole: `completed`.
    const WHOLE: &'static str;

    /// Its id.
    fn id(&self) -> &str;
    /// When it was taken.
    fn time(&self) -> UnixTime;
    /// What it was taken of, if that ever was.
    fn volume(&self) -> Option<String>;
    /// Bytes.
    fn bytes(&self) -> u64;
    /// The provider's word for its state.
    fn state(&self) -> String;
    /// The set that it was taken in, at one moment with the others of it.
    fn set(&self) -> Option<&str> {
        None
    }
    /// What may be expected of its files.
    fn consistency(&self) -> Consistency;
    /// How it can be read, or why not.
    fn access(&self) -> Access;
    /// When the provider deletes it.
    fn expires(&self) -> Option<UnixTime>;
    /// What the provider or the user calls it, if no tag does.
    fn name(&self) -> Option<String>;
    /// Whose it is.
    fn account(&self) -> Option<String>;
    /// `standard`, `archive`.
    fn tier(&self) -> Option<String>;
    /// Whether it is encrypted.
    fn is_encrypted(&self) -> bool;
    /// Tags.
    fn tags(&self) -> &BTreeMap<String, String>;
}

/// Snapshots that a script takes one after the other lie nearer than this; daily and hourly ones do not.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Snapshots that were taken in one call have the same time, to the second.
const SKEW_OF_ONE_MOMENT: Duration = Duration::from_secs(1);

/// A volume that a point should have, and where it is attached. The one that is booted from comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) volume: String,
    pub(crate) device: Option<String>,
}

/// The points that `snapshots` make of `members`, oldest first.
pub(crate) fn points<T: Taken>(
    object: &str,
    region: &str,
    members: &[Member],
    mut snapshots: Vec<T>,
) -> Vec<PointInfo> {
    snapshots.sort_by(|a, b| (a.time(), a.id()).cmp(&(b.time(), b.id())));
    let mut points = Vec::new();
    let mut end = |(number, group): (usize, Vec<T>)| {
        let point = point(object, region, members, &group);
        points.extend(point.map(|point| (number, point)));
    };
    // Those that others may still belong to.
    let mut groups: Vec<(usize, Vec<T>)> = Vec::new();
    for (number, snapshot) in snapshots.into_iter().enumerate() {
        let mut known = groups.iter_mut().rev();
        let place = match snapshot.set() {
            // Others may have been taken in between.
            Some(_) => known.find(|(_, group)| belongs(group, &snapshot)),
            None => known.next().filter(|(_, group)| belongs(group, &snapshot)),
        };
        match place {
            Some((_, group)) => group.push(snapshot),
            None => {
                let last = groups.pop_if(|(_, group)| group.iter().all(|one| one.set().is_none()));
                last.into_iter().for_each(&mut end);
                groups.push((number, vec![snapshot]));
            }
        }
    }
    groups.into_iter().for_each(end);
    points.sort_by_key(|(number, point)| (point.time, *number));
    points.into_iter().map(|(_, point)| point).collect()
}

fn belongs<T: Taken>(group: &[T], snapshot: &T) -> bool {
    let Some(first) = group.first() else {
        return false;
    };
    let together = match (first.set(), snapshot.set()) {
        (None, None) => snapshot.time().since(first.time()) <= WINDOW,
        (one, other) => one == other,
    };
    let known = |other: &T| other.volume() == snapshot.volume();
    together && !group.iter().any(known)
}

/// One point. Its time is that of its last snapshot: nothing in it is younger.
pub(crate) fn point<T: Taken>(
    object: &str,
    region: &str,
    members: &[Member],
    group: &[T],
) -> Option<PointInfo> {
    let place = |snapshot: &&T| {
        let volume = snapshot.volume();
        let is_it = |member: &Member| Some(&member.volume) == volume.as_ref();
        members.iter().position(is_it).unwrap_or(usize::MAX)
    };
    let mut ordered: Vec<_> = group.iter().collect();
    ordered.sort_by_key(place);
    let first = *ordered.first()?;
    let times = || group.iter().map(Taken::time);
    let (oldest, newest) = (times().min()?, times().max()?);
    let skew = newest.since(oldest);
    let disks = ordered.iter().map(|snapshot| {
        let member = members.get(place(snapshot));
        disk(*snapshot, member.and_then(|member| member.device.clone()))
    });
    let missing = members.len().saturating_sub(group.len());
    let mut tags: BTreeMap<_, _> = first.tags().clone();
    // Only what is said of all of them is said of the point.
    tags.retain(|key, value| group.iter().all(|one| one.tags().get(key) == Some(value)));
    Some(PointInfo {
        id: first.id().to_owned(),
        name: tags.get("Name").cloned().or_else(|| first.name()),
        object: object.to_owned(),
        time: newest,
        size: group.iter().map(Taken::bytes).fold(0, u64::saturating_add),
        state: state(group, missing),
        consistency: consistency(group, skew),
        access: access(group),
        expires: expires(group),
        region: Some(region.to_owned()),
        account: first.account(),
        tier: ordered.iter().find_map(|snapshot| snapshot.tier()),
        encrypted: group.iter().any(Taken::is_encrypted),
        skew: (group.len() > 1).then_some(skew),
        disks: disks.collect(),
        tags,
    })
}

/// The disk that it is of.
fn disk<T: Taken>(snapshot: &T, device: Option<String>) -> DiskInfo {
    DiskInfo {
        id: snapshot.id().to_owned(),
        volume: snapshot.volume(),
        device,
        size: snapshot.bytes(),
    }
}

/// The worst of their states; `partial` if volumes lack a snapshot.
fn state<T: Taken>(group: &[T], missing: usize) -> String {
    let mut states = group.iter().map(Taken::state);
    let unfinished = states.find(|state| state != T::WHOLE);
    match unfinished {
        Some(state) => state,
        None if missing > 0 => PARTIAL.to_owned(),
        None => T::WHOLE.to_owned(),
    }
}

/// Disks that were not taken at one moment are, together, no state that there ever was.
fn consistency<T: Taken>(group: &[T], skew: Duration) -> Consistency {
    let one_set = group.iter().all(|snapshot| snapshot.set().is_some());
    if skew > SKEW_OF_ONE_MOMENT && !one_set {
        return Consistency::Unknown;
    }
    let all = |labels: &[Consistency]| {
        let mut group = group.iter();
        group.all(|snapshot| labels.contains(&snapshot.consistency()))
    };
    if all(&[Consistency::Application]) {
        Consistency::Application
    } else if all(&[Consistency::Application, Consistency::Filesystem]) {
        Consistency::Filesystem
    } else {
        Consistency::Crash
    }
}

/// What is in the way of one of them is in the way of the point.
fn access<T: Taken>(group: &[T]) -> Access {
    let mut all = Access::Direct;
    for snapshot in group {
        match snapshot.access() {
            Access::None(why) if group.len() > 1 => {
                return Access::None(format!("{}: {why}", snapshot.id()));
            }
            Access::None(why) => return Access::None(why),
            Access::Clone => all = Access::Clone,
            Access::Direct => {}
        }
    }
    all
}

/// When the first of them goes.
fn expires<T: Taken>(group: &[T]) -> Option<UnixTime> {
    group.iter().filter_map(Taken::expires).min()
}

/// The state of a point that lacks disks.
const PARTIAL: &str = "partial";

/// What is said of a point that lacks disks.
pub(crate) fn missing_disks(point: &PointInfo) -> Vec<String> {
    match point.state == PARTIAL {
        true => vec![format!(
            "{} has only {} of the disks of {}",
            point.id,
            point.disks.len(),
            point.object
        )],
        false => Vec::new(),
    }
}
