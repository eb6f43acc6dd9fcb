//! What a user sees for oddities that no other test shows: each is a sentence of `docs/semantics.md`.

use flr_fs::filesystem::ext::codes;
use flr_fs::{ByteSource, FileKind, Memory, Slice, Volume, discover};
use flr_recover::address::Locator;
use flr_recover::{Error, OpenOptions, Point, Target, View, follow};
use flr_tests::image;
use flr_tests::image::image_bytes;
use std::ffi::OsStr;
use std::sync::Arc;

fn open_source(source: Arc<dyn ByteSource>) -> Arc<Point> {
    Point::open(vec![Volume::disk(source)], &OpenOptions::default())
}

fn open(name: &str) -> Arc<Point> {
    open_source(image(name))
}

fn guest(name: &str) -> Arc<View> {
    open(name).guest().expect(name).view
}

/// What stands behind the colon of an address leads to.
fn at(point: &Arc<Point>, path: &str) -> Result<Target, Error> {
    let locator = Locator::guest(OsStr::new(path));
    follow(point, &locator, &OpenOptions::default(), true).map_err(|lost| lost.error)
}

fn read(view: &View, path: &str) -> Vec<u8> {
    let node = view.resolve(path.as_bytes(), true).expect(path).node;
    let source = view.open(node).expect(path);
    let mut bytes = vec![0; usize::try_from(source.size()).expect("a small file")];
    source.read_at(0, &mut bytes).expect(path);
    bytes
}

#[test]
fn of_several_filesystems_without_a_root_the_user_chooses() {
    let error = open("gpt-512").guest().expect_err("several filesystems");
    let Error::Ambiguous(ambiguous) = error else {
        panic!("{error}")
    };
    assert_eq!(ambiguous.volumes, ["part/1", "part/5"]);
}

#[test]
fn a_filesystem_alone_needs_no_root_of_a_guest() {
    let view = guest("nested");
    assert_eq!(read(&view, "/which"), b"outer\n");
}

#[test]
fn of_two_things_in_one_volume_the_user_chooses() {
    // The first KiB of an ext filesystem is free: a table there that is sound in itself.
    let mut bytes = image_bytes("ext2-1k");
    let sectors = u32::try_from(bytes.len() / 512).expect("a small image");
    bytes[0x1be..0x1ce].copy_from_slice(&[0; 16]);
    bytes[0x1be + 4] = 0x83;
    bytes[0x1be + 8..0x1be + 12].copy_from_slice(&8_u32.to_le_bytes());
    bytes[0x1be + 12..0x1be + 16].copy_from_slice(&(sectors - 8).to_le_bytes());
    bytes[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    let point = open_source(Arc::new(Memory::new(bytes)));
    let disk = &point.tree().volumes()[0];
    let found: Vec<_> = disk.contents.iter().map(|content| content.format).collect();
    assert_eq!(found, ["mbr", "ext"]);
    assert!(matches!(
        disk.contents[1].opened,
        discover::Opened::Filesystem(_)
    ));
    let error = point.guest().expect_err("a choice");
    assert!(matches!(error, Error::Ambiguous(_)), "{error}");
}

#[test]
fn links_lead_nowhere_outside_of_the_view() {
    let view = guest("web01");
    let path = |path: &str| view.resolve(path.as_bytes(), true).map(|found| found.path);
    // Relative, absolute, over the top, and through several.
    assert_eq!(path("/etc/os-release").unwrap(), b"/usr/lib/os-release");
    assert_eq!(path("/../../etc/hostname").unwrap(), b"/etc/hostname");
    assert_eq!(
        path("/opt/app/current/app.conf").unwrap(),
        b"/opt/app/releases/1.1/app.conf"
    );
    // This machine has an /usr/share/zoneinfo/UTC or not; the image has none.
    let error = path("/etc/localtime").expect_err("a link to what is not there");
    assert!(matches!(error, Error::NotFound(_)), "{error}");
}

#[test]
fn a_missing_name_comes_with_near_ones() {
    let error = guest("web01")
        .resolve(b"/etc/hostnam", true)
        .expect_err("absent");
    let Error::NotFound(missing) = error else {
        panic!("{error}")
    };
    assert_eq!(missing.nearest[0], b"hostname");
    assert_eq!(&missing.path[..missing.found_len], b"/etc");
}

#[test]
fn encrypted_files_are_listed_and_not_read() {
    let view = guest("ext4-encrypt");
    assert_eq!(read(&view, "/plain").len(), 6);
    let secret = view.resolve(b"/secret", true).expect("/secret").node;
    let listing = view.listing(secret).expect("a listing");
    assert!(!listing.is_empty());
    let mut files = 0;
    for entry in listing.iter() {
        let metadata = view.metadata(entry.node).expect("metadata");
        if metadata.kind == FileKind::File && metadata.size > 0 {
            files += 1;
            match view.open(entry.node) {
                Err(Error::Fs(error @ flr_fs::Error::Locked(_))) => {
                    assert_eq!(error.code(), codes::ENCRYPTED);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(files > 0);
}

#[test]
fn names_fold_their_case_where_the_directory_says_so() {
    let view = guest("ext4-casefold");
    let folded = |path: &str| view.resolve(path.as_bytes(), true).map(|found| found.node);
    let stored = "/big/File-000-XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
    let other = "/big/file-000-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    assert_eq!(folded(stored).unwrap(), folded(other).unwrap());
    assert!(folded("/BIG").is_err(), "the root does not fold");
}

#[test]
fn two_slashes_behind_a_folder_are_one() {
    let point = open("nested");
    let target = at(&point, "/vm//disk.img").expect("a file");
    assert_eq!(target.resolved.path, b"/vm/disk.img");
    let nested = at(&point, "/vm//bare.img//which").expect("a file in an image");
    assert_eq!(read(&nested.opened.view, "/which"), b"bare\n");
}

#[test]
fn two_slashes_behind_a_file_that_is_no_image_are_an_error() {
    let error = at(&open("nested"), "/vm/not-an-image//which").expect_err("no image");
    assert!(
        matches!(&error, Error::Fs(flr_fs::Error::Unsupported(_))),
        "{error}"
    );
}

#[test]
fn an_image_in_an_image_may_be_a_container_and_a_partition_never() {
    let mut bytes = vec![0; 1 << 20];
    bytes[..4].copy_from_slice(b"QFI\xfb");
    let file: Arc<dyn ByteSource> = Arc::new(Memory::new(bytes));
    let told = |point: &Point| point.tree().volumes()[0].failure().map(flr_fs::Error::code);
    let object = Point::open_image(Arc::clone(&file), &OpenOptions::default());
    assert_eq!(told(&object), Some(flr_fs::signature::codes::FORMAT));
    let part = Slice::new(file, 0, 1 << 20).expect("a part");
    assert_eq!(told(&open_source(Arc::new(part))), None);
}
