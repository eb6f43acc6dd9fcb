//! A process that is killed at every request, and what one clean-up makes of it.

use crate::stage::{
    FILE, assert_clean, assert_clean_after_gc, assert_file, assert_read, for_each, killed, open,
    place, run, run_open, said, world, world_of_files,
};
use flr_tests::ontap_fake::{BelowSnapshot, Content, FakeFault, When};

/// How many requests a read takes: of those that matter here the reads in the middle are left out.
fn steps(object: &str, seed: u8) -> Vec<(usize, bool)> {
    let fake = world();
    let place = place(&fake);
    assert_read(&run_open(place.path(), object, "nightly.0"), seed, "steps");
    let calls = fake.requests();
    let mut reads = 0;
    let mut steps = Vec::new();
    for (call, at) in calls.iter().zip(1..) {
        reads += usize::from(call.operation == "ReadLun");
        if call.operation == "ReadLun" && reads > 3 {
            continue;
        }
        steps.push((at, true));
        let changes = ["Create", "Delete", "Patch"];
        if changes.iter().any(|word| call.operation.starts_with(word)) {
            steps.push((at, false));
        }
    }
    steps
}

#[test]
fn killed_at_every_request_and_one_clean_up_later_nothing_is_left() {
    for (object, seed) in [("vol1/lun0", 2), ("mirror/lun0", 4)] {
        for_each(&steps(object, seed), |(at, before)| {
            let fake = world();
            let place = place(&fake);
            let args = open(object, "nightly.0");
            let name = format!("{object}: request {at}, before its effect: {before}");
            // Reads go at once, so that their order differs from run to run.
            let was = killed(&fake, place.path(), &args, *at, *before);
            assert!(was, "{name} never comes");
            assert_clean_after_gc(&fake, place.path(), &name);
        });
    }
}

#[test]
fn killed_at_every_request_for_a_file_and_one_clean_up_later_nothing_is_left() {
    for below in [BelowSnapshot::DataRefused, BelowSnapshot::Refused] {
        let fake = world_of_files(below);
        let here = place(&fake);
        assert_file(&run(here.path(), &FILE), 2, "steps");
        let calls = fake.requests();
        let mut steps = Vec::new();
        let mut reads = 0;
        for (call, at) in calls.iter().zip(1..) {
            let read = call.operation == "ReadFile";
            reads += usize::from(read);
            if read && reads > 3 {
                continue;
            }
            steps.push((at, true));
            if ["CloneFile", "DeleteFile"].contains(&call.operation.as_str()) {
                steps.push((at, false));
            }
        }
        assert!(steps.len() > 15, "{}", steps.len());
        for_each(&steps, |(at, before)| {
            let fake = world_of_files(below);
            let place = place(&fake);
            let name = format!("{below:?}: request {at}, before its effect: {before}");
            let was = killed(&fake, place.path(), &FILE, *at, *before);
            assert!(was, "{name} never comes");
            assert_clean_after_gc(&fake, place.path(), &name);
        });
    }
}

/// Leaves a clone of a file.
fn kill_at_clone(fake: &flr_tests::ontap_fake::Fake, place: &std::path::Path) {
    let calls = {
        let probe = world_of_files(BelowSnapshot::Refused);
        let other = crate::stage::place(&probe);
        run(other.path(), &FILE);
        probe.requests()
    };
    let first = calls.iter().position(|call| call.operation == "ReadFile");
    assert!(killed(fake, place, &FILE, first.expect("a read") + 1, true));
    assert_eq!(fake.state().leftovers().len(), 1);
}

#[test]
fn killed_while_it_cleans_up_a_clone_of_a_file_and_the_next_one_does_it() {
    for at in 1..8 {
        let fake = world_of_files(BelowSnapshot::Refused);
        let place = place(&fake);
        kill_at_clone(&fake, place.path());
        killed(&fake, place.path(), &["gc", "svm1"], at, at % 2 == 0);
        assert_clean_after_gc(&fake, place.path(), &format!("file gc {at}"));
    }
}

#[test]
fn a_clone_of_a_file_is_known_by_its_name_from_another_host() {
    let fake = world_of_files(BelowSnapshot::Refused);
    let (here, elsewhere) = (place(&fake), place(&fake));
    kill_at_clone(&fake, here.path());
    // What only looks like one of ours, and the name of ours with something behind it.
    let mut state = fake.state();
    let now = state.now();
    let files = &mut state.volume_mut("svm1", "vol1").unwrap().files;
    let ours = files.paths().find(|path| path.starts_with("flr_"));
    let longer = format!("x{}", ours.expect("a clone"));
    files.add(&longer, Content::from_bytes("theirs"), now);
    drop(state);
    // Not before it has expired: its owner may live.
    let early = run(elsewhere.path(), &["gc", "svm1"]);
    assert_eq!(early.status.code(), Some(0), "{}", said(&early));
    assert_eq!(fake.state().leftovers().len(), 1);
    fake.set_clock_skew(3 * 3600);
    // A file's name cannot be marked.
    let late = run(elsewhere.path(), &["gc", "svm1"]);
    assert_clean(&fake, &said(&late));
    let state = fake.state();
    let files = &state.volume("svm1", "vol1").unwrap().files;
    assert!(files.get(&longer).is_some());
}

#[test]
fn killed_while_it_cleans_up_and_the_next_one_does_it() {
    for object in ["vol1/lun0", "mirror/lun0"] {
        for at in 1..8 {
            let fake = world();
            let place = place(&fake);
            kill_at_read(&fake, place.path(), object);
            assert_eq!(fake.state().leftovers().len(), 1);
            killed(&fake, place.path(), &["gc", "svm1"], at, at % 2 == 0);
            assert_clean_after_gc(&fake, place.path(), &format!("{object} gc {at}"));
        }
    }
}

/// Leaves a clone.
fn kill_at_read(fake: &flr_tests::ontap_fake::Fake, place: &std::path::Path, object: &str) {
    let probe = world();
    let other = crate::stage::place(&probe);
    run_open(other.path(), object, "nightly.0");
    let calls = probe.requests();
    let first = calls.iter().position(|call| call.operation == "ReadLun");
    let at = first.expect("a read") + 1;
    assert!(killed(fake, place, &open(object, "nightly.0"), at, true));
}

#[test]
fn from_another_host_by_name_and_comment_once_it_has_expired() {
    for object in ["vol1/lun0", "mirror/lun0"] {
        let fake = world();
        let (here, elsewhere) = (place(&fake), place(&fake));
        kill_at_read(&fake, here.path(), object);
        // Not before it has expired: its owner may live.
        let early = run(elsewhere.path(), &["gc", "svm1"]);
        assert_eq!(early.status.code(), Some(0), "{}", said(&early));
        assert_eq!(fake.state().leftovers().len(), 1, "{object}");
        fake.set_clock_skew(3 * 3600);
        // What one run marks the next deletes.
        let first = run(elsewhere.path(), &["gc", "svm1"]);
        assert!(
            said(&first).contains("marked as left behind"),
            "{}",
            said(&first)
        );
        let second = run(elsewhere.path(), &["gc", "svm1"]);
        assert_clean(&fake, &said(&second));
    }
}

#[test]
fn what_somebody_took_over_is_theirs() {
    let fake = world();
    let place = place(&fake);
    kill_at_read(&fake, place.path(), "vol1/lun0");
    let mut state = fake.state();
    let taken = state
        .luns
        .values_mut()
        .find(|lun| lun.path.starts_with("flr_"));
    taken.expect("a clone").comment = Some("keep".to_owned());
    drop(state);
    let output = run(place.path(), &["gc", "svm1"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(20), "{said}");
    assert!(said.contains("its tags are no longer ours"), "{said}");
    assert_eq!(fake.state().leftovers().len(), 1);
}

#[test]
fn another_cluster_or_svm_is_never_taken_for_this_one() {
    let fake = world();
    let place = place(&fake);
    kill_at_read(&fake, place.path(), "vol1/lun0");
    fake.set_change(|call, answer| {
        if call.operation == "GetCluster" {
            let mut body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            body["uuid"] = "00000000-86d1-11e0-ae1c-123478563412".into();
            answer.body = body.to_string().into_bytes();
        }
    });
    let output = run(place.path(), &["gc", "svm1"]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(20), "{told}");
    assert!(
        told.contains("the credentials are of account 00000000-"),
        "{told}"
    );
    assert_eq!(fake.count("DeleteLun"), 0);
    fake.clear_change();
    assert_clean_after_gc(&fake, place.path(), "the right one again");
}

#[test]
fn a_server_that_hangs_is_given_up_and_told() {
    let fake = world();
    let place = place(&fake);
    fake.set_rule(|call| {
        (call.operation == "DeleteLun").then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
    let mut command = crate::stage::command(place.path(), &open("vol1/lun0", "nightly.0"));
    let output = command.env("FLR_TEST_LIMIT_MS", "2500").output().unwrap();
    assert_eq!(output.status.code(), Some(20), "{}", said(&output));
    fake.clear_rule();
    assert_clean_after_gc(&fake, place.path(), "hangs");
}
