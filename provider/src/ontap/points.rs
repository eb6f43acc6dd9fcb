//! Snapshots of a volume as points of a LUN in it, or of the volume itself.
//!
//! A snapshot is known by its id: rotation gives its name to the next one.

use super::api::Snapshot;
use super::place::Place;
use crate::engine::UnixTime;
use crate::point::{Access, Consistency, DiskInfo, PointInfo};
use std::collections::BTreeMap;

/// A snapshot as a point. `size` is that of the LUN as it is now, 0 if there is none any more.
pub(super) fn info(place: &Place, snapshot: Snapshot, size: u64) -> PointInfo {
    let state = snapshot.state.unwrap_or_else(|| "valid".to_owned());
    let tags = [
        ("snapmirror_label", snapshot.snapmirror_label),
        ("comment", snapshot.comment),
        (
            "owners",
            (!snapshot.owners.is_empty()).then(|| snapshot.owners.join(",")),
        ),
    ];
    let tags = tags.into_iter().filter_map(|(key, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some((key.to_owned(), value))
    });
    PointInfo {
        name: Some(snapshot.name),
        object: place.to_string(),
        // One without a time is older than all that have one.
        time: snapshot.create_time.unwrap_or(UnixTime(0)),
        size,
        consistency: match state.as_str() {
            "valid" => Consistency::Crash,
            _ => Consistency::Unknown,
        },
        access: access(&state, place),
        expires: snapshot.expiry_time,
        region: Some(place.svm.clone()),
        account: None,
        tier: None,
        encrypted: false,
        skew: None,
        disks: vec![DiskInfo {
            id: snapshot.uuid.clone(),
            volume: Some(place.volume.clone()),
            device: None,
            size,
        }],
        tags: tags.collect::<BTreeMap<_, _>>(),
        id: snapshot.uuid,
        state,
    }
}

/// How a snapshot in this state can be read ("Snapshot" in the reference).
fn access(state: &str, place: &Place) -> Access {
    match state {
        "partial" => Access::None("it covers only a part of the FlexGroup".to_owned()),
        "invalid" => Access::None("parts of the FlexGroup do not have it".to_owned()),
        _ if place.lun.is_some() => Access::Clone,
        _ => Access::Direct,
    }
}

/// Oldest first.
pub(super) fn sort(points: &mut [PointInfo]) {
    points.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(json: serde_json::Value, name: &str) -> PointInfo {
        let place = Place::parse(name, None).unwrap();
        info(&place, serde_json::from_value(json).unwrap(), 4096)
    }

    #[test]
    fn a_snapshot_is_known_by_its_id() {
        let json = serde_json::json!({
            "name": "nightly.0", "uuid": "1cd8a442-86d1-11e0-ae1c-123478563412",
            "create_time": "2019-02-04T19:00:00Z", "expiry_time": "2019-03-04T19:00:00Z",
            "owners": ["volume_clone", "snapmirror"], "snapmirror_label": "nightly",
        });
        let point = point(json, "svm1/vol1/lun0");
        assert_eq!(point.id, "1cd8a442-86d1-11e0-ae1c-123478563412");
        assert_eq!(point.name.as_deref(), Some("nightly.0"));
        assert_eq!(point.object, "svm1/vol1/lun0");
        assert_eq!(point.time, UnixTime(1_549_306_800));
        assert_eq!(point.expires, Some(UnixTime(1_551_726_000)));
        assert_eq!(point.tags["owners"], "volume_clone,snapmirror");
        assert_eq!(point.tags["snapmirror_label"], "nightly");
        assert_eq!(
            (point.access, point.consistency),
            (Access::Clone, Consistency::Crash)
        );
    }

    #[test]
    fn parts_of_a_flexgroup_cannot_be_read() {
        for state in ["partial", "invalid"] {
            let json = serde_json::json!({"name": "a", "uuid": "u", "state": state});
            let point = point(json, "svm1/vol1/lun0");
            assert!(matches!(point.access, Access::None(_)), "{state}");
            assert!(!point.is_complete());
        }
        let json = serde_json::json!({"name": "a", "uuid": "u", "state": "unknown"});
        let point = point(json, "svm1/vol1");
        assert_eq!(
            (point.access, point.consistency),
            (Access::Direct, Consistency::Unknown)
        );
    }
}
