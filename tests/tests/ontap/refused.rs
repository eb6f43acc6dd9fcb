//! What a cluster cannot or may not do is told, with what to do about it, and leaves nothing.

use crate::stage::{
    assert_clean, assert_clean_after_gc, assert_read, command, open, place, run, run_open, said,
    world, world_with,
};
use flr_tests::ontap_fake::{
    Access, Approval, Config, Fake, FakeFault, Space, User, Version, When,
};

/// What is said of a read that fails.
#[track_caller]
fn refused(fake: &Fake, object: &str) -> String {
    let place = place(fake);
    let mut command = command(place.path(), &open(object, "nightly.0"));
    let output = command.env("FLR_TEST_LIMIT_MS", "3000").output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_clean(fake, &said);
    said
}

#[test]
fn each_reason_has_its_words() {
    type Change = fn(&mut flr_tests::ontap_fake::Volume);
    let full: [(Change, &[&str]); 4] = [
        (
            |volume| volume.space = Space::Full,
            &["No space left", "hint make room in the volume"],
        ),
        (
            |volume| volume.space = Space::ForBrokenClones,
            &["space_error: vol1 is full", "hint make room in the volume"],
        ),
        (
            |volume| "offline".clone_into(&mut volume.state),
            &["the volume vol1 of svm1 is offline"],
        ),
        (
            |volume| volume.flexgroup = true,
            &["not supported in FlexGroup"],
        ),
    ];
    for (change, words) in full {
        let fake = world();
        change(fake.state().volume_mut("svm1", "vol1").unwrap());
        let said = refused(&fake, "vol1/lun0");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    let fake = world();
    let said = refused(&fake, "vol1/old");
    assert!(said.contains("there is no LUN old in the snapshot nightly.0 of svm1/vol1"));
    let said = refused(&fake, "mirror");
    assert!(said.contains("svm1/mirror is a volume"), "{said}");
    fake.state()
        .volume_mut("svm1", "mirror")
        .unwrap()
        .initialised = false;
    let said = refused(&fake, "mirror/lun0");
    assert!(said.contains("(917536)"), "{said}");
}

#[test]
fn without_a_licence_it_says_so() {
    let fake = world();
    fake.set_rule(|call| {
        (call.operation == "CreateLun").then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 403,
            code: "5374127".to_owned(),
            reason: None,
        })
    });
    fake.set_change(|call, answer| {
        if call.operation == "CreateLun" {
            let text = "The cluster lacks a valid FlexClone license.";
            let body = serde_json::json!({"error": {"code": "5374127", "message": text}});
            answer.body = body.to_string().into_bytes();
        }
    });
    let said = refused(&fake, "vol1/lun0");
    assert!(said.contains("license (5374127)"), "{said}");
    assert!(
        said.contains("hint FlexClone is part of ONTAP One"),
        "{said}"
    );
}

#[test]
fn roles_that_deny_are_told() {
    for (path, access) in [
        ("/api/storage/luns", Access::ReadOnly),
        ("/api/storage/luns", Access::None),
        ("/api/storage/volumes", Access::None),
        ("/api/cluster", Access::None),
    ] {
        let user = User::new("flr", "netapp1!secret").with_access(path, access);
        let fake = world_with(Config {
            users: vec![user],
            ..Config::default()
        });
        let said = refused_or_listed(&fake);
        assert!(
            said.contains("not authorized for that command (6)"),
            "{path}: {said}"
        );
        assert!(said.contains("flr policy ontap"), "{path}: {said}");
    }
    // Who may not see jobs needs none where calls are answered at once.
    let user = User::new("flr", "netapp1!secret").with_access("/api/cluster/jobs", Access::None);
    let fake = world_with(Config {
        users: vec![user],
        ..Config::default()
    });
    let place = place(&fake);
    assert_read(
        &run_open(place.path(), "vol1/lun0", "nightly.0"),
        2,
        "no jobs",
    );
    assert_clean(&fake, "no jobs");
}

fn refused_or_listed(fake: &Fake) -> String {
    let place = place(fake);
    let output = run_open(place.path(), "vol1/lun0", "nightly.0");
    assert_eq!(output.status.code(), Some(1));
    assert_clean(fake, "denied");
    said(&output)
}

#[test]
fn old_releases_and_other_machines_are_explained() {
    let old = |version| {
        world_with(Config {
            version,
            ..Config::default()
        })
    };
    let fake = old(Version(9, 10, 1));
    let said = refused(&fake, "vol1/lun0");
    assert!(said.contains("ONTAP 9.10.1 hands out no bytes"), "{said}");
    assert!(
        said.contains("hint ONTAP 9.12.1 or later is needed"),
        "{said}"
    );
    let said = refused(&fake, "mirror/lun0");
    assert!(
        said.contains("could not delete the clone for good"),
        "{said}"
    );
    assert_eq!(fake.count("CreateVolume"), 0);
    let fake = world();
    fake.set_change(|call, answer| {
        if call.operation == "GetCluster" {
            let mut body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            body["san_optimized"] = true.into();
            body["disaggregated"] = true.into();
            answer.body = body.to_string().into_bytes();
        }
    });
    let said = refused(&fake, "vol1/lun0");
    assert!(said.contains("cluster1 is an ASA r2"), "{said}");
    assert_eq!(fake.count("CreateLun"), 0);
}

#[test]
fn what_others_must_approve_is_told_and_not_asked_again_and_again() {
    for (object, seed, operation) in [
        ("vol1/lun0", 2, "DeleteLun"),
        ("mirror/lun0", 4, "DeleteVolume"),
    ] {
        for approval in [Approval::Accepted, Approval::Refused] {
            let fake = world();
            let place = place(&fake);
            fake.state().settings.needs_approval = [operation.to_owned()].into();
            fake.state().settings.approval = approval;
            let output = run_open(place.path(), object, "nightly.0");
            let told = said(&output);
            assert_eq!(output.status.code(), Some(20), "{approval:?}: {told}");
            assert!(told.contains("read"), "{told}");
            assert!(
                told.contains("multi-admin-verify request (index 1)"),
                "{told}"
            );
            assert_eq!(fake.count(operation), 1, "{approval:?}");
            assert_eq!(fake.state().leftovers().len(), 1);
            // Still pending.
            let output = run(place.path(), &["gc", "svm1"]);
            assert_eq!(output.status.code(), Some(20), "{}", said(&output));
            assert_eq!(fake.state().pending_approvals(), 1);
            fake.state().approve_all();
            assert_clean_after_gc(&fake, place.path(), &format!("{approval:?}"));
            assert!(told.contains(&format!("disk {} ", crate::stage::SIZE)));
            assert!(told.contains(&crate::stage::told(seed)));
        }
    }
}
