//! RESULT.jsonl and SHA256SUMS: what was restored, for programs and for `sha256sum -c`.

use crate::copying::Content;
use crate::exit::Exit;
use crate::open::describe;
use crate::output::{Failure, Outcome, json_line};
use flr_recover::copy::{AtomicFile, DestinationDir};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Both files, under temporary names until [`Results::commit`].
pub(crate) struct Results<'a> {
    lines: AtomicFile<'a>,
    sums: AtomicFile<'a>,
    /// What relative names in SHA256SUMS are relative to, if that is not where the file stands.
    base: Option<PathBuf>,
}

/// The folder they go to, made if it is missing.
pub(crate) fn folder(path: &Path) -> Result<DestinationDir, Failure> {
    let shown = for_terminal(path.as_os_str().as_bytes());
    DestinationDir::create_all(path, false).map_err(|error| describe(&error, &shown))
}

impl<'a> Results<'a> {
    pub(crate) fn begin(folder: &'a DestinationDir) -> Result<Self, Failure> {
        let file = |name| AtomicFile::create(folder, name).map_err(|error| describe(&error, name));
        let here = matches!(folder.path().as_os_str().as_bytes(), b"" | b"." | b"./");
        let base = match here {
            true => None,
            false => std::env::current_dir().ok(),
        };
        Ok(Self {
            lines: file("RESULT.jsonl")?,
            sums: file("SHA256SUMS")?,
            base,
        })
    }

    /// One line of RESULT.jsonl.
    pub(crate) fn line(&mut self, kind: &str, fields: &Map<String, Value>) -> Outcome<()> {
        let line = json_line(kind, fields);
        Ok(writeln!(self.lines, "{line}").map_err(|error| failed("RESULT.jsonl", &error))?)
    }

    /// One line of SHA256SUMS, as sha256sum writes it. A copy with holes in place of what could not be
    /// read is not what the source had, and gets none.
    pub(crate) fn sum(&mut self, content: &Content) -> Outcome<()> {
        if !content.whole {
            return Ok(());
        }
        let joined;
        let destination = match &self.base {
            Some(base) => {
                joined = base.join(&content.destination);
                &joined
            }
            None => &content.destination,
        };
        let (mark, name) = escaped(destination.as_os_str().as_bytes());
        let mut line = format!("{mark}{}  ", content.digest).into_bytes();
        line.extend(name);
        line.push(b'\n');
        let written = self.sums.write_all(&line);
        Ok(written.map_err(|error| failed("SHA256SUMS", &error))?)
    }

    /// Puts both under their names.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        for (file, name) in [(self.sums, "SHA256SUMS"), (self.lines, "RESULT.jsonl")] {
            file.commit().map_err(|error| describe(&error, name))?;
        }
        Ok(())
    }
}

fn failed(name: &str, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{name}: {error}"))
}

/// A name as sha256sum writes it: with a backslash at the beginning of the line if it has escapes.
fn escaped(name: &[u8]) -> (&'static str, Vec<u8>) {
    let mut out = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\\' => out.extend(b"\\\\"),
            _ => out.push(*byte),
        }
    }
    let mark = if out.len() == name.len() { "" } else { "\\" };
    (mark, out)
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn names_are_escaped_as_sha256sum_does() {
        assert_eq!(escaped(b"a b\xff"), ("", b"a b\xff".to_vec()));
        assert_eq!(escaped(b"a\nb\\"), ("\\", b"a\\nb\\\\".to_vec()));
    }
}
