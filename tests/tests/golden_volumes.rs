//! Partitions, the guest's own view and images in images against what Linux and its tools say.

use flr_fs::{Volume, VolumeNode};
use flr_recover::address::Locator;
use flr_recover::point::Opened;
use flr_recover::{Error, OpenOptions, Point, View, follow};
use flr_tests::{Expect, Golden, Rules, VolumeRow, compare, golden, image};
use std::ffi::OsStr;
use std::sync::Arc;

fn open(name: &str) -> Arc<Point> {
    Point::open(vec![Volume::disk(image(name))], &OpenOptions::default())
}

fn assert_same(view: &View, tree: &str, rules: Rules) {
    let told = compare(view, &Golden::load(tree), rules);
    assert!(told.is_empty(), "{tree}:\n{}", told.join("\n"));
}

/// Images with a list of partitions.
fn partitioned() -> Vec<String> {
    let names = flr_tests::image::names();
    let names: Vec<_> = (names.into_iter())
        .filter(|name| golden::exists(&format!("{name}.volumes")))
        .collect();
    assert_eq!(names.len(), 13);
    names
}

/// The container of the logical partitions is no volume of its own: only they are listed.
fn is_extended(row: &VolumeRow) -> bool {
    matches!(row.r#type.as_str(), "5" | "f" | "85")
}

#[test]
fn partitions_are_what_sfdisk_says() {
    for name in partitioned() {
        let point = open(&name);
        let (table, rows) = golden::volumes(&name);
        let disk = &point.tree().volumes()[0];
        let format = if table == "dos" { "mbr" } else { "gpt" };
        assert_eq!(disk.contents[0].format, format, "{name}");
        let found = &point.tree().volumes()[1..];
        let rows: Vec<_> = rows.into_iter().filter(|row| !is_extended(row)).collect();
        let addresses: Vec<_> = found.iter().map(|node| node.address.as_str()).collect();
        let expected: Vec<_> = rows.iter().map(|row| row.address.as_str()).collect();
        assert_eq!(addresses, expected, "{name}");
        for (node, row) in found.iter().zip(&rows) {
            same_volume(&format!("{name} {}", row.address), node, row, &point);
        }
    }
}

fn same_volume(what: &str, node: &VolumeNode, row: &VolumeRow, point: &Point) {
    let volume = &node.volume;
    assert_eq!(volume.kind, row.kind, "{what}");
    assert_eq!(volume.offset, Some(row.start), "{what}");
    assert_eq!(volume.size, row.size, "{what}");
    if let Some(uuid) = &row.partuuid {
        assert_eq!(volume.uuid, Some(uuid.to_lowercase()), "{what}");
        assert_eq!(volume.label, row.name, "{what}");
    }
    let Some(filesystem) = row
        .filesystem
        .as_deref()
        .filter(|kind| kind.starts_with("ext"))
    else {
        return;
    };
    let place = point.places().iter().find(|place| place.volume == node.id);
    let place = place.expect(what);
    assert_eq!(place.address, row.address);
    let info = place.filesystem.info();
    assert_eq!(info.kind, filesystem, "{what}");
    assert_eq!(info.uuid, row.uuid, "{what}");
    let label = row.label.clone().unwrap_or_default();
    assert_eq!(info.label, label.into_bytes(), "{what}");
}

#[test]
fn filesystems_in_partitions_are_what_linux_says() {
    let mut count = 0;
    for name in partitioned() {
        let point = open(&name);
        for number in 1..=7 {
            let tree = format!("{name}.part-{number}");
            if !golden::exists(&tree) || tree == "gpt-past-end.part-5" {
                continue;
            }
            count += 1;
            let opened = volume(&point, &format!("part/{number}"));
            assert_same(&opened.view, &tree, Rules::default());
        }
    }
    assert_eq!(count, 24);
}

/// The view of one volume, by its address.
fn volume(point: &Arc<Point>, address: &str) -> Opened {
    let locator = Locator::volume(OsStr::new(address));
    let target = follow(point, &locator, &OpenOptions::default(), true).expect(address);
    assert_eq!(target.resolved.path, b"/");
    target.opened
}

#[test]
fn a_partition_that_the_image_ends_in_is_listed_and_read_as_far_as_it_goes() {
    let name = "gpt-past-end";
    let point = open(name);
    let expect = Expect::load(name);
    for address in &expect.must_list {
        let nodes = point.tree().volumes();
        assert!(
            nodes.iter().any(|node| node.address == *address),
            "{address}"
        );
    }
    let disk = &point.tree().volumes()[0];
    let told = |code: &str| disk.notes.iter().any(|note| note.code.as_str() == code);
    assert!(told("gpt.entry.cut"), "{:?}", disk.notes);
    // Half of the filesystem is there. What lies in that half reads right; the rest is no zeros. The
    // tree is that of the whole.
    let told = compare(
        &volume(&point, "part/5").view,
        &Golden::load("gpt-past-end.part-5"),
        Rules::default(),
    );
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("/which: sha256 is damaged") && told[0].contains("gpt.entry.cut"));
    let cut = expect.cut_at.expect("where the image was cut");
    let node = point.tree().volumes().last().expect("part/5");
    let source = node.volume.source.as_ref().expect("its bytes");
    let there = cut - node.volume.offset.expect("an offset");
    let mut byte = [0];
    source.read_at(there - 1, &mut byte).expect("the last byte");
    assert!(source.read_at(there, &mut byte).is_err());
}

#[test]
fn the_guest_sees_what_its_kernel_shows() {
    let opened = open("web01").guest().expect("a guest");
    // vfat is not read, and the disk of /mnt/backup is not there: an empty folder would be a lie.
    let rules = Rules {
        not_listed: &["/boot/efi", "/mnt/backup"],
        ..Rules::default()
    };
    assert_same(&opened.view, "web01.guest", rules);
    for path in rules.not_listed {
        let node = opened.view.resolve(path.as_bytes(), true).expect(path).node;
        let error = opened.view.listing(node).expect_err(path);
        assert!(matches!(&error, Error::Fs(error) if error.code().as_str() == "guest.absent"));
    }
}

#[test]
fn images_in_images() {
    let point = open("nested");
    let outer = point.guest().expect("the outer filesystem");
    assert_same(&outer.view, "nested", Rules::default());
    for (tree, locator) in [
        ("nested.bare", "/vm/bare.img//"),
        ("nested.inner", "/vm/disk.img//::part/1"),
        ("nested.inner", "/vm/disk.img//"),
    ] {
        let locator = Locator::guest(OsStr::new(locator));
        let target = follow(&point, &locator, &OpenOptions::default(), true).expect(tree);
        assert_same(&target.opened.view, tree, Rules::default());
    }
}
