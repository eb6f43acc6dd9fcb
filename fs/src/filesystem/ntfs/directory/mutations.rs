//! Directories with one byte changed, each byte in turn: nothing panics, and no name is lost or leads
//! to another file without a word about it.

use super::tests::{directory, list, units};
use super::*;
use crate::filesystem::ntfs::testing::{Made, OWN, file_name};
use std::collections::BTreeMap;

/// Names with neighbours: short twins, case variants, hard links, many in a row.
fn sample(last: u64) -> Made {
    let mut made = Made::default();
    for record in 64..=last {
        let mut names = vec![match record % 4 {
            0 => file_name(OWN, 3, &units(&format!("F{record}.TXT"))),
            1 => file_name(OWN, 1, &units(&format!("A longer name {record}"))),
            2 => file_name(OWN, 0, &units(&format!("{}ß", record / 4))),
            _ => file_name(OWN, 0, &units(&format!("{}SS", record / 4))),
        }];
        match record % 4 {
            1 => names.push(file_name(OWN, 2, &units(&format!("ALONGE~{record}")))),
            3 => names.push(file_name(OWN, 0, &units(&format!("link {record}")))),
            _ => {}
        }
        // Some share a sequence number, as on most volumes.
        let sequence = u16::try_from(record % 3).unwrap().max(1);
        made.volume.files.insert(record, (sequence, names));
    }
    let mut keys = Vec::new();
    for (record, (sequence, names)) in &made.volume.files {
        let reference = record | u64::from(*sequence) << 48;
        keys.extend(names.iter().map(|name| (reference, name.clone())));
    }
    let upcase = UpCase::default();
    let units = |key: &[u8]| utf16::units_of(FileName::parse(key, 0).unwrap().name);
    keys.sort_by(|(_, a), (_, b)| upcase.compare(&units(a), &units(b)));
    made.index(&keys);
    made
}

/// Lists and looks up in a changed directory and tells what is wrong with the answers.
fn problems(made: &Made, expected: &BTreeMap<Vec<u8>, u64>) -> Vec<String> {
    let directory = directory(made, false);
    let (entries, codes) = list(&directory, made, usize::MAX);
    let listed: BTreeMap<_, _> = entries.iter().cloned().collect();
    let mut problems = Vec::new();
    if entries.len() != listed.len() {
        problems.push("a name twice".to_owned());
    }
    // A reference that leads nowhere is named, and no reason to read all records of the volume.
    let is_stale =
        codes == [super::codes::DIRECTORY_STALE] && listed.len().abs_diff(expected.len()) == 1;
    let is_right = |(name, record): (&Vec<u8>, &u64)| expected.get(name) == Some(record);
    if listed.len() != expected.len() && !is_stale || !listed.iter().all(is_right) {
        let count = listed.len();
        problems.push(format!("{count} of {} names, {codes:?}", expected.len()));
    }
    for (name, record) in expected {
        match directory.find(&made.volume, name) {
            Ok(Some(hit)) if hit.reference.record() == *record && hit.name == *name => {}
            Ok(None) if !codes.is_empty() => {}
            Err(Error::Corrupt(_)) if !codes.is_empty() => {}
            other => problems.push(format!("{}: {other:?}", name.escape_ascii())),
        }
    }
    problems
}

fn check(made: &Made, part: fn(&mut Made) -> &mut Vec<u8>) {
    let (entries, codes) = list(&directory(made, false), made, usize::MAX);
    assert!(codes.is_empty());
    let expected: BTreeMap<_, _> = entries.into_iter().collect();
    let mut changed = made.clone();
    let mut wrong = Vec::new();
    for at in 0..part(&mut changed).len() {
        for bits in [0x01, 0x02, 0x80, 0xff] {
            part(&mut changed)[at] ^= bits;
            for problem in problems(&changed, &expected) {
                wrong.push(format!("byte {at:#x} ^ {bits:#x}: {problem}"));
            }
            part(&mut changed)[at] ^= bits;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} problems:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

#[test]
fn in_a_root() {
    let made = sample(65);
    assert_eq!(made.block_count(), 0);
    check(&made, |made| &mut made.root);
}

#[test]
fn in_a_root_with_children() {
    check(&sample(103), |made| &mut made.root);
}

#[test]
fn in_blocks() {
    check(&sample(79), |made| &mut made.allocation);
}

#[test]
fn in_a_bitmap() {
    check(&sample(103), |made| &mut made.bitmap);
}
