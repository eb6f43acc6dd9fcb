//! What is taken of a tree, where it goes, whose it becomes, and what a plan says of it before.

use super::*;
use crate::IdNames;
use flr_fs::FileKind;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Arc;

fn restore() -> CopyOptions {
    CopyOptions {
        owner: false,
        ..CopyOptions::restore()
    }
}

/// Takes files whose names end in `.c`, leaves out `skip`.
#[derive(Debug)]
struct Sources;

impl Filter for Sources {
    fn judge(&self, path: &[u8], is_dir: bool) -> Filtered {
        match (path.ends_with(b"skip"), path.ends_with(b".c"), is_dir) {
            (true, ..) | (_, false, false) => Filtered::Leave,
            (_, true, _) => Filtered::Take,
            (_, _, true) => Filtered::Look,
        }
    }
}

fn tree() -> MemoryFs {
    let mut fs = MemoryFs::new();
    let a = fs.dir(ROOT, "a");
    let deep = fs.dir(a, "deep");
    fs.file(deep, "x.c", *b"x");
    fs.file(deep, "x.h", *b"x");
    let skip = fs.dir(a, "skip");
    fs.file(skip, "y.c", *b"y");
    let empty = fs.dir(ROOT, "empty");
    fs.dir(empty, "more");
    let all = fs.dir(ROOT, "all.c");
    fs.file(all, "z.c", *b"z");
    for dir in [a, deep, all] {
        fs.edit(dir).mode = 0o750;
    }
    fs
}

#[test]
fn directories_are_made_only_for_what_is_taken() {
    let options = CopyOptions {
        filter: Some(Arc::new(Sources)),
        ..restore()
    };
    let out = Out::new();
    let report = out.copy(&tree().view(), options);
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(
        out.all(),
        ["a/", "a/deep/", "a/deep/x.c", "all.c/", "all.c/z.c"]
    );
    // They are whole directories all the same.
    for dir in ["a", "a/deep"] {
        let mode = std::fs::metadata(out.path(dir)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o750, "{dir}");
    }
    assert_eq!((report.dirs, report.files), (3, 2));
}

#[test]
fn a_directory_that_cannot_be_made_fails_once_and_the_others_are_copied() {
    let options = CopyOptions {
        filter: Some(Arc::new(Sources)),
        ..restore()
    };
    let out = Out::new();
    out.put("a", b"a file");
    let report = out.copy(&tree().view(), options);
    assert_eq!(
        (report.failed, report.files),
        (1, 1),
        "{:?}",
        out.log.lines()
    );
    assert_eq!(out.all(), ["a", "all.c/", "all.c/z.c"]);
}

#[test]
fn in_place_everything_has_its_path_and_what_was_there_keeps_its_attributes() {
    let view = tree().view();
    let source = view.resolve(b"/a/deep", false).unwrap();
    for exists in [false, true] {
        let out = Out::new();
        if exists {
            std::fs::create_dir(out.path("a")).unwrap();
        }
        let copier = Copier::new(restore(), &out.log, &out.cancel);
        let report = copier.copy_in_place(&view, &source, &out.destination());
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(out.all(), ["a/", "a/deep/", "a/deep/x.c", "a/deep/x.h"]);
        let mode = std::fs::metadata(out.path("a")).unwrap().mode() & 0o777;
        assert_eq!(mode == 0o750, !exists, "{mode:o}");
    }
    // No link on the way is followed.
    let (out, outside) = (Out::new(), tempfile::tempdir().unwrap());
    symlink(outside.path(), out.path("a")).unwrap();
    let copier = Copier::new(restore(), &out.log, &out.cancel);
    let report = copier.copy_in_place(&view, &source, &out.destination());
    assert_eq!((report.failed, report.files), (1, 0));
    assert_eq!(all_below(outside.path()), [""; 0]);
    // The root itself is in its place already.
    let out = Out::new();
    let root = view.resolve(b"/", true).unwrap();
    let copier = Copier::new(restore(), &out.log, &out.cancel);
    assert_eq!(
        copier
            .copy_in_place(&view, &root, &out.destination())
            .failed,
        0
    );
    assert_eq!(out.all().len(), 10);
}

#[test]
fn a_directory_made_for_it_is_the_source_itself() {
    let mut fs = tree();
    fs.edit(ROOT).mode = 0o711;
    let view = fs.view();
    let root = view.resolve(b"/", true).unwrap();
    let out = Out::new();
    let mode = |path: &str| std::fs::metadata(out.path(path)).unwrap().mode() & 0o777;
    for (path, expected) in [("made/for/it", 0o711), ("there", 0o750)] {
        if path == "there" {
            std::fs::create_dir(out.path(path)).unwrap();
            let closed = std::os::unix::fs::PermissionsExt::from_mode(0o750);
            std::fs::set_permissions(out.path(path), closed).unwrap();
        }
        let destination = DestinationDir::create_all(&out.path(path), true).unwrap();
        let copier = Copier::new(restore(), &out.log, &out.cancel);
        assert!(copier.copy_onto(&view, &root, &destination).is_complete());
        assert_eq!(mode(path), expected, "{path}");
        assert_eq!(all_below(&out.path(path)).len(), 10, "{path}");
    }
}

#[test]
fn owners_and_acls_are_those_of_the_names() {
    if skip_without_root("changing owners") {
        return;
    }
    let entry = |tag: u16, id: u32| [&tag.to_le_bytes()[..], &[4, 0], &id.to_le_bytes()].concat();
    let acl = |user: u32| {
        let none = u32::MAX;
        let entries = [
            entry(1, none),
            entry(2, user),
            entry(4, none),
            entry(16, none),
        ];
        [vec![2, 0, 0, 0], entries.concat(), entry(32, none)].concat()
    };
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "f", *b"f");
    (fs.edit(file).uid, fs.edit(file).gid) = (1000, 7);
    fs.xattr(file, "system.posix_acl_access", Ok(&acl(1000)));
    let mut owners = Owners::default();
    owners.users.guest = IdNames::parse(b"bob:x:1000:1000\n");
    owners.users.host = IdNames::parse(b"bob:x:4242:1\n");
    owners.groups.table.insert(7, 77);
    let options = CopyOptions {
        owners: Arc::new(owners),
        ..CopyOptions::restore()
    };
    let out = Out::new();
    let report = out.copy(&fs.view(), options);
    let found = std::fs::metadata(out.path("f")).unwrap();
    assert_eq!((found.uid(), found.gid()), (4242, 77));
    if report.warnings == 0 {
        let mut value = [0; 100];
        let name = "system.posix_acl_access";
        let len = rustix::fs::getxattr(out.path("f"), name, &mut value).unwrap();
        assert_eq!(&value[..len], acl(4242));
    }
}

#[test]
fn acls_and_attributes_are_chosen_apart() {
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "f", *b"f");
    fs.xattr(file, "user.a", Ok(b"1"));
    fs.xattr(
        file,
        "system.posix_acl_access",
        Err(flr_fs::Error::Request(flr_fs::Request::NoSuchStream)),
    );
    let view = fs.view();
    for (xattrs, acls, unreadable) in [(true, false, 0), (false, true, 1), (false, false, 0)] {
        let out = Out::new();
        let options = CopyOptions {
            xattrs,
            acls,
            ..restore()
        };
        let report = out.copy(&view, options);
        assert_eq!(report.xattrs_unreadable, unreadable);
        let mut value = [0; 8];
        let kept = rustix::fs::getxattr(out.path("f"), "user.a", &mut value).is_ok();
        assert!(kept == xattrs || report.warnings > unreadable, "{xattrs}");
    }
}

/// What a plan says is what a copy then does, whatever stands there.
#[test]
fn a_plan_is_what_is_done() {
    let mut fs = tree();
    let twice = fs.file(ROOT, "one.c", *b"twice");
    fs.edit(twice).nlink = 2;
    fs.enter(ROOT, "two.c", twice);
    fs.symlink(ROOT, "l.c", "x");
    fs.symlink(ROOT, "m.c", "x");
    fs.special(ROOT, "fifo.c", FileKind::Fifo);
    fs.special(ROOT, "socket.c", FileKind::Socket);
    let view = fs.view();
    let root = view.resolve(b"/", true).unwrap();
    let overwrites = [
        Overwrite::Never,
        Overwrite::IfChanged,
        Overwrite::IfNewer,
        Overwrite::Always,
    ];
    for (overwrite, filtered) in overwrites
        .into_iter()
        .flat_map(|it| [(it, false), (it, true)])
    {
        let out = Out::new();
        std::fs::create_dir_all(out.path("a/deep")).unwrap();
        out.put("a/deep/x.c", b"other");
        out.put("one.c", b"mine");
        std::fs::create_dir(out.path("m.c")).unwrap();
        symlink("x", out.path("l.c")).unwrap();
        let filter: Arc<dyn Filter> = Arc::new(Sources);
        let options = CopyOptions {
            overwrite,
            filter: filtered.then_some(filter),
            ..restore()
        };
        let destination = out.destination();
        let mut told = Vec::new();
        let place = (Some(&destination), out.dir.path());
        let links = LinkTable::default();
        let mut tell = |item: &Item, planned: Result<Planned, Error>| {
            told.push((item.destination.clone(), planned.unwrap()));
        };
        let plan = Plan::make(&view, &root, None, place, &options, &links, &mut tell);
        let before = out.all();
        let report = out.copy(&view, options);
        assert_ne!(before, out.all());
        let done = (report.files, report.dirs, report.links, report.skipped);
        assert_eq!(
            (plan.files, plan.dirs, plan.links, plan.skipped),
            done,
            "{overwrite:?}"
        );
        assert_eq!(
            plan.conflicts,
            report.conflicts + report.failed,
            "{overwrite:?} {told:?}"
        );
        assert_eq!(plan.kept, report.kept - report.conflicts, "{overwrite:?}");
    }
    // Without a destination everything is new.
    let options = restore();
    let place = (None, Path::new("nowhere"));
    let links = LinkTable::default();
    let plan = Plan::make(&view, &root, None, place, &options, &links, &mut |_, _| {});
    assert_eq!((plan.files, plan.conflicts, plan.bytes), (6, 0, 4 + 5));
}
