//! A destination that fails at any point: nothing half is left, and going on makes the same tree.

use super::failures::Tmpfs;
use super::*;
use crate::testing::{Part, Parts};
use rustix::mount::{MountFlags, mount_remount};
use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// Pages of a tmpfs that the tree needs, with some to spare, and points in between.
const POINT_COUNT: u64 = 250;

fn tree() -> View {
    let mut fs = MemoryFs::new();
    for i in 0..6 {
        let dir = fs.dir(ROOT, format!("d{i}"));
        for (j, len) in [0, 1, 4096, 50_000, 90_001].into_iter().enumerate() {
            let content = Parts(vec![Part::Data(len)]);
            let file = fs.source(dir, format!("f{j}"), Arc::new(content));
            fs.edit(file).size = len;
            fs.edit(file).mtime.seconds = 1_600_000_000;
        }
        let twice = fs.file(dir, "one", *b"of two");
        fs.edit(twice).nlink = 2;
        fs.enter(dir, "two", twice);
        fs.symlink(dir, "link", "f0");
        fs.edit(dir).mode = 0o555;
    }
    fs.view()
}

/// Every entry: what it is, its mode, its size, its links, a sum of its content.
fn described(top: &Path) -> Vec<String> {
    let describe = |name: &String| {
        let path = top.join(name);
        let found = std::fs::symlink_metadata(&path).unwrap();
        let content = match found.is_file() {
            true => std::fs::read(&path).unwrap(),
            false => Vec::new(),
        };
        let sum: u64 = content.iter().map(|byte| u64::from(*byte)).sum();
        let size = if found.is_dir() { 0 } else { found.len() };
        let links = if found.is_dir() { 0 } else { found.nlink() };
        let mtime = if found.is_file() { found.mtime() } else { 0 };
        format!("{name} {:o} {size} {links} {mtime} {sum}", found.mode())
    };
    all_below(top).iter().map(describe).collect()
}

fn copy(view: &View, top: &Path, resume: bool) -> CopyReport {
    let (log, cancel) = (Log::default(), AtomicBool::new(false));
    let none: Arc<dyn Recorded> = Arc::new(NothingRecorded);
    let options = CopyOptions {
        owner: false,
        resume: resume.then_some(none),
        ..CopyOptions::restore()
    };
    let root = view.resolve(b"/", true).unwrap();
    let destination = DestinationDir::open(top).unwrap();
    Copier::new(options, &log, &cancel).copy_contents(view, &root, &destination)
}

#[test]
fn a_full_destination_at_any_point_can_be_gone_on_with() {
    if skip_without_root("mounting small tmpfs") {
        return;
    }
    let view = tree();
    let whole = Tmpfs::new(c"size=16m");
    assert!(copy(&view, whole.0.path(), false).is_complete());
    let expected = described(whole.0.path());
    let names: Vec<_> = expected.iter().map(|line| line.split(' ').next()).collect();
    let mut ended_early = 0;
    for point in 1..=POINT_COUNT {
        // Full after so many pages, and in every third case after so many names.
        let options = match point % 3 {
            0 => format!("size=16m,nr_inodes={}", 2 + point / 5),
            _ => format!("size={}k", point * 4),
        };
        let small = Tmpfs::new(&CString::new(options).unwrap());
        let top = small.0.path();
        let report = copy(&view, top, false);
        if !report.is_complete() {
            ended_early += 1;
            assert!(report.stopped.is_some(), "{point}: {report:?}");
        }
        // Under a final name stands only what is whole; directories may wait for their mode.
        for line in described(top) {
            let name = line.split(' ').next();
            assert!(names.contains(&name), "{point}: {line}");
            let is_dir = name.is_some_and(|name| name.ends_with('/'));
            let links = line.split(' ').nth(3);
            let several = expected.contains(&line)
                || links == Some("1") && line.contains("/one ")
                || links == Some("1") && line.contains("/two ");
            assert!(is_dir || several, "{point}: {line}");
        }
        let room = CString::new("size=16m,nr_inodes=1000").unwrap();
        mount_remount(top, MountFlags::empty(), &room).unwrap();
        let report = copy(&view, top, true);
        assert!(report.is_complete(), "{point}: {report:?}");
        assert_eq!(described(top), expected, "{point}");
    }
    assert!(
        ended_early >= 200,
        "only {ended_early} of {POINT_COUNT} ended early"
    );
}
