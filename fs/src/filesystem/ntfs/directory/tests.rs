use super::*;
use crate::error::Code;
use crate::filesystem::ntfs::testing::{BLOCK, Made, OWN, entry, file_name, root};
use std::collections::BTreeSet;

pub(super) fn units(name: &str) -> Vec<u16> {
    name.encode_utf16().collect()
}

fn posix(count: usize) -> Vec<(u8, Vec<u16>)> {
    let names = (0..count).map(|i| {
        (
            0,
            units(&format!("{} {i:04}", ["File", "file", "Ä"][i % 3])),
        )
    });
    names.collect()
}

pub(super) fn directory(made: &Made, case_sensitive: bool) -> Directory {
    let index = made.open().map_err(|error| fault_of(&error));
    Directory::new(FileReference::new(OWN), case_sensitive, index)
}

pub(super) type Entries = Vec<(Vec<u8>, u64)>;

/// Everything that is listed, in pieces of `at_once` entries.
pub(super) fn list(directory: &Directory, made: &Made, at_once: usize) -> (Entries, Vec<Code>) {
    let (mut entries, mut codes) = (Vec::new(), Vec::new());
    let mut from = DirCursor::default();
    loop {
        let mut left = at_once;
        let mut stopped = false;
        let mut next = None;
        let mut here = Vec::new();
        directory.read(&made.volume, from, &mut |found| {
            match found {
                Found::Entry(_) if left == 0 => {
                    stopped = true;
                    return ControlFlow::Break(());
                }
                Found::Entry(listed) => {
                    left = left.saturating_sub(1);
                    entries.push((listed.name.to_vec(), listed.reference.record()));
                    assert!(listed.next > from && listed.next.0 < 1 << 63);
                    next = Some(listed.next);
                }
                Found::Damaged(fault) => here.push(fault.code),
            }
            ControlFlow::Continue(())
        });
        codes.extend(here);
        match next {
            Some(next) if stopped => from = next,
            _ => return (entries, codes),
        }
    }
}

fn names_of(entries: &Entries) -> BTreeSet<Vec<u8>> {
    entries.iter().map(|(name, _)| name.clone()).collect()
}

fn all(count: usize) -> BTreeSet<Vec<u8>> {
    let name = |(_, units): &(u8, Vec<u16>)| String::from_utf16(units).unwrap().into_bytes();
    posix(count).iter().map(name).collect()
}

#[test]
fn listings_and_look_ups_agree() {
    let made = Made::of(&posix(500));
    let directory = directory(&made, false);
    let (entries, codes) = list(&directory, &made, usize::MAX);
    assert_eq!((names_of(&entries), codes), (all(500), vec![]));
    for at_once in [1, 7, 499, 500] {
        assert_eq!(list(&directory, &made, at_once).0, entries);
    }
    for (name, record) in &entries {
        let hit = directory.find(&made.volume, name).unwrap().unwrap();
        assert_eq!((&hit.name, hit.reference.record()), (name, *record));
    }
    assert!(made.volume.parents.get().is_none(), "nothing was lost");
}

#[test]
fn case_matters_where_the_directory_says_so() {
    let made = Made::of(&[(0, units("Straße")), (0, units("both")), (0, units("BOTH"))]);
    let find = |case_sensitive, name: &str| {
        let found = directory(&made, case_sensitive).find(&made.volume, name.as_bytes());
        found
            .unwrap()
            .map(|hit| String::from_utf8(hit.name).unwrap())
    };
    assert_eq!(find(false, "STRAßE").as_deref(), Some("Straße"));
    assert_eq!(find(false, "STRASSE"), None);
    assert_eq!(find(true, "STRAßE"), None);
    assert_eq!(find(true, "Straße").as_deref(), Some("Straße"));
    for sensitive in [true, false] {
        assert_eq!(find(sensitive, "both").as_deref(), Some("both"));
        assert_eq!(find(sensitive, "BOTH").as_deref(), Some("BOTH"));
    }
    assert!(matches!(
        find(false, "Both").as_deref(),
        Some("both" | "BOTH")
    ));
    assert_eq!(find(true, "Both"), None);
}

#[test]
fn any_units_make_a_name() {
    let odd = [
        vec![0xd800],
        vec![0xdc00, 0xd800],
        vec![0x2f],
        vec![0x41; 255],
    ];
    let names: Vec<_> = odd.iter().map(|units| (0, units.clone())).collect();
    let made = Made::of(&names);
    let directory = directory(&made, false);
    let (entries, _) = list(&directory, &made, usize::MAX);
    assert_eq!(entries.len(), 4);
    for (name, record) in entries {
        let hit = directory.find(&made.volume, &name).unwrap().unwrap();
        assert_eq!(hit.reference.record(), record);
    }
    for no_name in [&b"\xff"[..], b"\xed\xa0", &[0x41; 256], b""] {
        assert_eq!(directory.find(&made.volume, no_name).unwrap(), None);
    }
}

/// A file with a long and a short name, as Windows makes them.
fn with_short_names() -> Made {
    let mut made = Made::of(&[(1, units("A long name.txt")), (2, units("ALONGN~1.TXT"))]);
    let key = |namespace, name: &str| file_name(OWN, namespace, &units(name));
    let names = vec![key(1, "A long name.txt"), key(2, "ALONGN~1.TXT")];
    let reference = 64 | 7 << 48;
    made.index(&[(reference, names[0].clone()), (reference, names[1].clone())]);
    made.volume.files.clear();
    made.volume.files.insert(64, (7, names));
    made
}

#[test]
fn short_names_are_found_and_not_listed() {
    let made = with_short_names();
    let directory = directory(&made, false);
    let (entries, codes) = list(&directory, &made, usize::MAX);
    assert_eq!(
        (entries, codes),
        (vec![(b"A long name.txt".to_vec(), 64)], vec![])
    );
    for (name, stored) in [
        ("alongn~1.txt", "ALONGN~1.TXT"),
        ("a LONG name.txt", "A long name.txt"),
    ] {
        let hit = directory
            .find(&made.volume, name.as_bytes())
            .unwrap()
            .unwrap();
        assert_eq!((hit.name, hit.reference.record()), (stored.into(), 64));
    }
}

#[test]
fn a_name_that_is_called_short_and_has_no_long_one_is_listed() {
    let mut made = Made::of(&[(3, units("name"))]);
    made.index(&[(64 | 7 << 48, file_name(OWN, 2, &units("name")))]);
    let (entries, _) = list(&directory(&made, false), &made, usize::MAX);
    assert_eq!(entries.len(), 1);
}

#[test]
fn hard_links_are_listed_by_each_name() {
    let mut made = Made::of(&posix(3));
    let names = ["one", "two"].map(|name| file_name(OWN, 0, &units(name)));
    made.index(&names.clone().map(|name| (64 | 7 << 48, name)));
    made.volume.files.insert(64, (7, names.into()));
    let (entries, codes) = list(&directory(&made, false), &made, usize::MAX);
    assert_eq!(entries, [(b"one".to_vec(), 64), (b"two".to_vec(), 64)]);
    assert!(codes.is_empty());
}

#[test]
fn a_reference_that_does_not_fit_is_never_another_file() {
    let mut made = Made::of(&posix(40));
    made.volume.files.get_mut(&70).unwrap().0 = 8;
    made.volume.files.remove(&71);
    let directory = directory(&made, false);
    let (entries, codes) = list(&directory, &made, usize::MAX);
    assert_eq!(entries.len(), 38);
    assert_eq!(codes, [codes::DIRECTORY_STALE; 2]);
    let gone: Vec<_> = all(40).difference(&names_of(&entries)).cloned().collect();
    for name in gone {
        let error = directory.find(&made.volume, &name).unwrap_err();
        assert_eq!(error.code(), codes::DIRECTORY_STALE);
    }
    assert!(made.volume.parents.get().is_none(), "nothing was lost");
}

#[test]
fn a_record_that_cannot_be_read_keeps_its_name() {
    let mut made = Made::of(&posix(40));
    made.volume.bad.insert(70);
    let directory = directory(&made, false);
    let (entries, codes) = list(&directory, &made, usize::MAX);
    assert_eq!((names_of(&entries), codes), (all(40), vec![]));
    for name in all(40) {
        assert!(directory.find(&made.volume, &name).unwrap().is_some());
    }
}

#[test]
fn the_volume_s_own_files_are_marked_in_the_root() {
    let root_reference = 5 | 5 << 48;
    let key = |name: &str| file_name(root_reference, 3, &units(name));
    let mut made = Made::of(&posix(3));
    made.index(&[
        (1 << 48, key("$MFT")),
        (root_reference, key(".")),
        (64 | 7 << 48, key("mine")),
    ]);
    made.volume.files.insert(0, (1, vec![key("$MFT")]));
    made.volume.files.insert(5, (5, vec![key(".")]));
    made.volume.files.insert(64, (7, vec![key("mine")]));
    let index = made.open().map_err(|error| fault_of(&error));
    let directory = Directory::new(FileReference::new(root_reference), false, index);
    let mut entries = Vec::new();
    directory.read(&made.volume, DirCursor::default(), &mut |found| {
        let Found::Entry(listed) = found else {
            panic!("{found:?}");
        };
        entries.push((listed.reference.record(), listed.hidden));
        ControlFlow::Continue(())
    });
    assert_eq!(entries, [(0, true), (64, false)], "and no dot");
    let hit = directory.find(&made.volume, b"$mft").unwrap().unwrap();
    assert_eq!(hit.reference.record(), 0);
}

#[test]
fn names_of_a_bad_block_come_from_the_files() {
    let mut made = Made::of(&posix(400));
    made.allocation[2 * BLOCK] = 0;
    let directory = directory(&made, false);
    let (entries, codes) = list(&directory, &made, usize::MAX);
    assert_eq!((entries.len(), names_of(&entries)), (400, all(400)));
    assert_eq!(codes, [codes::INDEX_BLOCK, codes::DIRECTORY_REBUILT]);
    for at_once in [1, 7, 399] {
        assert_eq!(list(&directory, &made, at_once).0, entries);
    }
    for (name, record) in &entries {
        let hit = directory.find(&made.volume, name).unwrap().unwrap();
        assert_eq!(hit.reference.record(), *record);
    }
    // All files have been looked at, so this is known.
    assert_eq!(directory.find(&made.volume, b"nothing").unwrap(), None);
}

#[test]
fn a_gap_in_the_files_is_told_and_leaves_the_answer_open() {
    let mut made = Made::of(&posix(400));
    made.allocation[2 * BLOCK] = 0;
    made.volume.bad.insert(463);
    let directory = directory(&made, false);
    let (_, codes) = list(&directory, &made, usize::MAX);
    assert_eq!(codes.last(), Some(&codes::DIRECTORY_INCOMPLETE));
    let error = directory.find(&made.volume, b"nothing").unwrap_err();
    assert_eq!(error.code(), codes::INDEX_BLOCK);
}

#[test]
fn a_directory_without_an_index_is_made_of_its_files() {
    let made = Made::of(&posix(50));
    let fault = Fault::new(codes::INDEX_ROOT, 0, "no root");
    let directory = Directory::new(FileReference::new(OWN), false, Err(fault));
    let (entries, codes) = list(&directory, &made, 7);
    assert_eq!(names_of(&entries), all(50));
    assert_eq!(codes[..2], [codes::INDEX_ROOT, codes::DIRECTORY_REBUILT]);
    assert!(
        directory
            .find(&made.volume, b"FILE 0000")
            .unwrap()
            .is_some()
    );
    assert_eq!(directory.find(&made.volume, b"nothing").unwrap(), None);
}

#[test]
fn an_entry_of_another_directory_is_damage() {
    let mut made = Made::of(&posix(3));
    let keys = [
        (64 | 7 << 48, file_name(OWN, 0, &units("mine"))),
        (65 | 7 << 48, file_name(OWN + 1, 0, &units("other"))),
    ];
    made.volume.files.clear();
    made.index(&keys);
    made.volume.files.insert(64, (7, vec![keys[0].1.clone()]));
    let (entries, codes) = list(&directory(&made, false), &made, usize::MAX);
    assert_eq!(entries, [(b"mine".to_vec(), 64)]);
    assert_eq!(codes, [codes::DIRECTORY_PARENT]);
}

#[test]
fn a_key_that_is_no_name_is_damage() {
    let mut made = Made::of(&posix(3));
    let mut key = file_name(OWN, 0, &units("cut"));
    key[0x40] = 200;
    made.root = root(&[entry(64, Some(&key), None), entry(0, None, None)], false);
    let (_, codes) = list(&directory(&made, false), &made, usize::MAX);
    assert_eq!(codes[0], codes::FILE_NAME);
}

#[test]
fn a_search_in_vain_is_remembered() {
    let made = Made::of(&posix(400));
    let directory = directory(&made, false);
    assert!(directory.known.get().is_none());
    assert_eq!(directory.find(&made.volume, b"nothing").unwrap(), None);
    assert_eq!(directory.known.get().unwrap().len(), 400);
    assert_eq!(directory.find(&made.volume, b"nothing else").unwrap(), None);
    for name in all(400) {
        assert!(directory.find(&made.volume, &name).unwrap().is_some());
    }
}

/// Keys out of order: the tree leads astray, and still no file is absent.
#[test]
fn a_tree_in_another_order_hides_nothing() {
    let mut made = Made::of(&posix(400));
    let mut keys: Vec<_> = (made.volume.files.iter())
        .map(|(record, (_, names))| (record | 7 << 48, names[0].clone()))
        .collect();
    keys.reverse();
    made.index(&keys);
    let directory = directory(&made, false);
    for name in all(400) {
        assert!(directory.find(&made.volume, &name).unwrap().is_some());
    }
    assert_eq!(directory.find(&made.volume, b"nothing").unwrap(), None);
}

/// The reference fits, as it does by chance where sequence numbers are small, and the name does not.
#[test]
fn a_file_is_not_shown_under_the_name_of_another() {
    let mut made = Made::of(&posix(40));
    let mut keys: Vec<_> = (made.volume.files.iter())
        .map(|(record, (_, names))| (record | 7 << 48, names[0].clone()))
        .collect();
    let name = names_of(&list(&directory(&made, false), &made, usize::MAX).0);
    keys[3].0 = 80 | 7 << 48;
    made.index(&keys);
    let directory = directory(&made, false);
    let (entries, codes) = list(&directory, &made, usize::MAX);
    assert_eq!(names_of(&entries), name);
    assert_eq!(codes, [codes::DIRECTORY_FOREIGN, codes::DIRECTORY_REBUILT]);
    assert_eq!(
        entries.iter().filter(|(_, record)| *record == 80).count(),
        1
    );
    for (name, record) in entries {
        let hit = directory.find(&made.volume, &name).unwrap().unwrap();
        assert_eq!(hit.reference.record(), record);
    }
}
