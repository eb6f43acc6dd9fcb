//! What reading costs, what it may cost, and what commands say of the machine and the account.

use crate::points::transcript;
use crate::schema::check;
use crate::stage::{SNAPSHOT, Stage};
use flr_tests::aws_fake::{Blocks, Snapshot};

#[test]
fn what_it_costs_is_said_before() {
    let stage = Stage::on_an_instance();
    transcript("cost", &stage);
    assert_eq!(stage.changes(), [""; 0]);
    stage.assert_clean();
    let said = stage
        .run(&["--json", "cost", &format!("{SNAPSHOT}:/etc/fstab")])
        .ended_with(0);
    let lines: Vec<_> = said.out.lines().map(check).collect();
    let dollars = lines[0]["dollars"].as_f64().unwrap();
    assert!(dollars > 0.0 && dollars < 0.001, "{}", said.out);
    assert!(lines[0]["requests"]["GetSnapshotBlock"].as_u64().unwrap() >= 16);
}

#[test]
fn a_budget_ends_what_has_begun() {
    let stage = Stage::new();
    // 4 GiB of data without a filesystem: 8192 blocks, 2.5 cents.
    let id = "snap-0aaaaaaaaaaaaa301";
    let blocks = Blocks::from_fn(8192, |_| Some(vec![1; 512 << 10]));
    stage.fake.state().add_snapshot(Snapshot::new(id, blocks));
    let raw = format!("{id}::raw");
    // Known before: nothing is read of it.
    let said = stage
        .run(&["cp", "--max-cost", "0.001", &raw, "to"])
        .ended_with(13);
    let got = stage.fake.count("GetSnapshotBlock");
    assert!(got < 20, "{got}");
    said.told(&["more than $0.001", "--max-cost"]);
    assert!(!stage.path("to").exists());
    // A stream ends where the money does.
    let said = stage
        .run(&["cat", "--max-cost", "0.001", &raw])
        .ended_with(13);
    let got = stage.fake.count("GetSnapshotBlock");
    println!("{got} blocks for a tenth of a cent");
    assert!((100..400).contains(&got), "{got}");
    said.told(&["more than $0.001", "--max-cost"]);
    // Not known before, such as what a search through all directories takes.
    let said = stage.run(&["check", "--max-cost", "0.00002", &format!("{SNAPSHOT}:/")]);
    assert_eq!(said.code, 13, "{said:?}");
    assert!(!said.out.contains("damaged"), "{said:?}");
    let root = format!("{SNAPSHOT}:/");
    // Whatever part of the disk was seen before: the guest's view of a part would be another's.
    for dollars in ["3e-6", "6e-6", "9e-6", "1e-5", "1.3e-5"] {
        let said = stage.run(&["ls", "--max-cost", dollars, &root]);
        assert_eq!(said.code, 13, "{dollars}: {}", said.err);
    }
    let said = stage.run(&["--json", "ls", "--max-cost", "1e-9", &root]);
    assert_eq!(said.code, 13, "{}", said.err);
    assert_eq!(said.exit_error()["code"], 13);
    // Who agrees is not held up.
    stage.fake.clear_requests();
    stage
        .run(&[
            "ls",
            "--max-cost",
            "0.00001",
            "--yes",
            &format!("{SNAPSHOT}:/"),
        ])
        .ended_with(0);
    assert_eq!(stage.changes(), [""; 0]);
}

#[test]
fn a_walk_that_comes_to_its_budget_ends_with_13_and_finds_no_damage() {
    let stage = Stage::new();
    let root = format!("{SNAPSHOT}:/");
    for command in [&["ls", "-R"][..], &["find"]] {
        let mut ends = Vec::new();
        // With money enough: some of what belongs into the tree is on no disk.
        let whole = stage.run(&[command, &[root.as_str()]].concat()).code;
        for tens in (1..=60_u32).step_by(3) {
            let max = format!("{tens}e-6");
            let said = stage.run(&[command, &["--max-cost", &max, &root]].concat());
            let all = format!("{}{}", said.out, said.err);
            assert!([whole, 13].contains(&said.code), "{command:?} {max}: {all}");
            assert!(!all.contains("ext4."), "{command:?} {max}: {all}");
            ends.push((said.code, !said.out.is_empty()));
        }
        println!("{command:?}: {ends:?}");
        assert!(ends.contains(&(13, false)), "{command:?}: {ends:?}");
    }
}

#[test]
fn the_machine_and_the_account_are_looked_at() {
    let stage = Stage::new();
    let said = stage.run(&["doctor"]);
    assert!(
        said.out.contains("111122223333, region us-east-1"),
        "{}{}",
        said.out,
        said.err
    );
    for line in said.out.lines() {
        assert!(!line.starts_with("bad "), "{}", said.out);
    }
    assert_eq!(said.code, 0, "{}", said.err);
    let said = stage.run(&["doctor", "--json"]).ended_with(0);
    said.out.lines().for_each(|line| drop(check(line)));
    // What may not be done is said.
    let denied = ["ebs:GetSnapshotBlock", "ebs:ListSnapshotBlocks"].map(str::to_owned);
    stage.fake.state().settings.denied.extend(denied);
    let said = stage.run(&["doctor"]);
    println!("{}", said.out);
    // Wrong keys are bad, none are not.
    let mut command = stage.flr(&["doctor"]);
    let output = command
        .env("AWS_SECRET_ACCESS_KEY", "wrong")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("bad      aws account: "), "{text}");
    let changes = stage.changes();
    assert!(
        changes.iter().all(|change| change == "GetCallerIdentity"),
        "{changes:?}"
    );
    // A configuration with a mistake in it.
    stage.configure("[source.x]\ntype = \"moon\"\n");
    let said = stage.run(&["doctor"]).ended_with(3);
    assert!(
        said.out.contains("bad      configuration: "),
        "{}",
        said.out
    );
}

#[test]
fn the_policy_is_json() {
    let stage = Stage::new();
    for args in [
        &["policy", "aws"][..],
        &["policy", "aws", "--clone"],
        &["policy", "aws", "--clone", "--region", "eu-west-1"],
    ] {
        let said = stage.run(args).ended_with(0);
        let policy: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
        assert!(said.out.contains("ebs:GetSnapshotBlock"));
        assert_eq!(
            said.out.contains("ec2:CreateVolume"),
            args.len() > 2,
            "{args:?}"
        );
    }
    assert_eq!(stage.fake.requests().len(), 0);
}
