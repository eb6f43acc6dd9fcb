//! Points in time, as the catalog makes them of what the stand-in describes.

use crate::stage::{OTHER_INSTANCE, SNAPSHOT, snapshot};
use flr_provider::ecs::{BeforeClone, Checked, Client, ClientSettings, EcsCatalog, Keys};
use flr_provider::point::{Access, AccessMode, Catalog, Consistency, OpenHow, PointInfo};
use flr_provider::{Error, Result};
use flr_tests::ecs_fake::{
    Config, Disk, Fake, FakeFault, INSTANCE, Image, ImageDisk, Instance, REGION, SnapshotGroup,
    When,
};
use flr_tests::heap::{assert_counted, peak_of_all};
use std::sync::Arc;
use std::time::Duration;

const ROOT: &str = "d-bp1disk00000000000r0";
const DATA: &str = "d-bp1disk00000000000d0";
const NOON: i64 = 1_795_176_000_000;
const HOUR: i64 = 3_600_000;

fn client(fake: &Fake) -> Client {
    let key = &fake.config().keys[0];
    let keys = Keys::new(key.id.clone(), key.secret.clone(), None);
    let settings = ClientSettings {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(fake.url()),
        ..ClientSettings::default()
    };
    Client::with_keys(&settings, keys).expect("a client")
}

fn points(fake: &Fake, object: &str) -> Result<Vec<PointInfo>> {
    EcsCatalog::with_client(client(fake)).points(object)
}

fn disks(point: &PointInfo) -> Vec<&str> {
    point.disks.iter().map(|disk| disk.id.as_str()).collect()
}

/// An instance with two disks: snapshots an hour apart, one of them of one disk only, and a set.
fn account() -> Fake {
    let fake = Fake::start(Config::default());
    let mut state = fake.state();
    let mut here = Instance::here();
    here.name = "web-1".to_owned();
    state.add_instance(here);
    let mut root = Disk::new(ROOT, 1);
    root.kind = "system".to_owned();
    state.add_disk(root);
    let mut data = Disk::new(DATA, 1);
    data.name = "web-1".to_owned();
    state.add_disk(data);
    state.attach(ROOT, INSTANCE, "/dev/xvda");
    state.attach(DATA, INSTANCE, "/dev/xvdb");
    for (id, disk, at, group) in [
        ("s-bp1snap0000000000d01", DATA, NOON, None),
        ("s-bp1snap0000000000r01", ROOT, NOON + 60_000, None),
        ("s-bp1snap0000000000r02", ROOT, NOON + HOUR, None),
        (
            "s-bp1snap0000000000r03",
            ROOT,
            NOON + 2 * HOUR,
            Some("ssg-1"),
        ),
        (
            "s-bp1snap0000000000d03",
            DATA,
            NOON + 2 * HOUR + 5_000,
            Some("ssg-1"),
        ),
    ] {
        let mut one = snapshot(id, 1);
        one.disk_id = disk.to_owned();
        one.created = at;
        one.group_id = group.map(str::to_owned);
        state.add_snapshot(one);
    }
    state.groups.insert(
        "ssg-1".to_owned(),
        SnapshotGroup {
            id: "ssg-1".to_owned(),
            owner: flr_tests::ecs_fake::ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            instance_id: INSTANCE.to_owned(),
            name: "nightly".to_owned(),
            description: String::new(),
            created: NOON + 2 * HOUR,
            snapshots: ["s-bp1snap0000000000r03", "s-bp1snap0000000000d03"]
                .map(str::to_owned)
                .into(),
            tags: std::collections::BTreeMap::new(),
        },
    );
    drop(state);
    fake
}

#[test]
fn an_instance_has_a_point_for_each_set_and_for_what_was_taken_together() {
    let fake = account();
    for object in [INSTANCE, "web-1"] {
        let points = points(&fake, object).expect("points");
        let of: Vec<_> = points.iter().map(disks).collect();
        let expected = [
            vec!["s-bp1snap0000000000r01", "s-bp1snap0000000000d01"],
            vec!["s-bp1snap0000000000r02"],
            vec!["s-bp1snap0000000000r03", "s-bp1snap0000000000d03"],
        ];
        assert_eq!(of, expected, "{object}");
        let states: Vec<_> = points.iter().map(|point| point.state.as_str()).collect();
        assert_eq!(states, ["accomplished", "partial", "accomplished"]);
        let kinds: Vec<_> = points.iter().map(|point| point.consistency).collect();
        // A minute apart is no state that there ever was; a set is, whatever the clock says of it.
        let expected = [Consistency::Unknown, Consistency::Crash, Consistency::Crash];
        assert_eq!(kinds, expected);
        assert_eq!(points[0].skew, Some(Duration::from_secs(60)));
        assert_eq!(points[0].disks[0].device.as_deref(), Some("/dev/xvda"));
        assert_eq!(points[0].object, INSTANCE);
        assert!(points.iter().all(|point| point.access == Access::Clone));
    }
}

#[test]
fn disks_snapshots_and_images_are_points_too() {
    let fake = account();
    {
        let mut state = fake.state();
        let disk = |snapshot: &str, device: &str, kind: &str| ImageDisk {
            device: device.to_owned(),
            snapshot_id: snapshot.to_owned(),
            gib: 1,
            kind: kind.to_owned(),
        };
        let mut image = Image::new(
            "m-bp1image00000000001a",
            vec![
                disk("s-bp1snap0000000000d03", "/dev/xvdb", "data"),
                disk("s-bp1snap0000000000r01", "/dev/xvda", "system"),
            ],
        );
        image.name = "golden".to_owned();
        state.add_image(image);
        let one = state
            .snapshots
            .get_mut("s-bp1snap0000000000r02")
            .expect("it");
        one.name = "before-upgrade".to_owned();
        one.retention_days = Some(7);
        one.kms_key = Some("key".to_owned());
        let tags = [("APPConsistent", "True"), ("a", "b")];
        one.tags = tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    }
    let of_disk = points(&fake, ROOT).expect("points");
    assert_eq!(of_disk.len(), 3);
    assert!(of_disk.is_sorted_by_key(|point| point.time));
    for object in ["s-bp1snap0000000000r02", "before-upgrade"] {
        let found = points(&fake, object).expect("points");
        assert_eq!(found.len(), 1, "{object}");
        let point = &found[0];
        assert_eq!(point.name.as_deref(), Some("before-upgrade"));
        assert_eq!(point.consistency, Consistency::Application);
        assert_eq!(
            point.expires,
            Some(point.time.plus(Duration::from_secs(7 * 86_400)))
        );
        assert!(point.encrypted);
        assert_eq!(point.size, 1 << 30);
        assert_eq!(point.tier.as_deref(), Some("standard"));
        assert_eq!(point.tags["a"], "b");
    }
    let image = points(&fake, "m-bp1image00000000001a").expect("points");
    assert_eq!(image.len(), 1);
    assert_eq!(image[0].name.as_deref(), Some("golden"));
    let expected = ["s-bp1snap0000000000r01", "s-bp1snap0000000000d03"];
    assert_eq!(disks(&image[0]), expected, "the system disk first");
}

#[test]
fn what_is_not_there_is_told_with_where_it_was_looked_for() {
    let fake = account();
    for object in [
        "s-bp1nothing0000000001",
        "d-bp1nothing0000000001",
        "i-bp1nothing0000000001",
        "m-bp1nothing0000000001",
        "d-28m5zbua0",
        "no-such-name",
        "web-*",
    ] {
        let error = points(&fake, object).expect_err("nothing");
        assert!(matches!(error, Error::NoSuch { .. }), "{object}: {error}");
        let text = error.to_string();
        assert!(text.contains(REGION) && text.contains(object), "{text}");
    }
    // There, and without a snapshot.
    let mut state = fake.state();
    state.add_disk(Disk::new("d-bp1empty000000000001", 1));
    state.add_instance(Instance::new(OTHER_INSTANCE));
    drop(state);
    assert_eq!(points(&fake, "d-bp1empty000000000001").expect("none"), []);
    assert_eq!(points(&fake, OTHER_INSTANCE).expect("none"), []);
}

#[test]
fn names_that_are_not_unique_are_refused_with_what_has_them() {
    let fake = account();
    let mut other = Instance::new(OTHER_INSTANCE);
    other.tags = [("Name".to_owned(), "web-1".to_owned())].into();
    fake.state().add_instance(other);
    let error = points(&fake, "web-1").expect_err("two");
    let hint = error.hint().expect("a hint").into_owned();
    assert!(
        hint.contains(INSTANCE) && hint.contains(OTHER_INSTANCE),
        "{hint}"
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    let fake = account();
    let change = |change: fn(&mut flr_tests::ecs_fake::Snapshot)| {
        let mut state = fake.state();
        change(
            state
                .snapshots
                .get_mut("s-bp1snap0000000000r02")
                .expect("it"),
        );
    };
    let opened = |access: AccessMode| {
        let catalog = EcsCatalog::with_client(client(&fake));
        let found = catalog.points("s-bp1snap0000000000r02").expect("points");
        let how = OpenHow {
            access,
            ..OpenHow::default()
        };
        let error = catalog
            .open(&found[0], &how)
            .expect_err("it cannot be read");
        (found[0].clone(), format!("{error} {:?}", error.hint()))
    };
    change(|one| one.category = "archive".to_owned());
    let (point, why) = opened(AccessMode::Auto);
    assert!(why.contains("archived"), "{why}");
    assert_eq!(point.tier.as_deref(), Some("archive"));
    change(|one| one.category = "standard".to_owned());
    change(|one| one.accomplished = i64::MAX);
    let (point, why) = opened(AccessMode::Auto);
    assert!(why.contains("still being taken (50%)"), "{why}");
    assert!(!point.is_complete());
    change(|one| one.available_early = true);
    let (point, why) = opened(AccessMode::Direct);
    assert!(why.contains("no way to read a snapshot's blocks"), "{why}");
    assert!(point.is_complete());
    change(|one| one.failed = true);
    let (point, why) = opened(AccessMode::Auto);
    assert!(why.contains("its state is failed"), "{why}");
    assert!(!point.is_complete());
    assert_eq!(fake.count("CreateDisk"), 0);
}

/// A check that refuses everything.
#[derive(Debug)]
struct Never;

impl BeforeClone for Never {
    fn check(&self, _: &Client, point: &PointInfo, how: &OpenHow) -> Result<Checked> {
        match how.yes {
            true => Ok(Checked {
                notes: vec!["it is as you say".to_owned()],
                ..Checked::default()
            }),
            false => Err(Error::Cost {
                what: format!("{} would never end", point.id),
                hint: None,
            }),
        }
    }
}

#[test]
fn a_check_comes_before_anything_is_made() {
    let fake = account();
    let catalog = EcsCatalog::with_client(client(&fake)).with_check(Arc::new(Never));
    let found = catalog.points("s-bp1snap0000000000r02").expect("points");
    let error = catalog
        .open(&found[0], &OpenHow::default())
        .expect_err("refused");
    assert!(matches!(error, Error::Cost { .. }), "{error}");
    assert_eq!(fake.count("CreateDisk"), 0);
    let how = OpenHow {
        max_cost: Some(0.0),
        ..OpenHow::default()
    };
    let error = catalog.open(&found[0], &how).expect_err("too dear");
    assert!(error.to_string().contains("would cost"), "{error}");
}

/// Ten thousand snapshots of a disk, an hour apart.
fn add_many(fake: &Fake, disk: &str) {
    let mut state = fake.state();
    for n in 0..10_000_i64 {
        let mut one = snapshot(&format!("s-bp1many{n:013}"), 1);
        one.disk_id = disk.to_owned();
        one.created = NOON + n * HOUR;
        state.snapshots.insert(one.id.clone(), one);
    }
    drop(state);
    fake.advance(Duration::from_secs(10_000 * 3600));
}

#[test]
fn a_listing_holds_points_and_one_page_beside_them() {
    assert_counted();
    for (object, per_point) in [(ROOT, 1200), (INSTANCE, 2000)] {
        let fake = account();
        add_many(&fake, ROOT);
        let listed = || points(&fake, object).expect("points");
        // What is made once, such as TLS and threads, does not count.
        assert!(listed().len() >= 10_000);
        let (found, peak) = peak_of_all(listed);
        let each = peak / found.len();
        println!(
            "{object}: {} points, {each} bytes each at the most",
            found.len()
        );
        assert!(each <= per_point, "{object}: {each} bytes");
    }
}

#[test]
fn ten_thousand_snapshots_come_in_pages_and_a_fault_of_one_page_repeats_that_page() {
    let fake = account();
    add_many(&fake, "d-bp1many0000000000001");
    {
        let mut state = fake.state();
        state.settings.numbers_swapped = true;
        state.settings.short_times = true;
    }
    fake.set_rule(|call| {
        let hit = call.operation == "DescribeSnapshots" && matches!(call.nth, 2 | 50);
        hit.then_some(FakeFault::Throttled)
    });
    let found = points(&fake, "d-bp1many0000000000001").expect("points");
    assert_eq!(found.len(), 10_000);
    assert!(found.is_sorted_by_key(|point| point.time));
    assert_eq!(fake.count("DescribeSnapshots"), 102);
}

#[test]
fn a_list_that_goes_in_a_circle_ends() {
    let fake = account();
    fake.set_change(|call, answer| {
        if call.operation == "DescribeSnapshots" {
            // Two tokens in turn: each page says that the other one comes next.
            let next = ["a", "b"][call.nth % 2];
            let page = serde_json::json!({"Snapshots": {"Snapshot": []}, "NextToken": next});
            answer.body = page.to_string().into_bytes();
            answer.status = 200;
        }
    });
    let error = points(&fake, ROOT).expect_err("no end");
    let text = error.to_string();
    assert!(
        text.contains("no end") || text.contains("NextToken"),
        "{text}"
    );
    assert!(fake.count("DescribeSnapshots") <= 40);
}

#[test]
fn what_is_not_allowed_says_which_policy_does() {
    let fake = account();
    fake.state()
        .settings
        .denied
        .insert("ecs:DescribeSnapshots".to_owned());
    let error = points(&fake, SNAPSHOT).expect_err("denied");
    let hint = error.hint().expect("a hint").into_owned();
    assert!(hint.contains("flr policy aliyun"), "{error} {hint}");
    fake.state().settings.denied.clear();
    // Sets that may not be described are put together by their times.
    fake.state()
        .settings
        .denied
        .insert("ecs:DescribeSnapshotGroups".to_owned());
    assert_eq!(points(&fake, INSTANCE).expect("points").len(), 3);
    fake.set_rule(|_| Some(FakeFault::Status(When::BeforeEffect, 400)));
}
