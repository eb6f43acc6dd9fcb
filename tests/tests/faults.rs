//! Disks that fail while they are read: what can be read is right, the rest is an error, and one bad
//! place costs only what lies in it.

use flr_fs::source::{ByteSource, check_range};
use flr_fs::{Error, Memory, OpenContext, Result};
use flr_tests::exercise::{Outcome, driver, exercise_as, exercise_opened};
use flr_tests::image::image_bytes;
use flr_tests::{Counting, Flaky, Truncated};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Checksummed fixtures with unlike maps, directories and attributes, and two without checksums:
/// a source that fails changes no byte, so that those must be as right as these.
const NAMES: &[&str] = &[
    "ext2-1k",
    "ext3-journal",
    "ext4-128",
    "ext4-dirs",
    "ext4-inline",
    "ext4-journal-revoke",
    "ext4-xattr",
    "ntfs-4k",
    "ntfs-512",
    "ntfs-lznt1",
    "ntfs-special",
];

/// Bytes that are bad at once.
const BLOCK_LEN: u64 = 1024;

/// A source of which one read fails, once: a path that came back.
#[derive(Debug)]
struct Once {
    below: Arc<dyn ByteSource>,
    left: AtomicU64,
}

impl ByteSource for Once {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(offset, buf.len(), self.size())?;
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            return Err(Error::io(offset, io::Error::other("a path that was lost")));
        }
        self.below.read_at(offset, buf)
    }
}

fn fixture(name: &str) -> Arc<dyn ByteSource> {
    Arc::new(Memory::new(image_bytes(name)))
}

fn read(name: &str, source: Arc<dyn ByteSource>) -> Outcome {
    exercise_as(driver(name), source, &OpenContext::default())
}

/// Whatever was read is right, and nothing is missing without a word.
fn right_or_told(found: &Outcome, golden: &Outcome, case: &str) {
    for (path, told) in &found.nodes {
        let shown = path.escape_ascii();
        let expected = golden.nodes.get(path);
        let expected = expected.unwrap_or_else(|| panic!("{case}: {shown} is not there"));
        let failed = found.failed.contains(path);
        assert!(
            failed || told == expected,
            "{case}: {shown}: {told}, not {expected}"
        );
    }
    if found.nodes.len() < golden.nodes.len() {
        assert_ne!(
            found.codes, golden.codes,
            "{case}: nodes lost without a word"
        );
    }
}

/// At most `count` of the numbers below `end`, evenly spread.
fn spread(end: u64, count: u64) -> impl Iterator<Item = u64> {
    let step = end.div_ceil(count).max(1);
    (0..end).step_by(usize::try_from(step).expect("a step"))
}

#[test]
fn a_read_that_fails_once_is_an_error_once() {
    for name in NAMES {
        let below = fixture(name);
        let golden = read(name, Arc::clone(&below));
        let counting = Counting::new(Arc::clone(&below));
        assert_eq!(read(name, counting.clone()), golden);
        let (reads, _) = counting.take();
        let mut told = 0;
        for nth in spread(reads, 150) {
            let case = format!("{name}, read {nth} of {reads}");
            let left = AtomicU64::new(nth + 1);
            let source: Arc<dyn ByteSource> = Arc::new(Once {
                below: Arc::clone(&below),
                left,
            });
            let opened = driver(name).open(&[source], &OpenContext::default());
            let Ok(filesystem) = opened else {
                told += 1;
                continue;
            };
            let first = exercise_opened(&filesystem);
            right_or_told(&first, &golden, &case);
            // What was read in vain is not kept: asked again, everything is there.
            let again = exercise_opened(&filesystem);
            let is_whole = again.nodes == golden.nodes;
            let has_notes = !filesystem.info().notes.is_empty();
            assert!(is_whole || has_notes, "{case}: {:?}", again.codes);
            told += u64::from(first != golden);
        }
        println!("{name}: {reads} reads, {told} failures told");
        assert!(told > 0, "{name}");
    }
}

#[test]
fn bad_blocks_cost_what_lies_in_them() {
    for name in NAMES {
        let below = fixture(name);
        let golden = read(name, Arc::clone(&below));
        let blocks = below.size() / BLOCK_LEN;
        for block in spread(blocks, 250) {
            let bad: Range<u64> = block * BLOCK_LEN..(block + 1) * BLOCK_LEN;
            let case = format!("{name}, block {block}");
            let ranges = std::iter::once(bad.clone()).collect();
            let found = read(name, Arc::new(Flaky::new(Arc::clone(&below), ranges)));
            right_or_told(&found, &golden, &case);
            let lies_in = |ranges: &Vec<Range<u64>>| {
                let mut ranges = ranges.iter();
                ranges.any(|range| range.start < bad.end && bad.start < range.end)
            };
            let hit: Vec<_> = golden
                .data
                .iter()
                .filter(|(_, ranges)| lies_in(ranges))
                .collect();
            if !hit.is_empty() {
                // A block of a file: its neighbours do not notice. Of a file whose newest blocks are
                // in the log, neither does the file.
                let mut failed = found.failed.iter();
                let is_hit = |path| hit.iter().any(|(hit, _)| *hit == path);
                assert!(failed.all(is_hit), "{case}: {:?}", found.failed);
                let all = found.failed.len() == hit.len() || name.contains("journal");
                assert!(all, "{case}: {:?}", found.failed);
                assert_eq!(found.nodes.len(), golden.nodes.len(), "{case}");
            }
        }
        for every in [7, 31, 127, 509] {
            let bad = (every..blocks).step_by(usize::try_from(every).expect("a step"));
            let bad = bad.map(|block| block * BLOCK_LEN..(block + 1) * BLOCK_LEN);
            let found = read(
                name,
                Arc::new(Flaky::new(Arc::clone(&below), bad.collect())),
            );
            right_or_told(&found, &golden, &format!("{name}, every {every}th block"));
        }
    }
}

#[test]
fn an_image_that_ends_early_is_right_as_far_as_it_goes() {
    for name in NAMES {
        let below = fixture(name);
        let golden = read(name, Arc::clone(&below));
        for size in spread(below.size(), 100) {
            // Amid sectors, too.
            let size = size | 1;
            let found = read(name, Arc::new(Truncated::new(Arc::clone(&below), size)));
            right_or_told(&found, &golden, &format!("{name}, {size} bytes"));
        }
    }
}
