//! Comparisons of filesystems in memory: damage, and how much is read.

use super::*;
use crate::testing::{MemoryFs, Part, Parts, ROOT};
use crate::view::View;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const QUICK: DiffOptions = DiffOptions {
    content: Content::Quick,
    renames: false,
};
const ALWAYS: DiffOptions = DiffOptions {
    content: Content::Always,
    renames: false,
};

/// One line for everything that was told, but for what is the same.
fn compared(before: &View, after: &View, options: DiffOptions) -> Vec<String> {
    let root = |view: &View| view.resolve(b"/", true).unwrap();
    let mut lines = Vec::new();
    let never = AtomicBool::new(false);
    let mut visit = |step: Step| {
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        match step {
            Step::Same => {}
            Step::Different(found) => {
                let half = found.after.as_ref().or(found.before.as_ref());
                let path = text(&half.unwrap().path);
                let fields = found.fields.join(",");
                lines.push(format!("{} {path} {fields}", found.change.word()));
            }
            Step::Failed { path, side, .. } => {
                lines.push(format!("failed {} {side:?}", text(&path)));
            }
        }
        ControlFlow::Continue(())
    };
    let (old, new) = (root(before), root(after));
    let kept = Kept::default();
    let (before, after) = ((before, &old), (after, &new));
    diff(before, after, options, &kept, &never, &mut visit).unwrap();
    lines.sort();
    lines
}

#[test]
fn nothing_is_gone_on_the_word_of_a_damaged_directory() {
    let tree = |damaged: bool| {
        let mut fs = MemoryFs::new();
        let dir = fs.dir(ROOT, "dir");
        fs.file(dir, "both", *b"x");
        if damaged {
            fs.damage(dir);
        } else {
            fs.file(dir, "one", *b"x");
            fs.file(ROOT, "gone", *b"x");
        }
        fs.view()
    };
    let found = compared(&tree(false), &tree(true), QUICK);
    assert_eq!(found, ["failed /dir After", "removed /gone "]);
    let found = compared(&tree(true), &tree(false), QUICK);
    assert_eq!(found, ["added /gone ", "failed /dir Before"]);
}

#[test]
fn content_that_cannot_be_read_is_neither_the_same_nor_another() {
    let tree = |part: Part| {
        let mut fs = MemoryFs::new();
        fs.source(ROOT, "file", Arc::new(Parts(vec![Part::Data(5000), part])));
        fs.view()
    };
    let (good, bad) = (tree(Part::Data(100)), tree(Part::Bad(100)));
    assert_eq!(compared(&good, &bad, ALWAYS), ["failed /file After"]);
    assert_eq!(compared(&bad, &good, ALWAYS), ["failed /file Before"]);
    // Of another size it is another file, whatever it holds.
    let longer = tree(Part::Bad(101));
    let found = compared(&good, &longer, QUICK);
    assert_eq!(found, ["content /file content,size"]);
}

#[test]
fn what_was_not_touched_is_not_read_unless_it_is_asked_for() {
    let tree = |part: Part, uuid: Option<&str>, nanoseconds: u32| {
        let mut fs = MemoryFs::new();
        if let Some(uuid) = uuid {
            fs.set_uuid(uuid);
        }
        let file = fs.source(ROOT, "file", Arc::new(Parts(vec![part])));
        fs.edit(file).ctime.nanoseconds = nanoseconds;
        fs.view()
    };
    let same: [String; 0] = [];
    for (uuids, nanoseconds, is_read) in [
        ([Some("a"), Some("a")], 5, false),
        // Of times in whole seconds nothing follows.
        ([Some("a"), Some("a")], 0, true),
        // Two filesystems: as rsync does it.
        ([Some("a"), Some("b")], 5, false),
        ([None, None], 5, false),
    ] {
        let good = tree(Part::Data(100), uuids[0], nanoseconds);
        let bad = tree(Part::Bad(100), uuids[1], nanoseconds);
        let found = compared(&good, &bad, QUICK);
        match is_read {
            true => assert_eq!(found, ["failed /file After"], "{uuids:?}"),
            false => assert_eq!(found, same, "{uuids:?}"),
        }
        assert_eq!(compared(&good, &bad, ALWAYS), ["failed /file After"]);
    }
}

#[test]
fn holes_are_zeros_and_are_not_read() {
    let tree = |parts: Vec<Part>| {
        let mut fs = MemoryFs::new();
        fs.source(ROOT, "file", Arc::new(Parts(parts)));
        fs.view()
    };
    let hole = tree(vec![Part::Hole(1 << 45), Part::Hole(3_000_000)]);
    let unwritten = tree(vec![Part::Unwritten(1 << 45), Part::Zeros(3_000_000)]);
    let stored = tree(vec![
        Part::Hole(1 << 45),
        Part::Zeros(2_999_999),
        Part::Data(1),
    ]);
    let same: [String; 0] = [];
    assert_eq!(compared(&hole, &unwritten, ALWAYS), same);
    assert_eq!(
        compared(&unwritten, &stored, ALWAYS),
        ["content /file content"]
    );
}

#[test]
fn a_directory_that_became_a_file_takes_its_entries_along() {
    let mut old = MemoryFs::new();
    let dir = old.dir(ROOT, "x");
    old.file(dir, "in-it", *b"x");
    let mut new = MemoryFs::new();
    new.file(ROOT, "x", *b"x");
    let found = compared(&old.view(), &new.view(), QUICK);
    assert_eq!(found, ["removed /x/in-it ", "type /x "]);
}

#[test]
fn a_directory_in_itself_ends_the_way_there() {
    let tree = || {
        let mut fs = MemoryFs::new();
        let dir = fs.dir(ROOT, "dir");
        fs.enter(dir, "loop", dir);
        fs.view()
    };
    let found = compared(&tree(), &tree(), QUICK);
    assert_eq!(found, ["failed /dir/loop Before"]);
}
