//! What EC2 does to those who rely on it.

use crate::stage::{Aws, Stage};
use flr_tests::aws_fake::{FakeFault, When};
use flr_tests::victim::faults::{self, first, refusal};
use flr_tests::victim::stage::digest;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn an_attaching_that_hangs_is_begun_anew_under_another_name() {
    let stage = Stage::new();
    stage.fake.state().settings.attachments_that_hang = 1;
    stage.read_right(&[]);
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
    let taken = refusal(400, "InvalidParameterValue");
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
    stage.read_right(&[]);
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
    faults::of_deletes::<Aws>(vec![refusal(400, "VolumeInUse"); 3]);
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
    let said = stage.read_with(&[("FLR_TEST_WINDOW_MS", "1500")]);
    let said = said.ended_with(0);
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
    faults::of_reads_that_lag::<Aws>();
}

#[test]
fn a_volume_whose_making_fails_is_told_and_not_waited_for() {
    faults::of_a_making::<Aws>();
}

/// What EC2 calls attached is not what the kernel shows.
#[test]
fn a_device_of_another_volume_is_not_read() {
    faults::of_a_size::<Aws>();
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
    faults::at_first_calls::<Aws>((&faults, &operations), 6, 7);
}
