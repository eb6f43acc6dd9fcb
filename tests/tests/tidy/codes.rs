//! Codes: the stable names of faults, which scripts match on.

use crate::tree::rust;
use flr_fs::registry::{FILESYSTEMS, LAYERS};
use flr_fs::{Code, discover, signature};
use flr_recover::{check, guest, registry, walk};
use std::collections::BTreeSet;

/// Every code that a user can meet and a script can match on.
fn all() -> Vec<Code> {
    let mut all = Vec::new();
    let formats = (LAYERS.iter().map(|layer| layer.codes()))
        .chain(FILESYSTEMS.iter().map(|driver| driver.codes()));
    for codes in formats {
        assert!(!codes.is_empty());
        all.extend_from_slice(codes);
    }
    all.extend_from_slice(discover::codes::ALL);
    all.extend_from_slice(&[signature::codes::FORMAT]);
    all.extend_from_slice(guest::codes::ALL);
    all.extend_from_slice(registry::codes::ALL);
    all.extend_from_slice(walk::codes::ALL);
    all.extend_from_slice(check::codes::ALL);
    all.extend_from_slice(flr_provider::ontap::FILE_CODES);
    all
}

#[test]
fn no_code_is_used_twice() {
    let mut seen = BTreeSet::new();
    for code in all() {
        assert!(seen.insert(code.as_str()), "{code} is declared twice");
        let plain =
            |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-".contains(char);
        assert!(code.as_str().chars().all(plain), "{code}");
        assert!(
            code.as_str().contains('.'),
            "{code}: format first, then what is wrong"
        );
    }
}

#[test]
fn a_code_begins_with_the_name_of_its_format() {
    for layer in LAYERS {
        for code in layer.codes() {
            assert_eq!(
                code.as_str().split('.').next(),
                Some(layer.name()),
                "{code}"
            );
        }
    }
    for driver in FILESYSTEMS {
        for code in driver.codes() {
            assert!(code.as_str().starts_with(driver.name()), "{code}");
        }
    }
}

#[test]
fn every_code_that_is_declared_is_listed() {
    let listed: BTreeSet<_> = all().iter().map(|code| code.as_str()).collect();
    // Without a dot: what stands for errors that are no fault of the image. `mount.size` is in a log only.
    let apart = ["io", "request", "other", "error", "mount.size"];
    let mut missing = Vec::new();
    let mut count = 0;
    for file in rust()
        .iter()
        .filter(|file| !file.path.starts_with("tests/"))
    {
        let declared = file.text.split("Code::new(\"").skip(1);
        for name in declared.filter_map(|rest| rest.split('"').next()) {
            count += 1;
            let known = listed.contains(name) || apart.contains(&name) || name.starts_with("test");
            if !known {
                missing.push(format!("{}: {name}", file.path));
            }
        }
    }
    assert!(count > 40, "only {count} declarations found");
    assert!(missing.is_empty(), "not in an ALL:\n{}", missing.join("\n"));
}
