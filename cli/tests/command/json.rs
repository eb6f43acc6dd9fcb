//! JSON lines: each as its schema says, the summary last, failures as objects.

use crate::place::Place;
use crate::schema::{check, schemas};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a command printed: its data, and what it said beside.
struct Lines {
    out: Vec<Value>,
    err: Vec<Value>,
    code: i32,
}

fn lines(place: &Place, args: &[&str]) -> Lines {
    let said = place.run(&[&["--json"], args].concat());
    let lines = Lines {
        out: said.out.lines().map(check).collect(),
        err: said.err.lines().map(check).collect(),
        code: said.code,
    };
    let summary = lines
        .out
        .last()
        .unwrap_or_else(|| panic!("{args:?}: no summary: {}", said.err));
    assert_eq!(summary["message_type"], "summary", "{args:?}");
    assert_eq!(summary["exit_code"], lines.code, "{args:?}");
    let last = lines.err.last().map(|line| &line["message_type"]);
    let failed = last.is_some_and(|last| last == "exit_error");
    assert_eq!(failed, lines.code != 0, "{args:?}: {}", said.err);
    if failed {
        assert_eq!(lines.err.last().unwrap()["code"], lines.code);
    }
    lines
}

/// Commands, and what they end with.
const COMMANDS: &[(&[&str], i32)] = &[
    (&["volumes", "web01.img"], 0),
    (&["volumes", "web01.img", "mbr-primary.img"], 0),
    (&["volumes", "ext4-journal-external.img"], 7),
    (&["ls", "-R", "web01.img"], 3),
    (&["ls", "-R", "ext4-nodes.img"], 0),
    (
        &["ls", "--xattrs", "--hash", "sha256", "web01.img:/usr/bin"],
        0,
    ),
    (&["ls", "-R", "damaged-names.img"], 0),
    (&["ls", "-R", "damaged-dirloop.img"], 3),
    (&["ls", "web01.img:/nope"], 4),
    (&["ls", "web01.img:/nope", "web01.img:/etc"], 3),
    (&["ls", "nope.img"], 10),
    (&["ls", "ssh:web01:/etc"], 7),
    (&["ls", "s-6we4k062vs82hmgt90pv"], 2),
    (&["ls", "--no-replay", "ext4-journal.img"], 0),
    (&["ls"], 2),
    (&["tree", "web01.img:/home"], 0),
    (
        &["stat", "ext4-nodes.img:/fifo", "ext4-nodes.img:/dev-b-8-17"],
        0,
    ),
    (
        &[
            "stat",
            "web01.img:/etc/hosts",
            "web01.img:/etc/mtab",
            "web01.img::raw",
        ],
        0,
    ),
    (&["stat", "damaged-extent.img:/e/AAAA"], 3),
    (&["find", "ext4-nodes.img"], 0),
    (&["find", "web01.img", "--name", "nothing"], 3),
    (&["hash", "web01.img:/etc/hosts"], 0),
    (
        &[
            "hash",
            "--algo",
            "md5",
            "web01.img:/etc/hosts",
            "web01.img:/etc",
        ],
        3,
    ),
    (&["hash", "damaged-extent.img:/e/AAAA"], 9),
    (&["version"], 0),
    (&["check", "--second-reader", "web01.img"], 3),
    (&["check", "damaged-extent.img"], 9),
    (&["check", "damaged-dirloop.img", "nested.img"], 3),
    (&["check", "damaged-dirloop.img", "damaged-extent.img"], 9),
    (&["cp", "web01.img:/etc", "to/"], 0),
    (&["cp", "--overwrite", "never", "web01.img:/etc", "to/"], 0),
    (&["cp", "-a", "ext4-nodes.img", "nodes/"], 3),
    (&["cp", "--salvage", "damaged-extent.img", "salvaged/"], 3),
    (&["cp", "web01.img:/nope", "to/"], 4),
    (&["cp", "web01.img:/etc/hosts", "no/such/place"], 1),
    (&["diff", "web01.img:/etc", "web01.img:/usr"], 0),
    (&["diff", "damaged-names.img:/", "damaged-dirloop.img:/"], 3),
    (&["versions", "web01.img:/etc/hosts"], 0),
    (&["restore", "web01.img:/etc", "--to", "restored"], 0),
    (
        &["restore", "web01.img:/etc", "--to", "restored", "--resume"],
        0,
    ),
    (
        &[
            "restore",
            "web01.img:/etc/hosts",
            "--to",
            "restored/etc",
            "-n",
        ],
        0,
    ),
    (&["restore", "ext4-nodes.img", "--to", "others"], 3),
    (
        &[
            "restore",
            "--salvage",
            "damaged-extent.img",
            "--to",
            "saved",
        ],
        3,
    ),
    (&["restore", "web01.img:/nope", "--to", "restored"], 4),
    (&["restore", "web01.img:/etc"], 2),
    (&["umount", "."], 2),
    (&["mount", "web01.img", "nosuch"], 2),
];

#[test]
fn every_line_is_as_documented() {
    let place = Place::new();
    let mut types = BTreeSet::new();
    for (args, code) in COMMANDS {
        let lines = lines(&place, args);
        assert_eq!(lines.code, *code, "{args:?}");
        for line in lines.out.iter().chain(&lines.err) {
            types.insert(line["message_type"].as_str().unwrap().to_owned());
        }
    }
    // Those of mounts, of the journal and of providers are tested where there are any.
    types.insert("point".to_owned());
    types.insert("session".to_owned());
    types.insert("resource".to_owned());
    // What is read, not printed.
    types.insert("manifest".to_owned());
    let documented = schemas().keys().cloned().collect();
    assert_eq!(types, documented);
}

#[test]
fn directories_come_before_their_entries_and_nothing_twice() {
    let place = Place::new();
    let listed = lines(&place, &["ls", "-R", "web01.img:/usr"]).out;
    let mut seen = BTreeSet::from(["/usr".to_owned()]);
    for node in &listed[..listed.len() - 1] {
        let path = node["path"].as_str().unwrap();
        let (parent, name) = path.rsplit_once('/').unwrap();
        assert!(seen.contains(parent), "{path}");
        assert_eq!(node["name"], name);
        assert_eq!(node["address"], format!("web01.img:{path}"));
        assert!(seen.insert(path.to_owned()), "{path}");
    }
    assert_eq!(listed.last().unwrap()["items"], seen.len() - 1);
}

#[test]
fn copies_tell_what_they_do_and_then_how_much() {
    let place = Place::new();
    let copied = lines(&place, &["cp", "web01.img:/etc", "to/"]).out;
    let summary = copied.last().unwrap();
    let restored: Vec<_> = (copied.iter())
        .filter(|line| line["message_type"] == "restored")
        .collect();
    assert_eq!(restored.len() + 1, copied.len());
    assert_eq!(summary["items"], restored.len());
    let files = restored.iter().filter(|line| line["type"] == "file");
    let bytes: u64 = files
        .clone()
        .map(|line| line["size"].as_u64().unwrap())
        .sum();
    assert_eq!(summary["files"], files.count());
    assert_eq!(summary["bytes"], bytes);
    for line in restored {
        let destination = place.path(line["destination"].as_str().unwrap());
        assert!(destination.symlink_metadata().is_ok(), "{line}");
    }
}

#[test]
fn names_that_are_not_text_come_as_base64() {
    let place = Place::new();
    if !flr_tests::require::require(&["mke2fs"]) {
        return;
    }
    let made = place.shell("mkdir t && : > t/\"$(printf 'caf\\351')\" && mke2fs -q -d t b.img 1m");
    assert_eq!(made.code, 0, "{}", made.err);
    let listed = lines(&place, &["ls", "b.img"]).out;
    let node = &listed[0];
    assert_eq!(node["path_b64"], "L2NhZuk=");
    let said = place.run(&["stat", "--from", "b.img", "--path-b64", "L2NhZuk="]);
    assert!(said.quiet().contains(r"b.img:/caf\xe9"));
    let copied = lines(&place, &["cp", "b.img", "to/"]).out;
    assert!(copied.iter().any(|line| line["path_b64"] == "L2NhZuk="));
    assert!(
        copied
            .iter()
            .any(|line| line["destination_b64"] == "dG8vY2Fm6Q==")
    );
}

#[test]
fn content_is_not_mixed_with_lines() {
    let place = Place::new();
    for args in [
        &["cat", "web01.img:/etc/hostname"][..],
        &["cp", "web01.img:/etc/hostname", "-"],
    ] {
        let said = place.run(&[&["--json"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (0, "web01\n"));
        assert_eq!(check(said.err.trim())["message_type"], "summary");
    }
    let said = place.run(&["cat", "--json", "web01.img:/etc/hostname", "web01.img:/etc"]);
    assert_eq!((said.code, said.out.as_str()), (3, "web01\n"));
    let types: Vec<_> = (said.err.lines())
        .map(|line| check(line)["message_type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["error", "summary", "exit_error"]);
}

#[test]
fn mistakes_on_the_command_line_are_json_too() {
    let place = Place::new();
    let said = place.run(&["ls", "--bogus", "--json"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert_eq!(check(said.err.trim())["code"], 2);
    // What stands behind `--` is no option.
    let said = place.run(&["ls", "--bogus", "--", "--json"]);
    assert!(said.err.starts_with("error: "), "{}", said.err);
}

#[test]
fn progress_as_lines() {
    let place = Place::new();
    let said = place.run(&[
        "cp",
        "--json",
        "--progress",
        "json",
        "web01.img::raw",
        "raw.img",
    ]);
    assert_eq!(said.code, 0);
    // How many there are depends on the machine.
    for line in said.err.lines() {
        assert_eq!(check(line)["action"], "copying");
    }
}
