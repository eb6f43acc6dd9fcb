//! Versions of a file over the snapshots of a volume, differences between two of them, and an archive of one.

use crate::schema::check;
use crate::stage::{HOUR, NOON, SNAPSHOT, Stage, until};
use flr_tests::aws_fake::{Blocks, FakeFault, Snapshot, Volume, When};
use flr_tests::require::require;
use rustix::process::Signal;

/// A volume with three snapshots, and a fourth that is not finished.
const VOLUME: &str = "vol-0ccccccccccccccc1";
const POINTS: [(&str, &str); 4] = [
    ("snap-0ccccccccccccccc1", "one\n"),
    ("snap-0ccccccccccccccc2", "one\n"),
    ("snap-0ccccccccccccccc3", "second\n"),
    ("snap-0ccccccccccccccc4", "three\n"),
];

/// Puts them in the account. `false` if the machine has not what it takes to make their disks.
fn populate(stage: &Stage) -> bool {
    if !require(&["mke2fs", "touch"]) {
        return false;
    }
    std::fs::create_dir_all(stage.path("tree/etc")).unwrap();
    let mut state = stage.fake.state();
    state.add_volume(Volume::new(VOLUME, 1));
    for (day, (id, text)) in (0_i64..).zip(POINTS) {
        std::fs::write(stage.path("tree/etc/motd"), text).unwrap();
        let made = stage.shell(&format!(
            "touch -d 2026-01-0{} tree/etc/motd; \
             mke2fs -q -t ext4 -I 256 -U 01234567-89ab-4cde-8123-456789abcdef -d tree {id}.img 8m",
            text.len()
        ));
        made.ended_with(0);
        let blocks = Blocks::from_file(&stage.path(&format!("{id}.img"))).unwrap();
        let mut snapshot = Snapshot::new(id, blocks);
        VOLUME.clone_into(&mut snapshot.volume_id);
        snapshot.started = NOON + (day - 3) * 24 * HOUR;
        if day == 3 {
            snapshot.completes = i64::MAX;
        }
        state.add_snapshot(snapshot);
    }
    true
}

/// That nothing was left, here and in the account.
#[track_caller]
fn assert_clean(stage: &Stage) {
    assert_eq!(stage.ours(), [VOLUME]);
    assert_eq!(stage.run(&["session", "ls"]).ended_with(0).out, "");
    stage.assert_others();
}

fn motd() -> String {
    format!("{VOLUME}:/etc/motd")
}

#[test]
fn versions_are_read_from_blocks_and_nothing_is_made() {
    let stage = Stage::new();
    if !populate(&stage) {
        return;
    }
    let said = stage.run(&["versions", &motd()]).ended_with(0);
    let first = said.out.lines().nth(1).unwrap();
    assert!(
        first.starts_with("1        2026-01-04 00:00   4 B  2 "),
        "{first}"
    );
    assert!(
        first.contains(POINTS[0].0) && first.contains(POINTS[1].0),
        "{first}"
    );
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    said.told(&["snap-0ccccccccccccccc4 is pending and was passed over"]);
    assert_eq!(stage.changes(), [""; 0]);
    // The points were listed once, and of each disk a few blocks were read.
    let listed = stage.fake.count("DescribeSnapshots");
    assert!(listed <= 2, "{listed}");
    let read = stage.fake.count("GetSnapshotBlock");
    assert!(read <= 3 * 16, "{read}");

    let said = stage.run(&["--json", "versions", "--hash", "sha256", &motd()]);
    let lines: Vec<_> = said.ended_with(0).out.lines().map(check).collect();
    assert_eq!(lines[0]["points"][1]["id"], POINTS[1].0);
    assert_eq!(
        lines[0]["points"][1]["time"],
        "2026-11-18T12:00:00.000000000Z"
    );
    assert_eq!(
        lines[1]["address"],
        format!("{VOLUME}@{}:/etc/motd", POINTS[2].0)
    );
    let since = ["versions", "--since", "2026-11-19T00:00Z", &motd()];
    let said = stage.run(&since).ended_with(0);
    assert_eq!(said.out.lines().count(), 2, "{}", said.out);

    stage
        .run(&["versions", "--restore", "1", "--to", "first", &motd()])
        .ended_with(0);
    assert_eq!(
        std::fs::read_to_string(stage.path("first")).unwrap(),
        "one\n"
    );
    let said = stage
        .run(&["versions", "--diff", "1", "2", &motd()])
        .ended_with(0);
    assert!(
        said.out.ends_with("@@ -1 +1 @@\n-one\n+second\n"),
        "{}",
        said.out
    );
    assert_clean(&stage);
}

#[test]
fn many_temporary_volumes_are_made_only_on_request_and_one_at_a_time() {
    let stage = Stage::on_an_instance();
    if !populate(&stage) {
        return;
    }
    let args = [
        "versions",
        "--access",
        "clone",
        "--until",
        "2026-11-19T00:00Z",
    ];
    let mut args = args.to_vec();
    let motd = motd();
    args.push(&motd);
    let said = stage.run(&args).ended_with(13);
    said.told(&[
        "2 of 2 points take a temporary volume each",
        "hint: --since",
    ]);
    assert_eq!(stage.fake.count("CreateVolume"), 0);
    args.push("--yes");
    let said = stage.run(&args).ended_with(0);
    assert_eq!(said.out.lines().count(), 2, "{}", said.out);
    let mut made: Vec<_> = (stage.changes().into_iter())
        .filter(|change| ["CreateVolume", "DeleteVolume"].contains(&change.as_str()))
        .collect();
    // Asked for again while it is being detached.
    made.dedup();
    let one = ["CreateVolume", "DeleteVolume"];
    assert_eq!(made, [one, one].concat());
    assert_clean(&stage);
}

#[test]
fn two_points_of_a_volume_are_compared() {
    let stage = Stage::new();
    if !populate(&stage) {
        return;
    }
    let at = |index: usize| format!("{VOLUME}@{}:/", POINTS[index].0);
    let said = stage.run(&["diff", &at(0), &at(2)]).ended_with(0);
    assert_eq!(said.out, "M\t/etc/motd\n");
    let said = stage.run(&["diff", &at(0), &at(1)]).ended_with(0);
    assert!(!said.out.contains('M'), "{}", said.out);
    assert_eq!(stage.changes(), [""; 0]);
}

#[test]
fn an_archive_of_a_snapshot_is_that_of_its_image() {
    let stage = Stage::new();
    let said = stage.shell(&format!(
        "flr dump {SNAPSHOT}:/home > a.tar && flr dump web01.img:/home | cmp - a.tar"
    ));
    said.ended_with(0);
    let said = stage
        .run(&["dump", "--max-cost", "1e-9", &format!("{SNAPSHOT}:/home")])
        .ended_with(13);
    assert_eq!(said.out, "");
}

#[test]
fn what_it_may_cost_holds_for_all_points_together() {
    let stage = Stage::new();
    if !populate(&stage) {
        return;
    }
    let motd = motd();
    let spent = |args: &[&str]| {
        stage.fake.clear_requests();
        stage.run(args).ended_with(0);
        let (gets, lists) = (stage.fake.count("GetSnapshotBlock"), lists(&stage));
        3e-6 * f64(gets) + 0.6e-6 * f64(lists)
    };
    // What one point takes would be enough for each of three.
    let one = spent(&["versions", &format!("{VOLUME}@{}:/etc/motd", POINTS[0].0)]);
    let all = spent(&["versions", &motd]);
    assert!(all > 2.5 * one, "{one} {all}");
    stage.fake.clear_requests();
    let max = format!("{:.9}", 1.5 * one);
    let said = stage
        .run(&["versions", "--max-cost", &max, &motd])
        .ended_with(13);
    said.told(&["more than $", " of 3 points were looked at", "--max-cost"]);
    let within = 3e-6 * f64(stage.fake.count("GetSnapshotBlock")) + 0.6e-6 * f64(lists(&stage));
    assert!(within <= 1.5 * one + 1e-12, "{within} of {}", 1.5 * one);
    // Of the third nothing was asked.
    let third = stage.fake.requests().into_iter();
    let third = third.filter(|call| call.parameter("snapshotId") == Some(POINTS[2].0));
    assert_eq!(third.count(), 0);
    // What all take is enough for all.
    let max = format!("{:.9}", 1.2 * all);
    stage
        .run(&["versions", "--max-cost", &max, &motd])
        .ended_with(0);

    // Of a comparison as well.
    let at = |index: usize| format!("{VOLUME}@{}:/", POINTS[index].0);
    let both = spent(&["diff", &at(0), &at(2)]);
    let max = format!("{:.9}", 0.7 * both);
    stage.fake.clear_requests();
    stage
        .run(&["diff", "--max-cost", &max, &at(0), &at(2)])
        .ended_with(13);
    let within = 3e-6 * f64(stage.fake.count("GetSnapshotBlock")) + 0.6e-6 * f64(lists(&stage));
    assert!(within <= 0.7 * both + 1e-12, "{within} of {both}");
    assert_clean(&stage);
}

fn f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Calls that list.
fn lists(stage: &Stage) -> usize {
    stage.fake.count("ListSnapshotBlocks") + stage.fake.count("ListChangedBlocks")
}

#[test]
fn a_price_that_was_named_is_agreed_to_for_temporary_volumes_in_all() {
    let stage = Stage::on_an_instance();
    if !populate(&stage) {
        return;
    }
    let motd = motd();
    let run = |more: &[&str]| {
        let args = [
            "versions",
            "--access",
            "clone",
            "--until",
            "2026-11-19T00:00Z",
            &motd,
        ];
        stage.run(&[&args, more].concat())
    };
    // A volume of 1 GiB for half an hour is 0.000055.
    run(&["--max-cost", "0.0001"]).ended_with(13).told(&[
        "2 of 2 points",
        "for about $0.0001",
        "more than $0.0001",
    ]);
    run(&["--yes", "--keep"])
        .ended_with(2)
        .told(&["--keep would leave 2 temporary volumes"]);
    assert_eq!(stage.fake.count("CreateVolume"), 0);
    run(&["--max-cost", "0.0002"]).ended_with(0).told(&[
        "2 of 2 points take a temporary volume each",
        "one after the other",
    ]);
    assert_eq!(stage.fake.count("CreateVolume"), 2);
    assert_clean(&stage);
}

#[test]
fn a_signal_between_two_volumes_leaves_nothing_and_makes_nothing_more() {
    let stage = Stage::on_an_instance();
    if !populate(&stage) {
        return;
    }
    let running = stage.start(&["versions", "--access", "clone", "--yes", &motd()]);
    until("the second is there", || {
        stage.fake.count("CreateVolume") > 1
    });
    running.signal(Signal::INT);
    let said = running.finish().ended_with(130);
    assert_eq!(said.out, "");
    assert_eq!(stage.fake.count("CreateVolume"), 2, "{}", said.err);
    assert_clean(&stage);
}

#[test]
fn nothing_more_is_made_where_what_was_made_stays() {
    let stage = Stage::on_an_instance();
    if !populate(&stage) {
        return;
    }
    stage.fake.set_rule(|call| {
        (call.operation == "DeleteVolume").then(|| FakeFault::Error {
            when: When::BeforeEffect,
            status: 403,
            code: "UnauthorizedOperation".to_owned(),
            reason: None,
        })
    });
    let said = stage.run(&["versions", "--access", "clone", "--yes", &motd()]);
    said.ended_with(21).told(&[
        "nothing more is made; 1 of 3 points were looked at",
        "remains: ebs-volume ",
        "hint: run flr gc",
    ]);
    assert_eq!(stage.fake.count("CreateVolume"), 1);
    stage.fake.clear_rule();
    stage.run(&["gc"]).ended_with(0);
    assert_clean(&stage);
}

#[test]
fn volumes_instead_of_direct_reads_are_not_made_one_after_the_other_unasked() {
    let stage = Stage::on_an_instance();
    if !populate(&stage) {
        return;
    }
    let denied = "ebs:ListSnapshotBlocks".to_owned();
    stage.fake.state().settings.denied.insert(denied);
    let motd = motd();
    let said = stage.run(&["versions", &motd]).ended_with(13);
    said.told(&[
        "take a temporary volume each; 1 of 3 points were looked at",
        "--yes agrees",
    ]);
    assert_eq!(stage.fake.count("CreateVolume"), 1);
    assert_clean(&stage);
    let said = stage.run(&["versions", "--yes", &motd]).ended_with(0);
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    assert_clean(&stage);
}

#[test]
fn a_point_that_cannot_be_read_is_a_line_and_the_others_go_on() {
    let stage = Stage::new();
    if !populate(&stage) {
        return;
    }
    let motd = motd();
    stage
        .fake
        .state()
        .snapshots
        .get_mut(POINTS[0].0)
        .unwrap()
        .archived = true;
    stage
        .fake
        .state()
        .snapshots
        .get_mut(POINTS[1].0)
        .unwrap()
        .kms_denied = true;
    let said = stage
        .run(&["versions", "--access", "direct", &motd])
        .ended_with(3);
    assert_eq!(said.out.lines().count(), 2, "{}", said.out);
    assert!(said.out.contains(POINTS[2].0), "{}", said.out);
    let of = |id: &str| {
        let lines = said.err.lines().filter(|line| line.starts_with("flr: "));
        lines.filter(|line| line.contains(id)).count()
    };
    assert_eq!((of(POINTS[0].0), of(POINTS[1].0)), (1, 1), "{}", said.err);
    let json = stage
        .run(&["--json", "versions", "--access", "direct", &motd])
        .ended_with(3);
    let lines: Vec<_> = json.out.lines().map(check).collect();
    let errors = lines.iter().filter(|line| line["message_type"] == "error");
    assert_eq!(errors.count(), 2, "{}", json.out);
    assert_eq!(lines.last().unwrap()["errors"], 2);
    // None at all.
    stage
        .fake
        .state()
        .snapshots
        .get_mut(POINTS[2].0)
        .unwrap()
        .archived = true;
    let said = stage.run(&["versions", "--access", "direct", &motd]);
    assert_eq!((said.code, said.out.as_str()), (3, ""), "{}", said.err);
    assert_clean(&stage);
}
