//! A folder with images in it, in which commands are run.

use flr_tests::image::image_path;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Images that every place has, as links.
const IMAGES: [&str; 17] = [
    "web01",
    "nested",
    "mbr-primary",
    "damaged-dirblock",
    "damaged-dirloop",
    "damaged-extent",
    "damaged-names",
    "ext4-4k",
    "ext4-encrypt",
    "ext4-journal",
    "ext4-journal-external",
    "ext4-journal-external-log",
    "ext4-nodes",
    "ntfs-streams",
    "windows-gpt",
    "windows-linux",
    "windows-mbr",
];

/// The folder.
pub(crate) struct Place {
    dir: TempDir,
}

/// What a command said and ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new_in("/tmp").unwrap();
        for name in IMAGES {
            let link = dir.path().join(format!("{name}.img"));
            std::os::unix::fs::symlink(image_path(name), link).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its own name.
    pub(crate) fn name(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    /// A program, run here, with nothing of the surroundings that changes what flr says.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let bin = Path::new(env!("CARGO_BIN_EXE_flr")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", bin.display()));
        command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env_remove("NO_COLOR").env_remove("RUST_LOG");
        for (name, _) in std::env::vars_os() {
            let set = name.to_string_lossy();
            if set.starts_with("AWS_") || set.starts_with("FLR_") {
                command.env_remove(&name);
            }
        }
        command.env("AWS_CONFIG_FILE", self.path("no-config"));
        command
    }

    pub(crate) fn flr(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_flr"));
        command.args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(&self.flr(args).output().unwrap())
    }

    /// Runs a line of shell.
    pub(crate) fn shell(&self, line: &str) -> Said {
        Said::of(&self.program("sh").args(["-c", line]).output().unwrap())
    }

    /// Names in a folder below this one, in order, those of hidden files included.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(dir)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let signal = output.status.signal().map(|signal| 128 + signal);
        Self {
            out: text(&output.stdout),
            err: text(&output.stderr),
            code: output.status.code().or(signal).unwrap(),
        }
    }

    /// What it printed; it must have succeeded without a word.
    pub(crate) fn quiet(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }
}

/// Waits until `done`, by looking often; fails after [`DEADLINE`].
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(1));
    }
}
