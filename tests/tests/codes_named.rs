//! Every code that a registered format can report is named by some test.

use flr_fs::registry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// The words of all tests: test programs, files named `tests.rs`, and what follows `cfg(test)`.
fn words_of_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut programs, mut files) = (Vec::new(), Vec::new());
    sources(&root.join("tests"), &mut programs);
    sources(&root.join("../fs/src"), &mut files);
    let mut words = BTreeSet::new();
    for path in programs.iter().chain(&files) {
        let text = fs::read_to_string(path).expect("a source");
        let is_test = programs.contains(path) || path.ends_with("tests.rs");
        let tests = if is_test {
            text.as_str()
        } else {
            text.split_once("#[cfg(test)]")
                .map_or("", |(_, tests)| tests)
        };
        let ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.');
        words.extend(tests.split(ends).map(str::to_owned));
    }
    words
}

/// Names of the constants by the codes they stand for, from the files that declare them.
fn constants() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../fs/src"),
        &mut files,
    );
    files.retain(|path| path.ends_with("codes.rs"));
    let mut constants = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(path).expect("a source");
        for line in text.lines().filter(|line| line.trim_end().ends_with(';')) {
            let Some(code) = line.split('"').nth(1) else {
                continue;
            };
            let name = line.trim_start().trim_start_matches("pub const ");
            let name = name.split([':', ' ']).next().expect("a name");
            constants.insert(code.to_owned(), name.to_owned());
        }
    }
    constants
}

#[test]
fn every_code_is_named_by_a_test() {
    let (words, constants) = (words_of_tests(), constants());
    let layers = registry::LAYERS.iter().map(|layer| layer.codes());
    let drivers = registry::FILESYSTEMS.iter().map(|driver| driver.codes());
    let codes: Vec<_> = layers.chain(drivers).flatten().collect();
    assert!(codes.len() > 60);
    let unnamed = codes.iter().filter(|code| {
        let constant = constants.get(code.as_str());
        !words.contains(code.as_str()) && !constant.is_some_and(|name| words.contains(name))
    });
    let unnamed: Vec<_> = unnamed.collect();
    assert!(unnamed.is_empty(), "no test names {unnamed:?}");
}

#[test]
fn codes_are_unique() {
    let layers = registry::LAYERS.iter().map(|layer| layer.codes());
    let drivers = registry::FILESYSTEMS.iter().map(|driver| driver.codes());
    let codes: Vec<_> = layers.chain(drivers).flatten().collect();
    let unique: BTreeSet<_> = codes.iter().collect();
    assert_eq!(unique.len(), codes.len());
}
