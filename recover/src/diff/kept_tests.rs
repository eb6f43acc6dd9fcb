//! What is believed to be kept, and what is read all the same.

use super::*;
use crate::point::{OpenOptions, Point};
use crate::testing::{MemoryFs, ROOT};
use crate::view::View;
use flr_fs::{ByteSource, Memory, Slice, Volume};
use flr_provider::point::{CommonDisk, Unchanged};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Length of the disks.
const DISK: usize = 64 << 10;

/// Says that all is the same but for one range.
#[derive(Debug)]
struct AllBut(Range<u64>);

impl Unchanged for AllBut {
    fn stretch(&self, range: Range<u64>) -> (u64, bool) {
        let is_same = !self.0.contains(&range.start);
        let end = match is_same {
            true if self.0.start > range.start => self.0.start,
            true => u64::MAX,
            false => self.0.end,
        };
        (end.min(range.end).saturating_sub(range.start), is_same)
    }
}

/// A disk that is all of one byte. What is not read is not seen to be another.
fn disk(byte: u8) -> Arc<dyn ByteSource> {
    Arc::new(Memory::new(vec![byte; DISK]))
}

/// A tree with one file, which lies in a partition of a disk.
fn tree(disk: &Arc<dyn ByteSource>, partition: u64, at: u64, size: u64) -> Arc<dyn ByteSource> {
    let partition = Slice::new(Arc::clone(disk), partition, 32 << 10).unwrap();
    Arc::new(Slice::new(Arc::new(partition), at, size).unwrap())
}

fn view(content: Arc<dyn ByteSource>) -> View {
    let mut fs = MemoryFs::new();
    let file = fs.source(ROOT, "file", content);
    fs.set_uuid("one");
    // Times of whole seconds, from which nothing follows.
    fs.edit(file).ctime.nanoseconds = 0;
    fs.view()
}

/// The kinds of change there are from a file to another, and what it took.
fn compared(
    disks: [&Arc<dyn ByteSource>; 2],
    contents: [Arc<dyn ByteSource>; 2],
    changed: Range<u64>,
    content: Content,
) -> (Vec<&'static str>, Effort) {
    let point = |disk: &Arc<dyn ByteSource>| {
        let disk = Volume::disk(Arc::clone(disk));
        Point::open(vec![disk], &OpenOptions::default())
    };
    let [before, after] = disks.map(point);
    let common = CommonDisk {
        before: 0,
        after: 0,
        unchanged: Arc::new(AllBut(changed)),
    };
    let kept = Kept::new(&before, &after, &[common]);
    let [before, after] = contents.map(view);
    let root = |view: &View| view.resolve(b"/", true).unwrap();
    let (old, new) = (root(&before), root(&after));
    let options = DiffOptions {
        content,
        renames: false,
    };
    let mut changes = Vec::new();
    let mut visit = |step| {
        match step {
            Step::Different(found) => changes.push(found.change.word()),
            Step::Failed { .. } => changes.push("failed"),
            Step::Same => {}
        }
        ControlFlow::Continue(())
    };
    let never = AtomicBool::new(false);
    let (old, new) = ((&before, &old), (&after, &new));
    let effort = diff(old, new, options, &kept, &never, &mut visit).unwrap();
    (changes, effort)
}

#[test]
fn what_lies_where_nothing_changed_is_not_read() {
    let (old, new) = (disk(1), disk(2));
    let files = || [tree(&old, 8192, 4096, 8192), tree(&new, 8192, 4096, 8192)];
    let none: [&str; 0] = [];
    let (found, effort) = compared([&old, &new], files(), 0..0, Content::Quick);
    assert_eq!(
        (found.as_slice(), effort.read_bytes, effort.kept_bytes),
        (&none[..], 0, 8192)
    );
    // Unless all is to be read.
    let (found, effort) = compared([&old, &new], files(), 0..0, Content::Always);
    assert_eq!((found, effort.kept_bytes), (vec!["content"], 0));
}

#[test]
fn what_changed_is_read_and_nothing_else() {
    // The file lies at 12 288 of the disk, and one block in its middle changed.
    let (old, new) = (disk(1), disk(2));
    let files = || [tree(&old, 8192, 4096, 8192), tree(&new, 8192, 4096, 8192)];
    let changed = 16384..16896;
    let (found, effort) = compared([&old, &new], files(), changed.clone(), Content::Quick);
    assert_eq!(found, ["content"]);
    assert_eq!((effort.read_bytes, effort.kept_bytes), (2 * 512, 4096));
    let same = disk(1);
    let files = [tree(&old, 8192, 4096, 8192), tree(&same, 8192, 4096, 8192)];
    let (found, effort) = compared([&old, &same], files, changed, Content::Quick);
    assert_eq!(found, [""; 0]);
    assert_eq!(
        (effort.read_bytes, effort.kept_bytes),
        (2 * 512, 8192 - 512)
    );
}

#[test]
fn what_lies_elsewhere_or_on_no_disk_is_read() {
    let (old, new) = (disk(1), disk(2));
    let of_old = || tree(&old, 8192, 4096, 8192);
    let inline: Arc<dyn ByteSource> = Arc::new(Memory::new(vec![2; 8192]));
    for other in [
        tree(&new, 8192, 8192, 8192),
        // The same place of a partition that was moved.
        tree(&new, 12288, 4096, 8192),
        // A disk that is not the one.
        tree(&disk(2), 8192, 4096, 8192),
        inline,
    ] {
        let contents = [of_old(), other];
        let (found, effort) = compared([&old, &new], contents, 0..0, Content::Quick);
        assert_eq!((found, effort.kept_bytes), (vec!["content"], 0));
    }
    // The other way of moving both: the place on the disk is what counts.
    let moved = [of_old(), tree(&new, 4096, 8192, 8192)];
    let (found, effort) = compared([&old, &new], moved, 0..0, Content::Quick);
    assert_eq!((found, effort.kept_bytes), (Vec::new(), 8192));
}
