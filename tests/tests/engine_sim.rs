//! The clone engine under the simulator: no seed may break an invariant, and each rule of the engine
//! that is broken must be noticed.

use flr_provider::engine::Rule;
use flr_tests::sim::{Options, RULES, Report, run};
use std::ops::Range;
use std::time::Duration;

/// Within so many seeds a broken rule is found.
const SEEDS_MAX: u64 = 10_000;

fn hold(seeds: Range<u64>) {
    let (mut made, mut denials, count) = (0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let report = run(seed, Options::default());
        let Report { violations, .. } = &report;
        assert!(
            violations.is_empty(),
            "seed {seed}: {violations:#?}\ncargo run -p flr-tests --bin sim -- --from {seed} --log"
        );
        made += report.made;
        denials += report.denials;
    }
    // A simulation in which nothing is made proves nothing.
    assert!(u64::try_from(made).expect("a count") > count, "{made} made");
    assert!(denials > 30, "the path of writes was asked {denials} times");
}

/// Four tests, so that they run side by side.
#[test]
fn nothing_is_left_behind_1() {
    hold(0..2500);
}

#[test]
fn nothing_is_left_behind_2() {
    hold(2500..5000);
}

#[test]
fn nothing_is_left_behind_3() {
    hold(5000..7500);
}

#[test]
fn nothing_is_left_behind_4() {
    hold(7500..10_000);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let first = run(seed, Options::default());
        let second = run(seed, Options::default());
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.awaits, second.awaits, "seed {seed}");
        hashes.insert(first.hash);
    }
    assert_eq!(hashes.len(), 200, "and another seed another");
}

/// The first seed with a violation, and the violations.
fn first_violation(options: Options) -> Option<(u64, Vec<String>)> {
    (0..SEEDS_MAX).find_map(|seed| {
        let violations = run(seed, options).violations;
        let violations: Vec<_> = violations.into_iter().collect();
        (!violations.is_empty()).then_some((seed, violations))
    })
}

#[test]
fn each_rule_that_is_broken_is_noticed() {
    for rule in RULES {
        let options = Options {
            broken: Some(*rule),
            ..Options::default()
        };
        let found = first_violation(options);
        let (seed, violations) = found.unwrap_or_else(|| panic!("{rule:?} is not missed"));
        let invariant = match rule {
            Rule::WriteAhead => "I4",
            Rule::OneToken => "I3",
            Rule::Reaper | Rule::Fencing => "I2",
            Rule::TagsInCreate
            | Rule::UnknownOutcome
            | Rule::SeenGone
            | Rule::Denied
            | Rule::Account => "I1",
        };
        assert!(
            violations.iter().any(|line| line.starts_with(invariant)),
            "{rule:?}, seed {seed}: {violations:#?}"
        );
    }
}

#[test]
fn a_window_shorter_than_the_lag_is_noticed() {
    let options = Options {
        window: Some(Duration::from_secs(30)),
        ..Options::default()
    };
    let (_, violations) = first_violation(options).expect("reads lag by up to 120 s");
    assert!(
        violations.iter().any(|line| line.starts_with("I1")),
        "{violations:#?}"
    );
}

#[test]
fn an_answer_given_up_too_early_is_noticed() {
    // Calls have their effect up to 29 s after they were sent.
    let options = Options {
        call_limit: Some(Duration::from_secs(1)),
        window: Some(Duration::from_secs(120)),
        ..Options::default()
    };
    let (_, violations) = first_violation(options).expect("effects come later than that");
    assert!(
        violations.iter().any(|line| line.starts_with("I1")),
        "{violations:#?}"
    );
}
