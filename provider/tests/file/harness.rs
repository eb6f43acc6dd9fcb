//! Images, loop devices, mounts and processes that go with the test that made them.

use flr_fs::source::ByteSource;
use flr_provider::{Error, FileSource, OpenOptions};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use tempfile::TempDir;

pub(crate) const STILL: OpenOptions = OpenOptions { live: false };
pub(crate) const LIVE: OpenOptions = OpenOptions { live: true };

/// A file of its own with `size` bytes that count up.
pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) path: PathBuf,
}

impl Fixture {
    pub(crate) fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let bytes: Vec<u8> = (0..size)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        fs::write(&path, bytes).unwrap();
        Self { dir, path }
    }

    pub(crate) fn open(&self, options: OpenOptions) -> FileSource {
        FileSource::open(&self.path, options).unwrap()
    }

    pub(crate) fn writable(&self) -> File {
        File::options().write(true).open(&self.path).unwrap()
    }
}

/// The kind of error of a read.
pub(crate) fn read(source: &FileSource, offset: u64, len: usize) -> Result<Vec<u8>, ErrorKind> {
    let mut buf = vec![0; len];
    match source.read_at(offset, &mut buf) {
        Ok(()) => Ok(buf),
        Err(flr_fs::Error::Io { source, .. }) => Err(source.kind()),
        Err(error) => unreachable!("{error}"),
    }
}

/// Whether a test may run. Where the tests have to be complete, what is missing is a failure.
pub(crate) fn need(what: &str, there: bool) -> bool {
    assert!(there || std::env::var_os("CI").is_none(), "needs {what}");
    if !there {
        eprintln!("skipped: needs {what}");
    }
    there
}

pub(crate) fn tool(name: &str) -> bool {
    need(name, Command::new(name).arg("--version").output().is_ok())
}

pub(crate) fn root() -> bool {
    need("root", rustix::process::geteuid().is_root())
}

pub(crate) fn run(name: &str, args: &[&str]) -> String {
    let output = Command::new(name).args(args).output().unwrap();
    assert!(output.status.success(), "{name} {args:?}: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// A loop device that goes with the test.
pub(crate) struct Loop(pub(crate) String);

impl Loop {
    pub(crate) fn attach(path: &Path, args: &[&str]) -> Self {
        let path = path.to_str().unwrap();
        Self(run(
            "losetup",
            &[args, &["--find", "--show", path]].concat(),
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["--detach", &self.0]);
    }
}

/// A mount that goes with the test.
pub(crate) struct Mount(pub(crate) PathBuf);

impl Mount {
    pub(crate) fn new(device: &Loop, at: PathBuf, options: &str) -> Self {
        fs::create_dir_all(&at).unwrap();
        run("mount", &["-o", options, &device.0, at.to_str().unwrap()]);
        Self(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &[self.0.to_str().unwrap()]);
    }
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

pub(crate) fn may_mount() -> bool {
    root() && tool("losetup") && tool("mount") && tool("mkfs.ext4")
}

/// An ext4 image.
pub(crate) fn ext4() -> Fixture {
    let fixture = Fixture::new(0);
    fixture.writable().set_len(16 << 20).unwrap();
    run("mkfs.ext4", &["-q", fixture.path.to_str().unwrap()]);
    fixture
}

#[track_caller]
pub(crate) fn busy(path: &Path) -> String {
    match FileSource::open(path, STILL) {
        Err(error @ Error::Busy { .. }) => {
            assert!(FileSource::open(path, LIVE).is_ok());
            assert!(error.hint().unwrap().contains("--live"));
            error.to_string()
        }
        other => unreachable!("{other:?}"),
    }
}
