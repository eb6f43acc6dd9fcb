//! One call that goes wrong, in every way there is: what is read is right, and nothing is left.

use crate::stage::{
    FILE, assert_clean, assert_file, assert_read, for_each, place, run, run_open, world,
    world_of_files,
};
use flr_tests::ontap_fake::{BelowSnapshot, FakeFault, When};

/// Operations of a read of a LUN, and of one of a destination of SnapMirror.
const OF_LUN: &[&str] = &[
    "ListVolumes",
    "ListLuns",
    "ListSnapshots",
    "GetSnapshot",
    "GetCluster",
    "CreateLun",
    "GetLun",
    "ReadLun",
    "DeleteLun",
];
const OF_VOLUME: &[&str] = &[
    "CreateVolume",
    "GetVolume",
    "GetJob",
    "PatchVolume",
    "DeleteVolume",
];

/// Of a read of a file through its clone.
const OF_FILE: &[&str] = &[
    "ListVolumes",
    "StatFile",
    "CloneFile",
    "GetJob",
    "ListFiles",
    "ReadFile",
    "DeleteFile",
];

fn faults() -> Vec<(&'static str, FakeFault)> {
    let both = [When::BeforeEffect, When::AfterEffect];
    let mut faults = vec![
        ("throttled", FakeFault::Throttled),
        ("busy", FakeFault::Quota),
        ("truncated", FakeFault::TruncatedBody(20)),
    ];
    for when in both {
        faults.push(("500", FakeFault::Status(when, 500)));
        faults.push(("503", FakeFault::Status(when, 503)));
        faults.push(("reset", FakeFault::Reset(when, 0)));
        faults.push(("half", FakeFault::HalfClosed(when)));
        faults.push(("cut", FakeFault::Reset(when, 60)));
    }
    faults
}

#[test]
fn any_call_may_fail_once() {
    let mut cases = Vec::new();
    for (object, seed, operations) in [("vol1/lun0", 2, OF_LUN), ("mirror/lun0", 4, OF_VOLUME)] {
        for operation in operations {
            for (name, fault) in faults() {
                cases.push((object, seed, *operation, name, fault));
            }
        }
    }
    for_each(&cases, |(object, seed, operation, name, fault)| {
        let fake = world();
        let place = place(&fake);
        let (wrong, fault) = (*operation, fault.clone());
        fake.set_rule(move |call| {
            (call.operation == wrong && call.nth == 1).then(|| fault.clone())
        });
        let output = run_open(place.path(), object, "nightly.0");
        let when = format!("{operation} {name}");
        assert_read(&output, *seed, &when);
        fake.clear_rule();
        assert_clean(&fake, &when);
    });
}

#[test]
fn any_call_for_a_clone_of_a_file_may_fail_once() {
    let mut cases = Vec::new();
    for below in [BelowSnapshot::DataRefused, BelowSnapshot::Refused] {
        for operation in OF_FILE {
            for (name, fault) in faults() {
                cases.push((below, *operation, name, fault));
            }
        }
    }
    for_each(&cases, |(below, operation, name, fault)| {
        let fake = world_of_files(*below);
        let place = place(&fake);
        let (wrong, fault) = (*operation, fault.clone());
        fake.set_rule(move |call| {
            (call.operation == wrong && call.nth == 1).then(|| fault.clone())
        });
        let output = run(place.path(), &FILE);
        let when = format!("{below:?} {operation} {name}");
        assert_file(&output, 2, &when);
        fake.clear_rule();
        assert_clean(&fake, &when);
    });
}

#[test]
fn bytes_that_are_not_those_asked_for_are_never_taken() {
    for change in 0..4 {
        let fake = world();
        let place = place(&fake);
        let mut done = 0;
        fake.set_change(move |call, answer| {
            if call.operation != "ReadLun" || done > 2 {
                return;
            }
            done += 1;
            match change {
                0 => answer.body.truncate(answer.body.len() / 2),
                1 => drop(answer.body.splice(200..201, [])),
                2 => drop(answer.body.splice(200..200, [0])),
                _ => answer.headers.retain(|(name, _)| name != "Content-Type"),
            }
        });
        let output = run_open(place.path(), "vol1/lun0", "nightly.0");
        match output.status.code() {
            Some(0) => assert_read(&output, 2, &change.to_string()),
            code => assert_eq!(code, Some(1), "{change}: {output:?}"),
        }
        fake.clear_change();
        crate::stage::assert_clean_after_gc(&fake, place.path(), &change.to_string());
    }
}

#[test]
fn a_lost_reply_of_a_clone_of_a_file_makes_no_second_one() {
    for by_jobs in [false, true] {
        let fake = world_of_files(BelowSnapshot::Refused);
        let place = place(&fake);
        fake.state().settings.file_clones_by_jobs = by_jobs;
        fake.set_rule(|call| {
            let it = call.operation == "CloneFile" && call.nth == 1;
            it.then_some(FakeFault::Reset(When::AfterEffect, 0))
        });
        assert_file(&run(place.path(), &FILE), 2, "lost");
        assert_clean(&fake, "lost");
    }
}

#[test]
fn a_lost_reply_of_a_clone_makes_no_second_one() {
    for by_jobs in [false, true] {
        let fake = world();
        let place = place(&fake);
        fake.state().settings.luns_by_jobs = by_jobs;
        fake.set_rule(|call| {
            let it = call.operation == "CreateLun" && call.nth == 1;
            it.then_some(FakeFault::Reset(When::AfterEffect, 0))
        });
        assert_read(&run_open(place.path(), "vol1/lun0", "nightly.0"), 2, "lost");
        assert_clean(&fake, "lost");
    }
}
