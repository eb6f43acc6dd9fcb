use super::*;
use flr_fs::ByteSource;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, RenameFlags, inotify, renameat_with};
use rustix::io::Errno;
use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// An adversary swaps directories of the destination with links to a place outside, as fast as it
/// can, while a thousand files at a time are copied into them.
#[test]
fn nothing_gets_out_while_directories_are_swapped_with_links() {
    swapped(&CopyOptions::archive());
    // The same while what stands there is read, compared, kept under other names and swept.
    let none: Arc<dyn Recorded> = Arc::new(NothingRecorded);
    swapped(&CopyOptions {
        overwrite: Overwrite::Always,
        resume: Some(none),
        ..CopyOptions::restore()
    });
}

/// A place that looks like the destination, so that it may be read, compared and replaced as well, and who
/// sees each access to it.
fn watched_outside() -> (tempfile::TempDir, OwnedFd) {
    let outside = tempfile::tempdir().unwrap();
    // No directories: the adversary itself would get at them through its links.
    for j in 0..5 {
        std::fs::write(outside.path().join(format!("f{j}")), "theirs").unwrap();
    }
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, outside.path(), inotify::WatchFlags::ALL_EVENTS).unwrap();
    (outside, watch)
}

/// Accesses since the last call, in bytes of their description.
fn accesses(watch: &OwnedFd) -> rustix::io::Result<usize> {
    rustix::io::read(watch, &mut [0; 1 << 16])
}

fn swapped(options: &CopyOptions) {
    const DIRS: usize = 100;
    let mut fs = MemoryFs::new();
    for i in 0..DIRS {
        let dir = fs.dir(ROOT, format!("d{i}"));
        let below = fs.dir(dir, "below");
        for j in 0..5 {
            fs.file(dir, format!("f{j}"), *b"secret");
            fs.file(below, format!("f{j}"), *b"secret");
        }
        fs.symlink(below, "l", "x");
    }
    let view = fs.view();
    let out = Out::new();
    let (outside, watch) = watched_outside();
    let before = all_below(outside.path());
    // Looking at it is an access as well.
    let _seen = accesses(&watch);
    for i in 0..DIRS {
        for trap in [format!("trap{i}"), format!("trap-below{i}")] {
            symlink(outside.path(), out.path(&trap)).unwrap();
        }
    }
    // From the start there is something to swap.
    assert!(out.copy(&view, options.clone()).is_complete());
    let done = AtomicBool::new(false);
    let (sum, swaps) = std::thread::scope(|scope| {
        let adversary = scope.spawn(|| {
            let mut swaps: u64 = 0;
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_micros(200));
                // Each name is the link's in one pass and the directory's in the next.
                for i in 0..DIRS {
                    for (trap, victim) in [
                        (format!("trap-below{i}"), format!("d{i}/below")),
                        (format!("trap{i}"), format!("d{i}")),
                    ] {
                        let (trap, victim) = (out.path(&trap), out.path(&victim));
                        let flags = RenameFlags::EXCHANGE;
                        swaps += u64::from(renameat_with(CWD, trap, CWD, victim, flags).is_ok());
                    }
                }
            }
            swaps
        });
        let mut sum = CopyReport::default();
        let start = Instant::now();
        // At least a second, and until the adversary has got in the way often.
        while start.elapsed() < Duration::from_secs(1)
            || (sum.failed.min(sum.files + sum.verified) < 100
                && start.elapsed() < Duration::from_secs(60))
        {
            sum.add(out.copy(&view, options.clone()));
        }
        done.store(true, Ordering::Relaxed);
        (sum, adversary.join().unwrap())
    });
    println!(
        "{} files, {} failures, {swaps} swaps",
        sum.files, sum.failed
    );
    assert!(swaps > 100 && sum.failed.min(sum.files + sum.verified) >= 100);
    assert_eq!(accesses(&watch), Err(Errno::AGAIN));
    assert_eq!(all_below(outside.path()), before);
    // The watch would have seen the one that is this.
    assert_eq!(std::fs::read(outside.path().join("f0")).unwrap(), b"theirs");
    assert!(accesses(&watch).is_ok());
    let temps = out.all().into_iter().filter(|name| name.contains(".flr-"));
    assert_eq!(temps.count(), 0);
}

/// Does something to the destination in the middle of a file.
struct Meddler<F>(F);

impl<F> std::fmt::Debug for Meddler<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddler")
    }
}

impl<F: Fn() + Send + Sync> ByteSource for Meddler<F> {
    fn size(&self) -> u64 {
        4
    }
    fn read_at(&self, _: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        (self.0)();
        buf.fill(b'x');
        Ok(())
    }
}

#[test]
fn a_directory_that_becomes_a_link_meanwhile_is_not_left_through_it() {
    let out = Arc::new(Out::new());
    let outside = tempfile::tempdir().unwrap();
    let (inside, target) = (Arc::clone(&out), outside.path().to_path_buf());
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    let swap = move || {
        if !inside.path("moved").exists() {
            std::fs::rename(inside.path("d"), inside.path("moved")).unwrap();
            symlink(&target, inside.path("d")).unwrap();
        }
    };
    fs.source(dir, "f", Arc::new(Meddler(swap)));
    fs.file(dir, "g", *b"g");
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert_eq!(report.files, 2);
    assert_eq!(all_below(outside.path()), [""; 0]);
    assert_eq!(out.all(), ["d", "moved/", "moved/f", "moved/g"]);
}

#[test]
fn a_name_that_appears_in_a_new_directory_is_not_overwritten() {
    let out = Arc::new(Out::new());
    let inside = Arc::clone(&out);
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    fs.source(
        dir,
        "f",
        Arc::new(Meddler(move || inside.put("d/f", b"mine"))),
    );
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert_eq!(report.failed, 1);
    assert_eq!(out.log.of("failed"), ["failed /d/f write AlreadyExists"]);
    assert_eq!(out.all(), ["d/", "d/f"]);
    assert_eq!(out.text("d/f"), "mine");
}

#[test]
fn a_name_that_appears_in_an_old_directory_is_judged_again() {
    for (overwrite, expected) in [(Overwrite::Never, "mine"), (Overwrite::Always, "xxxx")] {
        let out = Arc::new(Out::new());
        let inside = Arc::clone(&out);
        let mut fs = MemoryFs::new();
        fs.source(
            ROOT,
            "f",
            Arc::new(Meddler(move || inside.put("f", b"mine"))),
        );
        let options = CopyOptions {
            overwrite,
            ..CopyOptions::plain()
        };
        let report = out.copy(&fs.view(), options);
        assert!(report.is_complete());
        assert_eq!(
            (out.all(), out.text("f")),
            (vec!["f".to_owned()], expected.to_owned())
        );
    }
}

#[test]
fn a_second_entry_through_an_extracted_link_stays_inside() {
    // As in a crafted archive: first the link, then a directory of the same name with a file.
    let outside = tempfile::tempdir().unwrap();
    let mut fs = MemoryFs::new();
    fs.symlink(ROOT, "d", outside.path().to_str().unwrap());
    let dir = fs.dir(ROOT, "d");
    fs.file(dir, "f", *b"f");
    fs.file(ROOT, "d", *b"file");
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert!(report.is_complete());
    assert_eq!(out.all(), ["d", "d~flr1/", "d~flr1/f", "d~flr2"]);
    assert_eq!(all_below(outside.path()), [""; 0]);
}

/// One file after the other, so that a file of the tree can change the destination for the next.
fn in_order() -> CopyOptions {
    CopyOptions {
        threads: NonZeroUsize::MIN,
        ..archive_without_owners()
    }
}

#[test]
fn a_directory_that_was_exchanged_meanwhile_is_not_entered_again() {
    let out = Arc::new(Out::new());
    let inside = Arc::clone(&out);
    let mut fs = MemoryFs::new();
    let top = fs.dir(ROOT, "top");
    let mut dir = top;
    for _ in 0..100 {
        dir = fs.dir(dir, "d");
    }
    let swap = move || {
        std::fs::rename(inside.path("top"), inside.path("moved")).unwrap();
        std::fs::create_dir(inside.path("top")).unwrap();
    };
    fs.source(dir, "swap", Arc::new(Meddler(swap)));
    for i in 0..QUEUE_LEN * 2 {
        // More than the queue holds: the walker gets no further before the swap.
        fs.file(dir, i.to_string(), *b"x");
    }
    fs.file(top, "late", *b"late");
    let report = out.copy(&fs.view(), in_order());
    assert!(report.failed > 0, "{:?}", out.log.lines());
    assert_eq!(out.log.of("failed /top/late").len(), 1);
    assert!(!out.path("top/late").exists() && !out.path("moved/late").exists());
}

#[test]
fn two_names_that_turn_out_to_be_one_are_an_error() {
    let out = Arc::new(Out::new());
    let inside = Arc::clone(&out);
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "a", *b"a");
    // As on a destination that does not tell "A" from "a".
    let fold = move || std::fs::rename(inside.path("a"), inside.path("A")).unwrap();
    fs.source(ROOT, "A", Arc::new(Meddler(fold)));
    let report = out.copy(&fs.view(), in_order());
    assert_eq!((report.files, report.failed), (1, 1));
    assert_eq!(out.log.of("failed"), ["failed /A write AlreadyExists"]);
    assert_eq!(
        (out.all(), out.text("A")),
        (vec!["A".to_owned()], "a".to_owned())
    );
}

#[test]
fn a_first_name_that_was_exchanged_is_not_linked_to() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "victim").unwrap();
    let out = Arc::new(Out::new());
    let inside = Arc::clone(&out);
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "a", *b"a");
    fs.edit(file).nlink = 2;
    let swap = move || {
        std::fs::remove_file(inside.path("a")).unwrap();
        std::fs::hard_link(&victim, inside.path("a")).unwrap();
    };
    fs.source(ROOT, "swap", Arc::new(Meddler(swap)));
    // In a folder made later: entries are walked by the numbers of their nodes.
    let later = fs.dir(ROOT, "later");
    fs.enter(later, "b", file);
    let report = out.copy(&fs.view(), in_order());
    assert_eq!((report.files, report.hard_links, report.failed), (3, 0, 0));
    assert_eq!(out.log.of("warning"), ["warning /later/b link copied"]);
    assert_eq!(
        (out.text("a"), out.text("later/b")),
        ("victim".into(), "a".into())
    );
}
