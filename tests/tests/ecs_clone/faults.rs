//! What ECS does to those who rely on it.

use crate::stage::{Ecs, Stage};
use flr_tests::ecs_fake::{Call, FakeFault, When};
use flr_tests::victim::faults::{self, cells, refusal};
use flr_tests::victim::harness::for_each;
use flr_tests::victim::stage::digest;
use std::time::Duration;

#[test]
fn a_delete_that_is_refused_is_repeated_until_it_is_gone() {
    let codes = [
        "IncorrectDiskStatus.Initializing",
        "DiskCreatingSnapshot",
        "DiskStillAttached",
    ];
    faults::of_deletes::<Ecs>(codes.map(|code| refusal(403, code)).into());
}

#[test]
fn a_delete_that_is_answered_and_comes_to_nothing_is_not_believed() {
    let stage = Stage::new();
    stage.fake.state().settings.deletions_lost = 2;
    stage.read_right(&[]);
    assert!(stage.fake.count("DeleteDisk") >= 3);
}

#[test]
fn a_call_without_an_answer_is_repeated_with_its_token_and_another_signature() {
    for fault in [
        FakeFault::Status(When::AfterEffect, 500),
        FakeFault::Error {
            when: When::AfterEffect,
            status: 400,
            code: "IdempotentProcessing".to_owned(),
            reason: None,
        },
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
        let said = stage.read_with(&[("FLR_TEST_WINDOW_MS", "1500")]);
        let said = said.ended_with(0);
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
    faults::of_reads_that_lag::<Ecs>();
}

#[test]
fn a_disk_whose_making_fails_is_told_and_not_waited_for() {
    faults::of_a_making::<Ecs>();
}

#[test]
fn a_device_of_another_size_is_not_read() {
    faults::of_a_size::<Ecs>();
}

#[test]
fn a_clock_that_is_wrong_is_set_by_the_providers() {
    for seconds in [-3600, 3600] {
        let stage = Stage::new();
        stage.fake.set_clock_skew(seconds);
        stage.read_right(&[]);
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
    faults::at_first_calls::<Ecs>((&faults, &operations), 8, 8);
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
    for_each(cells(&faults, &operations), 12, |(operation, fault)| {
        let stage = Stage::new();
        let of_rule = fault.clone();
        stage
            .fake
            .set_rule(move |call: &Call| (call.operation == operation).then(|| of_rule.clone()));
        let said = stage.read_with(&[
            ("FLR_TEST_WINDOW_MS", "100"),
            ("FLR_TEST_CALL_MS", "1000"),
            ("FLR_TEST_LIMIT_MS", "1500"),
        ]);
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
