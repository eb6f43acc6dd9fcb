//! What points there are, which one is meant, and what is said of those that cannot be read.

use crate::recorded;
use crate::schema::check;
use crate::stage::{HOUR, INSTANCE, NOON, SNAPSHOT, Stage, VOLUME, snapshot};
use flr_tests::aws_fake::{
    ACCOUNT, Config, Image, ImageDisk, Instance, OTHER_ACCOUNT, State, Tags, Volume,
};

/// Compares a transcript, in which names of this run have been replaced.
pub(crate) fn transcript(name: &str, stage: &Stage) {
    recorded::check(name, |line| {
        let said = stage.shell(line);
        let port = stage.fake.url();
        let named = |text: String| {
            text.replace(stage.name(), "PLACE")
                .replace(&port, "ENDPOINT")
        };
        (named(said.out), named(said.err), said.code)
    });
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// A server of two volumes with several points, an image, and namesakes.
fn server(state: &mut State) {
    let (instance, root, data) = (
        "i-0aaaaaaaaaaaaaaa1",
        "vol-0aaaaaaaaaaaaaa01",
        "vol-0aaaaaaaaaaaaaa02",
    );
    let mut web = Instance::new(instance);
    web.tags = tags(&[("Name", "web-1")]);
    web.root_device = "/dev/xvda".to_owned();
    state.add_instance(web);
    for (id, device) in [(data, "/dev/sdf"), (root, "/dev/xvda")] {
        let mut volume = Volume::new(id, 20);
        volume.tags = tags(&[("Name", "web-1")]);
        state.add_volume(volume);
        state.attach(id, instance, device);
    }
    // Together, by a script one after the other, and the root alone.
    for (id, volume, started, name) in [
        ("snap-0aaaaaaaaaaaaa101", data, NOON - 48 * HOUR, "nightly"),
        ("snap-0aaaaaaaaaaaaa102", root, NOON - 48 * HOUR, "nightly"),
        ("snap-0aaaaaaaaaaaaa103", data, NOON - 24 * HOUR, "nightly"),
        (
            "snap-0aaaaaaaaaaaaa104",
            root,
            NOON - 24 * HOUR + 240_000,
            "nightly",
        ),
        ("snap-0aaaaaaaaaaaaa105", root, NOON, "before-upgrade"),
    ] {
        let mut one = snapshot(id, volume, started);
        one.tags = tags(&[("Name", name), ("team", "it")]);
        state.add_snapshot(one);
    }
    let disks = vec![
        ImageDisk {
            device: "/dev/sdf".to_owned(),
            snapshot_id: "snap-0aaaaaaaaaaaaa101".to_owned(),
            gib: 20,
        },
        ImageDisk {
            device: "/dev/xvda".to_owned(),
            snapshot_id: "snap-0aaaaaaaaaaaaa102".to_owned(),
            gib: 20,
        },
    ];
    let mut image = Image::new("ami-0aaaaaaaaaaaaaaa1", disks);
    image.name = "web-golden".to_owned();
    state.add_image(image);
    for id in ["vol-0bbbbbbbbbbbbbb01", "vol-0bbbbbbbbbbbbbb02"] {
        let mut volume = Volume::new(id, 20);
        volume.tags = tags(&[("Name", "twin")]);
        state.add_volume(volume);
    }
}

#[test]
fn every_kind_of_object_has_points() {
    let stage = Stage::new();
    server(&mut stage.fake.state());
    stage.configure("[source.prod]\ntype = \"aws\"\nregion = \"us-east-1\"\n");
    transcript("points", &stage);
    assert_eq!(stage.changes(), [""; 0]);
}

#[test]
fn programs_are_told_all_of_it() {
    let stage = Stage::new();
    server(&mut stage.fake.state());
    let said = stage.run(&["points", "--json", "aws:web-1"]).ended_with(0);
    let lines: Vec<_> = said.out.lines().map(check).collect();
    assert_eq!(lines.len(), 4);
    let devices = |point: &serde_json::Value| {
        let disks = point["disks"].as_array().unwrap();
        let devices = disks
            .iter()
            .map(|disk| disk["device"].as_str().unwrap().to_owned());
        devices.collect::<Vec<_>>()
    };
    for (point, expected) in lines.iter().zip([
        // id, consistency, state, skew
        ("snap-0aaaaaaaaaaaaa102", "crash", "completed", Some(0)),
        ("snap-0aaaaaaaaaaaaa104", "unknown", "completed", Some(240)),
        ("snap-0aaaaaaaaaaaaa105", "crash", "partial", None),
    ]) {
        let found = (
            point["id"].as_str().unwrap(),
            point["consistency"].as_str().unwrap(),
            point["state"].as_str().unwrap(),
            point["skew_seconds"].as_u64(),
        );
        assert_eq!(found, expected);
        assert_eq!(devices(point)[0], "/dev/xvda", "the root first");
        assert_eq!(point["account"], ACCOUNT);
        // What it says can be typed.
        let address = point["address"].as_str().unwrap();
        let said = stage.run(&[
            "points",
            "--json",
            &format!("aws:{}", point["id"].as_str().unwrap()),
        ]);
        assert_eq!(said.code, 0, "{}", said.err);
        stage.run(&["-q", "volumes", address]).ended_with(0);
    }
    assert_eq!(lines[3]["items"], 3);
}

#[test]
fn what_cannot_be_read_is_explained() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        let mut put = |id: &str, change: &dyn Fn(&mut flr_tests::aws_fake::Snapshot)| {
            let mut one = snapshot(id, VOLUME, NOON + HOUR);
            change(&mut one);
            state.add_snapshot(one);
        };
        put("snap-0ccccccccccccc001", &|one| one.completes = i64::MAX);
        put("snap-0ccccccccccccc002", &|one| one.archived = true);
        put("snap-0ccccccccccccc003", &|one| {
            one.status = Some(("error".to_owned(), "Client.InvalidVolume".to_owned()));
        });
        put("snap-0ccccccccccccc004", &|one| {
            one.status = Some(("recoverable".to_owned(), String::new()));
        });
        put("snap-0ccccccccccccc005", &|one| {
            OTHER_ACCOUNT.clone_into(&mut one.owner);
            one.public = true;
        });
        put("snap-0ccccccccccccc006", &|one| {
            OTHER_ACCOUNT.clone_into(&mut one.owner);
            one.shared_with.insert(ACCOUNT.to_owned());
        });
        put("snap-0ccccccccccccc007", &|one| {
            one.kms_key = Some("arn:aws:kms:us-east-1:111122223333:key/1".to_owned());
            one.kms_denied = true;
        });
        put("snap-0ccccccccccccc008", &|one| one.outpost = true);
        put("snap-0ccccccccccccc009", &|one| {
            "eu-west-1".clone_into(&mut one.region)
        });
    }
    stage.fake.state().metadata.enabled = false;
    transcript("points-unreadable", &stage);
    assert_eq!(stage.changes(), [""; 0]);
}

#[test]
fn who_may_not_ask_is_told_why() {
    let stage = Stage::new();
    server(&mut stage.fake.state());
    stage.fake.state().metadata.enabled = false;
    transcript("points-denied", &stage);
}

#[test]
fn a_day_without_a_point_is_not_another_day() {
    let stage = Stage::new();
    let now = stage.fake.now();
    let volume = "vol-0dddddddddddddd01";
    for (id, days) in [
        ("snap-0ddddddddddddd001", 10),
        ("snap-0ddddddddddddd002", 5),
    ] {
        let one = snapshot(id, volume, now - days * 24 * HOUR);
        stage.fake.state().add_snapshot(one);
    }
    let cat = |point: &str| stage.run(&["cat", &format!("{volume}@{point}:/etc/hostname")]);
    cat("yesterday").ended_with(10).told(&[
        "there is no point of ",
        "hint: nearest: snap-0ddddddddddddd002 of ",
        "flr points vol-",
    ]);
    cat("7d").ended_with(10).told(&[
        "nearest: snap-0ddddddddddddd001 of ",
        " and snap-0ddddddddddddd002 of ",
    ]);
    assert_eq!(stage.fake.count("GetSnapshotBlock"), 0);
    let said = cat("10d")
        .ended_with(0)
        .told(&["note: reading snap-0ddddddddddddd001 of "]);
    assert_eq!(said.out, "web01\n");
    cat("today").ended_with(10);
    // A snapshot of this moment is one of today, unless midnight has passed since.
    let one = snapshot("snap-0ddddddddddddd003", volume, stage.fake.now());
    stage.fake.state().add_snapshot(one);
    let said = cat("today");
    assert!(said.code == 0 || cat("yesterday").code == 0, "{}", said.err);
}

#[test]
fn regions_have_their_own() {
    let stage = Stage::with(Config::default());
    let mut one = snapshot("snap-0eeeeeeeeeeeee001", "vol-0eeeeeeeeeeeeee01", NOON);
    "eu-west-1".clone_into(&mut one.region);
    stage.fake.state().add_snapshot(one);
    let address = "snap-0eeeeeeeeeeeee001:/etc/hostname";
    stage
        .run(&["cat", address])
        .ended_with(10)
        .told(&["in us-east-1", "--region NAME"]);
    for args in [
        &["cat", "--region", "eu-west-1", address][..],
        &[
            "cat",
            "aws:snap-0eeeeeeeeeeeee001,region=eu-west-1:/etc/hostname",
        ],
        &[
            "cat",
            "arn:aws:ec2:eu-west-1::snapshot/snap-0eeeeeeeeeeeee001:/etc/hostname",
        ],
    ] {
        let said = stage.run(args).ended_with(0);
        assert_eq!(
            (said.out.as_str(), said.err.as_str()),
            ("web01\n", ""),
            "{args:?}"
        );
    }
    assert_eq!(stage.run(&["points", INSTANCE]).ended_with(0).out, "");
    let said = stage.run(&["points", SNAPSHOT]).ended_with(0);
    assert_eq!(said.out.lines().count(), 2);
}
