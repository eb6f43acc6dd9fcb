//! Mounting in a process of its own, and cleaning up whatever a failed test leaves.

use flr_mountd::mountinfo::{self, Mount};
use flr_mountd::{Outcome, Registry, UnmountOptions};
use rustix::fs::{Mode, OFlags};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// `nobody`, who mounts through fusermount3.
pub(crate) const NOBODY: u32 = 65534;

/// A folder with a mount point, a registry and room for images.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) user: Option<u32>,
}

/// A process that serves a mount.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) point: PathBuf,
}

impl Place {
    /// `None` if this machine cannot mount.
    pub(crate) fn new() -> Option<Self> {
        can_mount().then(|| {
            let dir = TempDir::new_in("/tmp").unwrap();
            std::fs::create_dir(dir.path().join("m")).unwrap();
            Self { dir, user: None }
        })
    }

    /// The same for `nobody`.
    pub(crate) fn of_nobody() -> Option<Self> {
        let mut place = Self::new()?;
        let mode = std::fs::metadata("/dev/fuse").unwrap().permissions().mode();
        if mode & 0o006 != 0o006 {
            skip("/dev/fuse is for root only");
            return None;
        }
        for path in [place.dir.path(), &place.point()] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        place.user = Some(NOBODY);
        Some(place)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn point(&self) -> PathBuf {
        self.path("m")
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::below(self.dir.path())
    }

    /// A command run as the user of this place.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                let id = user.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
                command.arg(program);
                command
            }
        }
    }

    pub(crate) fn helper(&self, what: &str, point: &Path, settings: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_memory-mount"));
        command.arg(what).arg(point).args(settings);
        let registry = self.dir.path().to_str().unwrap();
        command.arg(format!("registry={registry}"));
        command.env("RUST_LOG", "off");
        command
    }

    /// Mounts the sample on the mount point.
    pub(crate) fn mount(&self, settings: &[&str]) -> Server {
        self.mount_at(&self.point(), settings)
    }

    pub(crate) fn mount_at(&self, point: &Path, settings: &[&str]) -> Server {
        let mut command = self.helper("sample", point, settings);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), child.id().to_string(), "the mount is ready");
        Server {
            child,
            point: point.canonicalize().unwrap_or(point.to_owned()),
        }
    }

    /// Tries to mount and returns what the refusal says.
    pub(crate) fn refused(&self, point: &Path, settings: &[&str]) -> String {
        let output = self.helper("sample", point, settings).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(7), "{said}");
        said
    }

    pub(crate) fn unmount(&self, point: &Path) -> flr_mountd::Result<Outcome> {
        flr_mountd::unmount(point, &self.unmount_options())
    }

    pub(crate) fn unmount_options(&self) -> UnmountOptions {
        UnmountOptions {
            lazy: false,
            wait: Some(DEADLINE),
            registry: self.registry(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mounts = mountinfo::read().unwrap_or_default();
        for mount in mounts.iter().rev() {
            if mount.mount_point.starts_with(self.dir.path()) {
                let flags = rustix::mount::UnmountFlags::DETACH;
                let _ = rustix::mount::unmount(&mount.mount_point, flags);
            }
        }
    }
}

impl Server {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.point.join(name)
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the process and returns its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `done`, by looking often; fails after [`DEADLINE`].
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The uppermost mount at `point`.
pub(crate) fn mounted_at(point: &Path) -> Option<Mount> {
    let mounts = mountinfo::read().unwrap();
    mountinfo::top_at(&mounts, point).cloned()
}

/// What a program says on both its streams; it must have succeeded.
pub(crate) fn output(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let error = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}: {error}");
    String::from_utf8_lossy(&stdout).into_owned()
}

/// The error of reading a file to its end.
pub(crate) fn read_error(path: &Path) -> rustix::io::Errno {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    match read {
        Ok(len) => panic!("{}: read {len} bytes", path.display()),
        Err(error) => rustix::io::Errno::from_io_error(&error).unwrap(),
    }
}

/// Makes a file that stands for an image.
pub(crate) fn touch(path: &Path) {
    let flags = OFlags::WRONLY | OFlags::CREATE;
    rustix::fs::open(path, flags, Mode::RUSR).unwrap();
}

fn can_mount() -> bool {
    let why = if !rustix::process::geteuid().is_root() {
        "not root"
    } else if std::fs::metadata("/dev/fuse").is_err() {
        "no /dev/fuse"
    } else {
        return true;
    };
    skip(why);
    false
}

fn skip(why: &str) {
    let ci = std::env::var_os("CI").is_some();
    assert!(!ci, "must not skip in CI: {why}");
    eprintln!("skipped: {why}");
}
