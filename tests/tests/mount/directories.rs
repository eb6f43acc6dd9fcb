//! Directories: all entries, whatever their names and whatever is broken between them.

use crate::harness::{Place, output, read_error};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;
use std::process::Command;

/// The ways the kernel can be told to read directories.
const WAYS: [&[&str]; 4] = [
    &[],
    &["no_opendir=0"],
    &["readdirplus_auto=1"],
    &["no_opendir=0", "readdirplus_auto=1"],
];

fn names(dir: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_large_directory_is_complete_however_it_is_read() {
    for way in WAYS {
        let Some(place) = Place::new() else { return };
        let server = place.mount(way);
        let dir = server.path("many");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // Twice: the second time from the kernel's cache.
                    for _ in 0..2 {
                        let names = names(&dir);
                        assert_eq!(names.len(), 10_000);
                        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 10_000);
                        assert_eq!(names.last().unwrap(), "file-09999");
                    }
                });
            }
        });
        let entry = fs::read_dir(&dir).unwrap().nth(4242).unwrap().unwrap();
        assert_eq!(entry.ino(), entry.metadata().unwrap().ino());
    }
}

#[test]
fn odd_names_are_shown_and_found() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let dir = server.path("names");
    let names = names(&dir);
    // A name of 1600 bytes once it is escaped is cut for the kernel.
    let cut = [br"\x00".repeat(250).as_slice(), b"~flr0"].concat();
    let expected: [&[u8]; 12] = [
        b"\x1b[31mred",
        br"\x00",
        &cut,
        br"\x2e",
        br"\x2e\x2e",
        br"a\x2fb",
        b"new\nline",
        &[b'n'; 255],
        br"nul\x00",
        b"twice",
        b"twice~flr1",
        b"\xff\xfe not text",
    ];
    let shown: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
    assert_eq!(shown, expected);
    for name in &names {
        assert!(fs::metadata(dir.join(name)).unwrap().is_file(), "{name:?}");
    }
    let read = |name: &[u8]| fs::read(dir.join(OsString::from_vec(name.into()))).unwrap();
    assert_eq!(read(br"a\x2fb"), b"a/b");
    assert_eq!(read(b"\xff\xfe not text"), b"\xff\xfe not text");
    assert_eq!(read(br"\x2e\x2e"), b"..");
}

#[test]
fn broken_entries_are_listed_beside_the_others() {
    for way in WAYS {
        let Some(place) = Place::new() else { return };
        let server = place.mount(way);
        let names = names(&server.path("broken"));
        assert_eq!(
            names,
            [
                "after",
                "before",
                "broken-node",
                "locked",
                "panic-node",
                "panic-read",
                "two-sizes",
                "unsupported"
            ]
        );
        for (name, content) in [("before", "before\n"), ("after", "after\n")] {
            let path = server.path("broken").join(name);
            assert_eq!(fs::read_to_string(path).unwrap(), content);
        }
        for name in ["broken-node", "panic-node"] {
            let error = fs::metadata(server.path("broken").join(name)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(5));
        }
    }
}

#[test]
fn listing_a_broken_entry_does_not_spoil_a_file_that_is_open() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let mut file = fs::File::open(server.path("hard-1")).unwrap();
    names(&server.path("broken"));
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hard\n");
}

#[test]
fn a_damaged_directory_shows_what_is_left_and_denies_nothing() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let dir = server.path("damaged");
    assert_eq!(names(&dir), ["after", "before"]);
    assert_eq!(fs::read(dir.join("after")).unwrap(), b"after\n");
    // Nobody can say that there was no such entry.
    assert_eq!(read_error(&dir.join("lost")), Errno::IO);
    assert_eq!(read_error(&server.path("no-such-file")), Errno::NOENT);
    // A second time from the kernel's memory.
    assert_eq!(read_error(&server.path("no-such-file")), Errno::NOENT);
    // An empty mount point must not pass for the filesystem that belongs there.
    let error = fs::read_dir(server.path("mnt-broken"))
        .and_then(|mut entries| entries.next().transpose())
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(5));
}

#[test]
fn programs_walk_the_tree() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let many = server.path("many");
    let found = output(
        Command::new("find")
            .arg(&many)
            .args(["-type", "f", "-size", "13c"]),
    );
    assert_eq!(found.lines().count(), 10_000);
    let sub = server.path("sub");
    let listed = output(Command::new("ls").arg("-ai").arg(sub.join("dir")));
    let ino = |path: &Path| fs::metadata(path).unwrap().ino().to_string();
    let parent = listed.lines().find(|line| line.ends_with(" ..")).unwrap();
    assert_eq!(parent.trim(), format!("{} ..", ino(&sub)));
    let root = output(Command::new("ls").arg("-ai").arg(&server.point));
    assert!(root.lines().any(|line| line.trim() == "1 ."), "{root}");
    let tar = Command::new("tar")
        .args(["-C", sub.to_str().unwrap(), "-cf", "-", "."])
        .output();
    assert!(tar.unwrap().status.success());
    // A kind that the directory does not claim is looked up.
    let kinds = fs::read_dir(&server.point).unwrap();
    let unknown = kinds
        .map(Result::unwrap)
        .find(|entry| entry.file_name() == "dir-of-unknown-kind");
    assert!(unknown.unwrap().file_type().unwrap().is_dir());
}
