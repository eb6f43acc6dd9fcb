//! What a provider does to those who rely on it.

use super::harness::{Said, for_each};
use super::stage::{Scene, Stage, digest};
use crate::stand_in::{Call, FakeFault, When};
use std::time::Duration;

/// A refusal, before anything has come of the call.
#[must_use]
pub fn refusal(status: u16, code: &str) -> FakeFault {
    FakeFault::Error {
        when: When::BeforeEffect,
        status,
        code: code.to_owned(),
        reason: None,
    }
}

/// A fault of the first call of an operation.
pub fn first<S>(
    operation: &'static str,
    fault: FakeFault,
) -> impl FnMut(&Call<S>) -> Option<FakeFault> {
    move |call| (call.operation == operation && call.nth == 1).then(|| fault.clone())
}

/// Deletes that are refused, once with each of these, are repeated until it is gone.
///
/// # Panics
/// They are not.
pub fn of_deletes<S: Scene>(refusals: Vec<FakeFault>) {
    let stage = Stage::<S>::new();
    let count = refusals.len();
    stage.fake.set_rule(move |call| {
        let is_it = call.operation == S::DELETE;
        is_it.then(|| refusals.get(call.nth - 1).cloned()).flatten()
    });
    stage.read_right(&[]);
    assert!(stage.fake.count(S::DELETE) > count);
}

/// Reads that lag behind change nothing.
///
/// # Panics
/// They do.
pub fn of_reads_that_lag<S: Scene>() {
    let stage = Stage::<S>::new();
    S::lag(&mut stage.fake.state(), Duration::from_millis(400));
    stage.read_right(&[("FLR_TEST_WINDOW_MS", "1200")]);
    assert_eq!(stage.fake.count(S::CREATE), 1);
}

/// A making that fails is told and not waited for.
///
/// # Panics
/// It is.
pub fn of_a_making<S: Scene>() {
    let stage = Stage::<S>::new();
    S::fail_next(&mut stage.fake.state());
    let said = stage.read().ended_with(1);
    assert!(said.out.contains("the provider gave up"), "{}", said.out);
    stage.assert_clean("at the end");
    stage.read_right(&[]);
}

/// A device that has another size than the snapshot is not read.
///
/// # Panics
/// It is.
pub fn of_a_size<S: Scene>() {
    let stage = Stage::<S>::new();
    let said = stage.run(&["use", "2", S::SNAPSHOTS[0]]).ended_with(1);
    let words = "1073741824 bytes, not 2147483648";
    assert!(said.out.contains(words), "{}", said.out);
    stage.assert_clean("at the end");
}

/// Each fault with each operation.
#[must_use]
pub fn cells(faults: &[FakeFault], operations: &[&'static str]) -> Vec<(&'static str, FakeFault)> {
    let of = |fault: &FakeFault| {
        let fault = fault.clone();
        let operations = operations.iter();
        operations.map(move |operation| (*operation, fault.clone()))
    };
    faults.iter().flat_map(of).collect()
}

/// Every fault at the first call of every operation: the right bytes or an error, and nothing left. Most of
/// it, so many of ten, is passed over: a temporary fault is no reason to fail.
///
/// # Panics
/// It is not so.
pub fn at_first_calls<S: Scene>(
    (faults, operations): (&[FakeFault], &[&'static str]),
    at_once: usize,
    right_of_ten: usize,
) {
    let read = for_each(cells(faults, operations), at_once, |(operation, fault)| {
        let stage = Stage::<S>::new();
        let of_rule = fault.clone();
        stage.fake.set_rule(move |call| {
            let is_it = call.operation == operation && call.nth == 1;
            (is_it && !S::is_metadata(call)).then(|| of_rule.clone())
        });
        let said = stage.read();
        let name = format!("{operation} with {fault:?}");
        judge(&stage, &said, &fault, &name);
        stage.assert_clean(&name);
        said.code == Some(0)
    });
    let right = read.iter().filter(|right| **right).count();
    let count = read.len();
    assert!(right * 10 >= count * right_of_ten, "{right} of {count}");
}

fn judge<S: Scene>(stage: &Stage<S>, said: &Said, fault: &FakeFault, name: &str) {
    match said.code {
        Some(0) => assert_eq!(said.out.lines().next(), Some(digest(1).as_str()), "{name}"),
        Some(1) => {}
        // A refusal for good on the way out is believed, and said.
        Some(20) if *fault == FakeFault::Quota => {
            let left = format!("left {}", S::KIND);
            assert!(said.out.contains(&left), "{name}: {said:#?}");
            stage.gc().ended_with(0);
        }
        _ => panic!("{name}: {said:#?}"),
    }
}
