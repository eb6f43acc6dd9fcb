//! The files of the project.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the project.
#[derive(Debug)]
pub(crate) struct Text {
    /// Its path from the root of the project, with `/`.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// The folder that holds the project.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the project")
}

/// A file by its path from the root.
pub(crate) fn read(path: &str) -> String {
    let at = root().join(path);
    fs::read_to_string(&at).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text file. Build results, version control and what is packed are none.
pub(crate) fn texts() -> Vec<Text> {
    let root = root();
    let mut found = Vec::new();
    let mut todo = vec![root.clone()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            let inside = path.strip_prefix(&root).expect("a path below the root");
            let inside = inside.to_str().expect("plain names").to_owned();
            if matches!(inside.as_str(), ".git" | "target" | "fixtures/images") {
                continue;
            }
            if path.is_dir() {
                todo.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push(Text { path: inside, text });
            }
        }
    }
    assert!(found.len() > 200, "only {} files", found.len());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every Rust file.
pub(crate) fn rust() -> Vec<Text> {
    let mut texts = texts();
    texts.retain(|text| text.path.ends_with(".rs"));
    texts
}

/// Every page of documentation.
pub(crate) fn pages() -> Vec<Text> {
    let mut texts = texts();
    texts.retain(|text| text.path.ends_with(".md"));
    texts
}

/// Lines with their numbers, without comments and what is in them.
pub(crate) fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines());
    lines.filter_map(|(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        (!code.trim().is_empty()).then_some((number, code))
    })
}

/// Whether `word` stands in `text` as a word of its own.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Fails with all offences, one a line.
pub(crate) fn none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}
