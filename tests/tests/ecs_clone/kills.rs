//! Processes killed with SIGKILL at every request, before and after it had its effect: one clean-up
//! later nothing of ours is there.

use crate::stage::{SNAPSHOT, Said, Stage, other_key};
use flr_tests::ecs_fake::{Call, Service, When};
use flr_tests::victim::harness::{for_each, run_killed};

/// So many processes at a time.
const AT_ONCE: usize = 6;

fn run_killed_at(stage: &Stage, args: &[&str], nth: usize, when: When) -> bool {
    let is_it = move |call: &Call| call.number >= nth;
    run_killed(&stage.fake, &mut stage.victim(args), is_it, when)
}

/// Requests of an undisturbed run, without those for metadata at its beginning.
fn requests(stage: &Stage, args: &[&str]) -> (usize, usize) {
    stage.fake.clear_requests();
    stage.run(args).ended_with(0);
    let calls = stage.fake.requests();
    let first = calls
        .iter()
        .position(|call| call.service != Service::Metadata);
    (first.expect("a request") + 1, calls.len())
}

#[test]
fn a_process_killed_at_any_request_leaves_nothing_behind() {
    let (first, count) = requests(&Stage::new(), &["use", "1", SNAPSHOT]);
    assert!(count - first >= 15, "{first} to {count}");
    let cells: Vec<_> = (first..=count)
        .flat_map(|nth| [(nth, When::BeforeEffect), (nth, When::AfterEffect)])
        .collect();
    let results = for_each(cells, AT_ONCE, |(nth, when)| {
        let stage = Stage::new();
        let killed = run_killed_at(&stage, &["use", "1", SNAPSHOT], nth, when);
        let left = !stage.ours().is_empty();
        stage.gc().ended_with(0);
        stage.assert_clean(&format!("killed at {nth} of {count}, {when:?}"));
        let said = stage.gc().ended_with(0);
        assert_eq!(said.out, "", "cleaned up twice");
        (killed, left)
    });
    let kills = results.iter().filter(|(killed, _)| *killed).count();
    let left = results.iter().filter(|(_, left)| *left).count();
    assert!(kills >= 30, "only {kills} of {} were killed", results.len());
    // Otherwise the clean-up has had nothing to do.
    assert!(
        left >= 15,
        "only {left} of {} left something",
        results.len()
    );
}

/// A stage on which a process was killed with its disk attached.
fn left_attached() -> Stage {
    let stage = Stage::new();
    let mut victim = stage.victim(&["use", "1", SNAPSHOT]);
    let is_end = |call: &Call| call.operation == "DetachDisk";
    assert!(run_killed(
        &stage.fake,
        &mut victim,
        is_end,
        When::BeforeEffect
    ));
    assert_eq!(stage.ours().len(), 1);
    stage
}

#[test]
fn a_clean_up_killed_at_any_request_is_finished_by_the_next() {
    let stage = left_attached();
    let (_, count) = requests(&stage, &["gc"]);
    stage.assert_clean("not killed");
    assert!(count >= 6, "{count}");
    let cells: Vec<_> = (1..=count)
        .flat_map(|nth| [(nth, When::BeforeEffect), (nth, When::AfterEffect)])
        .collect();
    for_each(cells, AT_ONCE, |(nth, when)| {
        let stage = left_attached();
        run_killed_at(&stage, &["gc"], nth, when);
        stage.gc().ended_with(0);
        stage.assert_clean(&format!("clean-up killed at {nth} of {count}, {when:?}"));
    });
}

#[test]
fn credentials_of_another_account_delete_nothing_and_do_not_say_that_it_is_clean() {
    let stage = left_attached();
    let there = stage.ours();
    let key = other_key();
    let output = stage
        .victim(&["gc"])
        .env("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id)
        .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret)
        .output();
    let said = Said::of(&output.expect("a process")).ended_with(20);
    assert!(
        said.out.contains("the credentials are of account"),
        "{}",
        said.out
    );
    assert_eq!(stage.ours(), there);
    stage.gc().ended_with(0);
    stage.assert_clean("with its own credentials");
}
