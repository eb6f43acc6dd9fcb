//! Damaged images: what must still be there, and what must be said of the rest.

use flr_fs::filesystem::ext::codes;
use flr_fs::{Code, Volume};
use flr_recover::point::Opened;
use flr_recover::walk::{Next, Step, codes as walk_codes, walk};
use flr_recover::{Error, OpenOptions, Point, View};
use flr_tests::content::sha256;
use flr_tests::golden::from_base64;
use flr_tests::{Expect, Golden, Rules, compare, image};
use std::collections::BTreeMap;
use std::sync::Arc;

fn open(name: &str) -> (Arc<Point>, Opened) {
    let point = Point::open(vec![Volume::disk(image(name))], &OpenOptions::default());
    let opened = point.guest().expect(name);
    (point, opened)
}

/// Codes of the notes that came with opening the image.
fn notes(point: &Point) -> Vec<Code> {
    let places = point.places().iter();
    places
        .flat_map(|place| place.filesystem.info().notes.clone())
        .map(|note| note.code)
        .collect()
}

fn code_of(error: &Error) -> Code {
    match error {
        Error::Fs(error) => error.code(),
        other => panic!("{other}"),
    }
}

fn digest(view: &View, path: &str) -> Result<String, Error> {
    let node = view.resolve(path.as_bytes(), true)?.node;
    let source = view.open(node)?;
    Ok(sha256(source.as_ref(), &[(0, source.size())])?)
}

/// What a walk met: paths of nodes, and what failed where.
struct Walked {
    nodes: Vec<String>,
    failed: Vec<(String, Code, u64)>,
}

fn walked(view: &View) -> Walked {
    let mut all = Walked {
        nodes: Vec::new(),
        failed: Vec::new(),
    };
    let text = |path: &[u8]| path.escape_ascii().to_string();
    let end = walk(view, view.root(), None, &mut |step| {
        match step {
            Step::Node { path, .. } => all.nodes.push(text(path)),
            Step::Failed { path, error } => {
                let at = match &error {
                    Error::Fs(error) => error.fault().expect("a place").at,
                    other => panic!("{other}"),
                };
                all.failed.push((text(path), code_of(&error), at));
            }
            Step::Leave { .. } => {}
        }
        assert!(all.nodes.len() + all.failed.len() < 10_000, "no end");
        Next::Continue
    });
    end.expect("the root");
    all
}

/// Everything that must still read right, and be listed.
fn undamaged(name: &str) -> (Opened, Expect, Walked) {
    let (_, opened) = open(name);
    let expect = Expect::load(name);
    let walked = walked(&opened.view);
    for (path, expected) in &expect.must {
        let found = digest(&opened.view, path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(found, *expected, "{name} {path}");
        let listed = walked.nodes.contains(path);
        let failed = walked.failed.iter().any(|(failed, ..)| failed == path);
        assert!(listed || failed, "{name} {path}");
    }
    (opened, expect, walked)
}

/// Where failures were met and which, without their places.
fn failures(walked: &Walked) -> BTreeMap<&str, Code> {
    let failed = walked.failed.iter();
    failed
        .map(|(path, code, _)| (path.as_str(), *code))
        .collect()
}

#[test]
fn a_lost_superblock_is_read_from_its_copy() {
    let (point, opened) = open("damaged-superblock");
    let golden = Golden::load("damaged-superblock");
    assert_eq!(compare(&opened.view, &golden, Rules::default()), [""; 0]);
    let found = notes(&point);
    // The first KiB of the descriptors is gone with it, which is all of them.
    assert_eq!(found[0], codes::SUPERBLOCK_BACKUP);
    assert!(found[1..].iter().all(|code| *code == codes::GROUP_BACKUP) && found.len() > 1);
    let info = point.places()[0].filesystem.info();
    let expect = Expect::load("damaged-superblock");
    assert_eq!(Some(info.notes[0].at), expect.backup_at);
}

#[test]
fn lost_descriptors_are_read_from_their_copies() {
    let (point, opened) = open("damaged-descriptors");
    let golden = Golden::load("damaged-descriptors");
    assert_eq!(compare(&opened.view, &golden, Rules::default()), [""; 0]);
    let found = notes(&point);
    assert!(found.iter().all(|code| *code == codes::GROUP_BACKUP) && !found.is_empty());
}

#[test]
fn a_damaged_index_does_not_hide_names() {
    let (_, opened) = open("damaged-htree");
    let golden = Golden::load("damaged-htree");
    let told = compare(&opened.view, &golden, Rules::default());
    // The block with the damaged index says so; every name is listed and found all the same.
    assert!(
        told.iter()
            .all(|line| line.contains(codes::DIRECTORY_CHECKSUM.as_str())),
        "{told:#?}"
    );
}

#[test]
fn a_damaged_entry_costs_itself_and_no_other() {
    let (_, expect, walked) = undamaged("damaged-dirblock");
    let lost = |path: &String| !walked.nodes.contains(path);
    let lost: Vec<_> = expect
        .may_be_lost
        .iter()
        .filter(|path| lost(path))
        .collect();
    let codes: Vec<_> = walked
        .failed
        .iter()
        .map(|(path, code, _)| (path.as_str(), *code))
        .collect();
    println!("lost {lost:?}");
    assert_eq!(codes, [("/d", codes::DIRECTORY_ENTRY)]);
    assert_eq!(lost.len(), 1, "the next sound entry is found again");
}

#[test]
fn directory_loops_end() {
    let (_, expect, walked) = undamaged("damaged-dirloop");
    let places: Vec<_> = expect.r#where.as_array().expect("places").iter().collect();
    assert_eq!(places.len(), 3);
    let failures = failures(&walked);
    assert_eq!(failures.len(), 3, "{failures:?}");
    assert!(
        failures
            .values()
            .all(|code| *code == walk_codes::DIRECTORY_TWICE)
    );
}

#[test]
fn damaged_maps_are_errors_and_not_zeros() {
    let (opened, expect, walked) = undamaged("damaged-extent");
    assert!(walked.failed.is_empty(), "{:?}", walked.failed);
    for path in &expect.damaged {
        let error = digest(&opened.view, path).expect_err(path);
        assert_eq!(code_of(&error), codes::EXTENT_HEADER, "{path}");
    }
}

#[test]
fn a_damaged_inode_is_told_by_its_checksum() {
    let name = "damaged-inode-csum";
    let options = OpenOptions::default();
    let point = Point::open(vec![Volume::disk(image(name))], &options);
    let opened = point.guest().expect(name);
    let expect = Expect::load(name);
    let failed = walked(&opened.view);
    let failed = failures(&failed);
    assert_eq!(failed, BTreeMap::from([("/e/BBBB", codes::INODE_CHECKSUM)]));
    for (path, expected) in &expect.must {
        match digest(&opened.view, path) {
            Ok(found) => assert_eq!(found, *expected, "{path}"),
            Err(error) => {
                assert!(expect.damaged.contains(path), "{path}: {error}");
                assert_eq!(code_of(&error), codes::INODE_CHECKSUM);
            }
        }
    }
    // Its bytes are right, and are there for who asks for them.
    let options = OpenOptions {
        checksums: flr_fs::ChecksumPolicy::Ignore,
        ..OpenOptions::default()
    };
    let point = Point::open(vec![Volume::disk(image(name))], &options);
    let opened = point.guest().expect(name);
    for (path, expected) in &expect.must {
        assert_eq!(digest(&opened.view, path).expect(path), *expected);
    }
}

#[test]
fn names_that_no_path_can_hold_are_listed_under_others() {
    let (opened, expect, walked) = undamaged("damaged-names");
    assert!(walked.failed.is_empty(), "{:?}", walked.failed);
    let dir = opened.view.resolve(b"/d", true).expect("/d").node;
    let listing = opened.view.listing(dir).expect("/d");
    for renamed in &expect.renamed {
        let stored = from_base64(&renamed.name_b64);
        let shown = flr_fs::RawName::new(&stored).shown().into_owned();
        let inode: u64 = renamed.inode.parse().expect("an inode");
        let entry = listing.iter().find(|entry| entry.node.node.0 == inode);
        let entry = entry.unwrap_or_else(|| panic!("{stored:?} is missing"));
        assert!(
            entry.name.starts_with(&shown),
            "{stored:?} as {:?}",
            entry.name
        );
        let mut path = b"/d/".to_vec();
        path.extend_from_slice(entry.name);
        let path = String::from_utf8(path).expect("an escaped name");
        assert_eq!(digest(&opened.view, &path).expect(&path), renamed.sha256);
    }
}

#[test]
fn links_with_impossible_sizes() {
    let (opened, expect, walked) = undamaged("damaged-symlink");
    println!("{:?}", walked.failed);
    for path in &expect.damaged {
        let node = opened
            .view
            .resolve(path.as_bytes(), false)
            .expect(path)
            .node;
        let error = opened.view.read_link(node).expect_err(path);
        assert_eq!(code_of(&error), codes::SYMLINK_SIZE);
    }
    for (path, target) in &expect.targets {
        let node = opened
            .view
            .resolve(path.as_bytes(), false)
            .expect(path)
            .node;
        let found = opened.view.read_link(node).expect(path);
        assert_eq!(found, target.as_bytes());
    }
}
