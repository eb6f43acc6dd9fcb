//! The whole life of a temporary volume, and what is refused before one is made.

use crate::stage::{Aws, INSTANCE, SNAPSHOT, Stage, other_key};
use flr_tests::aws_fake::REGION;
use flr_tests::victim::harness::{Running, Said};
use flr_tests::victim::life;
use flr_tests::victim::stage::digest;
use std::time::Duration;

#[test]
fn a_snapshot_is_read_through_a_volume_that_is_gone_afterwards() {
    let stage = Stage::new();
    let said = stage.read().ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    assert!(said.out.contains("gone ebs-volume vol-"), "{}", said.out);
    stage.assert_clean("at the end");
    let create = stage.calls("CreateVolume");
    assert_eq!(create.len(), 1);
    let is = |name: &str, value: &str| assert_eq!(create[0].parameter(name), Some(value), "{name}");
    is("SnapshotId", SNAPSHOT);
    is("VolumeType", "gp3");
    is("AvailabilityZone", &format!("{REGION}a"));
    is("TagSpecification.1.ResourceType", "volume");
    let token = create[0].parameter("ClientToken").expect("a token");
    assert_eq!(token.len(), 64);
    // Tags are part of the call, and the user's own are there.
    let keys: Vec<_> = (1..=6)
        .map(|n| {
            let name = format!("TagSpecification.1.Tag.{n}.Key");
            create[0].parameter(&name).expect("a tag").to_owned()
        })
        .collect();
    let expected = [
        "flr:session",
        "flr:op",
        "flr:owner",
        "flr:created",
        "flr:expires",
        "CostCenter",
    ];
    assert_eq!(keys, expected);
    // The account is asked for before the call that makes, and before the one that deletes.
    stage.assert_in_order(&[
        "GetCallerIdentity",
        "CreateVolume",
        "AttachVolume",
        "ModifyInstanceAttribute",
        "DetachVolume",
        "DeleteVolume",
    ]);
    let attach = &stage.calls("AttachVolume")[0];
    assert_eq!(attach.parameter("InstanceId"), Some(INSTANCE));
    let identity = stage.calls("GetCallerIdentity");
    assert!(identity.len() >= 4, "{}", identity.len());
    // Nothing remains for a clean-up.
    let said = stage.gc().ended_with(0);
    assert_eq!(said.out, "");
}

#[test]
fn with_its_own_patience_flr_does_the_same() {
    let stage = Stage::new();
    // It is seen on its way out, which is what flr waits for.
    stage.fake.state().settings.delete_time = Duration::from_secs(5);
    let output = stage
        .victim(&["use", "1", SNAPSHOT])
        .env("FLR_TEST_USUAL", "1")
        .output();
    let said = Said::of(&output.expect("a process")).ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    stage.assert_clean("at the end");
}

#[test]
fn all_disks_of_a_point_are_there_in_their_order() {
    life::of_all_disks::<Aws>();
}

#[test]
fn a_long_reader_renews_what_it_has() {
    life::of_a_long_reader::<Aws>(|_| {});
}

#[test]
fn what_is_to_be_kept_stays_until_it_expires() {
    life::of_what_is_kept::<Aws>();
}

#[test]
fn an_interruption_ends_the_making_and_cleans_up() {
    let stage = Stage::new();
    stage.fake.state().settings.create_time = Duration::from_secs(600);
    let mut command = stage.victim(&["use", "1", SNAPSHOT]);
    let running = Running::start(command.env("FLR_TEST_INTERRUPT", "1"));
    stage.wait_until("the creation", |fake| fake.count("CreateVolume") == 1);
    stage.fake.state().settings.create_time = Duration::ZERO;
    // A volume that is being made cannot be deleted yet.
    stage.fake.advance(Duration::from_secs(590));
    let ended = std::thread::spawn(move || running.finish());
    stage.wait_until("its end", |fake| {
        fake.advance(Duration::from_millis(500));
        ended.is_finished()
    });
    let said = ended.join().expect("its end").ended_with(1);
    assert!(said.out.contains("interrupted"), "{}", said.out);
    stage.assert_clean("after an interruption");
}

#[test]
fn what_can_be_known_before_anything_is_made_is_refused_before() {
    let stage = Stage::new();
    let refused = |what: &str| {
        let mut command = stage.victim(&["use", "1", SNAPSHOT]);
        let output = command.env("FLR_TEST_USUAL", "1").output();
        let said = Said::of(&output.expect("a process")).ended_with(1);
        assert!(said.out.contains(what), "{}", said.out);
        assert_eq!(stage.fake.count("CreateVolume"), 0);
        assert!(!stage.path("here").exists(), "no journal was made");
    };
    stage.fake.state().metadata.enabled = false;
    refused("has to be attached to an EC2 instance");
    stage.fake.state().metadata.enabled = true;
    stage.fake.state().metadata.region = "eu-west-1".to_owned();
    refused("cannot be attached to i-0123456789abcdef0, which is in eu-west-1");
    stage.fake.state().metadata.region = REGION.to_owned();
    stage.fake.state().metadata.instance_id = "../../i-0".to_owned();
    refused("the answer makes no sense");
    stage.fake.state().metadata.instance_id = INSTANCE.to_owned();
    let key = other_key();
    let output = stage
        .victim(&["use", "1", SNAPSHOT])
        .env("AWS_ACCESS_KEY_ID", key.id)
        .env("AWS_SECRET_ACCESS_KEY", key.secret)
        .output();
    let said = Said::of(&output.expect("a process")).ended_with(1);
    assert!(
        said.out.contains("is not one of the account"),
        "{}",
        said.out
    );
    assert_eq!(stage.fake.count("CreateVolume"), 0);
    stage.read().ended_with(0);
}

#[test]
fn a_snapshot_that_no_volume_can_be_made_of_is_refused_at_once() {
    let stage = Stage::new();
    let snapshot = |change: fn(&mut flr_tests::aws_fake::Snapshot)| {
        let mut state = stage.fake.state();
        change(state.snapshots.get_mut(SNAPSHOT).expect("it"));
    };
    snapshot(|snapshot| snapshot.archived = true);
    let said = stage.read().ended_with(1);
    assert!(said.out.contains("archived"), "{}", said.out);
    assert_eq!(stage.fake.count("CreateVolume"), 1, "no repetition");
    snapshot(|snapshot| snapshot.archived = false);
    snapshot(|snapshot| snapshot.owner = "999988887777".to_owned());
    let said = stage.read().ended_with(1);
    assert!(
        said.out.contains("InvalidSnapshot.NotFound"),
        "{}",
        said.out
    );
    assert_eq!(stage.fake.count("CreateVolume"), 2, "no repetition");
    stage.assert_clean("nothing was made");
}
