//! Processes killed with SIGKILL at every request, before and after it had its effect: one clean-up later
//! nothing of ours is there.

use super::harness::{for_each, run_killed};
use super::stage::{Scene, Stage};
use crate::stand_in::When;

/// So many processes at a time.
const AT_ONCE: usize = 6;

fn run_killed_at<S: Scene>(stage: &Stage<S>, args: &[&str], nth: usize, when: When) -> bool {
    let mut victim = stage.victim(args);
    run_killed(
        &stage.fake,
        &mut victim,
        move |call| call.number >= nth,
        when,
    )
}

/// Requests of an undisturbed run, without those for metadata at its beginning.
fn requests<S: Scene>(stage: &Stage<S>, args: &[&str]) -> (usize, usize) {
    stage.fake.clear_requests();
    stage.run(args).ended_with(0);
    let calls = stage.fake.requests();
    let first = calls.iter().position(|call| !S::is_metadata(call));
    (first.expect("a request") + 1, calls.len())
}

fn cells(first: usize, last: usize) -> Vec<(usize, When)> {
    (first..=last)
        .flat_map(|nth| [(nth, When::BeforeEffect), (nth, When::AfterEffect)])
        .collect()
}

/// A process that reads is killed at each of its requests.
///
/// # Panics
/// Something is left.
pub fn of_a_process<S: Scene>() {
    let args = ["use", "1", S::SNAPSHOTS[0]];
    let (first, count) = requests(&Stage::<S>::new(), &args);
    assert!(count - first >= 15, "{first} to {count}");
    let results = for_each(cells(first, count), AT_ONCE, |(nth, when)| {
        let stage = Stage::<S>::new();
        let killed = run_killed_at(&stage, &args, nth, when);
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
///
/// # Panics
/// It was not.
#[must_use]
pub fn left_attached<S: Scene>() -> Stage<S> {
    let stage = Stage::<S>::new();
    let mut victim = stage.victim(&["use", "1", S::SNAPSHOTS[0]]);
    let is_end = |call: &crate::stand_in::Call<_>| call.operation == S::DETACH;
    assert!(run_killed(
        &stage.fake,
        &mut victim,
        is_end,
        When::BeforeEffect
    ));
    assert_eq!(stage.ours().len(), 1);
    stage
}

/// A clean-up is killed at each of its requests, and the next one finishes it.
///
/// # Panics
/// Something is left.
pub fn of_a_clean_up<S: Scene>() {
    let stage = left_attached::<S>();
    let (_, count) = requests(&stage, &["gc"]);
    stage.assert_clean("not killed");
    assert!(count >= 6, "{count}");
    for_each(cells(1, count), AT_ONCE, |(nth, when)| {
        let stage = left_attached::<S>();
        run_killed_at(&stage, &["gc"], nth, when);
        stage.gc().ended_with(0);
        stage.assert_clean(&format!("clean-up killed at {nth} of {count}, {when:?}"));
    });
}

/// A clean-up with the credentials of another account deletes nothing, and does not say that it is clean.
///
/// # Panics
/// It does.
pub fn with_another_account<S: Scene>() {
    let stage = left_attached::<S>();
    let there = stage.ours();
    let [id, secret] = S::other_key();
    let variables = [(S::KEY[0], id.as_str()), (S::KEY[1], secret.as_str())];
    let said = stage.run_with(&["gc"], &variables).ended_with(20);
    let words = "the credentials are of account";
    assert!(said.out.contains(words), "{}", said.out);
    assert_eq!(stage.ours(), there);
    stage.gc().ended_with(0);
    stage.assert_clean("with its own credentials");
}
