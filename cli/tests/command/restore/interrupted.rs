//! A restore that is killed, or whose writes fail, at many points: nothing half stands under a final name,
//! and `--resume` makes the same tree.

use crate::place::{Place, Said};
use flr_tests::require::require;

/// Calls that a restore makes, and which of them fails or kills it. They are counted in each thread by itself:
/// of 25 files and at most four threads, one has six files at least.
const CALLS: [(&str, &[u32]); 9] = [
    ("pwrite64", &[1, 2, 4, 6]),
    ("renameat2", &[1, 3, 5, 6]),
    ("mkdirat", &[2, 4]),
    ("fchmod", &[2, 4, 6]),
    ("fchown", &[3, 5]),
    ("utimensat", &[1, 5]),
    ("symlinkat", &[1]),
    ("pread64", &[3, 6]),
    ("close", &[4, 6]),
];

const WHAT: [&str; 5] = ["restore", "web01.img:/etc", "web01.img:/opt", "--to", "out"];

/// Runs the restore under `strace`, with one call of a kind going wrong.
fn injected(place: &Place, call: &str, what: &str, nth: u32) -> Said {
    let mut command = place.program("strace");
    command.args(["-f", "-qq", "-o", "trace"]);
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={call}:{what}:when={nth}")]);
    command.arg(env!("CARGO_BIN_EXE_flr")).args(WHAT);
    Said::of(&command.output().unwrap())
}

fn assert_whole(place: &Place, what: &str) {
    let left = place.shell("find out -name '.flr-*' 2> /dev/null");
    assert_eq!(left.out, "", "{what}: temporary files");
    // What only holds what was restored is not restored itself.
    let differences = place.shell(
        "touch -r whole out; rsync -aHAXn --checksum --modify-window=-1 --delete --itemize-changes whole/ out/",
    );
    assert_eq!(
        (differences.out.as_str(), differences.err.as_str()),
        ("", ""),
        "{what}"
    );
}

/// Whatever stands under a final name is what the whole restore has there.
fn assert_nothing_half(place: &Place, what: &str) {
    let script = "cd out 2> /dev/null || exit 0; \
        find . -type f -not -name '.flr-*' -exec sh -c 'cmp -s \"$1\" ../whole/\"$1\" || echo \"$1\"' _ {} \\;";
    let half = place.shell(script);
    assert_eq!(half.out, "", "{what}");
}

fn whole(place: &Place) {
    let said = place.run(&["restore", WHAT[1], WHAT[2], "--to", "whole"]);
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn killed_anywhere_it_can_be_gone_on_with() {
    if !require(&["root", "strace", "rsync"]) {
        return;
    }
    let place = Place::new();
    whole(&place);
    let mut killed = 0;
    for (call, points) in CALLS {
        for nth in points {
            let what = format!("killed at {call} {nth}");
            let said = injected(&place, call, "signal=KILL", *nth);
            // A call that is not made so often kills nothing.
            killed += u32::from(said.code == 137);
            assert!(
                matches!(said.code, 0 | 137),
                "{what}: {} {}",
                said.code,
                said.err
            );
            assert_nothing_half(&place, &what);
            let again = place.run(&[&WHAT[..], &["--resume"]].concat());
            assert_eq!(again.code, 0, "{what}: {}", again.err);
            assert_whole(&place, &what);
            std::fs::remove_dir_all(place.path("out")).unwrap();
        }
    }
    assert_eq!(killed, 22);
}

#[test]
fn a_manifest_that_is_killed_leaves_no_result() {
    if !require(&["strace"]) {
        return;
    }
    let place = Place::new();
    let text = "version = 1\n[[job]]\nfrom = 'web01.img:/etc'\nto = 'out'\n";
    std::fs::write(place.path("jobs.toml"), text).unwrap();
    let names = ["RESULT.jsonl", "SHA256SUMS"];
    for (call, nth, earlier) in [("renameat2", 1, false), ("renameat2", 3, true)] {
        for name in names.iter().filter(|_| earlier) {
            std::fs::write(place.path(name), "of yesterday").unwrap();
        }
        let mut command = place.program("strace");
        command.args(["-f", "-qq", "-o", "trace", "-e", &format!("trace={call}")]);
        command.args(["-e", &format!("inject={call}:signal=KILL:when={nth}")]);
        command.args([env!("CARGO_BIN_EXE_flr"), "restore", "-f", "jobs.toml"]);
        let said = Said::of(&command.output().unwrap());
        assert_eq!(said.code, 137, "{call} {nth}: {}", said.err);
        for name in names {
            match earlier {
                true => assert_eq!(place.read(name), "of yesterday", "{call} {nth}"),
                false => assert!(!place.path(name).exists(), "{call} {nth}: {name}"),
            }
        }
        std::fs::remove_dir_all(place.path("out")).unwrap();
    }
    let said = place.run(&["restore", "-f", "jobs.toml"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(names.iter().all(|name| place.read(name).contains("hosts")));
}

#[test]
fn a_write_that_fails_ends_it_and_it_can_be_gone_on_with() {
    if !require(&["root", "strace", "rsync"]) {
        return;
    }
    let place = Place::new();
    whole(&place);
    for (call, points) in &CALLS[..3] {
        for (nth, error) in points
            .iter()
            .zip(["EIO", "ENOSPC", "EDQUOT"].iter().cycle())
        {
            let what = format!("{error} at {call} {nth}");
            let said = injected(&place, call, &format!("error={error}"), *nth);
            assert_eq!(said.code, 1, "{what}: {}", said.err);
            if *error != "EIO" {
                assert!(said.err.contains("--resume"), "{what}: {}", said.err);
            }
            assert_nothing_half(&place, &what);
            let left = place.shell("find out -name '.flr-*' 2> /dev/null");
            assert_eq!(left.out, "", "{what}: temporary files");
            let again = place.run(&[&WHAT[..], &["--resume"]].concat());
            assert_eq!(again.code, 0, "{what}: {}", again.err);
            assert_whole(&place, &what);
            std::fs::remove_dir_all(place.path("out")).unwrap();
        }
    }
}

#[test]
fn what_was_recorded_is_used() {
    if !require(&["root", "strace", "rsync"]) {
        return;
    }
    let place = Place::new();
    whole(&place);
    let said = injected(&place, "renameat2", "signal=KILL", 6);
    assert_eq!(said.code, 137, "{}", said.err);
    let ledgers = place.names("state/flr/restores");
    assert!(!ledgers.is_empty());
    let said = place.run(&[&["--json"], &WHAT[..], &["--resume"]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let summary: serde_json::Value =
        serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert!(summary["verified"].as_u64().unwrap() >= 5, "{summary}");
    assert!(summary["files"].as_u64().unwrap() > 0, "{summary}");
    assert_whole(&place, "gone on with");
    // The other ledger is that of the whole one, which was done and left none.
    let after = place.names("state/flr/restores");
    assert!(after.len() < ledgers.len(), "{after:?}");
}

#[test]
fn a_signal_leaves_whole_files_and_says_how_to_go_on() {
    use crate::interrupt::{in_the_middle, interrupted};
    use rustix::process::Signal;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let args = ["restore", "large.img::raw", "--to", "to"];
        let (place, found, said) = interrupted(signal, &args, in_the_middle);
        assert_eq!(found, code, "{said}");
        assert_eq!(place.names("to"), [""; 0]);
        assert!(said.contains("warning: interrupted: 0 files"), "{said}");
        assert!(said.contains("--resume"), "{said}");
    }
}
