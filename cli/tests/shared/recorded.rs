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
//! With `FLR_TRANSCRIPTS=write` they are written anew, to be read before they are committed.

use std::fmt::Write;
use std::path::Path;

/// What a line of shell said: standard output, standard error, exit code.
pub(crate) type Spoken = (String, String, i32);

/// Runs what a transcript has, and compares what is said.
pub(crate) fn check(name: &str, mut run: impl FnMut(&str) -> Spoken) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let file = dir.join(format!("{name}.txt"));
    let expected = std::fs::read_to_string(&file).unwrap();
    let mut found = String::new();
    for line in expected.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let said = run(command);
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

fn transcribe((out, err, code): &Spoken, text: &mut String) {
    text.push_str(out);
    if !out.is_empty() && !out.ends_with('\n') {
        text.push_str("\n\\\n");
    }
    for line in err.lines() {
        writeln!(text, "2> {line}").unwrap();
    }
    if *code != 0 {
        writeln!(text, "[{code}]").unwrap();
    }
}
