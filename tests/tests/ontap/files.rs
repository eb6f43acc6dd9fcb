//! Files of snapshots through clones of them: what is made, how much of it at once, and what refuses.

use crate::stage::{
    FILE, assert_clean, assert_clean_after_gc, assert_file, place, run, said, world, world_of_files,
};
use flr_tests::ontap_fake::{
    Access, Approval, BelowSnapshot, Config, Content, Fake, FakeFault, Space, User, VolumeType,
    When,
};
use std::time::Duration;

/// What is said of a file that cannot be read.
#[track_caller]
fn refused(fake: &Fake, args: &[&str]) -> String {
    let place = place(fake);
    let mut command = crate::stage::command(place.path(), args);
    let output = command.env("FLR_TEST_LIMIT_MS", "3000").output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_clean(fake, &said);
    said
}

fn with_access(access: &str) -> Vec<&str> {
    let [command, object, point, _, path] = FILE;
    vec![command, object, point, access, path]
}

#[test]
fn a_file_is_read_as_it_was_and_nothing_is_left() {
    for (below, access, clones) in [
        (BelowSnapshot::Allowed, "auto", 0),
        (BelowSnapshot::Allowed, "direct", 0),
        (BelowSnapshot::Allowed, "clone", 1),
        (BelowSnapshot::DataRefused, "auto", 1),
        (BelowSnapshot::DataRefused, "clone", 1),
        (BelowSnapshot::Refused, "auto", 1),
        (BelowSnapshot::NotThere, "auto", 1),
        (BelowSnapshot::Refused, "clone", 1),
    ] {
        let fake = world_of_files(below);
        let place = place(&fake);
        let when = format!("{below:?} {access}");
        let output = run(place.path(), &with_access(access));
        assert_file(&output, 2, &when);
        assert_eq!(fake.count("CloneFile"), clones, "{when}");
        assert_eq!(fake.count("DeleteFile"), clones, "{when}");
        let gone = said(&output).contains("gone ontap-file-clone ");
        assert_eq!(gone, clones == 1, "{when}: {}", said(&output));
        assert_clean(&fake, &when);
    }
}

#[test]
fn snapshots_rotate_under_it_and_the_right_one_is_cloned() {
    for below in [BelowSnapshot::DataRefused, BelowSnapshot::Refused] {
        for (operation, nth) in [
            ("ListSnapshots", 1),
            ("GetSnapshot", 1),
            ("GetSnapshot", 2),
            ("GetSnapshot", 3),
            ("CloneFile", 1),
            ("ReadFile", 2),
            ("DeleteFile", 1),
        ] {
            let fake = world_of_files(below);
            let place = place(&fake);
            let id = {
                let mut state = fake.state();
                let volume = state.volume("svm1", "vol1").unwrap();
                let id = volume.snapshot("nightly.0").unwrap().uuid.clone();
                state.watch(move |call, state| {
                    if call.operation == operation && call.nth == nth {
                        state.rotate("svm1", "vol1", "nightly", 8);
                    }
                });
                id
            };
            let args = ["files", "vol1", &id, "auto", "vm/web.img"];
            let when = format!("{below:?} {operation} {nth}");
            assert_file(&run(place.path(), &args), 2, &when);
            assert_clean(&fake, &when);
        }
    }
}

#[test]
fn each_reason_has_its_words() {
    type Change = fn(&mut flr_tests::ontap_fake::Volume);
    let changes: [(Change, &str); 3] = [
        (
            |volume| volume.space = Space::Full,
            "No space left in volume \"vol1\" (3)",
        ),
        (
            |volume| volume.flexgroup = true,
            "files of a FlexGroup volume cannot be cloned",
        ),
        (
            |volume| volume.kind = VolumeType::Dp,
            "a destination of SnapMirror, which is read-only",
        ),
    ];
    for (change, words) in changes {
        let fake = world_of_files(BelowSnapshot::Refused);
        change(fake.state().volume_mut("svm1", "vol1").unwrap());
        let said = refused(&fake, &FILE);
        assert!(said.contains(words), "{words}: {said}");
    }
    let changes: [(Change, &str); 2] = [
        (|volume| volume.flexgroup = true, "ontap.flexgroup"),
        (|volume| volume.kind = VolumeType::Dp, "ontap.snapmirror"),
    ];
    for (change, code) in changes {
        let fake = world_of_files(BelowSnapshot::DataRefused);
        change(fake.state().volume_mut("svm1", "vol1").unwrap());
        let said = refused(&fake, &FILE);
        assert!(
            said.contains(code) && said.contains("Permission denied"),
            "{said}"
        );
        assert_eq!(fake.count("CloneFile"), 0);
    }
    let fake = world_of_files(BelowSnapshot::DataRefused);
    let said = refused(&fake, &with_access("direct"));
    assert!(said.contains("(ontap.direct)"), "{said}");
    let fake = world_of_files(BelowSnapshot::Refused);
    let said = refused(&fake, &with_access("direct"));
    assert!(
        said.contains("hint have single files cloned for a while"),
        "{said}"
    );
    assert_eq!(fake.count("CloneFile"), 0);
}

#[test]
fn a_name_that_was_not_there_is_not_there_and_a_link_is_no_file() {
    let fake = world_of_files(BelowSnapshot::Refused);
    let mut state = fake.state();
    let now = state.now();
    let files = &mut state.volume_mut("svm1", "vol1").unwrap().files;
    files.add_symlink("vm/link", "web.img", now);
    files.add("vm/new", Content::from_bytes("new"), now);
    drop(state);
    for (path, words) in [
        ("vm/new", "no such node"),
        ("vm/nothing", "no such node"),
        ("vm/link", "ontap.link"),
        ("lun0", "it is a LUN"),
    ] {
        let [command, object, point, access, _] = FILE;
        let said = refused(&fake, &[command, object, point, access, path]);
        let line = format!("error {path}: ");
        assert!(
            said.contains(&line) && said.contains(words),
            "{path}: {said}"
        );
    }
    // A volume that was renamed meanwhile says nothing of its files.
    fake.state().watch(|call, state| {
        if call.operation == "CloneFile" {
            let volume = state.volume_mut("svm1", "vol1");
            volume
                .into_iter()
                .for_each(|volume| volume.name = "vol9".to_owned());
        }
    });
    let place = place(&fake);
    let told = said(&run(place.path(), &FILE));
    assert!(told.contains("was renamed meanwhile"), "{told}");
}

#[test]
fn there_are_few_clones_at_once_and_few_unasked() {
    let fake = world_of_files(BelowSnapshot::DataRefused);
    let mut paths = Vec::new();
    {
        let mut state = fake.state();
        state.settings.file_clones_by_jobs = false;
        let now = state.now();
        let files = &mut state.volume_mut("svm1", "vol1").unwrap().files;
        for number in 0..70 {
            let path = format!("many/{number:02}");
            files.add(&path, Content::from_bytes(format!("file {number}\n")), now);
            paths.push(path);
        }
        state.take_snapshot("svm1", "vol1", "now");
        let mut most = 0;
        state.watch(move |_, state| {
            most = most.max(state.leftovers().len());
            assert!(most <= 8, "{most} clones at once");
        });
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let args = |access, count: usize| [&["files", "vol1", "now", access], &paths[..count]].concat();
    let here = place(&fake);
    let output = run(here.path(), &args("auto", 70));
    let told = said(&output);
    assert_eq!(
        told.matches("\nfile many/").count() + usize::from(told.starts_with("file")),
        64,
        "{told}"
    );
    assert!(told.contains("64 files were cloned already"), "{told}");
    assert!(told.contains("ontap.many"), "{told}");
    assert_clean(&fake, &told);
    let output = run(here.path(), &args("clone", 70));
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told.matches("file many/").count(), 70, "{told}");
    assert_eq!(told.matches("gone ontap-file-clone").count(), 70, "{told}");
    assert_clean(&fake, &told);
}

#[test]
fn a_clone_that_somebody_deletes_or_that_runs_full_is_made_anew() {
    let fake = world_of_files(BelowSnapshot::DataRefused);
    let place = place(&fake);
    fake.state().watch(|call, state| {
        let mine = call.operation == "ReadFile" && call.nth == 4;
        let volume = state.volume_mut("svm1", "vol1").filter(|_| mine);
        volume
            .into_iter()
            .for_each(|volume| volume.files.run_full());
    });
    assert_file(&run(place.path(), &FILE), 2, "run full");
    assert_eq!(fake.count("CloneFile"), 2);
    assert_clean(&fake, "run full");
}

#[test]
fn a_clone_is_replaced_before_its_name_expires() {
    let fake = world_of_files(BelowSnapshot::DataRefused);
    let place = place(&fake);
    // To make and to read one takes longer than half of what is promised.
    fake.set_latency(Duration::from_millis(400));
    let args = [&FILE[..], &["vm/web.img"]].concat();
    let mut command = crate::stage::command(place.path(), &args);
    let output = command.env("FLR_TEST_TTL_MS", "8000").output().unwrap();
    assert_file(&output, 2, "short promise");
    assert_eq!(said(&output).matches("file vm/web.img ").count(), 2);
    assert!(fake.count("CloneFile") >= 2);
    assert_clean(&fake, "short promise");
}

#[test]
fn what_others_must_approve_is_told() {
    for approval in [Approval::Accepted, Approval::Refused] {
        let fake = world_of_files(BelowSnapshot::Refused);
        let place = place(&fake);
        fake.state().settings.needs_approval = ["DeleteFile".to_owned()].into();
        fake.state().settings.approval = approval;
        let output = run(place.path(), &FILE);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(20), "{approval:?}: {told}");
        assert!(
            told.contains("multi-admin-verify request (index 1)"),
            "{told}"
        );
        assert_eq!(fake.state().leftovers().len(), 1);
        fake.state().approve_all();
        assert_clean_after_gc(&fake, place.path(), &format!("{approval:?}"));
    }
    let fake = world_of_files(BelowSnapshot::Refused);
    fake.state().settings.needs_approval = ["CloneFile".to_owned()].into();
    let said = refused(&fake, &FILE);
    assert!(said.contains("multi-admin-verify"), "{said}");
}

#[test]
fn busy_volumes_are_waited_for_and_roles_are_told() {
    let fake = world_of_files(BelowSnapshot::DataRefused);
    let here = place(&fake);
    fake.set_rule(|call| {
        let it = ["CloneFile", "DeleteFile"].contains(&call.operation.as_str());
        (it && call.nth <= 2).then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 409,
            code: "524486".to_owned(),
            reason: None,
        })
    });
    assert_file(&run(here.path(), &FILE), 2, "busy");
    fake.clear_rule();
    assert_clean(&fake, "busy");
    for path in ["/api/storage/file/clone", "/api/storage/volumes/*/files"] {
        let user = User::new("flr", "netapp1!secret").with_access(path, Access::ReadOnly);
        let fake = crate::stage::world_with(Config {
            users: vec![user],
            ..Config::default()
        });
        fake.state().settings.below_snapshot = BelowSnapshot::Refused;
        let place = place(&fake);
        let output = run(place.path(), &FILE);
        let told = said(&output);
        assert!(
            told.contains("not authorized for that command (6)"),
            "{path}: {told}"
        );
        match path.contains("clone") {
            true => assert_clean(&fake, &told),
            // Nothing is made that cannot be deleted again only if that can be known before.
            false => assert_eq!(output.status.code(), Some(20), "{told}"),
        }
    }
}

#[test]
fn jobs_are_waited_for_also_such_as_vanish_or_fail() {
    type Change = fn(&mut flr_tests::ontap_fake::State);
    let changes: [(&str, Change); 3] = [
        ("slow", |state| {
            state.settings.job_time = Duration::from_millis(300)
        }),
        ("vanish", |state| state.settings.jobs_that_vanish = 1),
        ("at once", |state| {
            state.settings.file_clones_by_jobs = false
        }),
    ];
    for (what, change) in changes {
        let fake = world_of_files(BelowSnapshot::Refused);
        let place = place(&fake);
        change(&mut fake.state());
        assert_file(&run(place.path(), &FILE), 2, what);
        assert_clean(&fake, what);
    }
    let fake = world_of_files(BelowSnapshot::Refused);
    fake.state().settings.jobs_that_fail = 1;
    let said = refused(&fake, &FILE);
    assert!(said.contains("The job was aborted"), "{said}");
}

#[test]
fn what_is_kept_of_others_is_never_touched() {
    let fake = world();
    let mut state = fake.state();
    state.settings.below_snapshot = BelowSnapshot::Refused;
    let now = state.now();
    let files = &mut state.volume_mut("svm1", "vol1").unwrap().files;
    // A directory of ours by its name is none that is ever deleted.
    let op = "00000000000000000000000000000002";
    let name = format!("flr_{op}_{op}_1700000000_1700001800_alice-40web");
    files.add_directory(&name, now);
    drop(state);
    let place = place(&fake);
    assert_file(&run(place.path(), &FILE), 2, "a directory");
    let cleanup = run(place.path(), &["gc", "svm1"]);
    assert_eq!(cleanup.status.code(), Some(0), "{}", said(&cleanup));
    let state = fake.state();
    assert_eq!(state.violations(), [""; 0]);
    assert!(
        state
            .volume("svm1", "vol1")
            .unwrap()
            .files
            .get(&name)
            .is_some()
    );
}
