//! What changed from one image to another, against what the kernel shows of both.

use crate::filled::{NEEDS, Tree, apart, fill, tree};
use crate::place::Place;
use flr_tests::require::require;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is no difference between two nodes.
const NO_DIFFERENCE: [&str; 11] = [
    "inode",
    "nlink",
    "atime_ns",
    "ctime_ns",
    "btime_ns",
    "blocks",
    "generation",
    "atime_raw",
    "ctime_raw",
    "btime_raw",
    "mtime_raw",
];

/// Fields of a node that are what it holds.
const CONTENT: [&str; 5] = ["sha256", "size", "target", "rdev", "data"];

/// An image, and what became of it.
fn images(place: &Place) {
    fill(place, "old.img", "base mnt", "32M");
    apart(
        place,
        "cp --sparse=always old.img new.img; mount -o loop new.img mnt; $FILL change mnt; umount mnt; \
         for i in old new; do mount -o ro,loop,noload $i.img mnt; $ORACLE dir mnt > $i.tree; umount mnt; done",
    );
}

/// The lines that are expected of two trees.
fn expected(old: &Tree, new: &Tree) -> BTreeSet<String> {
    let paths: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let lines = paths.into_iter().filter_map(|path| {
        let shown = path.replace('\n', "\\n");
        match (old.get(path), new.get(path)) {
            (Some(_), None) => Some(format!("D\t{shown}")),
            (None, Some(_)) => Some(format!("A\t{shown}")),
            (Some(old), Some(new)) => change(old, new).map(|letter| format!("{letter}\t{shown}")),
            (None, None) => None,
        }
    });
    lines.collect()
}

fn change(old: &Value, new: &Value) -> Option<char> {
    let is_dir = old["type"] == "dir";
    let fields = || {
        let both = [old, new]
            .into_iter()
            .flat_map(|node| node.as_object().unwrap());
        both.map(|(key, _)| key.as_str())
            .filter(|key| old.get(*key) != new.get(*key))
    };
    let mut fields = fields()
        .filter(|key| !(is_dir && *key == "mtime_ns"))
        .peekable();
    fields.peek()?;
    if old["type"] != new["type"] {
        return Some('T');
    }
    Some(match fields.any(|key| CONTENT.contains(&key)) {
        true => 'M',
        false => 'm',
    })
}

/// Letter and path of each line that was printed.
fn printed(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| {
        let mut columns = line.split('\t');
        format!("{}\t{}", columns.next().unwrap(), columns.next().unwrap())
    });
    lines.collect()
}

#[test]
fn differences_are_those_that_the_kernel_shows() {
    if !require(&NEEDS) {
        return;
    }
    let place = Place::new();
    images(&place);
    let old = tree(&place, "old.tree", &NO_DIFFERENCE);
    let new = tree(&place, "new.tree", &NO_DIFFERENCE);
    let expected = expected(&old, &new);
    for letter in ["A", "D", "M", "m", "T"] {
        assert!(
            expected.iter().any(|line| line.starts_with(letter)),
            "{letter}: {expected:#?}"
        );
    }
    for args in [&["diff"][..], &["diff", "--checksum"]] {
        let said = place.run(&[args, &["old.img:/", "new.img:/"]].concat());
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        assert_eq!(printed(&said.out), expected, "{args:?}");
    }
    // Its size, its time and all that a copy by rsync looks at are as they were.
    let said = place.run(&[
        "diff",
        "old.img:/edited-in-secret",
        "new.img:/edited-in-secret",
    ]);
    assert_eq!(said.out, "M\t/\n");
    let same = place.run(&["diff", "--checksum", "old.img:/same", "new.img:/same"]);
    assert_eq!(same.quiet(), "");
    let turned = place.run(&["diff", "new.img:/", "old.img:/"]).quiet();
    assert_eq!(printed(&turned).len(), expected.len());
}

#[test]
fn a_file_that_moved_is_one_change_on_request() {
    if !require(&NEEDS) {
        return;
    }
    let place = Place::new();
    images(&place);
    let said = place
        .run(&["diff", "--renames", "old.img:/", "new.img:/"])
        .quiet();
    assert!(
        said.lines().any(|line| line == "R\t/moves/from\t/moves/to"),
        "{said}"
    );
    assert!(!said.contains("D\t/moves/from"), "{said}");
    let without = place.run(&["diff", "old.img:/", "new.img:/"]).quiet();
    assert_eq!(without.lines().count(), said.lines().count() + 1);
}

#[test]
fn lines_for_programs_say_what_differs() {
    if !require(&NEEDS) {
        return;
    }
    let place = Place::new();
    images(&place);
    let said = place.run(&["--json", "diff", "-M", "old.img:/", "new.img:/"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let lines: Vec<_> = said.out.lines().map(crate::schema::check).collect();
    let of = |path: &str| {
        let found = lines.iter().find(|line| line["path"] == path);
        found.unwrap_or_else(|| panic!("{path}")).clone()
    };
    assert_eq!(of("/mode")["change"], "metadata");
    assert_eq!(of("/mode")["fields"], serde_json::json!(["mode"]));
    assert_eq!(of("/mode")["after"]["mode"], "0600");
    assert_eq!(of("/owner")["fields"], serde_json::json!(["uid", "gid"]));
    assert_eq!(of("/attribute")["fields"], serde_json::json!(["xattrs"]));
    assert_eq!(of("/touched")["fields"], serde_json::json!(["mtime"]));
    assert_eq!(of("/link")["change"], "content");
    assert_eq!(of("/becomes-dir")["before"]["type"], "file");
    assert_eq!(of("/moves/to")["before"]["path"], "/moves/from");
    let summary = lines.last().unwrap();
    assert_eq!(summary["renamed"], 1);
    assert!(summary["same"].as_u64().unwrap() > 20);
}

#[test]
fn nothing_is_said_to_be_gone_that_could_not_be_looked_for() {
    let place = Place::new();
    // A directory that cannot be read whole, and itself: what can be read is the same, and told is what cannot.
    let said = place.run(&["diff", "damaged-dirblock.img:/", "damaged-dirblock.img:/"]);
    assert_eq!((said.code, said.out.as_str()), (3, ""), "{}", said.err);
    let said = place.run(&["diff", "web01.img:/etc", "web01.img:/nope"]);
    assert_eq!(said.code, 4, "{}", said.err);
    let said = place.run(&["diff", "web01.img:/etc"]);
    assert_eq!(said.code, 2, "{}", said.err);
}
