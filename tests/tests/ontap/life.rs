//! Points, a clone from its making to its end, and snapshots that rotate meanwhile.

use crate::stage::{LEN, assert_clean, assert_read, place, run, run_open, said, world, world_with};
use flr_tests::ontap_fake::{Config, FakeFault, State};
use std::time::Duration;

#[test]
fn points_are_the_snapshots_of_the_volume() {
    let fake = world();
    let place = place(&fake);
    let points = |object: &str| said(&run(place.path(), &["points", object]));
    let listed = points("svm1/vol1/lun0");
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(
        lines[0].starts_with("nightly.1 svm1/vol1/lun0 2026-11-"),
        "{listed}"
    );
    assert!(
        lines[1].starts_with("nightly.0 svm1/vol1/lun0 2026-11-"),
        "{listed}"
    );
    assert!(lines[1].ends_with(" 5243392 valid clone"), "{listed}");
    // The source names the SVM, so addresses need not.
    assert_eq!(points("vol1/lun0"), listed);
    assert!(points("vol1/q1/lun1").contains("svm1/vol1/q1/lun1"));
    // One that is gone may be in snapshots.
    assert!(points("vol1/old").contains("nightly.0 svm1/vol1/old"));
    assert!(points("vol2/lun0").contains("svm1 has no volume vol2"));
    let mut state = fake.state();
    let snapshot = state
        .volume_mut("svm1", "vol1")
        .unwrap()
        .snapshot_mut("nightly.0");
    snapshot.unwrap().state = Some("partial".to_owned());
    drop(state);
    assert!(points("vol1/lun0").contains(" partial none"));
    assert_clean(&fake, "points");
}

#[test]
fn a_lun_is_read_as_it_was_and_nothing_is_left() {
    let fake = world();
    let place = place(&fake);
    for (object, point, seed) in [
        ("svm1/vol1/lun0", "nightly.1", 1),
        ("vol1/lun0", "nightly.0", 2),
        ("vol1/q1/lun1", "nightly.0", 0x11),
        ("vol1/flr", "nightly.0", 9),
    ] {
        let output = run_open(place.path(), object, point);
        assert_read(&output, seed, object);
        assert!(
            said(&output).contains("gone ontap-lun "),
            "{}",
            said(&output)
        );
        assert_clean(&fake, object);
    }
    assert_eq!((fake.count("CreateLun"), fake.count("DeleteLun")), (4, 4));
    let maps = ["CreateIgroup", "CreateLunMap", "ListIgroups", "ListLunMaps"];
    assert_eq!(maps.map(|operation| fake.count(operation)), [0; 4]);
    let requests = fake.requests();
    let made = requests.iter().find(|call| call.operation == "CreateLun");
    let made = made.expect("a clone");
    assert_eq!(made.parameter("space.guarantee.requested"), Some("false"));
    let reads = requests.iter().filter(|call| call.operation == "ReadLun");
    let sizes = reads.map(|call| call.parameter("data.size").unwrap().parse::<u64>().unwrap());
    assert_eq!(sizes.max(), Some(512 << 10));
    let cleanup = run(place.path(), &["gc", "svm1"]);
    assert_eq!(
        (cleanup.status.code(), said(&cleanup)),
        (Some(0), String::new())
    );
}

#[test]
fn jobs_are_waited_for_also_such_as_vanish_or_fail() {
    type Change = fn(&mut State);
    let changes: [(&str, Change); 4] = [
        ("slow", |state| {
            state.settings.job_time = Duration::from_millis(300)
        }),
        ("vanish", |state| state.settings.jobs_that_vanish = 2),
        ("pages", |state| state.settings.page_max = Some(1)),
        ("codes", |state| {
            "5374875".clone_into(&mut state.settings.no_such_lun);
            "5374123".clone_into(&mut state.settings.lun_exists);
        }),
    ];
    for (what, change) in changes {
        let fake = world();
        let place = place(&fake);
        fake.state().settings.luns_by_jobs = true;
        change(&mut fake.state());
        assert_read(&run_open(place.path(), "vol1/lun0", "nightly.0"), 2, what);
        assert_clean(&fake, what);
    }
}

#[test]
fn a_destination_of_snapmirror_is_cloned_whole() {
    let fake = world();
    let place = place(&fake);
    let output = run_open(place.path(), "mirror/lun0", "nightly.0");
    assert_read(&output, 4, "mirror");
    assert!(
        said(&output).contains("gone ontap-volume "),
        "{}",
        said(&output)
    );
    assert_eq!(
        (fake.count("CreateLun"), fake.count("CreateVolume")),
        (0, 1)
    );
    assert_clean(&fake, "mirror");
}

#[test]
fn many_reads_are_in_flight_at_once() {
    let fake = world();
    let place = place(&fake);
    fake.set_latency(Duration::from_millis(40));
    assert_read(&run_open(place.path(), "vol1/lun0", "nightly.0"), 2, "slow");
    const { assert!(LEN > 8 << 19) };
    assert!(fake.in_flight_max() >= 8, "{}", fake.in_flight_max());
}

/// Rotates the snapshots once, when an operation is asked for.
fn rotate_at(state: &mut State, operation: &'static str, nth: usize) {
    let mut seen = 0;
    state.watch(move |call, state| {
        if call.operation == operation {
            seen += 1;
            if seen == nth {
                state.rotate("svm1", "vol1", "nightly", 8);
            }
        }
    });
}

#[test]
fn snapshots_rotate_under_it_and_the_right_one_is_read() {
    for (operation, nth, clones) in [
        ("ListSnapshots", 1, 1),
        ("GetSnapshot", 1, 1),
        // The clone is of another snapshot then, and made anew.
        ("CreateLun", 1, 2),
        ("GetSnapshot", 2, 2),
        ("ReadLun", 1, 1),
        ("ReadLun", 4, 1),
        ("DeleteLun", 1, 1),
    ] {
        let fake = world();
        let place = place(&fake);
        let id = {
            let mut state = fake.state();
            let volume = state.volume("svm1", "vol1").unwrap();
            let id = volume.snapshot("nightly.0").unwrap().uuid.clone();
            rotate_at(&mut state, operation, nth);
            id
        };
        let name = format!("{operation} {nth}");
        assert_read(&run_open(place.path(), "vol1/lun0", &id), 2, &name);
        assert_eq!(fake.count("CreateLun"), clones, "{name}");
        assert_clean(&fake, &name);
    }
}

#[test]
fn a_snapshot_that_goes_meanwhile_is_told() {
    let fake = world();
    let place = place(&fake);
    fake.state().watch(|call, state| {
        if call.operation == "CreateLun" {
            let volume = state.volume_mut("svm1", "vol1").unwrap();
            volume
                .snapshots
                .retain(|snapshot| snapshot.name != "nightly.0");
        }
    });
    let said = said(&run_open(place.path(), "vol1/lun0", "nightly.0"));
    assert!(said.contains("was deleted meanwhile"), "{said}");
    assert_clean(&fake, &said);
}

#[test]
fn a_token_and_one_svm_are_enough() {
    let mut config = Config::default();
    config.users[0].svm = Some("svm1".to_owned());
    let token = config.users[0].token.clone().unwrap();
    let fake = world_with(config);
    let place = place(&fake);
    let text = format!(
        "[source.filer]\ntype = \"ontap\"\nendpoint = \"{}/\"\n\
         password_command = \"printf %s '{token}'\"\nsvm = \"svm1\"\n",
        fake.url()
    );
    std::fs::write(place.path().join("config.toml"), text).unwrap();
    assert_read(
        &run_open(place.path(), "vol1/lun0", "nightly.0"),
        2,
        "token",
    );
    assert_clean(&fake, "token");
}

#[test]
fn secrets_are_told_to_nobody() {
    let fake = world();
    let place = place(&fake);
    let password = fake.config().users[0].password.clone().unwrap();
    let echo = password.clone();
    fake.set_change(move |call, answer| {
        if call.operation == "ListSnapshots" {
            answer.status = 400;
            let text = format!("bad password {echo} of flr");
            let body = serde_json::json!({"error": {"code": "9", "message": text}});
            answer.body = body.to_string().into_bytes();
        }
    });
    let told = said(&run_open(place.path(), "vol1/lun0", "nightly.0"));
    assert!(told.contains("bad password … of flr"), "{told}");
    assert!(!told.contains(&password), "{told}");
    fake.clear_change();
    fake.set_rule(|call| (call.operation == "ReadLun").then_some(FakeFault::ExpiredToken));
    let told = said(&run_open(place.path(), "vol1/lun0", "nightly.0"));
    assert!(told.contains("User is not authorized"), "{told}");
    assert!(!told.contains(&password), "{told}");
    assert_clean(&fake, &told);
    // Nor is it in what was written down.
    for entry in std::fs::read_dir(place.path().join("flr")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        let found = bytes
            .windows(password.len())
            .any(|part| part == password.as_bytes());
        assert!(!found);
    }
}
