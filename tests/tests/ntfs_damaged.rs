//! Damaged NTFS volumes: what must still be there, and that the rest is an error and never zeros.

use flr_fs::filesystem::ntfs::codes;
use flr_fs::{Code, Volume};
use flr_recover::point::Opened;
use flr_recover::walk::{Next, Step, walk};
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

fn notes(point: &Point) -> Vec<Code> {
    let places = point.places().iter();
    places
        .flat_map(|place| place.filesystem.info().notes.clone())
        .map(|note| note.code)
        .collect()
}

fn digest(view: &View, path: &str) -> Result<String, Error> {
    let node = view.resolve(path.as_bytes(), true)?.node;
    let source = view.open(node)?;
    Ok(sha256(source.as_ref(), &[(0, source.size())])?)
}

/// Paths of nodes, and codes of what failed by path.
fn walked(view: &View) -> (Vec<String>, BTreeMap<String, Code>) {
    let (mut nodes, mut failed) = (Vec::new(), BTreeMap::new());
    let text = |path: &[u8]| path.escape_ascii().to_string();
    let end = walk(view, view.root(), None, &mut |step| {
        match step {
            Step::Node { path, .. } => nodes.push(text(path)),
            Step::Failed {
                path,
                error: Error::Fs(error),
            } => {
                failed.insert(text(path), error.code());
            }
            Step::Failed { error, .. } => panic!("{error}"),
            Step::Leave { .. } => {}
        }
        assert!(nodes.len() < 10_000, "no end");
        Next::Continue
    });
    end.expect("the root");
    (nodes, failed)
}

/// Everything that must still read right, and be listed.
fn undamaged(name: &str) -> (Opened, Expect, BTreeMap<String, Code>) {
    let (point, opened) = open(name);
    let expect = Expect::load(name);
    let (nodes, failed) = walked(&opened.view);
    println!("{name}: notes {:?}, failed {failed:?}", notes(&point));
    for (path, expected) in &expect.must {
        let found =
            digest(&opened.view, path).unwrap_or_else(|error| panic!("{name} {path}: {error}"));
        assert_eq!(found, *expected, "{name} {path}");
        assert!(nodes.contains(path), "{name} {path} is not listed");
    }
    (opened, expect, failed)
}

#[test]
fn a_lost_mft_is_read_from_its_mirror() {
    let name = "damaged-ntfs-mft";
    let (point, opened) = open(name);
    let told = compare(&opened.view, &Golden::load(name), Rules::default());
    assert_eq!(told, [""; 0]);
    let found = notes(&point);
    assert!(
        !found.is_empty() && found.iter().all(|code| *code == codes::MIRROR),
        "{found:?}"
    );
}

#[test]
fn a_lost_boot_sector_is_read_from_its_copy() {
    let name = "damaged-ntfs-boot";
    let (point, opened) = open(name);
    let told = compare(&opened.view, &Golden::load(name), Rules::default());
    assert_eq!(told, [""; 0]);
    assert_eq!(notes(&point), [codes::BOOT_COPY]);
    let info = point.places()[0].filesystem.info();
    assert_eq!(Some(info.notes[0].at), Expect::load(name).backup_at);
}

#[test]
fn names_of_a_lost_index_block_come_from_the_records() {
    let (_, _, failed) = undamaged("damaged-ntfs-index");
    assert_eq!(
        failed.keys().collect::<Vec<_>>(),
        ["/d"],
        "it is told, once"
    );
}

#[test]
fn index_loops_end_and_cost_no_name() {
    let (_, _, failed) = undamaged("damaged-ntfs-index-loop");
    assert_eq!(
        failed.keys().collect::<Vec<_>>(),
        ["/d"],
        "it is told, once"
    );
}

/// What is damaged is an error when it is read to its end, under a code of the format.
fn damaged_are_errors(name: &str) -> BTreeMap<String, Code> {
    let (opened, expect, failed) = undamaged(name);
    let mut found = BTreeMap::new();
    for path in &expect.damaged {
        let code = match digest(&opened.view, path) {
            Err(Error::Fs(error)) => error.code(),
            Err(Error::NotFound(_)) => *failed
                .get(path)
                .unwrap_or_else(|| panic!("{path} is lost without a word")),
            other => panic!("{name} {path}: {other:?}"),
        };
        found.insert(path.clone(), code);
    }
    println!("{name}: {found:#?}");
    found
}

#[test]
fn damaged_run_lists_are_errors_and_not_zeros() {
    let found = damaged_are_errors("damaged-ntfs-runs");
    let expected = [codes::RUN_LIST, codes::STREAM];
    assert!(
        found.values().all(|code| expected.contains(code)),
        "{found:?}"
    );
}

#[test]
fn attribute_lists_that_lead_nowhere_are_errors_and_end() {
    let found = damaged_are_errors("damaged-ntfs-attribute-list");
    assert_eq!(found.len(), 6);
}

#[test]
fn damaged_records_cost_themselves_and_no_other() {
    let found = damaged_are_errors("damaged-ntfs-records");
    assert_eq!(found.len(), 16);
}

#[test]
fn two_tebibytes_of_nothing_cost_nothing() {
    let (opened, _, _) = undamaged("damaged-ntfs-bomb");
    for (path, is_sound) in [("/c/hole", true), ("/c/bomb", false)] {
        let node = opened.view.resolve(path.as_bytes(), true).expect(path).node;
        let source = match opened.view.open(node) {
            Ok(source) => source,
            Err(error) => {
                assert!(!is_sound, "{path}: {error}");
                continue;
            }
        };
        assert_eq!(source.size(), 2 << 40);
        let mut tail = [0xaa; 4096];
        let end = source.read_at(source.size() - 4096, &mut tail);
        assert_eq!(end.is_ok(), is_sound, "{path}");
        assert!(!is_sound || tail == [0; 4096]);
    }
}

#[test]
fn names_that_no_path_can_hold_are_listed_under_others() {
    let (opened, expect, failed) = undamaged("damaged-ntfs-names");
    assert!(failed.is_empty(), "{failed:?}");
    let dir = opened.view.resolve(b"/d", true).expect("/d").node;
    let listing = opened.view.listing(dir).expect("/d");
    assert!(expect.renamed.len() >= 9);
    for renamed in &expect.renamed {
        let stored = from_base64(&renamed.name_b64);
        let shown = flr_fs::RawName::new(&stored).shown().into_owned();
        let inode: u64 = renamed.inode.parse().expect("a record");
        let entry = listing.iter().find(|entry| entry.node.node.0 == inode);
        let entry = entry.unwrap_or_else(|| panic!("{stored:?} is missing"));
        assert!(
            entry.name.starts_with(&shown),
            "{stored:?} as {:?}",
            entry.name
        );
        let source = opened.view.open(entry.node).expect("the file");
        let found = sha256(source.as_ref(), &[(0, source.size())]).expect("its content");
        assert_eq!(found, renamed.sha256);
    }
}
