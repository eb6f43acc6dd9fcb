use super::*;

#[test]
fn a_tree_arrives_whole() {
    let mut fs = MemoryFs::new();
    let etc = fs.dir(ROOT, "etc");
    fs.file(etc, "hosts", *b"127.0.0.1");
    fs.file(etc, "empty", *b"");
    fs.symlink(etc, "absolute", "/etc/shadow");
    fs.symlink(etc, "up", "../../../..");
    let deep = fs.dir(etc, "a");
    fs.file(deep, b"\xff\n\x1b", *b"x");
    fs.dir(etc, "nothing");
    let view = fs.view();
    let out = Out::new();

    let report = out.copy(&view, CopyOptions::plain());
    assert!(report.is_complete(), "{:?}", out.log.lines());
    assert_eq!((report.files, report.dirs, report.links), (3, 3, 2));
    assert_eq!((report.bytes, report.bytes_written), (10, 10));
    assert_eq!(out.text("etc/hosts"), "127.0.0.1");
    let link = |name| std::fs::read_link(out.path(name)).unwrap();
    assert_eq!(link("etc/absolute"), Path::new("/etc/shadow"));
    assert_eq!(link("etc/up"), Path::new("../../../.."));
    assert!(out.path("etc/nothing").is_dir());
    assert_eq!(out.all().len(), 8);

    // The same node under another name, and a file under an exact name.
    let report = out.copy_one(&view, "/etc", "old", CopyOptions::plain());
    assert!(report.is_complete() && report.dirs == 3);
    assert_eq!(out.text("old/hosts"), "127.0.0.1");
    let report = out.copy_one(&view, "/etc/hosts", "h", CopyOptions::plain());
    assert_eq!((report.files, report.dirs), (1, 0));
    assert_eq!(out.text("h"), "127.0.0.1");
    let report = out.copy_one(&view, "/", "all", CopyOptions::plain());
    assert_eq!((report.files, report.dirs), (3, 4));
    assert_eq!(out.text("all/etc/hosts"), "127.0.0.1");
}

#[test]
fn names_that_no_path_can_hold_are_escaped_and_stay_inside() {
    let mut fs = MemoryFs::new();
    for name in [&b".."[..], b".", b"", b"../../evil", b"/etc/evil", b"a\0b"] {
        fs.file(ROOT, name, *b"x");
    }
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert!(report.is_complete() && report.files == 6);
    assert_eq!(
        out.all(),
        [
            r"..\x2f..\x2fevil",
            r"\x00",
            r"\x2e",
            r"\x2e\x2e",
            r"\x2fetc\x2fevil",
            r"a\x00b"
        ]
    );
}

#[test]
fn long_names_are_shortened_and_reported() {
    let mut fs = MemoryFs::new();
    let long = "n".repeat(400);
    let dir = fs.dir(ROOT, &long);
    fs.file(dir, "inside", *b"x");
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert_eq!((report.files, report.dirs, report.warnings), (1, 1, 1));
    let all = out.all();
    assert!(
        all[1].ends_with("/inside") && all[0].len() == 256,
        "{all:?}"
    );
    assert!(out.log.of("warning")[0].contains("shortened nnnn"));
}

#[test]
fn a_thousand_levels_take_few_descriptors() {
    const DEPTH: usize = 1000;
    let mut fs = MemoryFs::new();
    let mut dir = ROOT;
    for level in 0..DEPTH {
        dir = fs.dir(dir, "d");
        *fs.edit(dir) = Metadata {
            mode: 0o711,
            ..fs.edit(dir).clone()
        };
        fs.file(dir, "f", level.to_string().into_bytes());
        // An entry behind the subdirectory: its directory has been closed by then.
        fs.file(dir, "g", *b"g");
    }
    // Siblings behind a subtree.
    let view = fs.view();
    let out = Out::new();
    let (most, done) = (Mutex::new(0), AtomicBool::new(false));
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
                let mut most = most.lock().unwrap();
                *most = open.max(*most);
            }
        });
        let report = out.copy(&view, CopyOptions::plain());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        report
    });
    assert!(report.is_complete(), "{:?}", out.log.lines());
    assert_eq!((report.files, report.dirs), (2000, 1000));
    let most = *most.lock().unwrap();
    assert!(most < 200, "{most} descriptors");

    // Look from below the first levels on: the whole path is longer than the kernel takes at once.
    let mut dir = out.destination().directory().clone();
    let (d, f) = (EntryName::new(b"d").unwrap(), EntryName::new(b"f").unwrap());
    for level in 0..DEPTH {
        dir = dir.open_child(&d).unwrap();
        let stat = rustix::fs::fstat(&dir).unwrap();
        assert_eq!(
            (stat.st_mode & 0o7777, stat.st_mtime),
            (0o711, 1_400_000_000)
        );
        let size = dir.stat(&f).unwrap().unwrap().st_size;
        assert_eq!(usize::try_from(size).unwrap(), level.to_string().len());
    }
}

#[test]
fn a_loop_of_directories_ends() {
    let mut fs = MemoryFs::new();
    let a = fs.dir(ROOT, "a");
    let b = fs.dir(a, "b");
    fs.enter(b, "again", a);
    fs.file(b, "f", *b"f");
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert_eq!((report.failed, report.files), (1, 1));
    assert!(out.log.of("failed /a/b/again")[0].contains("walk.directory.twice"));
    assert_eq!(out.all(), ["a/", "a/b/", "a/b/again/", "a/b/f"]);
}

#[test]
fn what_fails_does_not_hide_its_siblings() {
    let mut fs = MemoryFs::new();
    fs.enter(ROOT, "ghost", NodeId(99));
    fs.file(ROOT, "f", *b"f");
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert_eq!((report.failed, report.files), (1, 1));
    assert!(report.first_error.is_some() && !report.is_complete());
    assert_eq!(out.log.of("failed"), ["failed /ghost no such node"]);
}

#[test]
fn reports_add_up() {
    let mut sum = CopyReport {
        files: 2,
        ..CopyReport::default()
    };
    sum.add(CopyReport {
        files: 1,
        skipped: 4,
        cancelled: true,
        ..CopyReport::default()
    });
    assert_eq!((sum.files, sum.skipped, sum.cancelled), (3, 4, true));
    assert!(!sum.is_complete());
}

use super::destination::EntryName;
use flr_fs::Metadata;
