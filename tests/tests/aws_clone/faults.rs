//! What EC2 does to those who rely on it.

use crate::stage::{SNAPSHOT, Said, Stage, digest};
use flr_tests::aws_fake::{Call, FakeFault, Service, When};
use std::collections::BTreeSet;
use std::time::Duration;

#[track_caller]
fn read_right(stage: &Stage) {
    let said = stage.read().ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    stage.assert_clean("at the end");
}

/// A fault of the first call of an operation.
fn first(operation: &'static str, fault: FakeFault) -> impl FnMut(&Call) -> Option<FakeFault> {
    move |call| (call.operation == operation && call.nth == 1).then(|| fault.clone())
}

fn refusal(status: u16, code: &str) -> FakeFault {
    FakeFault::Error {
        when: When::BeforeEffect,
        status,
        code: code.to_owned(),
        reason: None,
    }
}

#[test]
fn an_attaching_that_hangs_is_begun_anew_under_another_name() {
    let stage = Stage::new();
    stage.fake.state().settings.attachments_that_hang = 1;
    read_right(&stage);
    let attach = stage.fake.requests();
    let attach = attach
        .iter()
        .filter(|call| call.operation == "AttachVolume");
    let names: Vec<_> = attach
        .filter(|call| call.outcome.as_ref().is_some_and(|it| it.status == 200))
        .map(|call| call.parameter("Device").expect("a name").to_owned())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_ne!(names[0], names[1]);
    assert!(stage.fake.count("DetachVolume") >= 2);
}

#[test]
fn a_name_that_is_taken_is_not_insisted_on() {
    let stage = Stage::new();
    let taken = FakeFault::Error {
        when: When::BeforeEffect,
        status: 400,
        code: "InvalidParameterValue".to_owned(),
        reason: None,
    };
    stage.fake.set_rule(first("AttachVolume", taken));
    stage.fake.set_change(|call, answer| {
        if call.operation == "AttachVolume" && call.nth == 1 {
            let name = call.parameter("Device").unwrap_or_default();
            let text = format!(
                "<Response><Errors><Error><Code>InvalidParameterValue</Code>\
                 <Message>Invalid value '{name}' for unixDevice. \
                 Attachment point {name} is already in use</Message></Error></Errors>\
                 <RequestID>r</RequestID></Response>"
            );
            answer.body = text.into_bytes();
        }
    });
    read_right(&stage);
    let attach = stage.fake.requests();
    let attach = attach
        .iter()
        .filter(|call| call.operation == "AttachVolume");
    let names: BTreeSet<_> = attach
        .map(|call| call.parameter("Device").map(str::to_owned))
        .collect();
    assert!(names.len() >= 2, "{names:?}");
}

#[test]
fn a_delete_that_is_refused_is_repeated_until_it_is_gone() {
    let stage = Stage::new();
    stage.fake.set_rule(|call| {
        let busy = call.operation == "DeleteVolume" && call.nth <= 3;
        busy.then(|| refusal(400, "VolumeInUse"))
    });
    read_right(&stage);
    assert!(stage.fake.count("DeleteVolume") >= 4);
}

#[test]
fn a_volume_that_was_made_before_the_quota_was_used_up_is_found() {
    let stage = Stage::new();
    {
        let mut state = stage.fake.state();
        let count = state.volumes.len();
        state.settings.volumes_max = Some(count + 1);
        // The first look behind the call without an answer does not show it yet.
        state
            .settings
            .lag_of
            .insert("DescribeVolumes".to_owned(), Duration::from_millis(700));
    }
    let fault = FakeFault::Status(When::AfterEffect, 500);
    stage.fake.set_rule(first("CreateVolume", fault));
    let mut command = stage.victim(&["use", "1", SNAPSHOT]);
    let output = command.env("FLR_TEST_WINDOW_MS", "1500").output();
    let said = Said::of(&output.expect("a process")).ended_with(0);
    assert_eq!(said.out.lines().next(), Some(digest(1).as_str()));
    let refused = stage.fake.requests().into_iter().filter(|call| {
        call.operation == "CreateVolume" && call.outcome.as_ref().is_some_and(|it| it.status == 400)
    });
    assert!(refused.count() >= 1, "the quota has said no");
    stage.assert_clean("at the end");
}

#[test]
fn a_quota_that_is_used_up_is_said_at_once() {
    let stage = Stage::new();
    stage.fake.state().settings.volumes_max = Some(1);
    let said = stage.read().ended_with(1);
    assert!(said.out.contains("VolumeLimitExceeded"), "{}", said.out);
    assert_eq!(stage.fake.count("CreateVolume"), 1);
    stage.assert_clean("nothing was made");
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
    assert_eq!(stage.fake.count("CreateVolume"), 1);
}

#[test]
fn a_volume_whose_making_fails_is_told_and_not_waited_for() {
    let stage = Stage::new();
    stage.fake.state().settings.creations_that_fail = 1;
    let said = stage.read().ended_with(1);
    assert!(said.out.contains("the provider gave up"), "{}", said.out);
    stage.assert_clean("at the end");
    read_right(&stage);
}

#[test]
fn a_device_of_another_volume_is_not_read() {
    let stage = Stage::new();
    // What EC2 calls attached is not what the kernel shows: the links lead elsewhere.
    let root = stage.path("root");
    let by_id = root.join("dev/disk/by-id");
    std::fs::create_dir_all(&by_id).expect("a folder");
    let said = stage.run(&["use", "2", SNAPSHOT]);
    let said = said.ended_with(1);
    assert!(
        said.out.contains("1073741824 bytes, not 2147483648"),
        "{}",
        said.out
    );
    stage.assert_clean("at the end");
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
        FakeFault::TruncatedBody(20),
        FakeFault::ExpiredToken,
        FakeFault::ClockSkew(3600),
        FakeFault::Stale(Duration::from_secs(1)),
        FakeFault::Quota,
    ];
    let operations = [
        "GetCallerIdentity",
        "DescribeInstances",
        "CreateVolume",
        "DescribeVolumes",
        "AttachVolume",
        "ModifyInstanceAttribute",
        "DetachVolume",
        "DeleteVolume",
    ];
    let cells: Vec<_> = faults
        .iter()
        .flat_map(|fault| operations.map(|operation| (operation, fault.clone())))
        .collect();
    let read = crate::kills::for_each(cells, |(operation, fault)| {
        let stage = Stage::new();
        let operation_of = operation;
        let of_rule = fault.clone();
        stage.fake.set_rule(move |call| {
            let is_it = call.operation == operation_of && call.nth == 1;
            (is_it && call.service != Service::Metadata).then(|| of_rule.clone())
        });
        let said = stage.read();
        let name = format!("{operation} with {fault:?}");
        match said.code {
            Some(0) => assert_eq!(said.out.lines().next(), Some(digest(1).as_str()), "{name}"),
            Some(1) => {}
            // A refusal for good on the way out is believed, and said.
            Some(20) if fault == FakeFault::Quota => {
                assert!(said.out.contains("left ebs-volume"), "{name}: {said:#?}");
                stage.gc().ended_with(0);
            }
            _ => panic!("{name}: {said:#?}"),
        }
        stage.assert_clean(&name);
        said.code == Some(0)
    });
    // Most of it is passed over: a temporary fault is no reason to fail.
    let right = read.iter().filter(|right| **right).count();
    assert!(right * 10 >= read.len() * 7, "{right} of {}", read.len());
}
