//! Secrets: never shown, and where users keep them.

use crate::config::Env;
use crate::error::{Error, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longer lines are no password.
const BYTES_MAX: u64 = 4096;
/// A command may have to ask a human.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// Variables that hold credentials of providers. No child of ours gets them.
pub const SECRET_VARIABLES: [&str; 9] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "ALIBABA_CLOUD_ACCESS_KEY_ID",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALIBABA_CLOUD_SECURITY_TOKEN",
    "ALIBABA_CLOUD_CREDENTIALS_URI",
];

/// A text that nobody may see.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one call that needs it. It must not be kept, logged, or put into an error.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Where a secret is.
#[derive(Clone, Copy, Debug)]
pub enum Whence<'a> {
    /// A command of a shell prints it.
    Command(&'a str),
    /// A file of the user alone.
    File(&'a Path),
    /// A file in `$CREDENTIALS_DIRECTORY`, which the service manager guards.
    Credential(&'a str),
}

impl Whence<'_> {
    /// Reads it: one line, without its end. A command gets two minutes, no input, and our standard
    /// error, where it may ask; [`SECRET_VARIABLES`] are taken out of its environment.
    ///
    /// # Errors
    /// The command fails or takes too long, the file is not there or not the user's alone, or there is
    /// more or less than one line. No message holds any of what was read.
    pub fn read(self, env: Env<'_>) -> Result<Secret> {
        match self {
            Self::Command(command) => run(command, COMMAND_LIMIT),
            Self::File(path) => file(path, true),
            Self::Credential(name) => credential(name, env),
        }
    }
}

fn credential(name: &str, env: Env<'_>) -> Result<Secret> {
    let usage = |what: String, hint: &str| Error::Usage {
        what,
        hint: Some(hint.to_owned()),
    };
    if name.contains('/') || name.starts_with('.') {
        let what = format!("password_credential: {name} is no name in $CREDENTIALS_DIRECTORY");
        return Err(usage(what, "for a file elsewhere there is password_file"));
    }
    let Some(folder) = env("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()) else {
        let what = format!("password_credential {name}: CREDENTIALS_DIRECTORY is not set");
        let hint =
            "systemd sets it for services with LoadCredential=; elsewhere use password_command";
        return Err(usage(what, hint));
    };
    file(&PathBuf::from(folder).join(name), false)
}

fn file(path: &Path, guarded: bool) -> Result<Secret> {
    let refuse = |what: &str, hint: String| Error::Usage {
        what: format!("{}: {what}", path.display()),
        hint: Some(hint),
    };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let from_open = |error: io::Error| Error::from_open(path, error);
    let opened =
        openat(CWD, path, flags, Mode::empty()).map_err(|error| from_open(error.into()))?;
    let stat = fstat(&opened).map_err(|error| from_open(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refuse("expected a regular file", "name a file".to_owned()));
    }
    let me = rustix::process::geteuid().as_raw();
    if guarded && (stat.st_mode & 0o077 != 0 || (stat.st_uid != me && stat.st_uid != 0)) {
        let hint = format!("chmod 0600 {0}; it must be yours", path.display());
        return Err(refuse("others may read or write this secret", hint));
    }
    let mut bytes = Vec::new();
    let limited = File::from(opened).take(BYTES_MAX.saturating_add(1));
    read_all(limited, &mut bytes).map_err(from_open)?;
    one_line(bytes).map_err(|what| refuse(what, "keep the password alone in it".to_owned()))
}

fn read_all(mut from: impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    from.read_to_end(bytes).map(|_| ())
}

/// The only line, or what is wrong.
fn one_line(bytes: Vec<u8>) -> Result<Secret, &'static str> {
    if u64::try_from(bytes.len()).is_ok_and(|len| len > BYTES_MAX) {
        return Err("expected one line of at most 4096 bytes");
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "expected UTF-8")?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    if text.is_empty() {
        return Err("expected one line, found nothing");
    }
    if text.contains('\n') {
        return Err("expected one line, found several");
    }
    match text.chars().any(char::is_control) {
        true => Err("expected no control characters"),
        false => Ok(Secret(text)),
    }
}

fn run(command: &str, limit: Duration) -> Result<Secret> {
    // The command itself is not repeated: some write a password into it.
    let fail = |what: &str| Error::Refused {
        what: format!("password_command: {what}"),
        hint: Some("run it in a shell and see what it prints: flr config show".to_owned()),
    };
    let mut child = shell(command)
        .spawn()
        .map_err(|error| fail(&error.to_string()))?;
    let bytes = output(&mut child, limit, BYTES_MAX).map_err(|what| fail(&what))?;
    one_line(bytes).map_err(fail)
}

/// Runs a program without a shell, and without [`SECRET_VARIABLES`]. What it prints, if it ends well
/// within `limit` and prints at most `max` bytes; its standard error is ours. Blocks.
///
/// # Errors
/// Why not; no message holds any of what was printed, or of the command.
pub(crate) fn run_program(words: &[&str], limit: Duration, max: u64) -> Result<Vec<u8>, String> {
    let (program, arguments) = words.split_first().ok_or("it is empty")?;
    let mut command = Command::new(program);
    command.args(arguments);
    let command = without_secrets(&mut command);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let bytes = output(&mut child, limit, max)?;
    match u64::try_from(bytes.len()) {
        Ok(len) if len <= max => Ok(bytes),
        _ => Err(format!("it prints more than {max} bytes")),
    }
}

/// What a child prints, one byte more than `max` at most, if it ends well.
fn output(child: &mut Child, limit: Duration, max: u64) -> Result<Vec<u8>, String> {
    match wait(child, limit, max) {
        Ok((bytes, status)) if status.success() => Ok(bytes),
        Ok((_, status)) => Err(format!("it ended with {status}")),
        Err(what) => {
            // It may have ended in between; then there is nothing left to end.
            let _ = child.kill();
            let _ = child.wait();
            Err(what)
        }
    }
}

fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    without_secrets(&mut shell);
    shell
}

fn without_secrets(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    for name in SECRET_VARIABLES {
        command.env_remove(name);
    }
    command
}

/// What the child prints until it closes its output, and how it ends.
fn wait(child: &mut Child, limit: Duration, max: u64) -> Result<(Vec<u8>, ExitStatus), String> {
    let start = Instant::now();
    let late = || format!("it took more than {} s", limit.as_secs());
    let output = child.stdout.take().ok_or("it has no output")?;
    let (send, receive) = mpsc::sync_channel(1);
    // Ends with the output at the latest. What is read after the limit nobody takes.
    let reader = std::thread::Builder::new().name("password".into());
    let reading = reader.spawn(move || {
        let mut bytes = Vec::new();
        let read = read_all(output.take(max.saturating_add(1)), &mut bytes);
        let _ = send.send(read.map(|()| bytes));
    });
    reading.map_err(|error| error.to_string())?;
    let bytes = match receive.recv_timeout(limit) {
        Ok(read) => read.map_err(|error| error.to_string())?,
        Err(_) => return Err(late()),
    };
    // Its output is closed, or too long: then it ends by SIGPIPE, since the reader is gone.
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok((bytes, status));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(late())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const CANARY: &str = "hunter2-canary";

    fn failure(result: Result<Secret>) -> String {
        let error = result.unwrap_err();
        let text = format!("{error} {error:?} {:?}", error.hint());
        assert!(!text.contains(CANARY), "{text}");
        text
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new(CANARY.to_owned());
        assert_eq!(
            format!("{secret:?} {:?}", Some(&secret)),
            "Secret Some(Secret)"
        );
        assert_eq!(secret.expose(), CANARY);
    }

    #[test]
    fn a_command_prints_one_line() {
        let limit = Duration::from_secs(30);
        let quoted = run("printf '%s\\n' \"a 'b' $0\"", limit).unwrap();
        assert_eq!(quoted.expose(), "a 'b' /bin/sh");
        for (command, why) in [
            ("printf 'hunter2-canary\\nb\\n'", "found several"),
            ("printf 'hunter2-canary'; exit 3", "exit status: 3"),
            ("true", "found nothing"),
            ("printf 'hunter2-canary\\377'", "UTF-8"),
            ("printf 'hunter2-canary\\tb'", "control"),
            ("kill -9 $$", "signal: 9"),
        ] {
            let said = failure(run(command, limit));
            assert!(said.contains(why), "{said}");
        }
        // Whether the shell is ended by SIGPIPE or seen to have printed too much.
        failure(run("while :; do echo hunter2-canary; done", limit));
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        for command in ["exec sleep 600", "exec >&-; exec sleep 600"] {
            let said = failure(run(command, Duration::from_millis(50)));
            assert!(said.contains("took more than"), "{said}");
        }
    }

    #[test]
    fn a_command_gets_no_credentials() {
        let mut shell = shell("env");
        let removed: Vec<_> = shell
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .collect();
        assert_eq!(removed.len(), SECRET_VARIABLES.len());
        let printed = shell.output().unwrap().stdout;
        assert!(!String::from_utf8_lossy(&printed).contains("AWS_SECRET_ACCESS_KEY="));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own files")]
    fn a_file_is_of_the_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, format!("{CANARY}\r\n")).unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).unwrap();
        };
        set(0o600);
        assert_eq!(file(&path, true).unwrap().expose(), CANARY);
        for mode in [0o640, 0o604, 0o620] {
            set(mode);
            assert!(failure(file(&path, true)).contains("chmod 0600"));
        }
        let folder = dir.path().as_os_str().to_owned();
        let env = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| folder.clone());
        let secret = Whence::Credential("password").read(&env).unwrap();
        assert_eq!(secret.expose(), CANARY);
        failure(Whence::Credential("../password").read(&env));
        failure(Whence::Credential("password").read(&|_| None));
        failure(Whence::File(dir.path()).read(&env));
        std::fs::write(&path, format!("{CANARY}\n{CANARY}\n")).unwrap();
        failure(Whence::Credential("password").read(&env));
    }
}
