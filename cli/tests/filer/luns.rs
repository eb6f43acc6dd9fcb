//! Files of guests on LUNs of snapshots.

use crate::schema::check;
use crate::stage::Stage;
use flr_tests::ontap_fake::{FakeFault, When};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn points_of_a_lun_by_every_name_that_it_has() {
    let stage = Stage::new();
    let listed = stage.run(&["points", "ontap:svm1/vol1/web"]).ended_with(0);
    assert!(listed.out.contains("nightly.1"), "{}", listed.out);
    for name in ["filer:svm1/vol1/web", "filer:vol1/web"] {
        assert_eq!(stage.run(&["points", name]).ended_with(0).out, listed.out);
    }
    let json = stage.run(&["--json", "points", "filer:vol1/web"]);
    let lines: Vec<_> = json.out.lines().map(check).collect();
    assert_eq!(lines[1]["name"], "nightly.0");
    assert_eq!(lines[1]["access"], "clone");
    assert_eq!(lines[1]["object"], "svm1/vol1/web");
    stage
        .run(&["points", "filer:vol9/web"])
        .ended_with(10)
        .told(&["svm1 has no volume vol9"]);
    stage
        .run(&["points", "ontap:svm1/vol1/web,profile=x"])
        .ended_with(2);
    stage.assert_clean();
}

#[test]
fn a_disk_in_use_and_one_of_windows_are_read_and_nothing_is_left() {
    let stage = Stage::new();
    let said = stage
        .run(&["cp", "ontap:svm1/vol1/dirty@nightly.0:/dir/", "there"])
        .ended_with(0);
    assert!(
        said.err.contains("was cloned as LUN /vol/vol1/flr_"),
        "{}",
        said.err
    );
    stage.assert_clean();
    stage
        .run(&["cp", "ext4-journal.img:/dir/", "here"])
        .ended_with(0);
    stage
        .shell("diff -r --no-dereference here there")
        .ended_with(0);
    stage
        .run(&[
            "cp",
            "filer:vol1/win@nightly.1:/C:/Users/Bob/Documents/",
            "there",
        ])
        .ended_with(0);
    stage
        .run(&["cp", "windows-gpt.img:/C:/Users/Bob/Documents/", "here"])
        .ended_with(0);
    stage
        .shell("ls here/R*.txt && diff -r --no-dereference here there")
        .ended_with(0);
    stage.assert_clean();
    // With an id, under whatever name, and by time.
    let id = stage.fake.state().volume("svm1", "vol1").unwrap().snapshots[1]
        .uuid
        .clone();
    stage.fake.state().rotate("svm1", "vol1", "nightly", 9);
    for point in [id.as_str(), "latest~1", "nightly.1"] {
        let said = stage.run(&["cat", &format!("filer:vol1/web@{point}:/etc/fstab")]);
        let local = stage.locally(&["cat", "web01.img:/etc/fstab"]);
        assert_eq!(said.ended_with(0).out, local, "{point}");
    }
    stage
        .run(&[
            "cat",
            "--access",
            "direct",
            "filer:vol1/web@nightly.1:/etc/fstab",
        ])
        .ended_with(7)
        .told(&["has to be cloned"]);
    stage.assert_clean();
}

#[test]
fn what_is_kept_is_kept_until_it_is_closed() {
    let stage = Stage::new();
    let at = "filer:vol1/web@nightly.0:/etc/hostname";
    let said = stage
        .run(&["cat", "--keep", "--ttl", "2h", at])
        .ended_with(0);
    assert_eq!(said.out, "web01\n");
    assert_eq!(stage.fake.state().leftovers().len(), 1);
    let said = stage.run(&["session", "ls"]).ended_with(0);
    let session = said.out[..32].to_owned();
    assert!(stage.run(&["gc"]).ended_with(0).out.contains("kept "));
    stage
        .run(&["session", "extend", &session, "--ttl", "5h"])
        .ended_with(0);
    assert_eq!(stage.fake.count("PatchLun"), 1);
    stage.run(&["session", "close", &session]).ended_with(0);
    stage.assert_clean();
}

#[test]
fn a_command_that_is_killed_is_cleaned_up_after() {
    let stage = Stage::new();
    stage.fake.set_rule(|call| {
        let it = call.operation == "ReadLun" && call.nth == 2;
        it.then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
    let mut command = stage.flr(&["cat", "filer:vol1/web@nightly.0:/etc/fstab"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while stage.fake.count("ReadLun") < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "not in time");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    stage.fake.clear_rule();
    assert_eq!(stage.fake.state().leftovers().len(), 1);
    // Without the source there are no credentials, and it is said so.
    let source = std::fs::read_to_string(stage.path("config/flr/config.toml")).unwrap();
    stage.configure("");
    let said = stage.run(&["gc"]);
    assert_ne!(said.code, 0);
    assert!(
        said.err.contains("there is no source filer"),
        "{}",
        said.err
    );
    stage.configure(&source);
    let said = stage.run(&["--json", "gc"]).ended_with(0);
    said.out.lines().for_each(|line| drop(check(line)));
    stage.assert_clean();
}

#[test]
fn a_source_without_an_svm_cleans_up_all_of_them() {
    let stage = Stage::new();
    stage.configure(&stage.fake.source("filer"));
    let at = "filer:svm1/vol1/web@nightly.0:/etc/hostname";
    let said = stage
        .run(&["cat", "--keep", "--ttl", "1s", at])
        .ended_with(0);
    assert_eq!(said.out, "web01\n");
    stage.fake.state().add_volume("svm2", "vol1");
    // From another host, by name and comment: first it is marked.
    stage.fake.set_clock_skew(3 * 3600);
    std::fs::rename(stage.path("state"), stage.path("elsewhere")).unwrap();
    let said = stage.run(&["gc"]).ended_with(20);
    assert!(said.out.contains("marked as left behind"), "{}", said.out);
    stage.fake.set_clock_skew(6 * 3600);
    stage.run(&["gc"]).ended_with(0);
    stage.assert_clean();
}

#[test]
fn interrupted_it_cleans_up() {
    let stage = Stage::new();
    stage.fake.set_rule(|call| {
        (call.operation == "ReadLun" && call.nth > 1)
            .then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
    let mut command = stage.flr(&["cat", "filer:vol1/web@nightly.0:/etc/fstab"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while stage.fake.count("ReadLun") < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "not in time");
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    stage.fake.clear_rule();
    stage.assert_clean();
}

#[test]
fn versions_on_a_lun_take_one_clone_at_a_time_and_say_so_first() {
    let stage = Stage::new();
    let fstab = "filer:vol1/web:/etc/fstab";
    stage.run(&["versions", fstab]).ended_with(13).told(&[
        "2 of 2 points take a temporary volume each",
        "the LUN is cloned",
        "--yes",
    ]);
    assert_eq!(stage.fake.count("CreateLun"), 0);
    let said = stage.run(&["versions", "--yes", "--hash", "sha256", fstab]);
    let said = said
        .ended_with(0)
        .told(&["2 of 2 points", "one after the other"]);
    assert_eq!(said.out.lines().count(), 2, "{}", said.out);
    let calls = stage.fake.requests().into_iter().map(|call| call.operation);
    let mut made: Vec<_> = calls
        .filter(|call| ["CreateLun", "DeleteLun"].contains(&call.as_str()))
        .collect();
    made.dedup();
    let one = ["CreateLun", "DeleteLun"];
    assert_eq!(made, [one, one].concat());
    stage.assert_clean();
    // One of two: nothing is to be agreed to.
    stage
        .run(&["versions", "filer:vol1/web@nightly.0:/etc/fstab"])
        .ended_with(0);
    stage.assert_clean();
    // Interrupted, nothing is made for those that come after.
    stage.fake.set_rule(|call| {
        (call.operation == "ReadLun" && call.nth > 1)
            .then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
    stage.fake.clear_requests();
    let mut command = stage.flr(&["versions", "--yes", fstab]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    let start = Instant::now();
    while stage.fake.count("ReadLun") < 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "not in time");
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(stage.fake.count("CreateLun"), 1);
    stage.fake.clear_rule();
    stage.assert_clean();
}
