//! `flr restore`: what it keeps, what it leaves, how it ends, and how it goes on.

mod codes;
mod descriptors;
mod faithful;
mod fat;
mod injected;
mod interrupted;
mod links;
mod owners;
mod scripted;

use crate::place::Place;

/// Runs the command and parses its lines, each as documented.
fn lines(place: &Place, args: &[&str], code: i32) -> Vec<serde_json::Value> {
    let said = place.run(&[&["--json", "restore"], args].concat());
    assert_eq!(said.code, code, "{args:?}: {}", said.err);
    said.out.lines().map(crate::schema::check).collect()
}

/// The lines of one type.
fn of_type<'a>(lines: &'a [serde_json::Value], kind: &str) -> Vec<&'a serde_json::Value> {
    lines
        .iter()
        .filter(|line| line["message_type"] == kind)
        .collect()
}
