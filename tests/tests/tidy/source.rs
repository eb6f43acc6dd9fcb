//! Rules about single files: sizes, and what must not stand in them.

use crate::tree::{code_lines, has_word, none, read, root, rust, texts};
use std::fs;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;
const COMMENT_COLUMNS_MAX: usize = 120;

/// What was longer when the rules were written down, and is to be split by whoever touches it next.
/// Nothing is added here.
const STILL_LONG: &[&str] = &[
    "cli/src/commands/tree.rs: draw",
    "fs/src/discover.rs: identify",
    "fs/src/filesystem/ext/journal/superblock.rs: parse",
    "fs/src/filesystem/ext/superblock.rs: parse",
    "recover/src/walk.rs: walk",
    "tests/src/compare.rs: node_differences",
    "tests/tests/read_amplification.rs: large_directories_and_files",
];

/// Fails for what is long and not excused, and for an excuse of this kind that nobody needs any more.
fn none_but_excused(rule: &str, long: &[(String, String)], of_this_kind: impl Fn(&str) -> bool) {
    let is_new = |(what, _): &&(String, String)| !STILL_LONG.contains(&what.as_str());
    let new = long.iter().filter(is_new);
    let mut offences: Vec<_> = new.map(|(what, more)| format!("{what}: {more}")).collect();
    for excuse in STILL_LONG.iter().filter(|excuse| of_this_kind(excuse)) {
        if !long.iter().any(|(what, _)| what == excuse) {
            offences.push(format!("{excuse}: is short now, take it off the list"));
        }
    }
    none(rule, &offences);
}

#[test]
fn files_are_short() {
    let long = rust().into_iter().filter_map(|file| {
        let lines = file.text.lines().count();
        let what = format!("{}: lines", file.path);
        (lines > FILE_LINES_MAX).then(|| (what, lines.to_string()))
    });
    let rule = "at most 600 lines a file";
    none_but_excused(rule, &long.collect::<Vec<_>>(), |excuse| {
        excuse.ends_with(": lines")
    });
}

#[test]
fn lines_are_short() {
    let mut long = Vec::new();
    for file in rust() {
        for (number, line) in (1..).zip(file.text.lines()) {
            let is_comment = line.trim_start().starts_with("//");
            // A row of a table cannot be wrapped.
            let is_row = line.starts_with("//! |");
            let max = if is_comment {
                COMMENT_COLUMNS_MAX
            } else {
                COLUMNS_MAX
            };
            let columns = line.chars().count();
            // A string may run on: what it says must be found by searching for it.
            if columns > max && !is_row && (is_comment || !line.contains('"')) {
                long.push((format!("{}: columns", file.path), format!("line {number}")));
            }
        }
    }
    let rule = "at most 100 columns of code, 120 of a comment";
    none_but_excused(rule, &long, |excuse| excuse.ends_with(": columns"));
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for file in rust() {
        let lines: Vec<_> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else {
                continue;
            };
            let len = function_len(&lines[index..]);
            if len > FUNCTION_LINES_MAX {
                let more = format!("{len} lines from line {}", index + 1);
                long.push((format!("{}: {name}", file.path), more));
            }
        }
    }
    none_but_excused("at most 70 lines a function", &long, |excuse| {
        !excuse.ends_with(": lines") && !excuse.ends_with(": columns")
    });
}

/// The name of the function that a line begins, if it begins one.
fn function_name(line: &str) -> Option<&str> {
    let mut words = line.trim_start();
    loop {
        if let Some(rest) = words.strip_prefix("fn ") {
            return rest.split(['(', '<']).next();
        }
        let (word, rest) = words.split_once(' ')?;
        let is_prefix = matches!(word, "const" | "async" | "extern" | "\"C\"" | "pub")
            || (word.starts_with("pub(") && word.ends_with(')'));
        if !is_prefix {
            return None;
        }
        words = rest;
    }
}

/// Lines up to the closing brace, which rustfmt puts below the first letter. 1 for one without a body.
fn function_len(lines: &[&str]) -> usize {
    let first = lines[0];
    if first.ends_with(';') || first.ends_with('}') {
        return 1;
    }
    let indent = &first[..first.len() - first.trim_start().len()];
    let (close, semicolon) = (format!("{indent}}}"), format!("{indent})"));
    let end = lines
        .iter()
        .position(|line| *line == close || (line.starts_with(&semicolon) && line.ends_with(';')));
    end.map_or(lines.len(), |end| end + 1)
}

#[test]
fn lengths_of_functions_are_counted() {
    let text = [
        "    pub(crate) const fn a(",
        "        b: u8,",
        "    ) -> u8 {",
        "        b",
        "    }",
    ];
    assert_eq!(function_name(text[0]), Some("a"));
    assert_eq!(function_len(&text), 5);
    assert_eq!(function_len(&["fn a() {}", "}"]), 1);
    assert_eq!(
        function_len(&["    fn a(", "        b: u8,", "    ) -> u8;"]),
        3
    );
    assert_eq!(function_name("let fn_a = 1;"), None);
    assert_eq!(function_name("pub fn a<T>(t: T) {"), Some("a"));
}

#[test]
fn nothing_half_done_is_left() {
    // Written in two parts, so that this file does not offend itself.
    let words = [
        ["#[ig", "nore"].concat(),
        ["to", "do!("].concat(),
        ["unimple", "mented!("].concat(),
        ["FIX", "ME"].concat(),
    ];
    let mut found = Vec::new();
    for file in rust() {
        for (number, line) in (1..).zip(file.text.lines()) {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{number}: {word}", file.path));
            }
        }
    }
    none("nothing half done, no test that never runs", &found);
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let places = [["/wo", "rk/"].concat(), ["/ro", "ot/."].concat()];
    let mut found = Vec::new();
    for file in texts() {
        for (number, line) in (1..).zip(file.text.lines()) {
            if places.iter().any(|place| line.contains(place.as_str())) {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    none("no path of somebody's machine", &found);
}

#[test]
fn nothing_is_unsafe() {
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    let word = ["un", "safe"].concat();
    let mut found = Vec::new();
    // The allocator of the fuzz tests counts, and a global allocator cannot be written without.
    let counting_allocator = "tests/src/heap.rs";
    for file in rust().iter().filter(|file| file.path != counting_allocator) {
        for (number, code) in code_lines(&file.text) {
            if has_word(code, &word) && !code.contains('"') {
                found.push(format!("{}:{number}: {}", file.path, code.trim()));
            }
        }
    }
    none("no unsafe code", &found);
}

#[test]
fn the_readers_do_no_io_of_their_own() {
    let banned = ["fs", "net", "thread", "time", "env", "process", "os"];
    let mut found = Vec::new();
    for file in rust()
        .iter()
        .filter(|file| file.path.starts_with("fs/src/"))
    {
        for (number, code) in code_lines(&file.text) {
            let names = |module: &str| {
                has_word(code, &format!("std::{module}"))
                    || (code.contains("std::{") && has_word(code, module))
            };
            if let Some(module) = banned.iter().find(|module| names(module)) {
                found.push(format!("{}:{number}: std::{module}", file.path));
            }
        }
    }
    none(
        "flr-fs does no I/O, has no threads, clock or environment",
        &found,
    );
}

/// Names of the folders in `fs/src/KIND`: one for each driver.
fn drivers(kind: &str) -> Vec<String> {
    let dir = root().join("fs/src").join(kind);
    let entries = fs::read_dir(dir).expect("a folder of drivers");
    let folders = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir());
    folders
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_str()
                .expect("plain")
                .to_owned()
        })
        .collect()
}

#[test]
fn a_driver_names_no_other() {
    let kinds = ["filesystem", "layer"];
    let mut found = Vec::new();
    for file in rust() {
        let Some(inside) = file.path.strip_prefix("fs/src/") else {
            continue;
        };
        let mut parts = inside.split('/');
        let (Some(kind), Some(own), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        for (number, code) in code_lines(&file.text) {
            for other in kinds {
                // A filesystem knows no partition, a partition table no filesystem.
                let banned: Vec<_> = drivers(other)
                    .into_iter()
                    .filter(|name| other != kind || name != own)
                    .flat_map(|name| [format!("{other}::{name}"), format!("super::super::{name}")])
                    .collect();
                if banned.iter().any(|name| has_word(code, name)) {
                    found.push(format!("{}:{number}: {}", file.path, code.trim()));
                }
            }
        }
    }
    none("a driver's folder names no other driver's", &found);
}
