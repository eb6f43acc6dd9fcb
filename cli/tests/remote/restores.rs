//! Restores of snapshots: what they cost, what may work later, and what remains.

use crate::schema::check;
use crate::stage::{NOON, SNAPSHOT, Said, Stage, VOLUME, snapshot};
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

#[test]
fn what_it_may_cost_is_the_sum_of_all_addresses_and_jobs() {
    let stage = Stage::new();
    // Two disks of a GiB without a filesystem: as files they are 2048 blocks each, 0.6 cents.
    let ids = ["snap-0aaaaaaaaaaaaa401", "snap-0aaaaaaaaaaaaa402"];
    for id in ids {
        let blocks = Blocks::from_fn(128, |_| Some(vec![1; 512 << 10]));
        stage.fake.state().add_snapshot(Snapshot::new(id, blocks));
    }
    let [one, other] = ids.map(|id| format!("{id}::raw"));
    let read = || stage.fake.count("GetSnapshotBlock");
    // Each is within it, both are not: known before, nothing of either is read.
    for command in ["restore", "cp"] {
        stage.fake.clear_requests();
        let to: &[&str] = match command {
            "restore" => &["--to", "to"],
            _ => &["to/"],
        };
        let args = [&[command, "--max-cost", "0.008", &one, &other], to].concat();
        let said = stage.run(&args).ended_with(13);
        said.told(&[
            "and what stands before it",
            "more than $0.008",
            "--max-cost",
        ]);
        assert!(read() < 40, "{}", read());
        assert!(!stage.path("to").exists());
    }
    // Of jobs each is compared with what is left when it begins: what is enough for one is not for both.
    let other = "snap-0aaaaaaaaaaaaa403";
    let later = snapshot(other, VOLUME, NOON);
    stage.fake.state().add_snapshot(later);
    let table = |name: &str, id: &str| {
        format!("[[job]]\nname = \"{name}\"\nfrom = \"{id}:/etc/fstab\"\nto = \"to-{name}\"\n")
    };
    let jobs = format!("version = 1\n{}{}", table("a", SNAPSHOT), table("b", other));
    std::fs::write(stage.path("jobs.toml"), jobs).unwrap();
    let dollars = || {
        let count = |call: &str| f64::from(u32::try_from(stage.fake.count(call)).unwrap());
        3e-6 * count("GetSnapshotBlock") + 0.6e-6 * count("ListSnapshotBlocks")
    };
    stage.fake.clear_requests();
    restored(&stage, ":/etc/fstab", &[]).ended_with(0);
    let max = 1.5 * dollars();
    stage.fake.clear_requests();
    let max_cost = format!("{max:.9}");
    let said = stage.run(&["restore", "-f", "jobs.toml", "--max-cost", &max_cost]);
    said.ended_with(3).told(&[other, "more than $"]);
    assert!(dollars() <= max + 1e-9, "{} of {max}", dollars());
    assert!(stage.path("to-a/fstab").exists() && !stage.path("to-b/fstab").exists());
}
