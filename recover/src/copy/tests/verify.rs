//! Content is hashed and read again, and what an earlier copy left is read before it is trusted.

use super::*;
use crate::testing::{Part, Parts};
use flr_fs::{ByteSource, Metadata, Timestamp};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const MIB: u64 = 1 << 20;

fn restore() -> CopyOptions {
    CopyOptions {
        owner: false,
        ..CopyOptions::restore()
    }
}

fn resume() -> CopyOptions {
    CopyOptions {
        resume: Some(Arc::new(NothingRecorded)),
        ..restore()
    }
}

/// What was made: the path and its hash.
#[derive(Debug, Default)]
struct Hashes(Mutex<Vec<(String, Made)>>);

impl CopyEvents for Hashes {
    fn finished(&self, item: &Item, made: &Made) {
        let path = String::from_utf8_lossy(&item.source).into_owned();
        self.0.lock().unwrap().push((path, made.clone()));
    }
}

#[test]
fn the_hash_is_that_of_the_content_with_its_holes() {
    let parts = vec![Part::Hole(70_000), Part::Data(MIB + 3), Part::Zeros(9)];
    let expected = Parts(parts.clone()).expected();
    let mut fs = MemoryFs::new();
    let file = fs.source(ROOT, "f", Arc::new(Parts(parts)));
    fs.edit(file).nlink = 2;
    fs.enter(ROOT, "g", file);
    let out = Out::new();
    let (hashes, cancel, view) = (Hashes::default(), AtomicBool::new(false), fs.view());
    let root = view.resolve(b"/", true).unwrap();
    let copier = Copier::new(restore(), &hashes, &cancel);
    let report = copier.copy_contents(&view, &root, &out.destination());
    assert!(report.is_complete(), "{report:?}");
    let mut hasher = crate::copy::verify::Hasher::default();
    hasher.update(&expected);
    let digest = hasher.finish();
    let mut made = hashes.0.into_inner().unwrap();
    made.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(made.len(), 2);
    // Both names have the hash; the second one is the same file.
    assert!(made.iter().all(|(_, made)| made.digest == Some(digest)));
    assert_eq!(made.iter().filter(|(_, made)| made.verified).count(), 1);
    assert_eq!(made.iter().filter(|(_, made)| made.hard_link).count(), 1);
}

/// Content of which the first piece is spoiled in the destination while the second one is read.
struct Spoiler {
    dir: PathBuf,
}

impl std::fmt::Debug for Spoiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spoiler")
    }
}

impl ByteSource for Spoiler {
    fn size(&self) -> u64 {
        MIB + 1
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        buf.fill(b'x');
        if offset == MIB {
            let mut entries = std::fs::read_dir(&self.dir).unwrap();
            let temp = entries.next().unwrap().unwrap().path();
            let file = std::fs::File::options().write(true).open(temp).unwrap();
            file.write_all_at(b"y", 5).unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_copy_that_reads_back_as_something_else_is_an_error_and_leaves_nothing() {
    for verify in [Verify::Read, Verify::Disk] {
        let out = Out::new();
        let mut fs = MemoryFs::new();
        let dir = out.dir.path().to_path_buf();
        fs.source(ROOT, "f", Arc::new(Spoiler { dir }));
        let options = CopyOptions {
            verify,
            ..restore()
        };
        let report = out.copy(&fs.view(), options);
        assert_eq!((report.failed, report.mismatched), (1, 1), "{report:?}");
        assert!(matches!(report.first_error, Some(Error::Verify(_))));
        assert_eq!(out.all(), [""; 0]);
    }
    // The test would find nothing if nothing were read again.
    let out = Out::new();
    let mut fs = MemoryFs::new();
    let dir = out.dir.path().to_path_buf();
    fs.source(ROOT, "f", Arc::new(Spoiler { dir }));
    let options = CopyOptions {
        verify: Verify::No,
        ..restore()
    };
    assert!(out.copy(&fs.view(), options).is_complete());
    assert_eq!(out.text("f").as_bytes()[5], b'y');
}

#[test]
fn a_hash_that_was_asked_for_is_compared_before_the_file_has_its_name() {
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "f", *b"abc");
    let view = fs.view();
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let options = |hex: &str| CopyOptions {
        expected: Some(Digest::from_hex(hex).unwrap()),
        ..resume()
    };
    let out = Out::new();
    let report = out.copy(&view, options(&abc.replace("ba", "ab")));
    assert_eq!((report.mismatched, out.all()), (1, vec![]));
    assert!(out.copy(&view, options(abc)).is_complete());
    // What stands there already is compared as well.
    let report = out.copy(&view, options(&abc.replace("ba", "ab")));
    assert_eq!((report.mismatched, out.text("f").as_str()), (1, "abc"));
}

/// Content that says how often it was read.
#[derive(Debug)]
struct Counted(Arc<AtomicU64>, Vec<u8>);

impl ByteSource for Counted {
    fn size(&self) -> u64 {
        u64::try_from(self.1.len()).unwrap()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let from = usize::try_from(offset).unwrap();
        buf.copy_from_slice(&self.1[from..from + buf.len()]);
        Ok(())
    }
}

/// Knows the hash of everything of 5 bytes.
#[derive(Debug)]
struct Knows(Digest);

impl Recorded for Knows {
    fn digest_of(&self, _: &Path, source: &Metadata) -> Option<Digest> {
        (source.size == 5).then_some(self.0)
    }
}

fn times(fs: &mut MemoryFs, node: NodeId) {
    let time = Timestamp {
        seconds: 1_500_000_000,
        nanoseconds: 123_456_789,
    };
    fs.edit(node).mtime = time;
    fs.edit(node).atime = time;
}

#[test]
fn what_was_finished_is_read_and_kept_and_what_is_broken_is_made_again() {
    let reads = Arc::new(AtomicU64::new(0));
    let mut fs = MemoryFs::new();
    for name in ["whole", "spoiled", "short", "other"] {
        let node = fs.source(
            ROOT,
            name,
            Arc::new(Counted(Arc::clone(&reads), b"right".to_vec())),
        );
        fs.edit(node).size = 5;
        times(&mut fs, node);
    }
    let view = fs.view();
    let out = Out::new();
    assert!(out.copy(&view, restore()).is_complete());
    let before = |name: &str| std::fs::metadata(out.path(name)).unwrap();
    let (whole, mtime) = (before("whole").ino(), before("whole").modified().unwrap());
    // As a power failure may leave them: with the right time, and content that never got there.
    for (name, content) in [("spoiled", "wrong"), ("short", "r"), ("other", "mine!")] {
        out.put(name, content.as_bytes());
        if name != "other" {
            let file = std::fs::File::options().write(true).open(out.path(name));
            file.unwrap().set_modified(mtime).unwrap();
        }
    }
    out.put(".flr-0123456789abcdef-2a.tmp", b"half");
    out.put(".flr-notes.tmp", b"mine");
    reads.store(0, Ordering::Relaxed);
    let mut hasher = crate::copy::verify::Hasher::default();
    hasher.update(b"right");
    let options = CopyOptions {
        resume: Some(Arc::new(Knows(hasher.finish()))),
        ..restore()
    };
    let report = out.copy(&view, options);
    // What was changed since is somebody's own, and stays.
    assert_eq!((report.verified, report.files, report.conflicts), (1, 2, 1));
    assert_eq!(
        reads.load(Ordering::Relaxed),
        2,
        "the whole one was not read again"
    );
    assert_eq!(before("whole").ino(), whole);
    for (name, text) in [("spoiled", "right"), ("short", "right"), ("other", "mine!")] {
        assert_eq!(out.text(name), text, "{name}");
    }
    let hidden = [".flr-notes.tmp", "other", "short", "spoiled", "whole"];
    assert_eq!(out.all(), hidden);
}

#[test]
fn without_a_record_what_stands_there_is_compared_with_the_source() {
    let reads = Arc::new(AtomicU64::new(0));
    let mut fs = MemoryFs::new();
    for name in ["whole", "spoiled"] {
        let node = fs.source(
            ROOT,
            name,
            Arc::new(Counted(Arc::clone(&reads), b"right".to_vec())),
        );
        fs.edit(node).size = 5;
        times(&mut fs, node);
    }
    let view = fs.view();
    let out = Out::new();
    assert!(out.copy(&view, restore()).is_complete());
    let mtime = std::fs::metadata(out.path("whole"))
        .unwrap()
        .modified()
        .unwrap();
    out.put("spoiled", b"wrong");
    let file = std::fs::File::options()
        .write(true)
        .open(out.path("spoiled"));
    file.unwrap().set_modified(mtime).unwrap();
    reads.store(0, Ordering::Relaxed);
    // Nothing says whose it is: under `never` it stays and is a conflict.
    let report = out.copy(&view, resume());
    assert_eq!((report.verified, report.conflicts), (1, 1), "{report:?}");
    assert!(!report.is_complete());
    assert_eq!(
        (reads.load(Ordering::Relaxed), out.text("spoiled").as_str()),
        (2, "wrong")
    );
    let options = CopyOptions {
        overwrite: Overwrite::IfChanged,
        ..resume()
    };
    assert!(out.copy(&view, options).is_complete());
    assert_eq!(out.text("spoiled"), "right");
}

#[test]
fn salvage_leaves_a_map_of_what_is_missing() {
    let mut fs = MemoryFs::new();
    let parts = vec![Part::Data(8192), Part::Bad(4096), Part::Data(100)];
    fs.source(ROOT, "f", Arc::new(Parts(parts.clone())));
    let out = Out::new();
    let options = CopyOptions {
        salvage: true,
        ..restore()
    };
    let report = out.copy(&fs.view(), options);
    assert_eq!((report.salvaged, report.failed), (1, 0), "{report:?}");
    assert!(!report.is_complete());
    assert_eq!(
        std::fs::read(out.path("f")).unwrap(),
        Parts(parts).expected()
    );
    let map = out.text("f.flr-map");
    let lines: Vec<_> = map
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .collect();
    let unread: Vec<_> = lines.iter().filter(|line| line.ends_with('-')).collect();
    assert_eq!(unread.len(), 1, "{map}");
    // The map covers the whole file.
    let total: u64 = lines
        .iter()
        .map(|line| {
            line.split_whitespace()
                .nth(1)
                .unwrap()
                .trim_start_matches("0x")
        })
        .map(|len| u64::from_str_radix(len, 16).unwrap())
        .sum();
    assert_eq!(total, 8192 + 4096 + 100);
    assert_eq!(out.all(), ["f", "f.flr-map"]);
}

#[test]
fn what_is_replaced_is_kept_under_another_name_and_nothing_takes_that() {
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "f", *b"new content");
    fs.symlink(ROOT, "l", "new");
    let view = fs.view();
    let out = Out::new();
    out.put("f", b"old");
    std::os::unix::fs::symlink("old", out.path("l")).unwrap();
    std::fs::set_permissions(out.path("f"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let options = CopyOptions {
        overwrite: Overwrite::IfChanged,
        backup: Some(".pre".into()),
        ..restore()
    };
    let inode = std::fs::metadata(out.path("f")).unwrap().ino();
    let report = out.copy(&view, options.clone());
    assert!(report.is_complete(), "{report:?} {:?}", out.log.lines());
    assert_eq!(
        (out.text("f").as_str(), out.text("f.pre").as_str()),
        ("new content", "old")
    );
    let kept = std::fs::metadata(out.path("f.pre")).unwrap();
    assert_eq!(
        (kept.ino(), kept.nlink(), kept.mode() & 0o777),
        (inode, 1, 0o640)
    );
    assert_eq!(
        std::fs::read_link(out.path("l.pre")).unwrap(),
        Path::new("old")
    );
    // Nothing to replace: nothing to keep.
    assert_eq!(out.copy(&view, options.clone()).kept, 2);
    // A backup of an earlier day is not lost for one of today.
    out.put("f", b"changed once more");
    let report = out.copy(&view, options);
    assert_eq!(report.failed, 1, "{report:?}");
    assert_eq!(
        (out.text("f").as_str(), out.text("f.pre").as_str()),
        ("changed once more", "old")
    );
    assert_eq!(out.all(), ["f", "f.pre", "l", "l.pre"]);
}

#[test]
fn what_unfolds_is_refused_unless_holes_are_wanted() {
    use flr_fs::SegmentKind;
    #[derive(Debug)]
    struct Holes(u64);
    impl ByteSource for Holes {
        fn size(&self) -> u64 {
            self.0
        }
        fn read_at(&self, _: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
            buf.fill(0);
            Ok(())
        }
        fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<flr_fs::Segment> {
            let len = range.end - range.start;
            Ok(flr_fs::Segment {
                len,
                kind: SegmentKind::Hole,
            })
        }
    }
    let mut fs = MemoryFs::new();
    // More than there is room for anywhere; and 2 GiB of which one block is stored.
    for (name, size, blocks) in [("wide", 1 << 42, 1 << 30), ("dense", 2 << 30, 8)] {
        let node = fs.source(ROOT, name, Arc::new(Holes(size)));
        fs.edit(node).size = size;
        fs.edit(node).blocks = blocks;
    }
    let view = fs.view();
    let out = Out::new();
    let options = CopyOptions {
        hash: false,
        ..restore()
    };
    let report = out.copy(&view, options.clone());
    assert_eq!(
        (report.failed, report.stopped.is_none()),
        (2, true),
        "{report:?}"
    );
    assert_eq!(out.all(), [""; 0]);
    let options = CopyOptions {
        sparse: true,
        ..options
    };
    assert!(out.copy(&view, options).is_complete());
    assert_eq!(std::fs::metadata(out.path("wide")).unwrap().len(), 1 << 42);
}
