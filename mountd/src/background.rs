//! Leaving the process that serves a mount behind.
//!
//! A process with threads cannot be forked, so the command starts itself anew. The child's standard
//! output is a pipe to the parent, and carries one line:
//!
//! ```json
//! {"ready":true,"mount_point":"/mnt/w","pid":4242}
//! {"ready":false,"error":"…","hint":"…","exit":9}
//! ```
//!
//! Until that line the child still has the terminal: it may ask for a passphrase, print warnings, and
//! ends with the parent on `^C`. With the line it lets go of everything: a session of its own, `/` as
//! its working directory, nothing on its standard streams.

use crate::daemon::Ready;
use crate::mountinfo;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, ExitStatus, Stdio};

/// Longest line that is read from the child.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// How the child's start went.
#[derive(Debug)]
pub enum Start {
    /// It serves the mount.
    Ready(Ready),
    /// It said why it cannot.
    Failed(Failure),
    /// It ended without a word, or with one that is not ours. What it had to say is on its standard
    /// error.
    Ended(ExitStatus),
}

/// Why the child cannot serve, to be reported as the command's own failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What failed, and why.
    pub error: String,
    /// What to try next.
    pub hint: Option<String>,
    /// The exit code it stands for.
    pub exit: u8,
}

#[derive(Serialize, Deserialize)]
struct Line {
    ready: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mount_point: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(flatten)]
    failure: Option<Failure>,
}

/// Starts `command`, whose process will call [`detach`] or [`report`], and waits for its line.
/// Standard input and error are the caller's to set; they are inherited by default.
///
/// # Errors
/// The program cannot be started.
pub fn spawn(mut command: Command) -> io::Result<Start> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut text = String::new();
    if let Some(pipe) = child.stdout.take() {
        BufReader::new(pipe.take(LINE_BYTES_MAX)).read_line(&mut text)?;
    }
    let line = serde_json::from_str::<Line>(&text);
    match line {
        Ok(Line {
            ready: true,
            mount_point: Some(path),
            pid: Some(pid),
            ..
        }) => Ok(Start::Ready(Ready {
            mount_point: OsString::from_vec(mountinfo::unescape(path.as_bytes())).into(),
            pid,
        })),
        Ok(Line {
            failure: Some(failure),
            ..
        }) => {
            child.wait()?;
            Ok(Start::Failed(failure))
        }
        _ => Ok(Start::Ended(child.wait()?)),
    }
}

/// In the child: tells the parent that the mount is ready, and lets go of it and of the terminal.
/// Standard error goes to `log` from here on.
///
/// # Errors
/// The parent is gone: nobody waits for this mount.
pub fn detach(ready: &Ready, log: Option<impl AsFd>) -> io::Result<()> {
    match rustix::process::setsid() {
        // Already the leader of a group: then it has been detached by whoever started it.
        Ok(_) | Err(rustix::io::Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    std::env::set_current_dir("/")?;
    say(&Line {
        ready: true,
        mount_point: Some(mountinfo::escape(&ready.mount_point)),
        pid: Some(ready.pid),
        failure: None,
    })?;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    match log {
        Some(log) => rustix::stdio::dup2_stderr(log)?,
        None => rustix::stdio::dup2_stderr(&nothing)?,
    }
    Ok(())
}

/// In the child: tells the parent why there will be no mount.
///
/// # Errors
/// The parent is gone.
pub fn report(failure: Failure) -> io::Result<()> {
    say(&Line {
        ready: false,
        mount_point: None,
        pid: None,
        failure: Some(failure),
    })
}

fn say(line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&text)?;
    stdout.flush()
}
