//! Every image against what Linux and its tools say about it.

use flr_fs::filesystem::ext::codes;
use flr_fs::{ReplayPolicy, Volume};
use flr_recover::{Error, OpenOptions, Point, point::Opened};
use flr_tests::{Golden, Rules, compare, golden, image};
use std::sync::Arc;

/// Whether logs are replayed. Until they are, a filesystem with a dirty one must be refused.
const REPLAYS: bool = true;

fn open(name: &str, replay: ReplayPolicy) -> Arc<Point> {
    let options = OpenOptions {
        replay,
        ..OpenOptions::default()
    };
    Point::open(vec![Volume::disk(image(name))], &options)
}

fn guest(name: &str, replay: ReplayPolicy) -> Result<Opened, Error> {
    open(name, replay).guest()
}

/// Images that are one filesystem, without a table around it.
fn bare_names() -> Vec<String> {
    let is_bare = |name: &String| {
        golden::exists(name) && Golden::load(name).fs == ["raw"] && !name.starts_with("damaged-")
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
        let dirty = golden::exists(&format!("{name}.raw"));
        if dirty && !REPLAYS {
            continue;
        }
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
fn a_dirty_journal_is_refused_or_left_out() {
    let mut count = 0;
    for name in bare_names() {
        let raw = format!("{name}.raw");
        if !golden::exists(&raw) {
            continue;
        }
        count += 1;
        if !REPLAYS {
            match guest(&name, ReplayPolicy::Replay) {
                Err(Error::Fs(error)) => assert_eq!(error.code(), codes::JOURNAL_DIRTY, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        let opened = guest(&name, ReplayPolicy::Ignore).expect(&name);
        assert_same(&opened, &raw, Rules::default());
    }
    assert_eq!(count, 7);
}
