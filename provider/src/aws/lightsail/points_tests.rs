use super::*;
use serde_json::from_str;

/// As the command line's manual shows it.
const INSTANCE_SNAPSHOT: &str = r#"{
    "name": "WordPress-1-1571075291",
    "arn": "arn:aws:lightsail:us-west-2:111122223333:InstanceSnapshot/5419d63d-7c1a-42a5-8a3b-0EXAMPLE0a1b",
    "supportCode": "6EXAMPLE3362/snap-0EXAMPLEf1aeba7c9",
    "createdAt": 1571075291.498,
    "location": {"availabilityZone": "all", "regionName": "us-west-2"},
    "resourceType": "InstanceSnapshot",
    "tags": [{"key": "Stage", "value": "prod"}, {"key": "lonely"}],
    "state": "available",
    "fromAttachedDisks": [
        {"name": "data", "path": "/dev/xvdf", "sizeInGb": 8, "isSystemDisk": false, "iops": 100, "attachedTo": "WordPress-1"}
    ],
    "fromInstanceName": "WordPress-1",
    "fromInstanceArn": "arn:aws:lightsail:us-west-2:111122223333:Instance/0EXAMPLE",
    "fromBlueprintId": "wordpress_5_1_1_2",
    "fromBundleId": "medium_2_0",
    "isFromAutoSnapshot": false,
    "sizeInGb": 40
}"#;

const DISK_SNAPSHOT: &str = r#"{
    "name": "Disk-1-1566839161",
    "arn": "arn:aws:lightsail:us-west-2:111122223333:DiskSnapshot/e2d0fa53-8ee0-41a0-8e56-0EXAMPLE1051",
    "createdAt": 1.566839163891E9,
    "location": {"availabilityZone": "all", "regionName": "us-west-2"},
    "resourceType": "DiskSnapshot",
    "tags": [],
    "sizeInGb": 32,
    "state": "completed",
    "progress": "100%",
    "fromDiskName": "Disk-1",
    "fromDiskArn": "arn:aws:lightsail:us-west-2:111122223333:Disk/c21cfb0a-07f2-44ae-9a23-bEXAMPLE8096",
    "isFromAutoSnapshot": false
}"#;

const AUTO_SNAPSHOTS: &str = r#"{
    "resourceName": "WordPress-1",
    "resourceType": "Instance",
    "autoSnapshots": [
        {"date": "2019-10-14", "createdAt": 1571033872.0, "status": "Success",
         "fromAttachedDisks": [{"path": "/dev/xvdf", "sizeInGb": 8}]},
        {"date": "2019-10-15", "createdAt": 1571120275.0, "status": "InProgress", "fromAttachedDisks": []}
    ]
}"#;

#[test]
fn a_snapshot_of_an_instance() {
    let found = of_instance_snapshot("eu-west-1", from_str(INSTANCE_SNAPSHOT).unwrap());
    let info = &found.info;
    assert_eq!(info.id, "WordPress-1-1571075291");
    assert_eq!(info.object, "WordPress-1");
    assert_eq!(info.time, UnixTime(1_571_075_291));
    assert_eq!((info.size, &info.access), (48 << 30, &Access::Clone));
    assert_eq!(info.consistency, Consistency::Unknown);
    assert_eq!(info.region.as_deref(), Some("us-west-2"));
    assert_eq!(info.account.as_deref(), Some("111122223333"));
    assert_eq!(info.tags.get("Stage").map(String::as_str), Some("prod"));
    assert_eq!(info.tags.get("lonely").map(String::as_str), Some(""));
    let disks: Vec<_> = info
        .disks
        .iter()
        .map(|disk| {
            (
                disk.volume.as_deref(),
                disk.device.as_deref(),
                disk.size >> 30,
            )
        })
        .collect();
    assert_eq!(
        disks,
        [(None, None, 40), (Some("data"), Some("/dev/xvdf"), 8)]
    );
    assert_eq!(found.kind, copies::INSTANCE);
    let fields = Value::Object(found.source.fields());
    assert_eq!(
        fields.to_string(),
        r#"{"sourceSnapshotName":"WordPress-1-1571075291"}"#
    );
}

#[test]
fn a_snapshot_of_a_disk() {
    let found = of_disk_snapshot("eu-west-1", from_str(DISK_SNAPSHOT).unwrap());
    let info = &found.info;
    assert_eq!((&*info.object, info.time.0), ("Disk-1", 1_566_839_163));
    assert_eq!((info.size, info.disks.len()), (32 << 30, 1));
    assert_eq!(
        (info.consistency, found.kind),
        (Consistency::Crash, copies::DISK)
    );
    let mut listed = Listed::default();
    listed.add(found);
    assert_eq!((listed.of_instance.len(), listed.of_disk.len()), (0, 1));
}

#[test]
fn the_system_disk_alone_is_a_point_of_its_instance() {
    let text = DISK_SNAPSHOT
        .replace(
            "\"fromDiskName\": \"Disk-1\"",
            "\"fromInstanceName\": \"web\"",
        )
        .replace("fromDiskArn", "fromInstanceArn");
    let found = of_disk_snapshot("us-west-2", from_str(&text).unwrap());
    assert_eq!((&*found.info.object, found.kind), ("web", copies::DISK));
    let mut listed = Listed::default();
    listed.add(found);
    assert_eq!((listed.of_instance.len(), listed.of_disk.len()), (1, 0));
}

#[test]
fn automatic_snapshots_are_called_by_their_dates() {
    let autos: api::AutoSnapshots = from_str(AUTO_SNAPSHOTS).unwrap();
    let mut found = autos.auto_snapshots.into_iter();
    let mut next = || of_auto_snapshot("us-west-2", "web", copies::INSTANCE, found.next().unwrap());
    let (first, second) = (next(), next());
    assert_eq!(first.info.id, "web/2019-10-14");
    assert_eq!(first.info.name.as_deref(), Some("2019-10-14"));
    // The system disk is there; how large it is, is not said.
    let sizes: Vec<_> = first
        .info
        .disks
        .iter()
        .map(|disk| disk.size >> 30)
        .collect();
    assert_eq!(sizes, [0, 8]);
    let fields = Value::Object(first.source.fields());
    let expected = r#"{"restoreDate":"2019-10-14","sourceResourceName":"web"}"#;
    assert_eq!(fields, from_str::<Value>(expected).unwrap());
    let taken = Access::None("it is still being taken".into());
    assert_eq!((second.info.disks.len(), second.info.access), (1, taken));
}

#[test]
fn states_are_explained() {
    for state in ["available", "completed", "Success"] {
        assert_eq!(access(state), Access::Clone);
    }
    for state in [
        "pending",
        "error",
        "InProgress",
        "Failed",
        "NotFound",
        "unknown",
        "",
        "new",
    ] {
        assert!(
            matches!(access(state), Access::None(why) if !why.is_empty()),
            "{state}"
        );
    }
}

#[test]
fn times_that_are_none() {
    for time in ["-1.0", "1e300", "253402300800", "\"2019-10-14\"", "null"] {
        let text = DISK_SNAPSHOT.replace("1.566839163891E9", time);
        assert!(from_str::<DiskSnapshot>(&text).is_err(), "{time}");
    }
}

#[test]
fn points_are_in_the_order_of_time() {
    let mut listed = Listed::default();
    for (name, time) in [("c", "30.0"), ("a", "10.5"), ("b", "10.5"), ("d", "0")] {
        let text = DISK_SNAPSHOT
            .replace("Disk-1-1566839161", name)
            .replace("1.566839163891E9", time);
        listed.add(of_disk_snapshot("us-west-2", from_str(&text).unwrap()));
    }
    listed.sort();
    let ids: Vec<_> = listed.of_disk.iter().map(|found| &*found.info.id).collect();
    assert_eq!(ids, ["d", "a", "b", "c"]);
}
