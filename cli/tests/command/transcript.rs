//! Transcripts: command, standard output, standard error, exit code, as files in `transcripts`.
//!
//! ```text
//! ## a remark
//! $ a line of shell
//! what it prints
//! 2> what it says on standard error
//! [3]                         its exit code, if not 0
//! \                           behind output that ends without a line break
//! ```
//!
//! `PLACE` stands for the folder in which all this happens.
//! With `FLR_TRANSCRIPTS=write` they are written anew, to be read before they are committed.

use crate::place::{Place, Said};
use std::fmt::Write;
use std::path::Path;

fn check(name: &str) {
    check_in(name, &Place::new());
}

fn check_in(name: &str, place: &Place) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let file = dir.join(format!("{name}.txt"));
    let expected = std::fs::read_to_string(&file).unwrap();
    let mut found = String::new();
    for line in expected.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let mut said = place.shell(command);
            said.out = said.out.replace(place.name(), "PLACE");
            said.err = said.err.replace(place.name(), "PLACE");
            writeln!(found, "{line}").unwrap();
            transcribe(&said, &mut found);
        } else if line.starts_with("## ") {
            writeln!(found, "\n{line}").unwrap();
        }
    }
    if std::env::var_os("FLR_TRANSCRIPTS").is_some() {
        std::fs::write(&file, found.trim_start()).unwrap();
        return;
    }
    let found = found.trim_start();
    let differing = expected
        .lines()
        .zip(found.lines())
        .position(|(a, b)| a != b);
    let line = differing.unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
    assert!(
        expected == found,
        "{name}.txt:{}: expected\n{}\nfound\n{}",
        line + 1,
        expected.lines().nth(line).unwrap_or("the end"),
        found.lines().nth(line).unwrap_or("the end"),
    );
}

fn transcribe(said: &Said, text: &mut String) {
    text.push_str(&said.out);
    if !said.out.is_empty() && !said.out.ends_with('\n') {
        text.push_str("\n\\\n");
    }
    for line in said.err.lines() {
        writeln!(text, "2> {line}").unwrap();
    }
    if said.code != 0 {
        writeln!(text, "[{}]", said.code).unwrap();
    }
}

#[test]
fn first_steps() {
    check("first-steps");
}

#[test]
fn streams() {
    check("streams");
}

#[test]
fn addresses() {
    check("addresses");
}

#[test]
fn listing() {
    check("listing");
}

#[test]
fn content() {
    check("content");
}

#[test]
fn find() {
    check("find");
}

#[test]
fn hash() {
    check("hash");
}

#[test]
fn copying() {
    check("copying");
}

#[test]
fn damage() {
    check("damage");
}

#[test]
fn sessions() {
    let place = Place::new();
    crate::session::leave_behind(&place);
    check_in("sessions", &place);
}

#[test]
fn config() {
    check("config");
}

#[test]
fn usage() {
    check("usage");
}

#[test]
fn windows() {
    check("windows");
}
