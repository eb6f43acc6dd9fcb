//! Stand-ins driven by other people's clients, which say whether they are like the real service.

use super::{Cloud, Fake};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python that can run `look`, which finds clients of `whose`: that of the test command, or the system's.
/// None, and a word of it, where there is none; with `CI` set a test needs it.
///
/// # Panics
/// There is none, and `CI` is set.
#[must_use]
pub fn python(look: &str, whose: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/venv/bin/python");
    let has_clients = |python: &PathBuf| {
        let mut command = Command::new(python);
        let output = command.args(["-c", look]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = [tools, PathBuf::from("python3")]
        .into_iter()
        .find(has_clients);
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "this test needs {whose}, which CI has to have"
        );
        println!("skipped: this test needs {whose}");
    }
    found
}

/// Runs a script of a stand-in, which has to end well.
///
/// # Panics
/// It does not.
pub fn drive<C: Cloud>(fake: &Fake<C>, script: &mut Command) {
    let output = script.output().expect("a script is run");
    let said = String::from_utf8_lossy(&output.stderr);
    let calls = fake.requests();
    let last = calls.iter().rev().take(4).collect::<Vec<_>>();
    assert!(
        output.status.success(),
        "{:?}: {said}\nlast calls: {last:#?}",
        script.get_args()
    );
}
