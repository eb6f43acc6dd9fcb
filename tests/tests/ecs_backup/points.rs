//! Points of Cloud Backup among the others.

use crate::stage::{BACKUP, DATA, EXPIRES, OF_DATA, OF_SYSTEM, PLAIN, SYSTEM, Stage};
use flr_provider::point::{Access, Consistency, PointInfo};
use flr_tests::ecs_fake::{BackupPoint, INSTANCE};

fn ids(point: &PointInfo) -> Vec<&str> {
    point.disks.iter().map(|disk| disk.id.as_str()).collect()
}

fn expires(point: &PointInfo) -> Option<String> {
    point.expires.map(|time| time.to_string())
}

fn tag<'a>(point: &'a PointInfo, name: &str) -> Option<&'a str> {
    let key = format!("cloud-backup:{name}");
    point.tags.get(&key).map(String::as_str)
}

#[test]
fn each_snapshot_is_listed_once_and_those_of_a_backup_with_its_end() {
    let stage = Stage::new();
    let points = stage.points(INSTANCE);
    assert_eq!(points.len(), 2, "{points:#?}");
    let [backup, plain] = points.as_slice() else {
        panic!("two points")
    };
    assert_eq!(ids(backup), [OF_SYSTEM, OF_DATA]);
    assert_eq!(expires(backup).as_deref(), Some(EXPIRES));
    assert_eq!(tag(backup, "point"), Some(BACKUP));
    assert_eq!(backup.name.as_deref(), Some("Cloud Backup"));
    assert_eq!(backup.consistency, Consistency::Crash);
    assert_eq!(backup.access, Access::Clone);
    assert_eq!(tag(backup, "source"), None);
    assert_eq!(ids(plain), [PLAIN]);
    assert_eq!((expires(plain), tag(plain, "point")), (None, None));
    // The same by its disk, by its snapshot, and by Cloud Backup's own id.
    let points = stage.points(DATA);
    let known: Vec<_> = points.iter().map(|it| (ids(it), expires(it))).collect();
    let end = || Some(EXPIRES.to_owned());
    assert_eq!(known, [(vec![OF_DATA], end()), (vec![PLAIN], None)]);
    let points = stage.points(OF_SYSTEM);
    assert_eq!(
        (ids(&points[0]), expires(&points[0])),
        (vec![OF_SYSTEM], end())
    );
    let points = stage.points(BACKUP);
    assert_eq!(points.len(), 1, "{points:#?}");
    assert_eq!(points[0].object, INSTANCE);
    let mut natives = ids(&points[0]);
    natives.sort_unstable();
    assert_eq!(natives, [OF_DATA, OF_SYSTEM]);
    // Ids go where the vendor's own client puts them: into the body.
    let calls = stage.fake.calls("DescribeUdmSnapshots");
    assert!(
        calls
            .iter()
            .any(|call| call.parameter("SnapshotIds").is_some())
    );
    assert!(
        calls
            .iter()
            .all(|call| call.parameter("StartTime").is_some())
    );
}

#[test]
fn what_cloud_backup_says_of_consistency_counts_and_why_it_is_less() {
    for (level, consistency) in [
        ("APP", Consistency::Application),
        ("FILE_SYSTEM", Consistency::Filesystem),
        ("CRASH", Consistency::Crash),
        // Of two moments, and nobody says that they fit together.
        ("", Consistency::Unknown),
    ] {
        let stage = Stage::new();
        {
            let mut state = stage.fake.state();
            level.clone_into(&mut state.backups[0].consistency);
            state.backups[0].downgrade_reason = Some("PRE_SCRIPT_FAILED".to_owned());
        }
        let points = stage.points(INSTANCE);
        assert_eq!(points[0].consistency, consistency, "{level}");
        assert_eq!(tag(&points[0], "downgraded"), Some("PRE_SCRIPT_FAILED"));
    }
}

#[test]
fn partial_ones_and_those_of_single_disks() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        "PARTIAL_COMPLETE".clone_into(&mut state.backups[0].status);
        let mut single = BackupPoint::new("s-000200000000000000bk", &[(DATA, PLAIN)]);
        "UDM_DISK".clone_into(&mut single.source);
        single.instance_id = None;
        single.expires += 86_400;
        state.backups.push(single);
    }
    let points = stage.points(INSTANCE);
    let states: Vec<_> = points.iter().map(|it| it.state.as_str()).collect();
    assert_eq!(states[0], "partial");
    assert_eq!(expires(&points[1]).as_deref(), Some("2026-11-28T12:00:00Z"));
}

#[test]
fn a_disk_that_was_at_another_instance_when_that_was_backed_up() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        let disks = [(DATA, PLAIN)];
        for (kind, id) in [
            ("UDM_ECS", "s-000200000000000000bk"),
            ("UDM_ECS_DISK", "s-000300000000000000bk"),
        ] {
            let mut backup = BackupPoint::new(id, &disks);
            kind.clone_into(&mut backup.source);
            backup.instance_id = Some("i-bp199999999999999999".to_owned());
            state.backups.push(backup);
        }
    }
    let points = stage.points(INSTANCE);
    let last = points.last().expect("points");
    assert_eq!(ids(last), [PLAIN]);
    assert!(tag(last, "point").is_some(), "{last:#?}");
}

#[test]
fn what_a_backup_is_of_may_be_gone() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        state.release(INSTANCE, 0);
        state.tables.disks.clear();
    }
    let points = stage.points(INSTANCE);
    assert_eq!(points.len(), 1, "{points:#?}");
    assert_eq!(ids(&points[0]).len(), 2);
    assert_eq!(tag(&points[0], "source"), Some("released"));
    let points = stage.points(SYSTEM);
    assert_eq!(tag(&points[0], "source"), Some("released"));
}

#[test]
fn a_backup_whose_snapshots_are_gone_is_told_and_not_chosen() {
    let stage = Stage::new();
    stage.fake.state().tables.snapshots.clear();
    for object in [INSTANCE, DATA] {
        let points = stage.points(object);
        assert_eq!(points.len(), 1, "{points:#?}");
        let Access::None(why) = &points[0].access else {
            panic!("it can be read")
        };
        assert!(why.contains(BACKUP), "{why}");
        assert!(!points[0].is_complete());
        assert_eq!(expires(&points[0]).as_deref(), Some(EXPIRES));
    }
}

#[test]
fn a_backup_of_which_nobody_tells_when_or_how_large_is_no_point_of_1970() {
    for untold in ["CreatedTime", "BytesTotal"] {
        let stage = Stage::new();
        {
            let mut state = stage.fake.state();
            state.backups[0].untold = vec![untold];
            let mut other = BackupPoint::new("s-000200000000000000bk", &[(DATA, "s-gone")]);
            other.created += 60;
            state.backups.push(other);
        }
        // As long as ECS tells of the snapshots, nothing is missing.
        let points = stage.points(INSTANCE);
        assert_eq!(tag(&points[0], "point"), Some(BACKUP), "{untold}");
        stage.fake.state().tables.snapshots.clear();
        let points = stage.points(INSTANCE);
        let told: Vec<_> = points.iter().map(|point| tag(point, "point")).collect();
        assert_eq!(told, [Some("s-000200000000000000bk")], "{untold}");
        assert!(points[0].time.0 > 0 && points[0].size > 0, "{points:#?}");
    }
}

#[test]
fn copies_from_another_region_say_of_what() {
    let stage = Stage::new();
    for id in [OF_SYSTEM, OF_DATA] {
        let mut state = stage.fake.state();
        let snapshot = state.tables.snapshots.get_mut(id).expect("it is there");
        snapshot.source_snapshot_id = Some("s-bp1original".to_owned());
    }
    let points = stage.points(INSTANCE);
    assert_eq!(tag(&points[0], "replica-of"), Some("s-bp1original"));
}

#[test]
fn without_cloud_backup_the_list_goes_on() {
    for refusal in ["denied", "not activated", "senseless"] {
        let stage = Stage::new();
        {
            let mut state = stage.fake.state();
            match refusal {
                "denied" => {
                    let action = "hbr:DescribeUdmSnapshots".to_owned();
                    state.settings.denied.insert(action);
                }
                "not activated" => {
                    let code = "ServiceNotActivated".to_owned();
                    state.settings.hbr_refuses = Some((code, "not activated".to_owned()));
                }
                _ => {
                    let words = ("200".to_owned(), String::new());
                    state.settings.hbr_refuses = Some(words);
                }
            }
        }
        let points = stage.points(INSTANCE);
        // As plain snapshots, which are not said to end.
        assert_eq!(points.len(), 2, "{refusal}: {points:#?}");
        assert!(points.iter().all(|it| it.expires.is_none()), "{refusal}");
    }
}
