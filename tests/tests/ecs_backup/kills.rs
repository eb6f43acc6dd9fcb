//! Processes killed with SIGKILL at every request: one clean-up later no disk is there, and whatever has
//! left the care of Cloud Backup is owed.

use crate::stage::{OF_DATA, Stage};
use flr_tests::ecs_fake::{Call, Service, When};
use flr_tests::victim::harness::{for_each, run_killed};

const READ: [&str; 3] = ["use", OF_DATA, "yes"];

/// What a process killed at one request has left.
struct Left {
    was_killed: bool,
    has_disk: bool,
    has_left_lifecycle: bool,
}

/// Kills a process at the nth request, with or without that having its effect.
fn killed_at(stage: &Stage, nth: usize, when: When) -> bool {
    let is_it = move |call: &Call| call.number >= nth;
    run_killed(&stage.fake, &mut stage.victim(&READ), is_it, when)
}

fn cell(nth: usize, when: When) -> Left {
    let stage = Stage::new();
    let was_killed = killed_at(&stage, nth, when);
    let has_disk = !stage.disks().is_empty();
    let said = stage.run(&["gc"], 0);
    let place = format!("killed at {nth}, {when:?}: {said}");
    assert_eq!(stage.disks(), [""; 0], "{place}");
    let has_left_lifecycle = !stage.fake.left_lifecycle().is_empty();
    let is_owed = said.contains(&format!("duty {OF_DATA} "));
    assert!(is_owed || !has_left_lifecycle, "{place}");
    Left {
        was_killed,
        has_disk,
        has_left_lifecycle,
    }
}

#[test]
fn killed_at_any_request_nothing_is_left_that_is_not_owed() {
    let stage = Stage::new();
    stage.run(&READ, 0);
    let calls = stage.fake.requests();
    let is_journaled = |call: &&_| -> bool {
        let call: &flr_tests::ecs_fake::Call = call;
        call.service == Service::Sts
    };
    // Before the first of them nothing is written down, and nothing made.
    let first = calls.iter().find(is_journaled).expect("a call").number;
    let count = calls.len();
    assert!(count - first >= 8, "{first} to {count}");
    let whens = |nth: usize| -> &[When] {
        // What only looks has no effect to be killed before.
        match calls[nth - 1].operation.starts_with("Describe") {
            true => &[When::AfterEffect],
            false => &[When::BeforeEffect, When::AfterEffect],
        }
    };
    let cells: Vec<_> = (first..=count)
        .flat_map(|nth| whens(nth).iter().map(move |when| (nth, *when)))
        .collect();
    let done = for_each(cells, 6, |(nth, when)| cell(nth, when));
    let count = |is: fn(&&Left) -> bool| done.iter().filter(is).count();
    // Otherwise there was nothing to be seen.
    assert!(count(|left| left.was_killed) >= 12, "{}", done.len());
    assert!(count(|left| left.has_disk) >= 4, "{}", done.len());
    assert!(count(|left| left.has_left_lifecycle) >= 4, "{}", done.len());
    assert!(
        count(|left| !left.has_left_lifecycle) >= 1,
        "{}",
        done.len()
    );
}
