//! The whole life of a temporary disk, and what is refused before one is made.

use crate::stage::{Ecs, OTHER_INSTANCE, SECOND, SNAPSHOT, Stage, other_key};
use flr_tests::ecs_fake::{Bus, INSTANCE, MetadataMode, Money, REGION, ZONE};
use flr_tests::victim::harness::{Running, Said};
use flr_tests::victim::life;
use flr_tests::victim::stage::digest;
use std::time::Duration;

#[test]
fn a_snapshot_is_read_through_a_disk_that_is_gone_afterwards() {
    let stage = Stage::new();
    let said = stage.read().ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    assert!(said.out.contains("gone ecs-disk d-"), "{}", said.out);
    stage.assert_clean("at the end");
    let create = stage.fake.calls("CreateDisk");
    assert_eq!(create.len(), 1);
    let is = |name: &str, value: &str| assert_eq!(create[0].parameter(name), Some(value), "{name}");
    is("SnapshotId", SNAPSHOT);
    is("RegionId", REGION);
    is("ZoneId", ZONE);
    is("DiskCategory", "cloud_auto");
    for name in ["InstanceId", "Size", "Encrypted", "DryRun"] {
        assert_eq!(create[0].parameter(name), None, "{name}");
    }
    let token = create[0].parameter("ClientToken").expect("a token");
    assert_eq!(token.len(), 64);
    let tags: Vec<_> = (1..=6)
        .map(|n| {
            let key = create[0].parameter(&format!("Tag.{n}.Key"));
            key.expect("a tag").to_owned()
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
    assert_eq!(tags, expected);
    stage.assert_in_order(&[
        "GetCallerIdentity",
        "CreateDisk",
        "AttachDisk",
        "DetachDisk",
        "DeleteDisk",
    ]);
    let attach = &stage.fake.calls("AttachDisk")[0];
    assert_eq!(attach.parameter("InstanceId"), Some(INSTANCE));
    assert_eq!(attach.parameter("DeleteWithInstance"), Some("true"));
    // That a disk is deleted is seen, not believed: this answers the same to any id.
    let delete = stage.fake.calls("DeleteDisk");
    let last_delete = delete.last().expect("it").number;
    let looks = stage.fake.calls("DescribeDisks");
    let later = looks.iter().filter(|call| call.number > last_delete);
    assert!(later.count() >= 2);
    // Nothing remains for a clean-up.
    let said = stage.gc().ended_with(0);
    assert_eq!(said.out, "");
}

#[test]
fn nvme_devices_and_the_patience_of_flr_do_the_same() {
    let stage = Stage::new();
    stage.fake.state().settings.bus = Bus::Nvme;
    let mut command = stage.victim(&["use", "1", SNAPSHOT]);
    command
        .env("FLR_TEST_USUAL", "1")
        .env("FLR_CONSISTENCY_WINDOW", "0");
    let running = Running::start(&mut command);
    let said = running.finish().ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    stage.assert_clean("at the end");
}

#[test]
fn all_disks_of_a_point_are_there_in_their_order() {
    life::of_all_disks::<Ecs>();
}

#[test]
fn a_category_that_is_not_to_be_had_is_followed_by_the_next() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        let refused = &mut state.settings.refused;
        let code = |status: u16, code: &str| (status, code.to_owned());
        refused.insert(
            "cloud_auto".to_owned(),
            code(400, "InvalidDiskCategory.NotSupported"),
        );
        refused.insert(
            "cloud_essd/PL0".to_owned(),
            code(403, "InvalidDataDiskCategory.NotSupported"),
        );
    }
    // PL1 begins with 20 GiB, and this has 1: the next is cloud_essd_entry, from 10, the last from 20.
    let said = stage.read().ended_with(1);
    assert!(said.out.contains("InvalidDiskSize"), "{}", said.out);
    let create = stage.fake.calls("CreateDisk");
    let categories: Vec<_> = create
        .iter()
        .map(|call| {
            let level = call.parameter("PerformanceLevel").unwrap_or_default();
            format!("{} {level}", call.parameter("DiskCategory").expect("one"))
        })
        .collect();
    let expected = [
        "cloud_auto ",
        "cloud_essd PL0",
        "cloud_essd PL1",
        "cloud_essd_entry ",
        "cloud_efficiency ",
    ];
    assert_eq!(categories, expected);
    let mut tokens: Vec<_> = create
        .iter()
        .map(|call| call.parameter("ClientToken"))
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), expected.len(), "a token for each");
    stage.assert_clean("nothing was made");
    stage.fake.state().settings.refused.remove("cloud_essd/PL0");
    let said = stage.run(&["use", "1", SNAPSHOT, SECOND]).ended_with(0);
    let digests: Vec<_> = said.out.lines().take(2).collect();
    assert_eq!(digests, [digest(1), digest(2)]);
    stage.assert_clean("at the end");
}

#[test]
fn a_category_that_the_instance_does_not_take_is_followed_by_the_next() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        let here = state.instances.get_mut(INSTANCE).expect("it");
        here.not_categories.insert("cloud_auto".to_owned());
    }
    let said = stage.read().ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    assert_eq!(stage.fake.count("CreateDisk"), 2);
    assert_eq!(said.out.matches("gone ecs-disk").count(), 2);
    stage.assert_clean("at the end");
}

#[test]
fn a_long_reader_renews_what_it_has() {
    life::of_a_long_reader::<Ecs>(|call| {
        assert_eq!(call.parameter("ResourceType"), Some("disk"));
    });
}

#[test]
fn what_is_to_be_kept_stays_until_it_expires() {
    life::of_what_is_kept::<Ecs>();
}

#[test]
fn what_can_be_known_before_anything_is_made_is_refused_before() {
    let stage = Stage::new();
    let refused = |what: &str| {
        let mut command = stage.victim(&["use", "1", SNAPSHOT]);
        let output = command.env("FLR_TEST_USUAL", "1").output();
        let said = Said::of(&output.expect("a process")).ended_with(1);
        assert!(said.out.contains(what), "{}", said.out);
        assert_eq!(stage.fake.count("CreateDisk"), 0);
        assert!(!stage.path("here").exists(), "no journal was made");
    };
    stage.fake.state().metadata.mode = MetadataMode::Off;
    refused("has to be attached to an ECS instance");
    stage.fake.state().metadata.mode = MetadataMode::Normal;
    stage.fake.state().metadata.region = "cn-shanghai".to_owned();
    refused("which is in cn-shanghai");
    stage.fake.state().metadata.region = REGION.to_owned();
    stage.fake.state().metadata.instance_id = "../../i-0".to_owned();
    refused("makes no sense");
    stage.fake.state().metadata.instance_id = INSTANCE.to_owned();
    let key = other_key();
    let output = stage
        .victim(&["use", "1", SNAPSHOT])
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id)
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret)
        .output();
    let said = Said::of(&output.expect("a process")).ended_with(1);
    assert!(
        said.out.contains("is not one of the account"),
        "{}",
        said.out
    );
    assert_eq!(stage.fake.count("CreateDisk"), 0);
    for mode in [
        MetadataMode::Old,
        MetadataMode::Normal,
        MetadataMode::Hardened,
    ] {
        stage.fake.state().metadata.mode = mode;
        stage.read().ended_with(0);
    }
    // Who insists on tokens takes no answer without one.
    stage.fake.state().metadata.mode = MetadataMode::Old;
    let mut command = stage.victim(&["use", "1", SNAPSHOT]);
    let output = command
        .env("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")
        .output();
    let said = Said::of(&output.expect("a process")).ended_with(1);
    assert!(said.out.contains("404"), "{}", said.out);
}

#[test]
fn what_the_account_cannot_have_is_said_at_once() {
    let stage = Stage::new();
    let refused = |code: &str, calls: usize| {
        stage.fake.clear_requests();
        let said = stage.read().ended_with(1);
        assert!(said.out.contains(code), "{}", said.out);
        assert_eq!(stage.fake.count("CreateDisk"), calls, "{code}");
        stage.assert_clean(code);
    };
    let change = |change: fn(&mut flr_tests::ecs_fake::Settings)| {
        change(&mut stage.fake.state().settings);
    };
    let money = |money: Money| {
        let account = flr_tests::ecs_fake::ACCOUNT.to_owned();
        stage.fake.state().settings.money.insert(account, money);
    };
    money(Money::NotEnough);
    refused("NotEnoughBalance", 1);
    money(Money::Arrears);
    refused("Arrear", 1);
    money(Money::Paid);
    change(|settings| settings.disks_max = Some(0));
    refused("Quota", 1);
    change(|settings| settings.disks_max = None);
    change(|settings| {
        settings.not_on_sale.insert(ZONE.to_owned());
    });
    refused("Zone.NotOnSale", 5);
    change(|settings| settings.not_on_sale.clear());
    stage.fake.state().metadata.zone = "cn-hangzhou-k".to_owned();
    refused("ResourcesNotInSameZone", 1);
    stage.fake.state().metadata.zone = ZONE.to_owned();
    let lock = |locks: Vec<String>| {
        let mut state = stage.fake.state();
        state.instances.get_mut(INSTANCE).expect("it").locks = locks;
    };
    lock(vec!["security".to_owned()]);
    refused("InstanceLockedForSecurity", 1);
    lock(Vec::new());
    let snapshot = |change: fn(&mut flr_tests::ecs_fake::Snapshot)| {
        let mut state = stage.fake.state();
        change(state.snapshots.get_mut(SNAPSHOT).expect("it"));
    };
    snapshot(|snapshot| snapshot.owner = "6543210987654321".to_owned());
    refused("InvalidSnapshotId.NotFound", 1);
    snapshot(|snapshot| flr_tests::ecs_fake::ACCOUNT.clone_into(&mut snapshot.owner));
    change(|settings| settings.no_serial = true);
    refused("no serial number", 1);
    change(|settings| settings.no_serial = false);
    stage.read().ended_with(0);
}

#[test]
fn what_is_attached_elsewhere_is_named_and_not_touched() {
    let stage = Stage::new();
    let mut command = stage.victim(&["use", "1", SNAPSHOT]);
    let output = command.env("FLR_TEST_KEEP", "1").output();
    Said::of(&output.expect("a process")).ended_with(0);
    let ours = stage.ours();
    assert_eq!(ours.len(), 1);
    stage
        .fake
        .state()
        .attach(&ours[0], OTHER_INSTANCE, "/dev/xvdc");
    stage.fake.set_clock_skew(1_000);
    std::thread::sleep(Duration::from_millis(5));
    let mut gc = stage.victim(&["gc"]);
    let output = gc.env("FLR_TEST_OLDER_THAN", "0").output();
    let said = Said::of(&output.expect("a process"));
    assert!(said.out.contains(&ours[0]), "{}", said.out);
    assert_eq!(stage.ours(), ours, "{}", said.out);
    stage.assert_others("at the end");
    let _ = stage.fake.take_violations();
    // What the stand-in calls left over is what this test has put there.
    let mut state = stage.fake.state();
    state.disks.remove(&ours[0]);
}
