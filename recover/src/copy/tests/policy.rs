use super::*;
use flr_fs::Timestamp;
use std::os::unix::fs::symlink;

/// The time of every file in memory, and one second before and after.
const SAME: i64 = 1_400_000_000;

fn set_time(path: &Path, seconds: i64, nanoseconds: i64) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Copies "new" over an existing `bytes` of that time; tells whether it was replaced.
fn replaces(overwrite: Overwrite, bytes: &[u8], seconds: i64, nanoseconds: i64) -> bool {
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "f", *b"new");
    let out = Out::new();
    out.put("f", bytes);
    set_time(&out.path("f"), seconds, nanoseconds);
    let options = CopyOptions {
        overwrite,
        ..CopyOptions::plain()
    };
    let report = out.copy(&fs.view(), options);
    assert!(report.is_complete());
    assert_eq!(report.files + report.kept, 1);
    assert_eq!(out.all(), ["f"]);
    let replaced = out.text("f") == "new";
    assert_eq!(replaced, report.files == 1);
    replaced
}

#[test]
fn never_and_always() {
    assert!(!replaces(Overwrite::Never, b"", SAME + 1, 0));
    assert!(!replaces(Overwrite::Never, b"longer", SAME - 1, 0));
    assert!(replaces(Overwrite::Always, b"old", SAME, 123_456_789));
    assert!(replaces(Overwrite::Always, b"old", SAME + 1, 0));
}

#[test]
fn if_changed_compares_size_and_time_to_the_nanosecond() {
    assert!(!replaces(Overwrite::IfChanged, b"old", SAME, 123_456_789));
    assert!(replaces(Overwrite::IfChanged, b"old", SAME, 123_456_788));
    assert!(replaces(
        Overwrite::IfChanged,
        b"old",
        SAME + 1,
        123_456_789
    ));
    assert!(replaces(Overwrite::IfChanged, b"longer", SAME, 123_456_789));
}

#[test]
fn if_newer_compares_times_only() {
    assert!(replaces(Overwrite::IfNewer, b"old", SAME, 123_456_788));
    assert!(!replaces(Overwrite::IfNewer, b"longer", SAME, 123_456_789));
    assert!(!replaces(Overwrite::IfNewer, b"longer", SAME, 123_456_790));
}

#[test]
fn a_second_copy_changes_nothing() {
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    let file = fs.file(dir, "f", *b"f");
    fs.edit(file).nlink = 2;
    fs.enter(dir, "g", file);
    fs.symlink(dir, "l", "f");
    let view = fs.view();
    let out = Out::new();
    let options = CopyOptions {
        overwrite: Overwrite::IfChanged,
        ..CopyOptions::archive()
    };
    let first = out.copy(&view, options.clone());
    assert_eq!((first.files, first.links, first.hard_links), (2, 1, 1));
    let second = out.copy(&view, options);
    assert_eq!((second.files, second.links, second.kept), (0, 0, 3));
    assert_eq!(
        out.log.of("kept"),
        [
            "kept /d/f Unchanged",
            "kept /d/g Unchanged",
            "kept /d/l Unchanged"
        ]
    );
    let time = std::fs::metadata(out.path("d")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mtime(&time), SAME);
}

#[test]
fn a_link_in_place_of_a_file_is_replaced_and_not_written_through() {
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "f", *b"new");
    let out = Out::new();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    symlink(&victim, out.path("f")).unwrap();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert!(report.is_complete());
    assert!(!out.path("f").is_symlink());
    assert_eq!(out.text("f"), "new");
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "mine");
}

#[test]
fn a_link_in_place_of_a_directory_fails_that_subtree_only() {
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    fs.file(dir, "f", *b"new");
    fs.file(ROOT, "other", *b"other");
    let view = fs.view();
    let out = Out::new();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), out.path("d")).unwrap();
    let report = out.copy(&view, CopyOptions::plain());
    assert_eq!((report.failed, report.files), (1, 1));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(out.log.of("failed /d").len(), 1);

    let report = out.copy_one(&view, "/d", "d", CopyOptions::plain());
    assert_eq!((report.failed, report.files), (1, 0));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn directories_and_other_things_never_replace_each_other() {
    let mut fs = MemoryFs::new();
    fs.dir(ROOT, "a");
    fs.file(ROOT, "b", *b"b");
    fs.symlink(ROOT, "c", "b");
    let out = Out::new();
    out.put("a", b"file");
    std::fs::create_dir(out.path("b")).unwrap();
    std::fs::create_dir(out.path("c")).unwrap();
    let report = out.copy(&fs.view(), CopyOptions::plain());
    assert_eq!((report.failed, report.stopped.is_none()), (3, true));
    assert_eq!(
        out.log.of("failed"),
        [
            "failed /a write NotADirectory",
            "failed /b write IsADirectory",
            "failed /c write IsADirectory"
        ]
    );
    assert_eq!(out.all(), ["a", "b/", "c/"]);
}

#[test]
fn a_file_never_replaces_a_device_or_fifo() {
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "null", *b"new");
    fs.symlink(ROOT, "link", "x");
    let view = fs.view();
    let out = Out::new();
    for name in ["null", "link"] {
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mkfifoat(rustix::fs::CWD, out.path(name), mode).unwrap();
    }
    for overwrite in [Overwrite::Always, Overwrite::Never] {
        let options = CopyOptions {
            overwrite,
            ..CopyOptions::plain()
        };
        assert_eq!(out.copy(&view, options).failed, 2);
    }
    assert_eq!(out.log.of("failed")[0], "failed /link write AlreadyExists");
}

#[test]
fn existing_directories_are_merged_and_the_destination_keeps_its_own_attributes() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mut fs = MemoryFs::new();
    fs.edit(ROOT).mode = 0o511;
    let dir = fs.dir(ROOT, "d");
    fs.edit(dir).mode = 0o550;
    fs.file(dir, "f", *b"f");
    let view = fs.view();
    let out = Out::new();
    let before = std::fs::metadata(out.dir.path()).unwrap().mode();
    std::fs::create_dir(out.path("d")).unwrap();
    out.put("d/mine", b"mine");
    assert!(out.copy(&view, CopyOptions::plain()).is_complete());
    assert_eq!(out.all(), ["d/", "d/f", "d/mine"]);
    let merged = std::fs::metadata(out.path("d")).unwrap();
    assert_eq!((merged.mode() & 0o7777, merged.mtime()), (0o550, SAME));
    assert_eq!(std::fs::metadata(out.dir.path()).unwrap().mode(), before);
    // Once more, into a directory that is not writable now.
    assert!(out.copy(&view, CopyOptions::plain()).is_complete());
    let merged = std::fs::metadata(out.path("d")).unwrap();
    assert_eq!(merged.permissions().mode() & 0o7777, 0o550);
}

#[test]
fn old_and_odd_times_are_kept() {
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "f", *b"f");
    fs.edit(file).mtime = Timestamp {
        seconds: -86_400,
        nanoseconds: 999_999_999,
    };
    let out = Out::new();
    assert!(out.copy(&fs.view(), CopyOptions::plain()).is_complete());
    let found = std::fs::symlink_metadata(out.path("f")).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((found.mtime(), found.mtime_nsec()), (-86_400, 999_999_999));
}
