//! Restores of snapshots: what they cost, what may work later, and what remains.

use crate::schema::check;
use crate::stage::{SNAPSHOT, Said, Stage};
use flr_tests::aws_fake::{Blocks, FakeFault, Snapshot, When};

fn restored(stage: &Stage, path: &str, more: &[&str]) -> Said {
    let from = format!("{SNAPSHOT}{path}");
    stage.run(&[&["restore", &from, "--to", "to"], more].concat())
}

#[test]
fn a_snapshot_is_restored_as_an_image_is() {
    let stage = Stage::new();
    let plan = restored(&stage, ":/etc", &["-n"]).ended_with(0);
    assert!(
        plan.out.contains(": reading takes ") && plan.out.contains('$'),
        "{}",
        plan.out
    );
    assert!(!stage.path("to").exists());
    let said = restored(&stage, ":/etc", &["--json"]).ended_with(0);
    said.out.lines().for_each(|line| drop(check(line)));
    stage
        .run(&["restore", "web01.img:/etc", "--to", "here"])
        .ended_with(0);
    stage
        .shell("diff -r --no-dereference here to")
        .ended_with(0);
    stage.assert_clean();
}

#[test]
fn what_costs_too_much_is_13_and_nothing_is_read() {
    let stage = Stage::new();
    // 4 GiB of data without a filesystem: 8192 blocks, 2.5 cents.
    let id = "snap-0aaaaaaaaaaaaa301";
    let blocks = Blocks::from_fn(8192, |_| Some(vec![1; 512 << 10]));
    stage.fake.state().add_snapshot(Snapshot::new(id, blocks));
    let raw = format!("{id}::raw");
    let args = ["restore", "--max-cost", "0.001", &raw, "--to", "to"];
    let said = stage.run(&args).ended_with(13);
    said.told(&["more than $0.001", "--max-cost"]);
    assert!(stage.fake.count("GetSnapshotBlock") < 20);
    assert!(!stage.path("to").exists());
}

#[test]
fn what_may_work_later_is_5() {
    let stage = Stage::new();
    stage.fake.set_rule(|call| {
        (call.operation == "GetSnapshotBlock").then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 403,
            code: "RequestLimitExceeded".to_owned(),
            reason: None,
        })
    });
    let said = restored(&stage, ":/etc/fstab", &[]);
    assert_eq!(said.code, 5, "{}", said.err);
    let there = stage.shell("find to -type f 2> /dev/null");
    assert_eq!(there.out, "");
}

#[test]
fn a_volume_that_stays_is_20_or_21() {
    let stage = Stage::on_an_instance();
    stage.fake.set_rule(|call| {
        (call.operation == "DeleteVolume").then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 403,
            code: "UnauthorizedOperation".to_owned(),
            reason: None,
        })
    });
    let said = restored(&stage, ":/etc", &["--access", "clone"]).ended_with(20);
    said.told(&["temporary resources may remain", "run flr gc"]);
    stage
        .run(&["restore", "web01.img:/etc", "--to", "here"])
        .ended_with(0);
    stage
        .shell("diff -r --no-dereference here to")
        .ended_with(0);
    // Something is in the way, and something remains as well.
    stage.shell("echo mine > to/etc/hosts").ended_with(0);
    restored(&stage, ":/etc", &["--access", "clone"]).ended_with(21);
    stage.fake.clear_rule();
    stage.run(&["gc"]).ended_with(0);
    stage.assert_clean();
}
