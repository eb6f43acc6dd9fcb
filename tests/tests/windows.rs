//! The drives of a Windows: what ntfs-3g shows in each volume, under the letters of the registry.

use flr_fs::{ByteSource, FileKind, Memory, Slice, Volume};
use flr_recover::address::Locator;
use flr_recover::guest::{codes, os_name};
use flr_recover::point::Opened;
use flr_recover::{Error, OpenOptions, Point, Target, View, follow};
use flr_tests::content::sha256;
use flr_tests::image;
use flr_tests::image::{fixtures, image_bytes};
use serde_json::Value;
use std::ffi::OsStr;
use std::sync::Arc;

fn open_all(sources: Vec<Arc<dyn ByteSource>>) -> Arc<Point> {
    let disks = sources.into_iter().map(Volume::disk).collect();
    Point::open(disks, &OpenOptions::default())
}

fn open(name: &str) -> Arc<Point> {
    open_all(vec![image(name)])
}

/// An image with something changed in it.
fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Arc<Point> {
    let mut bytes = image_bytes(name);
    change(&mut bytes);
    open_all(vec![Arc::new(Memory::new(bytes))])
}

/// Puts `new` in place of `old` everywhere.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let found = bytes.windows(old.len()).enumerate();
    let found = found.filter(|(_, window)| *window == old);
    let found: Vec<_> = found.map(|(at, _)| at).collect();
    assert!(!found.is_empty(), "{}", old.escape_ascii());
    for at in found {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
}

fn at(point: &Arc<Point>, path: &str) -> Result<Target, Error> {
    let locator = Locator::guest(OsStr::new(path));
    follow(point, &locator, &OpenOptions::default(), true).map_err(|lost| lost.error)
}

/// The drives that the root lists.
fn drives(opened: &Opened) -> Vec<String> {
    let listing = opened.view.listing(opened.view.root()).expect("a root");
    assert!(listing.damaged().is_empty());
    let names = listing.iter();
    let names = names.map(|entry| String::from_utf8(entry.name.to_vec()).expect("a letter"));
    names.collect()
}

/// The label of the filesystem that a drive leads to, or the code of what stands in its way.
fn labels(opened: &Opened) -> Vec<String> {
    let label = |drive: &String| {
        let node = opened.view.resolve(format!("/{drive}").as_bytes(), true);
        let node = node.expect(drive).node;
        match opened.view.listing(node) {
            Ok(_) => {
                let filesystem = opened.view.filesystem(node).expect(drive);
                String::from_utf8(filesystem.info().label.clone()).expect("a label")
            }
            Err(Error::Fs(error)) => error.code().to_string(),
            Err(error) => panic!("{drive}: {error}"),
        }
    };
    let drives = drives(opened);
    let shown = drives
        .iter()
        .map(|drive| format!("{drive}{}", label(drive)));
    shown.collect()
}

fn read(view: &View, path: &str) -> Vec<u8> {
    let node = view.resolve(path.as_bytes(), true).expect(path).node;
    let source = view.open(node).expect(path);
    let mut bytes = vec![0; usize::try_from(source.size()).expect("a small file")];
    source.read_at(0, &mut bytes).expect(path);
    bytes
}

#[test]
fn each_drive_holds_what_ntfs_3g_shows_in_it() {
    for (name, count) in [
        ("windows-gpt", 21),
        ("windows-mbr", 14),
        ("windows-linux", 13),
    ] {
        let point = open(name);
        let text = fixtures()
            .join("trees")
            .join(format!("{name}.drives.jsonl"));
        let text = std::fs::read_to_string(text).expect("a golden tree");
        let rows: Vec<Value> = text
            .lines()
            .skip(1)
            .map(|row| serde_json::from_str(row).expect("a row"))
            .collect();
        assert_eq!(rows.len(), count, "{name}");
        for row in rows {
            let path = row["path"].as_str().expect("a path");
            let locator = Locator::guest(OsStr::new(path));
            let found = follow(&point, &locator, &OpenOptions::default(), false);
            let found = found.map_err(|lost| lost.error).expect(path);
            let metadata = &found.resolved.metadata;
            assert_eq!(row["type"], metadata.kind.word(), "{name} {path}");
            if metadata.kind == FileKind::File {
                let source = found.opened.view.open(found.resolved.node).expect(path);
                let digest = sha256(source.as_ref(), &[(0, source.size())]).expect(path);
                assert_eq!(row["sha256"], digest, "{name} {path}");
            }
        }
    }
}

#[test]
fn letters_are_those_of_the_registry() {
    let opened = open("windows-gpt").guest().expect("a guest");
    let expected = ["C:Windows", "D:New", "E:Data", "F:guest.absent"];
    assert_eq!(labels(&opened), expected);
    // One volume has not been seen by this Windows. EFI and recovery have no letter and want none.
    assert_eq!(opened.notes.len(), 1, "{:?}", opened.notes);
    assert!(opened.notes[0].contains("part/6"), "{:?}", opened.notes);
    let opened = open("windows-mbr").guest().expect("a guest");
    assert_eq!(labels(&opened), ["C:", "D:Data"]);
    assert_eq!(read(&opened.view, "/D:/which"), b"D\n");
}

#[test]
fn a_drive_that_is_not_on_these_disks_is_an_error() {
    let point = open("windows-gpt");
    for path in ["/F:/x", "/F:/", "/f:/x/y"] {
        let error = at(&point, path).and_then(|found| {
            let node = found.resolved.node;
            found.opened.view.listing(node).map(|_| ())
        });
        let error = error.expect_err(path);
        assert!(
            matches!(&error, Error::Fs(error) if error.code() == codes::ABSENT),
            "{path}: {error}"
        );
    }
    let error = at(&point, "/G:/x").expect_err("no such drive");
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

#[test]
fn case_and_backslashes_are_as_in_windows() {
    let point = open("windows-gpt");
    let letter = b"the letter of bob\n";
    for path in [
        r"C:\Users\Bob\x.docx",
        r"c:\users\BOB\X.DOCX",
        "/C:/Users/Bob/x.docx",
        "/c:/USERS/bob/x.docx",
        "c:/Users/Bob/x.docx",
    ] {
        let found = at(&point, path).expect(path);
        let source = found.opened.view.open(found.resolved.node).expect(path);
        let mut bytes = vec![0; letter.len()];
        source.read_at(0, &mut bytes).expect(path);
        assert_eq!(bytes, letter, "{path}");
    }
    let shown = at(&point, r"C:\Users").expect("a folder").resolved.path;
    assert_eq!(shown, b"/C:/Users");
}

#[test]
fn links_lead_to_the_drives_that_windows_means() {
    let point = open("windows-gpt");
    let path = |path: &str| {
        let found = at(&point, path).map(|found| found.resolved.path);
        found.map(|path| String::from_utf8(path).expect("a path"))
    };
    for (from, to) in [
        ("/C:/Documents and Settings/Bob", "/C:/Users/Bob"),
        (r"C:\Users\All Users\app.ini", "/C:/ProgramData/app.ini"),
        ("/C:/Users/Bob/Reports/report.txt", "/E:/shared/report.txt"),
        ("/C:/Users/Bob/Root/notepad.exe", "/C:/Windows/notepad.exe"),
    ] {
        assert_eq!(path(from).expect(from), to);
    }
    // A volume without a letter, by its GUID.
    let wim = path("/C:/Recovery/WindowsRE/winre.wim").expect("the recovery volume");
    assert!(wim.starts_with("/Volume{"), "{wim}");
    assert_eq!(
        read(&open("windows-gpt").guest().expect("a guest").view, &wim),
        b"MSWIM"
    );
    let error = path("/C:/Users/Bob/Gone/y").expect_err("a link to a disk that is not there");
    assert!(
        matches!(&error, Error::Fs(error) if error.code() == codes::ABSENT),
        "{error}"
    );
}

#[test]
fn a_registry_with_newer_changes_in_its_logs_is_told() {
    let notes = open("windows-mbr").guest().expect("a guest").notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("logs"), "{notes:?}");
}

#[test]
fn without_a_registry_letters_are_given_in_order_and_that_is_told() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 3] = [
        ("not there", |bytes| {
            // The folder that it lies in; its own name is cut by the end of a sector.
            replace(bytes, b"c\0o\0n\0f\0i\0g\0", b"c\0o\0n\0f\0i\0h\0");
        }),
        ("cannot be read", |bytes| replace(bytes, b"regf", b"gone")),
        ("has no MountedDevices", |bytes| {
            replace(bytes, b"MountedDevices", b"MountedDevicez");
        }),
    ];
    for (why, change) in changes {
        let opened = changed("windows-mbr", change).guest().expect(why);
        // "System Reserved" and WinRE get none, as when Windows is set up.
        assert_eq!(labels(&opened), ["C:", "D:Data"], "{why}");
        let last = opened.notes.last().expect("a note");
        assert!(last.contains(why), "{why}: {last}");
        assert!(last.ends_with("C: part/2, D: part/5"), "{last}");
    }
}

#[test]
fn the_copy_of_a_disk_with_another_signature_keeps_its_drives() {
    let point = changed("windows-mbr", |bytes| bytes[0x1b8] ^= 1);
    let opened = point.guest().expect("a guest");
    // D: is promised to a disk that is not there, so its volume gets the next letter.
    assert_eq!(labels(&opened), ["C:", "D:guest.absent", "E:Data"]);
    let told = |part: &str| opened.notes.iter().any(|note| note.contains(part));
    assert!(told("part/2") && told("part/5"), "{:?}", opened.notes);
}

#[test]
fn of_windows_and_linux_the_user_chooses_and_a_drive_is_a_choice() {
    let point = open("windows-linux");
    let error = point.guest().expect_err("two systems");
    let Error::Ambiguous(ambiguous) = error else {
        panic!("{error}")
    };
    assert_eq!(ambiguous.volumes, ["part/1", "part/2"]);
    assert!(matches!(
        at(&point, "/etc/hostname"),
        Err(Error::Ambiguous(_))
    ));
    for path in [r"C:\Users\Bob\x.docx", "/c:/users/bob/x.docx"] {
        let found = at(&point, path).expect(path);
        assert_eq!(found.resolved.metadata.kind, FileKind::File);
    }
    // Two of a kind leave no choice to a letter either.
    let twice = open_all(vec![image("windows-mbr"), image("windows-gpt")]);
    let error = at(&twice, "/C:/Users").expect_err("two systems");
    let Error::Ambiguous(ambiguous) = error else {
        panic!("{error}")
    };
    assert_eq!(ambiguous.volumes, ["disk/1/part/2", "disk/2/part/3"]);
}

/// A partition of an image by itself.
fn part(name: &str, number: usize) -> Arc<dyn ByteSource> {
    let point = open(name);
    let address = format!("part/{number}");
    let nodes = point.tree().volumes();
    let node = nodes.iter().find(|node| node.address == address);
    let volume = &node.expect("a partition").volume;
    let start = volume.offset.expect("an offset");
    Arc::new(Slice::new(image(name), start, volume.size).expect("a slice"))
}

#[test]
fn an_ntfs_that_holds_no_windows_has_no_letters() {
    let point = open_all(vec![part("windows-gpt", 5)]);
    let opened = point.guest().expect("a filesystem");
    assert_eq!(
        read(&opened.view, "/shared/REPORT.txt"),
        b"the report on E\n"
    );
    let error = at(&point, r"E:\Shared").expect_err("nobody knows its letter");
    assert!(matches!(error, Error::NotFound(_)), "{error}");
    let opened = open_all(vec![part("windows-gpt", 3)]).guest();
    let opened = opened.expect("a Windows without its disk");
    assert_eq!(drives(&opened), ["C:", "E:", "F:"]);
    assert_eq!(
        read(&opened.view, "/C:/users/bob/x.docx"),
        b"the letter of bob\n"
    );
}

#[test]
fn a_volume_by_itself_knows_no_drives() {
    let point = open("windows-gpt");
    let locator = |path: &str| Locator::volume(OsStr::new(path));
    let find = |path: &str| {
        follow(&point, &locator(path), &OpenOptions::default(), true).map_err(|lost| lost.error)
    };
    assert!(find("part/3/Users/Bob/Root/notepad.exe").is_ok());
    let error = find("part/3/Documents and Settings/Bob").expect_err("a drive");
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

#[test]
fn the_version_is_that_of_the_registry() {
    for (name, expected) in [
        ("windows-gpt", "Windows 11 Pro 23H2 (build 22631)"),
        ("windows-mbr", "Windows 7 Professional (build 7601)"),
        (
            "windows-linux",
            "Windows Server 2022 Datacenter (build 20348)",
        ),
    ] {
        let point = open(name);
        let names = point.places().iter();
        let names: Vec<_> = names
            .filter_map(|place| os_name(&place.filesystem))
            .collect();
        assert_eq!(names[0], expected);
    }
    let point = changed("windows-mbr", |bytes| replace(bytes, b"regf", b"gone"));
    let names = point.places().iter();
    let names: Vec<_> = names
        .filter_map(|place| os_name(&place.filesystem))
        .collect();
    assert_eq!(names, ["Windows"]);
}
