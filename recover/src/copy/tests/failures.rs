use super::*;
use crate::testing::{Part, Parts};
use flr_fs::{ByteSource, Request, Result, Segment, SegmentKind};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A tmpfs of its own, gone when dropped.
pub(super) struct Tmpfs(pub(super) TempDir);

impl Tmpfs {
    pub(super) fn new(options: &std::ffi::CStr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        mount(
            "flr-test",
            dir.path(),
            "tmpfs",
            MountFlags::empty(),
            options,
        )
        .unwrap();
        Self(dir)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(self.0.path(), UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn a_full_destination_ends_the_copy_and_keeps_only_whole_files() {
    if skip_without_root("mounting a small tmpfs") {
        return;
    }
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    for i in 0..200 {
        fs.source(
            dir,
            i.to_string(),
            Arc::new(Parts(vec![Part::Data(50_000)])),
        );
    }
    let view = fs.view();
    let expected = Parts(vec![Part::Data(50_000)]).expected();
    let small = Tmpfs::new(c"size=1m");
    let log = Log::default();
    let cancel = AtomicBool::new(false);
    let copier = Copier::new(CopyOptions::plain(), &log, &cancel);
    let destination = DestinationDir::open(small.0.path()).unwrap();
    let root = view.resolve(b"/", true).unwrap();
    let report = copier.copy_contents(&view, &root, &destination);
    let Some(Error::Write { source, .. }) = &report.stopped else {
        panic!("{report:?}");
    };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    // Not one failure for each of the files that were never begun.
    assert!((1..=4).contains(&report.failed), "{report:?}");
    let all = all_below(small.0.path());
    assert_eq!(
        u64::try_from(all.len()).unwrap(),
        report.files + 1,
        "{all:?}"
    );
    assert!(report.files > 5);
    for name in all.iter().filter(|name| !name.ends_with('/')) {
        assert!(std::fs::read(small.0.path().join(name)).unwrap() == expected);
    }
}

#[test]
fn no_room_for_the_name_is_an_error_too() {
    if skip_without_root("mounting a small tmpfs") {
        return;
    }
    let mut fs = MemoryFs::new();
    for i in 0..50 {
        fs.symlink(ROOT, i.to_string(), "x");
    }
    // The root directory takes one inode.
    let small = Tmpfs::new(c"size=1m,nr_inodes=11");
    let (log, cancel) = (Log::default(), AtomicBool::new(false));
    let view = fs.view();
    let copier = Copier::new(CopyOptions::plain(), &log, &cancel);
    let destination = DestinationDir::open(small.0.path()).unwrap();
    let root = view.resolve(b"/", true).unwrap();
    let report = copier.copy_contents(&view, &root, &destination);
    assert_eq!((report.links, report.failed), (10, 1));
    assert!(report.stopped.is_some());
}

/// Claims a size, and must not be read.
#[derive(Debug)]
struct Bomb(u64, SegmentKind);

impl ByteSource for Bomb {
    fn size(&self) -> u64 {
        self.0
    }
    fn read_at(&self, _: u64, _: &mut [u8]) -> Result<()> {
        panic!("read");
    }
    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let len = range.end - range.start;
        Ok(Segment { len, kind: self.1 })
    }
}

#[test]
fn what_cannot_fit_is_refused_before_it_is_read() {
    let mut fs = MemoryFs::new();
    fs.source(ROOT, "bomb", Arc::new(Bomb(1 << 60, SegmentKind::Opaque)));
    fs.source(ROOT, "holes", Arc::new(Bomb(1 << 42, SegmentKind::Hole)));
    fs.file(ROOT, "small", *b"x");
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert_eq!(out.log.of("failed"), ["failed /bomb write StorageFull"]);
    assert_eq!((report.files, report.stopped.is_none()), (2, true));
    assert_eq!(out.all(), ["holes", "small"]);
}

#[test]
fn a_destination_that_cannot_be_written_says_so_once() {
    if skip_without_root("mounting a tmpfs read-only") {
        return;
    }
    let mut fs = MemoryFs::new();
    for i in 0..300 {
        fs.file(ROOT, i.to_string(), *b"x");
    }
    let frozen = Tmpfs::new(c"size=1m");
    rustix::mount::mount_remount(frozen.0.path(), MountFlags::RDONLY, c"size=1m").unwrap();
    let (log, cancel) = (Log::default(), AtomicBool::new(false));
    let view = fs.view();
    let copier = Copier::new(CopyOptions::plain(), &log, &cancel);
    let destination = DestinationDir::open(frozen.0.path()).unwrap();
    let root = view.resolve(b"/", true).unwrap();
    let report = copier.copy_contents(&view, &root, &destination);
    assert!(
        (1..=4).contains(&report.failed) && report.stopped.is_some(),
        "{report:?}"
    );
}

#[test]
fn a_destination_that_is_none_is_an_error() {
    let out = Out::new();
    out.put("file", b"");
    for name in ["file", "missing"] {
        let opened = DestinationDir::open(&out.path(name));
        assert!(matches!(opened, Err(Error::Write { path, .. }) if path == out.path(name)));
    }
    assert!(DestinationDir::create(&out.path("missing/below")).is_err());
    assert!(DestinationDir::create(&out.path("file")).is_err());
    for _ in 0..2 {
        let made = DestinationDir::create(&out.path("made")).unwrap();
        assert_eq!(made.path(), out.path("made"));
    }
    assert_eq!(out.all(), ["file", "made/"]);
}

/// Endless, and raises the flag after some reads.
#[derive(Debug)]
struct CancelLater {
    cancel: Arc<AtomicBool>,
    reads: AtomicU64,
}

impl ByteSource for CancelLater {
    fn size(&self) -> u64 {
        1 << 30
    }
    fn read_at(&self, _: u64, buf: &mut [u8]) -> Result<()> {
        if self.reads.fetch_add(1, Ordering::Relaxed) == 3 {
            self.cancel.store(true, Ordering::Relaxed);
        }
        buf.fill(1);
        Ok(())
    }
}

#[test]
fn a_cancelled_copy_leaves_whole_files_only() {
    let cancel = Arc::new(AtomicBool::new(false));
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    fs.edit(dir).mode = 0o750;
    fs.file(dir, "first", *b"x");
    let big = Arc::new(CancelLater {
        cancel: Arc::clone(&cancel),
        reads: AtomicU64::new(0),
    });
    let big = fs.source(dir, "big", big);
    fs.edit(big).nlink = 2;
    fs.enter(dir, "big2", big);
    for i in 0..1000 {
        fs.file(dir, i.to_string(), *b"x");
    }
    let view = fs.view();
    let out = Out::new();
    let options = CopyOptions {
        // One file after the other: the flag is raised in the second.
        threads: NonZeroUsize::MIN,
        ..CopyOptions::archive()
    };
    let root = view.resolve(b"/", true).unwrap();
    let copier = Copier::new(options, &out.log, &cancel);
    let report = copier.copy_contents(&view, &root, &out.destination());
    assert!(report.cancelled && !report.is_complete());
    assert_eq!((report.files, report.failed), (1, 0));
    assert_eq!(out.all(), ["d/", "d/first"]);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(out.path("d")).unwrap());
    assert_eq!(mode & 0o7777, 0o750);
    // With the flag up nothing is begun.
    let report = copier.copy_as(&view, &root, &out.destination(), "again".as_ref());
    assert!(report.cancelled && !out.path("again").exists());
}

#[test]
fn a_source_that_is_cancelled_is_no_damage() {
    #[derive(Debug)]
    struct Cancelled;
    impl ByteSource for Cancelled {
        fn size(&self) -> u64 {
            10
        }
        fn read_at(&self, _: u64, _: &mut [u8]) -> Result<()> {
            Err(Request::Cancelled.into())
        }
    }
    let mut fs = MemoryFs::new();
    fs.source(ROOT, "f", Arc::new(Cancelled));
    let out = Out::new();
    let options = CopyOptions {
        salvage: true,
        ..CopyOptions::plain()
    };
    let report = out.copy(&fs.view(), options);
    assert!(report.cancelled);
    assert_eq!((report.failed, report.salvaged), (0, 0));
    assert_eq!(out.all(), [""; 0]);
}

#[test]
fn a_panic_in_a_reader_neither_hangs_nor_leaves_half_a_file() {
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    let bomb = fs.source(dir, "bomb", Arc::new(Bomb(5, SegmentKind::Opaque)));
    fs.edit(bomb).nlink = 500;
    for i in 0..499 {
        fs.enter(dir, i.to_string(), bomb);
    }
    let view = fs.view();
    let out = Out::new();
    let copied = catch_unwind(AssertUnwindSafe(|| out.copy(&view, CopyOptions::archive())));
    assert!(copied.is_err());
    assert_eq!(out.all(), ["d/"]);
}
