//! Real processes, killed with SIGKILL at every step: one clean-up later nothing of ours is there, and
//! what is somebody else's is as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

const SIGKILL: i32 = 9;

/// What others have there: without tags, and with one that is also ours.
const OTHERS: [(&str, &str); 2] = [
    (
        "db",
        r#"{"kind":"volume","id":"db","tags":{},"target":"i-9"}"#,
    ),
    (
        "prod",
        r#"{"kind":"volume","id":"prod","tags":{"flr:session":"prod"},"target":null}"#,
    ),
];

#[expect(clippy::disallowed_methods, reason = "a made-up provider")]
fn place() -> TempDir {
    let place = tempfile::tempdir().expect("a folder");
    fs::create_dir(place.path().join("cloud")).expect("a folder");
    for (name, text) in OTHERS {
        let path = place.path().join("cloud").join(format!("{name}.json"));
        fs::write(path, text).expect("a file");
    }
    place
}

fn run(place: &Path, what: &str, killed_at: Option<u64>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engine-victim"));
    command.arg(what).arg(place);
    if let Some(step) = killed_at {
        command.env("FLR_TEST_KILL_AT", step.to_string());
    }
    command.output().expect("a process")
}

fn cloud(place: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(place.join("cloud")).expect("a folder");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("plain");
        (name.to_owned(), fs::read_to_string(&path).expect("text"))
    };
    entries.map(read).collect()
}

/// Runs to the end and gives the number of steps.
fn steps(place: &Path, what: &str) -> u64 {
    let output = run(place, what, None);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{what}: {said}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.trim().parse().expect("a number")
}

fn assert_clean(place: &Path, when: &str) {
    let others = OTHERS.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(cloud(place), BTreeMap::from(others), "{when}");
}

fn killed(place: &Path, what: &str, step: u64) {
    let output = run(place, what, Some(step));
    assert_eq!(output.status.signal(), Some(SIGKILL), "{what} at {step}");
}

/// Does something for each number, four at a time.
fn for_each(count: u64, each: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > count {
                        break;
                    }
                    each(number);
                }
            });
        }
    });
}

#[test]
fn a_process_killed_at_any_step_leaves_nothing_behind() {
    let whole = place();
    let count = steps(whole.path(), "use");
    assert_clean(whole.path(), "not killed");
    assert!(count >= 40, "{count} steps");
    let (left_something, kills) = (AtomicU64::new(0), AtomicU64::new(0));
    for_each(count, |step| {
        let place = place();
        // How often it has to look until something is gone depends on the clock: late steps may not be reached.
        let output = run(place.path(), "use", Some(step));
        let was_killed = output.status.signal() == Some(SIGKILL);
        assert!(was_killed || output.status.code() == Some(0), "at {step}");
        kills.fetch_add(u64::from(was_killed), Ordering::Relaxed);
        let left = cloud(place.path()).len() > OTHERS.len();
        left_something.fetch_add(u64::from(left), Ordering::Relaxed);
        steps(place.path(), "gc");
        assert_clean(place.path(), &format!("killed at {step} of {count}"));
        steps(place.path(), "gc");
        assert_clean(place.path(), &format!("killed at {step}, twice cleaned up"));
    });
    let kills = kills.into_inner();
    assert!(kills >= 40, "only {kills} of {count} were killed");
    // Otherwise the clean-up has had nothing to do.
    let left = left_something.into_inner();
    assert!(left >= 20, "only {left} of {count} left something");
}

#[test]
fn a_clean_up_that_is_killed_is_finished_by_the_next() {
    // The middle of the work: both resources are there.
    let middle = (1..200).find(|step| {
        let place = place();
        killed(place.path(), "use", *step);
        cloud(place.path()).len() == OTHERS.len() + 2
    });
    let middle = middle.expect("two resources at a time");
    let whole = place();
    killed(whole.path(), "use", middle);
    let count = steps(whole.path(), "gc");
    assert_clean(whole.path(), "not killed");
    assert!(count >= 10, "{count} steps");
    for_each(count, |step| {
        let place = place();
        killed(place.path(), "use", middle);
        // How often it has to look depends on the clock: a late step may not be reached.
        let output = run(place.path(), "gc", Some(step));
        let ended = output.status.code() == Some(0);
        assert!(
            ended || output.status.signal() == Some(SIGKILL),
            "at {step}"
        );
        steps(place.path(), "gc");
        assert_clean(
            place.path(),
            &format!("clean-up killed at {step} of {count}"),
        );
    });
}
