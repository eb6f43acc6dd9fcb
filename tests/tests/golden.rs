//! Every image against what Linux and its tools say about it.

use flr_fs::{FsState, ReplayPolicy, Volume};
use flr_recover::{Error, OpenOptions, Point, point::Opened};
use flr_tests::{Golden, Rules, compare, golden, image};
use std::sync::Arc;

/// Opens an image, together with the device that holds its journal, where it has one.
fn open(name: &str, replay: ReplayPolicy) -> Arc<Point> {
    let options = OpenOptions {
        replay,
        ..OpenOptions::default()
    };
    let log = format!("{name}-log");
    let all = flr_tests::image::names();
    let names = [name.to_owned(), log]
        .into_iter()
        .filter(|name| all.contains(name));
    Point::open(
        names.map(|name| Volume::disk(image(&name))).collect(),
        &options,
    )
}

fn guest(name: &str, replay: ReplayPolicy) -> Result<Opened, Error> {
    open(name, replay).guest()
}

/// Images that are one ext filesystem, without a table around it.
fn bare_names() -> Vec<String> {
    let is_bare = |name: &String| {
        let is_other = name.starts_with("damaged-") || name.starts_with("ntfs-");
        !is_other && golden::exists(name) && Golden::load(name).fs == ["raw"]
    };
    flr_tests::image::names()
        .into_iter()
        .filter(is_bare)
        .collect()
}

fn assert_same(opened: &Opened, tree: &str, rules: Rules) {
    let told = compare(&opened.view, &Golden::load(tree), rules);
    assert!(told.is_empty(), "{tree}:\n{}", told.join("\n"));
}

#[test]
fn bare_filesystems_are_what_linux_says() {
    let names = bare_names();
    assert_eq!(names.len(), 36);
    let mut failed = Vec::new();
    for name in names {
        let told = match guest(&name, ReplayPolicy::Replay) {
            Ok(opened) => {
                let rules = Rules {
                    by_inode: name == "ext4-encrypt",
                    ..Rules::default()
                };
                compare(&opened.view, &Golden::load(&name), rules)
            }
            Err(error) => vec![error.to_string()],
        };
        if !told.is_empty() {
            failed.push(format!("{name}:\n  {}", told.join("\n  ")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn without_replay_the_disk_is_shown_as_it_lies() {
    let mut count = 0;
    for name in bare_names() {
        let raw = format!("{name}.raw");
        if !golden::exists(&raw) {
            continue;
        }
        count += 1;
        let opened = guest(&name, ReplayPolicy::Ignore).expect(&name);
        assert_same(&opened, &raw, Rules::default());
        assert_eq!(state(&opened), FsState::NotReplayed, "{name}");
    }
    assert_eq!(count, 7);
}

#[test]
fn a_replayed_journal_is_told() {
    for name in [
        "ext3-journal",
        "ext4-journal",
        "ext4-journal-wrap",
        "ext4-journal-external",
    ] {
        let opened = guest(name, ReplayPolicy::Replay).expect(name);
        assert_eq!(state(&opened), FsState::Replayed, "{name}");
    }
    assert_eq!(
        state(&guest("ext4-4k", ReplayPolicy::Replay).unwrap()),
        FsState::Clean
    );
}

fn state(opened: &Opened) -> FsState {
    opened.view.filesystems()[0].info().state.clone()
}
