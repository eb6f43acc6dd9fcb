//! What ECS does to those who rely on it.

use crate::stage::{SNAPSHOT, Said, Stage, digest};
use flr_tests::ecs_fake::{Call, FakeFault, Service, When};
use flr_tests::victim::harness::for_each;
use std::time::Duration;

#[track_caller]
fn read_right(stage: &Stage) {
    let said = stage.read().ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    stage.assert_clean("at the end");
}

fn refusal(when: When, status: u16, code: &str) -> FakeFault {
    FakeFault::Error {
        when,
        status,
        code: code.to_owned(),
        reason: None,
    }
}

#[test]
fn a_delete_that_is_refused_is_repeated_until_it_is_gone() {
    let stage = Stage::new();
    stage.fake.set_rule(|call| {
        let busy = call.operation == "DeleteDisk" && call.nth <= 3;
        let codes = [
            "IncorrectDiskStatus.Initializing",
            "DiskCreatingSnapshot",
            "DiskStillAttached",
        ];
        busy.then(|| refusal(When::BeforeEffect, 403, codes[call.nth - 1]))
    });
    read_right(&stage);
    assert!(stage.fake.count("DeleteDisk") >= 4);
}

#[test]
fn a_delete_that_is_answered_and_comes_to_nothing_is_not_believed() {
    let stage = Stage::new();
    stage.fake.state().settings.deletions_lost = 2;
    read_right(&stage);
    assert!(stage.fake.count("DeleteDisk") >= 3);
}

#[test]
fn a_call_without_an_answer_is_repeated_with_its_token_and_another_signature() {
    for fault in [
        FakeFault::Status(When::AfterEffect, 500),
        refusal(When::AfterEffect, 400, "IdempotentProcessing"),
        FakeFault::NoAnswer(When::AfterEffect),
    ] {
        let stage = Stage::new();
        // The first look behind the call without an answer does not show it yet.
        let lag = Duration::from_millis(300);
        let operation = "DescribeDisks".to_owned();
        stage.fake.state().settings.lag_of.insert(operation, lag);
        let of_rule = fault.clone();
        stage.fake.set_rule(move |call| {
            (call.operation == "CreateDisk" && call.nth == 1).then(|| of_rule.clone())
        });
        let mut command = stage.victim(&["use", "1", SNAPSHOT]);
        let output = command.env("FLR_TEST_WINDOW_MS", "1500").output();
        let said = Said::of(&output.expect("a process")).ended_with(0);
        assert_eq!(
            said.out.lines().next(),
            Some(digest(1).as_str()),
            "{fault:?}"
        );
        let create = stage.fake.calls("CreateDisk");
        let tokens = create.iter().map(|call| call.parameter("ClientToken"));
        let tokens: std::collections::BTreeSet<_> = tokens.collect();
        assert_eq!(tokens.len(), 1, "{fault:?}");
        stage.assert_clean("at the end");
    }
}

#[test]
fn reads_that_lag_behind_change_nothing() {
    let stage = Stage::new();
    stage.fake.state().settings.lag = Duration::from_millis(400);
    let mut command = stage.victim(&["use", "1", SNAPSHOT]);
    let output = command.env("FLR_TEST_WINDOW_MS", "1200").output();
    let said = Said::of(&output.expect("a process")).ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    stage.assert_clean("at the end");
    assert_eq!(stage.fake.count("CreateDisk"), 1);
}

#[test]
fn a_disk_whose_making_fails_is_told_and_not_waited_for() {
    let stage = Stage::new();
    stage.fake.state().settings.creations_that_fail = 1;
    let said = stage.read().ended_with(1);
    assert!(said.out.contains("the provider gave up"), "{}", said.out);
    stage.assert_clean("at the end");
    read_right(&stage);
}

#[test]
fn a_device_of_another_size_is_not_read() {
    let stage = Stage::new();
    let said = stage.run(&["use", "2", SNAPSHOT]).ended_with(1);
    let words = "1073741824 bytes, not 2147483648";
    assert!(said.out.contains(words), "{}", said.out);
    stage.assert_clean("at the end");
}

#[test]
fn a_clock_that_is_wrong_is_set_by_the_providers() {
    for seconds in [-3600, 3600] {
        let stage = Stage::new();
        stage.fake.set_clock_skew(seconds);
        read_right(&stage);
    }
}

/// Every kind of fault at every call of the way: the right bytes or an error, and nothing left.
#[test]
fn no_fault_of_any_call_leaves_anything() {
    let faults = [
        FakeFault::Status(When::BeforeEffect, 500),
        FakeFault::Status(When::AfterEffect, 503),
        FakeFault::Throttled,
        FakeFault::NoAnswer(When::AfterEffect),
        FakeFault::Reset(When::BeforeEffect, 0),
        FakeFault::Reset(When::AfterEffect, 30),
        FakeFault::HalfClosed(When::AfterEffect),
        FakeFault::SlowBody(10),
        FakeFault::TruncatedBody(5),
        FakeFault::FlippedByte(0),
        FakeFault::ExpiredToken,
        FakeFault::ClockSkew(3600),
        FakeFault::Stale(Duration::from_secs(1)),
        FakeFault::Quota,
    ];
    let operations = [
        "GetCallerIdentity",
        "DescribeInstances",
        "CreateDisk",
        "DescribeDisks",
        "AttachDisk",
        "DetachDisk",
        "DeleteDisk",
    ];
    let cells: Vec<_> = faults
        .iter()
        .flat_map(|fault| operations.map(|operation| (operation, fault.clone())))
        .collect();
    let read = for_each(cells, 8, |(operation, fault)| {
        let stage = Stage::new();
        let of_rule = fault.clone();
        stage.fake.set_rule(move |call: &Call| {
            let is_it = call.operation == operation && call.nth == 1;
            (is_it && call.service != Service::Metadata).then(|| of_rule.clone())
        });
        let said = stage.read();
        let name = format!("{operation} with {fault:?}");
        match said.code {
            Some(0) => assert_eq!(said.out.lines().next(), Some(digest(1).as_str()), "{name}"),
            Some(1) => {}
            // A refusal for good on the way out is believed, and said.
            Some(20) if fault == FakeFault::Quota => {
                assert!(said.out.contains("left ecs-disk"), "{name}: {said:#?}");
                stage.gc().ended_with(0);
            }
            _ => panic!("{name}: {said:#?}"),
        }
        stage.assert_clean(&name);
        said.code == Some(0)
    });
    // Most of it is passed over: a temporary fault is no reason to fail.
    let right = read.iter().filter(|right| **right).count();
    assert!(right * 10 >= read.len() * 8, "{right} of {}", read.len());
}

/// A fault that stays is told, and what it leaves is told too.
#[test]
fn a_fault_that_stays_is_told_and_leaves_nothing_without_a_word() {
    let faults = [
        FakeFault::Status(When::BeforeEffect, 500),
        FakeFault::Status(When::AfterEffect, 503),
        FakeFault::Throttled,
        FakeFault::Reset(When::AfterEffect, 0),
        FakeFault::TruncatedBody(5),
        FakeFault::ExpiredToken,
        FakeFault::Quota,
    ];
    let operations = [
        "GetCallerIdentity",
        "CreateDisk",
        "DescribeDisks",
        "AttachDisk",
        "DetachDisk",
        "DeleteDisk",
    ];
    let cells: Vec<_> = faults
        .iter()
        .flat_map(|fault| operations.map(|operation| (operation, fault.clone())))
        .collect();
    for_each(cells, 12, |(operation, fault)| {
        let stage = Stage::new();
        let of_rule = fault.clone();
        stage
            .fake
            .set_rule(move |call: &Call| (call.operation == operation).then(|| of_rule.clone()));
        let mut command = stage.victim(&["use", "1", SNAPSHOT]);
        command
            .env("FLR_TEST_WINDOW_MS", "100")
            .env("FLR_TEST_CALL_MS", "1000")
            .env("FLR_TEST_LIMIT_MS", "1500");
        let said = Said::of(&command.output().expect("a process"));
        let name = format!("{operation} with {fault:?}");
        let left = stage.ours();
        match said.code {
            Some(0 | 1) => assert!(left.is_empty(), "{name}: {left:?} {said:#?}"),
            Some(20 | 21) => {}
            _ => panic!("{name}: {said:#?}"),
        }
        for id in left {
            // By its id, or as what may remain of the operation.
            let told = said.out.contains(&id) || said.out.contains("ecs-disk");
            assert!(told, "{name}: {id} {said:#?}");
        }
        stage.fake.clear_rule();
        stage.gc().ended_with(0);
        stage.assert_clean(&name);
    });
}
