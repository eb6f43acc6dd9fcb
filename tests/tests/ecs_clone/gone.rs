//! When a disk that was deleted is believed to be gone. ECS shows nothing of it at once, as of one that reads
//! do not show yet: only the path of writes tells one from the other.

use crate::stage::{SNAPSHOT, Stage};
use flr_tests::ecs_fake::{Call, FakeFault, When};
use flr_tests::victim::faults::refusal;
use flr_tests::victim::harness::{for_each, run_killed};
use std::time::Duration;

/// A window that no test waits for.
const WINDOW_MS: &str = "60000";

/// The last call of an operation, and how it was answered.
fn last(stage: &Stage, operation: &str) -> (Call, u16) {
    let call = stage.fake.calls(operation).pop().expect("a call");
    let status = call.outcome.as_ref().expect("an answer").status;
    (call, status)
}

#[test]
fn a_disk_is_gone_once_both_paths_say_so() {
    let stage = Stage::new();
    stage.read_right(&[("FLR_TEST_WINDOW_MS", WINDOW_MS)]);
    let (denial, status) = last(&stage, "DetachDisk");
    assert_eq!(status, 404);
    // Two looks after the delete, then the question, then whose answer that was.
    let calls = stage.fake.requests();
    let deleted = calls.iter().find(|call| call.operation == "DeleteDisk");
    let deleted = deleted.expect("a delete").number;
    let between = calls.iter().filter(|call| {
        call.operation == "DescribeDisks" && (deleted..denial.number).contains(&call.number)
    });
    assert!(between.count() >= 2);
    let (account, _) = last(&stage, "GetCallerIdentity");
    assert!(account.number > denial.number);
}

#[test]
fn what_another_process_has_left_is_gone_as_soon() {
    let stage = Stage::new();
    let mut victim = stage.victim(&["use", "1", SNAPSHOT]);
    let is_end = |call: &Call| call.operation == "DetachDisk";
    assert!(run_killed(
        &stage.fake,
        &mut victim,
        is_end,
        When::BeforeEffect
    ));
    stage
        .run_with(&["gc"], &[("FLR_TEST_WINDOW_MS", WINDOW_MS)])
        .ended_with(0);
    stage.assert_clean("at the end");
}

#[test]
fn what_was_never_shown_is_waited_for() {
    let stage = Stage::new();
    let mut victim = stage.victim(&["use", "1", SNAPSHOT]);
    let is_end = |call: &Call| call.operation == "DeleteDisk";
    assert!(run_killed(
        &stage.fake,
        &mut victim,
        is_end,
        When::AfterEffect
    ));
    // Whoever cleans up has not seen it, so that both paths may be asked too early.
    let hasty = [
        ("FLR_TEST_WINDOW_MS", WINDOW_MS),
        ("FLR_TEST_LIMIT_MS", "1000"),
    ];
    stage.fake.clear_requests();
    let said = stage.run_with(&["gc"], &hasty).ended_with(20);
    assert!(said.out.contains("it was not gone in time"), "{}", said.out);
    assert_eq!(stage.fake.count("DetachDisk"), 0);
    stage.gc().ended_with(0);
    stage.assert_clean("once the window is over");
}

#[test]
fn looks_that_lag_behind_are_not_believed_of_what_the_path_of_writes_knows() {
    let stage = Stage::new();
    // Nothing comes of the first deletes, and from then on reads show what was there an hour ago.
    stage.fake.state().settings.deletions_lost = 4;
    let mut deleted = false;
    stage.fake.set_rule(move |call| {
        deleted |= call.operation == "DeleteDisk";
        let lags = deleted && call.operation == "DescribeDisks";
        lags.then_some(FakeFault::Stale(Duration::from_secs(3600)))
    });
    stage.read_right(&[("FLR_TEST_WINDOW_MS", WINDOW_MS)]);
    assert!(stage.fake.count("DeleteDisk") > 4);
    let asked = stage.fake.calls("DetachDisk");
    let codes = asked
        .iter()
        .map(|call| call.outcome.as_ref().expect("it").status);
    let codes: Vec<_> = codes.collect();
    assert!(
        codes.contains(&403) && codes.last() == Some(&404),
        "{codes:?}"
    );
}

#[test]
fn only_a_denial_of_the_disk_itself_counts() {
    let faults = vec![
        refusal(404, "InvalidInstanceId.NotFound"),
        refusal(404, "InvalidAccessKeyId.NotFound"),
        refusal(404, "InvalidAction.NotFound"),
        refusal(403, "IncorrectDiskStatus"),
        refusal(403, "Forbidden.RAM"),
        FakeFault::Status(When::BeforeEffect, 404),
        FakeFault::Status(When::BeforeEffect, 500),
        FakeFault::TruncatedBody(5),
    ];
    for_each(faults, 4, |fault| {
        let stage = Stage::new();
        // Otherwise it may be detached twice.
        stage.fake.state().settings.initialize_time = Duration::ZERO;
        let of_rule = fault.clone();
        stage.fake.set_rule(move |call| {
            // The first one detaches.
            (call.operation == "DetachDisk" && call.nth > 1).then(|| of_rule.clone())
        });
        let settings = [("FLR_TEST_WINDOW_MS", "2000"), ("FLR_TEST_CALL_MS", "500")];
        stage.read_right(&settings);
        let calls = stage.fake.requests();
        let create = calls.iter().position(|call| call.operation == "CreateDisk");
        // The window begins before the call is sent, and after the one before it.
        let begun = calls[create.expect("a creation") - 1].at;
        let waited = calls.last().expect("calls").at.saturating_sub(begun);
        assert!(
            waited >= Duration::from_millis(2500),
            "{fault:?}: {waited:?}"
        );
    });
}
