//! The one place that prints. Data goes to standard output, talk to standard error.

use crate::args::{ColorMode, Global};
use crate::exit::Exit;
use flr_recover::shown::is_hidden;
use serde_json::{Map, Value, json};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Why a command ends before its work is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Whoever read our output has had enough. That is success.
    BrokenPipe,
    /// What one address names failed as a whole. Of several addresses the others go on.
    Item(Failure),
    /// A failure that has been made into a message.
    Failure(Failure),
}

/// A failure in words: what failed on which object and why, and what to try next.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What failed, on which object, and why.
    pub(crate) message: String,
    /// The next command to try.
    pub(crate) hint: Option<String>,
    /// The stable name of the fault, if the image has one.
    pub(crate) code: Option<String>,
    /// Temporary resources that may remain.
    pub(crate) resources: Vec<Value>,
}

impl Failure {
    /// A failure with nothing to try next.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: without_number(message.into()),
            hint: None,
            code: None,
            resources: Vec::new(),
        }
    }

    /// With something to try next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// A message without the number that the standard library puts behind what the system said.
pub(crate) fn without_number(message: String) -> String {
    match message.rsplit_once(" (os error ") {
        Some((text, number)) if number.ends_with(')') => text.to_owned(),
        _ => message,
    }
}

/// Result of a command.
pub(crate) type Outcome<T = Exit> = Result<T, Stop>;

/// Standard output and standard error, and how to use them.
pub(crate) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    line_buffered: bool,
    /// JSON lines instead of text.
    pub(crate) json: bool,
    /// Standard output is for content: JSON lines go to standard error.
    content: bool,
    quiet: bool,
    /// Colour names.
    pub(crate) color: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let color = match global.color {
            ColorMode::Always => true,
            ColorMode::Never => false,
            ColorMode::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self {
            stdout: BufWriter::with_capacity(64 << 10, stdout.lock()),
            line_buffered: terminal,
            json: global.json,
            content: false,
            quiet: global.quiet,
            color: color && !global.json,
        }
    }

    /// Bytes of data.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.stdout.write_all(bytes).map_err(write_failed)
    }

    /// A line of text. Its parts have been made fit to be shown.
    pub(crate) fn line(&mut self, text: &str) -> Outcome<()> {
        self.data(text.as_bytes())?;
        self.end_line()
    }

    /// A name as it is stored, ended by a NUL.
    pub(crate) fn null_terminated(&mut self, name: &[u8]) -> Outcome<()> {
        self.data(name)?;
        self.data(&[0])
    }

    /// From here on standard output is for the content of files alone.
    pub(crate) fn begin_content(&mut self) {
        self.content = true;
    }

    /// Standard output itself, for a stream of content.
    pub(crate) fn stream(&mut self) -> &mut dyn Write {
        &mut self.stdout
    }

    /// A JSON line of this type.
    pub(crate) fn message(
        &mut self,
        message_type: &str,
        fields: &Map<String, Value>,
    ) -> Outcome<()> {
        let line = json_line(message_type, fields);
        if self.content {
            self.talk(&line);
            return Ok(());
        }
        self.line(&line)
    }

    fn end_line(&mut self) -> Outcome<()> {
        self.data(b"\n")?;
        if self.line_buffered {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Everything printed so far is out.
    pub(crate) fn flush(&mut self) -> Outcome<()> {
        self.stdout.flush().map_err(write_failed)
    }

    /// A remark. Nothing with `--quiet`.
    pub(crate) fn note(&mut self, text: &str) {
        self.remark("note", text);
    }

    /// A warning. Nothing with `--quiet`.
    pub(crate) fn warn(&mut self, text: &str) {
        self.remark("warning", text);
    }

    fn remark(&mut self, level: &str, text: &str) {
        match (self.quiet, self.json) {
            (true, _) => {}
            (false, false) => self.talk(&format!("{level}: {text}")),
            (false, true) => self.talk(&status_line(level, text)),
        }
    }

    /// An item of several that failed; the command goes on.
    pub(crate) fn item_failed(&mut self, address: &str, failure: &Failure) -> Outcome<()> {
        if self.json {
            return self.message("error", &error_fields(address, failure));
        }
        self.failure_text(failure);
        Ok(())
    }

    /// The failure that ends the command.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        if !self.json {
            return self.failure_text(failure);
        }
        self.talk(&exit_error_line(failure));
    }

    fn failure_text(&mut self, failure: &Failure) {
        self.talk(&format!("flr: {}", failure.message));
        if let Some(hint) = &failure.hint {
            self.talk(&format!("hint: {hint}"));
        }
    }

    /// A line for programs on standard error, where standard output is for content.
    pub(crate) fn talk_line(&mut self, line: &str) {
        self.talk(line);
    }

    /// A line on standard error, behind what is on standard output.
    fn talk(&mut self, text: &str) {
        // Standard error is all there is to complain to; if it is gone, nobody listens.
        let _ = self.stdout.flush();
        say(text);
    }
}

/// A line on standard error. Names in it have been made fit to be shown; what has not, such as what
/// the user typed, is now.
pub(crate) fn say(text: &str) {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\u{200c}' | '\u{200d}' => shown.push(char),
            _ if is_hidden(char) => shown.push_str(&char.escape_unicode().to_string()),
            _ => shown.push(char),
        }
    }
    let _ = writeln!(io::stderr().lock(), "{shown}");
}

fn write_failed(error: io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::BrokenPipe,
        _ => Failure::new(Exit::Failed, format!("standard output: {error}")).into(),
    }
}

/// The fields of an object made by `json!`.
pub(crate) fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The fields of an `error` line.
pub(crate) fn error_fields(address: &str, failure: &Failure) -> Map<String, Value> {
    let code = failure.code.clone().unwrap_or_else(|| "error".to_owned());
    fields(json!({
        "address": address, "code": code, "exit": failure.exit.code(),
        "message": failure.message, "hint": failure.hint,
    }))
}

/// The last word of a command that failed.
pub(crate) fn exit_error_line(failure: &Failure) -> String {
    let value = json!({
        "code": failure.exit.code(), "fault": failure.code, "message": failure.message,
        "hint": failure.hint, "session": session_of(failure), "resources": failure.resources,
    });
    json_line("exit_error", &fields(value))
}

/// The session of what may remain, if it is one.
fn session_of(failure: &Failure) -> Value {
    let mut sessions = failure.resources.iter().map(|one| one.get("session"));
    match sessions.next() {
        Some(Some(first)) if sessions.all(|other| other == Some(first)) => first.clone(),
        _ => Value::Null,
    }
}

/// Tells a failure before there is an [`Output`].
pub(crate) fn talk_json(failure: &Failure) {
    let _ = writeln!(io::stderr().lock(), "{}", exit_error_line(failure));
}

/// A remark for programs.
pub(crate) fn status_line(level: &str, message: &str) -> String {
    json_line(
        "status",
        &fields(json!({"level": level, "message": message})),
    )
}

/// One line, without its end. Version and type come first.
pub(crate) fn json_line(message_type: &str, fields: &Map<String, Value>) -> String {
    let mut line = format!(r#"{{"v":1,"message_type":"{message_type}""#);
    for (key, value) in fields {
        line.push_str(&format!(r#","{key}":"#));
        push_disarmed(&mut line, &value.to_string());
    }
    line.push('}');
    line
}

/// Adds JSON text in which no character is left that a terminal would act on: they can stand in
/// strings only, and a string may spell any character by its number.
fn push_disarmed(line: &mut String, json: &str) {
    for char in json.chars() {
        if is_hidden(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            line.push(char);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_safe_to_look_at_and_says_the_same() {
        let name = "a\u{202e}b\u{9b}\u{7f}\u{1b}[m\u{e0041}\u{200d}\n\"\\ü木";
        let line = json_line(
            "node",
            &fields(json!({"name": name, "n": 1, "list": [name]})),
        );
        assert!(line.chars().all(|char| !is_hidden(char)), "{line}");
        assert!(line.starts_with(r#"{"v":1,"message_type":"node","#));
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["name"], name);
        assert_eq!(read["list"][0], name);
    }

    #[test]
    fn numbers_of_the_system_are_not_shown() {
        let failure = Failure::new(Exit::Failed, "x: No space left on device (os error 28)");
        assert_eq!(failure.message, "x: No space left on device");
    }
}
