use super::*;
use flr_fs::{Code, DeviceNumber, FileKind, Timestamp};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

fn getxattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1 << 16];
    let len = rustix::fs::lgetxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(len);
    Some(value)
}

fn mode(out: &Out, name: &str) -> u32 {
    std::fs::symlink_metadata(out.path(name)).unwrap().mode() & 0o7777
}

/// A tree with one of everything that has attributes.
fn everything() -> View {
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    fs.edit(dir).mode = 0o3755;
    let file = fs.file(dir, "file", *b"x");
    fs.edit(file).mode = 0o640;
    fs.xattr(file, "user.comment", Ok(b"hello"));
    let program = fs.file(dir, "program", *b"x");
    fs.edit(program).mode = 0o6755;
    // Version 2, permitted: cap_net_bind_service.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    fs.xattr(program, "security.capability", Ok(&capability));
    fs.special(dir, "fifo", FileKind::Fifo);
    let null = fs.special(dir, "null", FileKind::CharDevice);
    fs.edit(null).rdev = Some(DeviceNumber { major: 1, minor: 3 });
    fs.special(dir, "socket", FileKind::Socket);
    let link = fs.symlink(dir, "link", "file");
    for (node, uid) in [(dir, 10), (file, 11), (program, 12), (null, 13), (link, 14)] {
        fs.edit(node).uid = uid;
        fs.edit(node).gid = uid * 100;
    }
    fs.view()
}

#[test]
fn by_default_modes_and_times_are_kept_and_nothing_else() {
    let out = Out::new();
    let report = out.copy(&everything(), CopyOptions::plain());
    assert_eq!((report.files, report.skipped, report.failed), (2, 3, 0));
    assert!(!report.is_complete());
    assert_eq!(mode(&out, "d"), 0o3755);
    assert_eq!(
        (mode(&out, "d/file"), mode(&out, "d/program")),
        (0o640, 0o755)
    );
    assert_eq!(
        out.log.lines(),
        [
            "skipped /d/fifo Special",
            "skipped /d/null Special",
            "skipped /d/socket Socket",
            "warning /d/program set-id 6000"
        ]
    );
    let us = rustix::process::geteuid().as_raw();
    for name in ["d", "d/file", "d/link"] {
        let found = std::fs::symlink_metadata(out.path(name)).unwrap();
        assert_eq!(found.uid(), us, "{name}");
        assert_eq!(
            (found.mtime(), found.mtime_nsec()),
            (1_400_000_000, 123_456_789),
            "{name}"
        );
        assert_eq!(
            (found.atime(), found.atime_nsec()),
            (1_500_000_000, 123_456_789),
            "{name}"
        );
    }
    assert_eq!(getxattr(&out.path("d/file"), "user.comment"), None);
}

#[test]
fn times_can_be_left_out() {
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "f", *b"f");
    let out = Out::new();
    let options = CopyOptions {
        times: false,
        ..CopyOptions::plain()
    };
    assert!(out.copy(&fs.view(), options).is_complete());
    assert!(std::fs::metadata(out.path("f")).unwrap().mtime() > 1_700_000_000);
}

#[test]
fn an_archive_keeps_owners_and_attributes_but_lends_no_rights() {
    if skip_without_root("owners") {
        return;
    }
    let out = Out::new();
    let report = out.copy(&everything(), CopyOptions::archive());
    assert_eq!((report.files, report.skipped, report.failed), (2, 3, 0));
    let owner = |name: &str| {
        let found = std::fs::symlink_metadata(out.path(name)).unwrap();
        (found.uid(), found.gid())
    };
    assert_eq!((owner("d"), owner("d/file")), ((10, 1000), (11, 1100)));
    assert_eq!(
        (owner("d/program"), owner("d/link")),
        ((12, 1200), (14, 1400))
    );
    assert_eq!(
        getxattr(&out.path("d/file"), "user.comment").unwrap(),
        b"hello"
    );
    assert_eq!(
        getxattr(&out.path("d/program"), "security.capability"),
        None
    );
    assert_eq!(mode(&out, "d/program"), 0o755);
    assert_eq!(
        out.log.of("warning"),
        [
            "warning /d/program CapabilitiesStripped",
            "warning /d/program set-id 6000"
        ]
    );
}

#[test]
fn devices_and_set_id_bits_are_kept_when_asked_for() {
    if skip_without_root("devices") {
        return;
    }
    let out = Out::new();
    let options = CopyOptions {
        devices: true,
        set_id: true,
        ..CopyOptions::archive()
    };
    let report = out.copy(&everything(), options);
    assert_eq!(
        (report.specials, report.skipped, report.warnings),
        (2, 1, 0)
    );
    assert_eq!(mode(&out, "d/program"), 0o6755);
    assert_eq!(
        getxattr(&out.path("d/program"), "security.capability")
            .unwrap()
            .len(),
        20
    );
    let found = |name: &str| std::fs::symlink_metadata(out.path(name)).unwrap();
    assert!(found("d/fifo").file_type().is_fifo() && mode(&out, "d/fifo") == 0o644);
    let null = found("d/null");
    assert!(null.file_type().is_char_device());
    assert_eq!((null.rdev(), null.uid()), (rustix::fs::makedev(1, 3), 13));
    assert_eq!(null.mtime(), 1_400_000_000);
}

#[test]
fn acls_are_kept_in_the_kernels_form() {
    let entry = |tag: u16, permissions: u16, id: u32| {
        [
            &tag.to_le_bytes()[..],
            &permissions.to_le_bytes(),
            &id.to_le_bytes(),
        ]
        .concat()
    };
    // u::rw- u:1000:r-- g::--- m::r-- o::---
    let acl = [
        2u32.to_le_bytes().to_vec(),
        entry(1, 6, u32::MAX),
        entry(2, 4, 1000),
        entry(4, 0, u32::MAX),
        entry(16, 4, u32::MAX),
        entry(32, 0, u32::MAX),
    ]
    .concat();
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "f", *b"f");
    fs.edit(file).mode = 0o640;
    fs.xattr(file, "system.posix_acl_access", Ok(&acl));
    let out = Out::new();
    let report = out.copy(&fs.view(), archive_without_owners());
    let kept = getxattr(&out.path("f"), "system.posix_acl_access");
    if report.warnings > 0 {
        // Some filesystems below a temporary directory have no ACLs: then that is reported.
        assert_eq!(
            out.log.of("warning"),
            ["warning /f xattr system.posix_acl_access"]
        );
        assert_eq!(kept, None);
        return;
    }
    assert_eq!(kept.unwrap(), acl);
    assert_eq!(mode(&out, "f"), 0o640);
}

#[test]
fn attributes_that_are_not_taken_or_not_readable_are_named() {
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "f", *b"f");
    fs.xattr(file, "nonsense", Ok(b"x"));
    let damage = flr_fs::Error::corrupt(Code::new("test.xattr"), 7, "broken");
    fs.xattr(file, "user.broken", Err(damage));
    fs.xattr(file, "user.fine", Ok(b"y"));
    let link = fs.symlink(ROOT, "l", "f");
    fs.xattr(link, "user.link", Ok(b"links have none of these"));
    let out = Out::new();
    let report = out.copy(&fs.view(), archive_without_owners());
    assert_eq!((report.files, report.links, report.failed), (1, 1, 0));
    assert_eq!((report.warnings, report.xattrs_unreadable), (3, 1));
    assert!(!report.is_complete());
    assert_eq!(
        out.log.of("warning"),
        [
            "warning /f xattr nonsense",
            "warning /f xattr unreadable: damaged: broken (test.xattr at 0x7)",
            "warning /l xattr user.link"
        ]
    );
    assert_eq!(getxattr(&out.path("f"), "user.fine").unwrap(), b"y");
}

#[test]
fn attributes_of_links_are_kept_too() {
    if skip_without_root("trusted attributes") {
        return;
    }
    let mut fs = MemoryFs::new();
    let link = fs.symlink(ROOT, "l", "/nowhere");
    fs.xattr(link, "trusted.t", Ok(b"v"));
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::archive());
    let kept = getxattr(&out.path("l"), "trusted.t");
    assert!(
        report.warnings == 1 || kept.as_deref() == Some(b"v"),
        "{:?}",
        out.log.lines()
    );
}

#[test]
fn without_root_owners_are_one_warning_and_set_id_bits_go_with_them() {
    if skip_without_root("dropping root") {
        return;
    }
    let out = Out::new();
    rustix::fs::chmod(out.dir.path(), rustix::fs::Mode::from_raw_mode(0o777)).unwrap();
    let view = everything();
    let options = CopyOptions {
        set_id: true,
        devices: true,
        ..CopyOptions::archive()
    };
    let report = as_nobody(|| out.copy(&view, options));
    assert_eq!((report.files, report.dirs, report.links), (2, 1, 1));
    // Directory, two files, FIFO, link. The device fails: that takes root, and is no attribute.
    assert_eq!((report.specials, report.failed, report.warnings), (1, 1, 7));
    assert_eq!(
        out.log
            .of("warning")
            .iter()
            .filter(|l| l.contains("owner"))
            .count(),
        1
    );
    assert_eq!(mode(&out, "d/program"), 0o755);
    let program = std::fs::metadata(out.path("d/program")).unwrap();
    assert_eq!((program.uid(), program.mtime()), (65534, 1_400_000_000));
    assert_eq!(
        out.log.of("failed"),
        ["failed /d/null write PermissionDenied"]
    );
    assert_eq!(
        getxattr(&out.path("d/file"), "user.comment").unwrap(),
        b"hello"
    );
}

#[test]
fn without_root_a_closed_directory_is_filled_first_and_closed_then() {
    if skip_without_root("dropping root") {
        return;
    }
    let mut fs = MemoryFs::new();
    let dir = fs.dir(ROOT, "d");
    fs.edit(dir).mode = 0o500;
    let below = fs.dir(dir, "e");
    fs.edit(below).mode = 0;
    for i in 0..50 {
        fs.file(below, i.to_string(), *b"x");
    }
    let file = fs.file(dir, "f", *b"f");
    fs.edit(file).mode = 0o400;
    let view = fs.view();
    let out = Out::new();
    rustix::fs::chmod(out.dir.path(), rustix::fs::Mode::from_raw_mode(0o777)).unwrap();
    let report = as_nobody(|| out.copy(&view, CopyOptions::plain()));
    assert!(
        report.is_complete() && report.files == 51,
        "{:?}",
        out.log.lines()
    );
    assert_eq!(
        (mode(&out, "d"), mode(&out, "d/e"), mode(&out, "d/f")),
        (0o500, 0, 0o400)
    );
    // And once more over the closed ones; what lies in a directory of mode 0 cannot be reached.
    let report = as_nobody(|| out.copy(&view, CopyOptions::plain()));
    assert_eq!((report.files, report.failed), (1, 1));
    assert_eq!(out.log.of("failed"), ["failed /d/e write PermissionDenied"]);
    assert_eq!(mode(&out, "d"), 0o500);
}

fn linked(count: usize) -> View {
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "0", vec![7; 100_000]);
    fs.edit(file).nlink = u32::try_from(count).unwrap();
    for i in 1..count {
        let dir = fs.dir(ROOT, format!("dir{i}"));
        fs.enter(dir, "name", file);
    }
    fs.view()
}

#[test]
fn names_of_one_file_stay_one_file() {
    let out = Out::new();
    let report = out.copy(&linked(100), CopyOptions::archive());
    assert!(report.is_complete(), "{:?}", out.log.lines());
    assert_eq!((report.files, report.hard_links), (100, 99));
    assert_eq!((report.bytes, report.bytes_written), (10_000_000, 100_000));
    let first = std::fs::metadata(out.path("0")).unwrap();
    assert_eq!(first.nlink(), 100);
    assert_eq!(
        std::fs::metadata(out.path("dir42/name")).unwrap().ino(),
        first.ino()
    );
    assert_eq!(first.mtime(), 1_400_000_000);
    // Over an older copy: the whole group is replaced by a new one.
    let report = out.copy(&linked(100), CopyOptions::archive());
    assert!(report.is_complete());
    let again = std::fs::metadata(out.path("0")).unwrap();
    assert_eq!((again.nlink(), again.ino() == first.ino()), (100, false));
    assert_eq!(out.all().len(), 199);
}

#[test]
fn without_archive_every_name_is_a_file_of_its_own() {
    let out = Out::new();
    let report = out.copy(&linked(3), CopyOptions::plain());
    assert_eq!((report.files, report.hard_links), (3, 0));
    assert_eq!(std::fs::metadata(out.path("0")).unwrap().nlink(), 1);
}

#[test]
fn link_counts_that_lie_do_no_harm() {
    for nlink in [2, 1000] {
        let mut fs = MemoryFs::new();
        let file = fs.file(ROOT, "a", *b"x");
        for name in ["b", "c", "d", "e"] {
            fs.enter(ROOT, name, file);
        }
        fs.edit(file).nlink = nlink;
        let out = Out::new();
        let report = out.copy(&fs.view(), CopyOptions::archive());
        assert!(report.is_complete() && report.files == 5);
        assert!(out.all().iter().all(|name| out.text(name) == "x"));
    }
}

#[test]
fn if_the_first_name_fails_each_name_says_so() {
    let mut fs = MemoryFs::new();
    let parts = crate::testing::Parts(vec![crate::testing::Part::Bad(10)]);
    let file = fs.source(ROOT, "a", std::sync::Arc::new(parts));
    fs.enter(ROOT, "b", file);
    fs.edit(file).nlink = 2;
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::archive());
    assert_eq!((report.failed, report.files), (2, 0));
    assert_eq!(out.all(), [""; 0]);
}

#[test]
fn kept_files_are_not_linked_to_what_differs() {
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "a", *b"new");
    fs.enter(ROOT, "b", file);
    fs.edit(file).nlink = 2;
    let out = Out::new();
    out.put("a", b"mine");
    let options = CopyOptions {
        overwrite: Overwrite::Never,
        ..CopyOptions::archive()
    };
    let report = out.copy(&fs.view(), options);
    assert_eq!((report.files, report.kept), (1, 1));
    assert_eq!(
        (out.text("a"), out.text("b")),
        ("mine".into(), "new".into())
    );
}

#[test]
fn absurd_values_are_no_special_words_to_the_kernel() {
    let mut fs = MemoryFs::new();
    let file = fs.file(ROOT, "f", *b"f");
    // These are UTIME_NOW and "no id".
    fs.edit(file).mtime = Timestamp {
        seconds: 5,
        nanoseconds: 0x3fff_ffff,
    };
    (fs.edit(file).uid, fs.edit(file).gid) = (u32::MAX, u32::MAX);
    let out = Out::new();
    let report = out.copy(&fs.view(), CopyOptions::archive());
    assert_eq!(report.files, 1);
    assert_eq!(std::fs::metadata(out.path("f")).unwrap().mtime(), 5);
}
