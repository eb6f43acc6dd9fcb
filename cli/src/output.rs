//! The one place that prints. Data goes to standard output, talk to standard error.

use crate::args::{ColorMode, Global};
use crate::exit::Exit;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Why a command ends before its work is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Whoever read our output has had enough. That is success.
    BrokenPipe,
    /// A failure that has been made into a message.
    Failure(Failure),
}

/// A failure in words: what failed on which object and why, and what to try next.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What failed, on which object, and why.
    pub(crate) message: String,
    /// The next command to try.
    pub(crate) hint: Option<String>,
    /// The stable name of the fault, if the image has one.
    pub(crate) code: Option<String>,
}

impl Failure {
    /// A failure with nothing to try next.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
            code: None,
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

/// Result of a command.
pub(crate) type Outcome<T = Exit> = Result<T, Stop>;

/// Standard output and standard error, and how to use them.
pub(crate) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
    line_buffered: bool,
    /// JSON lines instead of text.
    pub(crate) json: bool,
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

    /// A JSON line of this type. `value` is an object.
    pub(crate) fn message(&mut self, message_type: &str, value: &impl Serialize) -> Outcome<()> {
        let head = format!(r#"{{"v":1,"message_type":"{message_type}""#);
        let body = serde_json::to_string(value).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("this cannot be written as JSON: {error}"),
            )
        })?;
        self.data(head.as_bytes())?;
        let fields = body.strip_prefix('{').unwrap_or("}");
        if fields != "}" {
            self.data(b",")?;
        }
        self.data(fields.as_bytes())?;
        self.end_line()
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
        if !self.quiet {
            self.talk(&format!("note: {text}"));
        }
    }

    /// A warning. Nothing with `--quiet`.
    pub(crate) fn warn(&mut self, text: &str) {
        if !self.quiet {
            self.talk(&format!("warning: {text}"));
        }
    }

    /// An item of several that failed; the command goes on.
    pub(crate) fn item_failed(&mut self, address: &str, failure: &Failure) -> Outcome<()> {
        if self.json {
            let code = failure.code.clone().unwrap_or_else(|| "error".to_owned());
            let value = json!({
                "address": address, "code": code, "exit": failure.exit.code(),
                "message": failure.message, "hint": failure.hint,
            });
            return self.message("error", &value);
        }
        self.failure_text(failure);
        Ok(())
    }

    /// The failure that ends the command.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        if !self.json {
            return self.failure_text(failure);
        }
        let value = json!({
            "v": 1, "message_type": "exit_error", "code": failure.exit.code(),
            "fault": failure.code, "message": failure.message, "hint": failure.hint,
            "session": Value::Null, "resources": [],
        });
        self.talk(&value.to_string());
    }

    fn failure_text(&mut self, failure: &Failure) {
        self.talk(&format!("flr: {}", failure.message));
        if let Some(hint) = &failure.hint {
            self.talk(&format!("hint: {hint}"));
        }
    }

    /// A line on standard error, behind what is on standard output.
    fn talk(&mut self, text: &str) {
        // Standard error is all there is to complain to; if it is gone, nobody listens.
        let _ = self.stdout.flush();
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

fn write_failed(error: io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::BrokenPipe,
        _ => Failure::new(Exit::Failed, format!("standard output: {error}")).into(),
    }
}
