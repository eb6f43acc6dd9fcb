//! Files and devices that change, are in use, or are nothing to read from.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests make the files that they read, and fail by a panic"
)]

use flr_fs::source::{ByteSource, Location, ReadRequest, SegmentKind};
use flr_provider::{Error, FileSource, ImageChanged, OpenOptions};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const STILL: OpenOptions = OpenOptions { live: false };
const LIVE: OpenOptions = OpenOptions { live: true };

/// A file of its own with `size` bytes that count up.
struct Fixture {
    dir: TempDir,
    path: PathBuf,
}

impl Fixture {
    fn new(size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let bytes: Vec<u8> = (0..size)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        fs::write(&path, bytes).unwrap();
        Self { dir, path }
    }

    fn open(&self, options: OpenOptions) -> FileSource {
        FileSource::open(&self.path, options).unwrap()
    }

    fn writable(&self) -> File {
        File::options().write(true).open(&self.path).unwrap()
    }
}

/// The kind of error of a read.
fn read(source: &FileSource, offset: u64, len: usize) -> Result<Vec<u8>, ErrorKind> {
    let mut buf = vec![0; len];
    match source.read_at(offset, &mut buf) {
        Ok(()) => Ok(buf),
        Err(flr_fs::Error::Io { source, .. }) => Err(source.kind()),
        Err(error) => unreachable!("{error}"),
    }
}

/// Whether a test may run. Where the tests have to be complete, what is missing is a failure.
fn need(what: &str, there: bool) -> bool {
    assert!(there || std::env::var_os("CI").is_none(), "needs {what}");
    if !there {
        eprintln!("skipped: needs {what}");
    }
    there
}

fn tool(name: &str) -> bool {
    need(name, Command::new(name).arg("--version").output().is_ok())
}

fn root() -> bool {
    need("root", rustix::process::geteuid().is_root())
}

fn run(name: &str, args: &[&str]) -> String {
    let output = Command::new(name).args(args).output().unwrap();
    assert!(output.status.success(), "{name} {args:?}: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// A loop device that goes with the test.
struct Loop(String);

impl Loop {
    fn attach(path: &Path, args: &[&str]) -> Self {
        let path = path.to_str().unwrap();
        Self(run(
            "losetup",
            &[args, &["--find", "--show", path]].concat(),
        ))
    }

    fn path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", &["--detach", &self.0]);
    }
}

/// A mount that goes with the test.
struct Mount(PathBuf);

impl Mount {
    fn new(device: &Loop, at: PathBuf, options: &str) -> Self {
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
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn may_mount() -> bool {
    root() && tool("losetup") && tool("mount") && tool("mkfs.ext4")
}

/// An ext4 image.
fn ext4() -> Fixture {
    let fixture = Fixture::new(0);
    fixture.writable().set_len(16 << 20).unwrap();
    run("mkfs.ext4", &["-q", fixture.path.to_str().unwrap()]);
    fixture
}

#[track_caller]
fn busy(path: &Path) -> String {
    match FileSource::open(path, STILL) {
        Err(error @ Error::Busy { .. }) => {
            assert!(FileSource::open(path, LIVE).is_ok());
            assert!(error.hint().unwrap().contains("--live"));
            error.to_string()
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn bytes_are_read_at_any_place() {
    let fixture = Fixture::new(10_000);
    let source = fixture.open(STILL);
    assert_eq!(source.size(), 10_000);
    assert_eq!(read(&source, 5_000, 3).unwrap(), [231, 232, 233]);
    assert_eq!(read(&source, 9_999, 1).unwrap(), [210]);
    assert_eq!(read(&source, 10_000, 0).unwrap(), b"");
    let outside = source.read_at(9_999, &mut [0; 2]).unwrap_err();
    assert_eq!(outside.code().as_str(), "request");
    assert_eq!(source.path(), fixture.path);
    source.will_read(&[0..u64::MAX, 5..5, 100..200]);
}

#[test]
fn an_empty_file_is_a_source() {
    assert_eq!(Fixture::new(0).open(STILL).size(), 0);
}

#[test]
fn a_file_that_becomes_shorter_keeps_what_is_left() {
    let fixture = Fixture::new(100_000);
    let source = fixture.open(STILL);
    fixture.writable().set_len(50_000).unwrap();
    assert_eq!(read(&source, 40_000, 10_000).unwrap().len(), 10_000);
    assert_eq!(read(&source, 40_001, 10_000), Err(ErrorKind::UnexpectedEof));
    assert_eq!(read(&source, 60_000, 10), Err(ErrorKind::UnexpectedEof));
    let error = source.read_at(60_000, &mut [0; 10]).unwrap_err();
    assert!(error.to_string().contains("ends at byte 0xc350"), "{error}");
    assert_eq!(source.size(), 100_000);
}

#[test]
fn a_file_that_grows_again_never_shows_zeros() {
    let fixture = Fixture::new(100_000);
    let sources = [fixture.open(STILL), fixture.open(LIVE)];
    let file = fixture.writable();
    file.set_len(50_000).unwrap();
    for source in &sources {
        assert!(read(source, 0, 100).is_ok());
    }
    file.set_len(100_000).unwrap();
    for source in &sources {
        assert_eq!(read(source, 60_000, 10), Err(ErrorKind::UnexpectedEof));
        assert!(source.segment_at(60_000..70_000).is_err());
    }
    assert_eq!(
        read(&sources[0], 0, 10),
        Err(ErrorKind::StaleNetworkFileHandle)
    );
    assert!(read(&sources[1], 0, 10).is_ok());
}

#[test]
fn growing_again_unseen_is_a_change() {
    let fixture = Fixture::new(100_000);
    let source = fixture.open(STILL);
    let file = fixture.writable();
    file.set_len(50_000).unwrap();
    file.set_len(100_000).unwrap();
    assert_eq!(
        read(&source, 60_000, 10),
        Err(ErrorKind::StaleNetworkFileHandle)
    );
    assert!(source.segment_at(60_000..70_000).is_err());
}

#[test]
fn many_reads_are_checked_one_by_one() {
    let fixture = Fixture::new(100_000);
    let source = fixture.open(STILL);
    let results = || {
        let (mut a, mut b, mut c) = ([0; 2], [0; 2], [0; 2]);
        let mut reads = [
            ReadRequest::new(1, &mut a),
            ReadRequest::new(99_999, &mut b),
            ReadRequest::new(60_000, &mut c),
        ];
        source.read_many(&mut reads);
        let results = reads.map(|read| read.result.map_err(|error| error.code().as_str()));
        (results, a)
    };
    assert_eq!(results(), ([Ok(()), Err("request"), Ok(())], [1, 2]));
    fixture.writable().set_len(50_000).unwrap();
    assert_eq!(results().0, [Ok(()), Err("request"), Err("io")]);
    fixture.writable().write_all_at(b"x", 0).unwrap();
    assert_eq!(results().0, [Err("io"), Err("request"), Err("io")]);
}

#[test]
fn a_file_that_is_written_to_is_refused_unless_live() {
    let fixture = Fixture::new(10_000);
    let (still, live) = (fixture.open(STILL), fixture.open(LIVE));
    assert!(read(&still, 0, 10).is_ok());
    fixture.writable().write_all_at(b"new", 5).unwrap();
    assert_eq!(
        read(&still, 9_000, 10),
        Err(ErrorKind::StaleNetworkFileHandle)
    );
    assert_eq!(read(&live, 5, 3).unwrap(), b"new");
    let Err(flr_fs::Error::Io { source, .. }) = still.read_at(0, &mut [0]) else {
        unreachable!();
    };
    assert!(source.get_ref().unwrap().is::<ImageChanged>());
}

#[test]
fn reading_and_renaming_are_no_changes() {
    let fixture = Fixture::new(10_000);
    let source = fixture.open(STILL);
    let moved = fixture.dir.path().join("moved");
    fs::rename(&fixture.path, &moved).unwrap();
    fs::set_permissions(&moved, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(fs::read(&moved).is_ok());
    assert!(read(&source, 0, 10_000).is_ok());
}

#[test]
fn holes_are_told_from_data() {
    let fixture = Fixture::new(0);
    let file = fixture.writable();
    file.set_len(1 << 20).unwrap();
    file.write_all_at(&[1; 65536], 256 << 10).unwrap();
    file.sync_all().unwrap();
    let source = fixture.open(STILL);
    let mut map = Vec::new();
    let mut at = 0;
    while at < source.size() {
        let segment = source.segment_at(at..source.size()).unwrap();
        map.push((at, segment.len, segment.kind));
        at = at.checked_add(segment.len).unwrap();
    }
    let data = SegmentKind::Stored(Location {
        member: 0,
        offset: 256 << 10,
    });
    let expected = [
        (0, 256 << 10, SegmentKind::Hole),
        (256 << 10, 64 << 10, data),
        (320 << 10, 704 << 10, SegmentKind::Hole),
    ];
    assert_eq!(map, expected);
    let middle = source.segment_at((260 << 10)..(261 << 10)).unwrap();
    assert_eq!(middle.len, 1 << 10);
    assert_eq!(source.segment_at(1..2).unwrap().kind, SegmentKind::Hole);
    assert!(source.segment_at(5..5).is_err());
    // Behind the end of a file that became shorter there is no hole.
    file.set_len(512 << 10).unwrap();
    assert!(source.segment_at((600 << 10)..(700 << 10)).is_err());
}

#[test]
fn only_files_and_block_devices_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let cases = [
        (dir.path(), "it is a directory"),
        (&fifo, "it is a FIFO"),
        (&socket, "it is a socket"),
        (Path::new("/dev/null"), "it is a character device"),
    ];
    for (path, what) in cases {
        let error = FileSource::open(path, STILL).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error}");
        let message = error.to_string();
        assert!(message.ends_with(what), "{message}");
        assert!(message.contains(path.to_str().unwrap()));
        assert!(error.hint().is_some());
    }
    let missing = FileSource::open(&dir.path().join("none"), STILL).unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }));
    let below = FileSource::open(&fifo.join("none"), STILL).unwrap_err();
    assert!(matches!(below, Error::NotFound { .. }));
    let circle = dir.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let circle = FileSource::open(&circle, STILL).unwrap_err();
    assert!(matches!(circle, Error::Io { .. }));
}

/// The name under which this test calls itself as another user.
const DENIED: &str = "FLR_TEST_DENIED";

#[test]
fn a_file_without_permission_is_denied() {
    if let Some(path) = std::env::var_os(DENIED) {
        let error = FileSource::open(Path::new(&path), STILL).unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error}");
        // What belongs to another is read all the same where that is allowed.
        FileSource::open(Path::new("/etc/passwd"), STILL).unwrap();
        return;
    }
    let fixture = Fixture::new(10);
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(fixture.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut test = Command::new("/bin/sh");
    if rustix::process::geteuid().is_root() {
        if !tool("setpriv") {
            return;
        }
        test = Command::new("setpriv");
        test.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "/bin/sh",
        ]);
    }
    // By way of a copy that everybody may run.
    let copy = fixture.dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let child = test
        .args([
            "-c",
            "exec \"$0\" --exact a_file_without_permission_is_denied",
        ])
        .arg(&copy)
        .env(DENIED, &fixture.path)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
}

#[test]
fn opening_leaves_the_time_of_access() {
    let fixture = Fixture::new(10_000);
    let times = || rustix::fs::stat(&fixture.path).map(|stat| (stat.st_atime, stat.st_atime_nsec));
    let file = fixture.writable();
    let past = std::time::SystemTime::UNIX_EPOCH;
    file.set_times(fs::FileTimes::new().set_accessed(past))
        .unwrap();
    let source = fixture.open(STILL);
    assert!(read(&source, 0, 10_000).is_ok());
    assert_eq!(times().unwrap(), (0, 0));
}

#[test]
fn an_image_locked_for_writing_is_refused() {
    let fixture = Fixture::new(10_000);
    let lock = |file: &File, kind: i32, start: i64, len: i64| {
        let lock = libc::flock {
            l_type: i16::try_from(kind).unwrap(),
            l_whence: 0,
            l_start: start,
            l_len: len,
            l_pid: 0,
        };
        fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    };
    // A reading virtual machine, and one that only keeps writers away.
    let reader = File::open(&fixture.path).unwrap();
    lock(&reader, libc::F_RDLCK, 100, 1);
    lock(&reader, libc::F_RDLCK, 201, 1);
    fixture.open(STILL);
    lock(&reader, libc::F_RDLCK, 0, 0);
    fixture.open(STILL);
    drop(reader);
    let writer = fixture.writable();
    lock(&writer, libc::F_WRLCK, 0, 0);
    let message = busy(&fixture.path);
    let own = format!("(process {})", std::process::id());
    assert!(
        message.contains("locked for writing by") && message.contains(&own),
        "{message}"
    );
    drop(writer);
    fixture.open(STILL);
}

#[test]
fn an_image_of_a_running_qemu_is_refused() {
    if !tool("qemu-io") {
        return;
    }
    let fixture = Fixture::new(1 << 20);
    let child = Command::new("qemu-io")
        .args(["-f", "raw"])
        .arg(&fixture.path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut qemu = Running(child);
    // It answers once it has the image open.
    qemu.0
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"length\n")
        .unwrap();
    qemu.0
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0])
        .unwrap();
    let message = busy(&fixture.path);
    assert!(
        message.contains("locked for writing by qemu-io (process"),
        "{message}"
    );
    drop(qemu);
    fixture.open(STILL);
}

#[test]
fn an_image_mounted_through_a_loop_device_is_refused() {
    if !may_mount() {
        return;
    }
    let fixture = ext4();
    let device = Loop::attach(&fixture.path, &[]);
    fixture.open(STILL);
    let at = fixture.dir.path().join("a mount");
    let mount = Mount::new(&device, at.clone(), "rw");
    // By another name as well: the inode counts.
    let link = fixture.dir.path().join("other name");
    fs::hard_link(&fixture.path, &link).unwrap();
    for path in [&fixture.path, &link] {
        let message = busy(path);
        let expected = format!("mounted read-write at {} ({})", at.display(), device.0);
        assert!(message.contains(&expected), "{message}");
        assert!(message.contains("through a loop device"), "{message}");
    }
    let message = busy(device.path());
    assert!(message.contains("mounted read-write at"), "{message}");
    drop(mount);
    fixture.open(STILL);
    let _mount = Mount::new(&device, at, "ro");
    fixture.open(STILL);
    FileSource::open(device.path(), STILL).unwrap();
}

#[test]
fn a_mount_in_another_namespace_is_noticed() {
    if !may_mount() || !tool("unshare") {
        return;
    }
    let fixture = ext4();
    let device = Loop::attach(&fixture.path, &[]);
    let script = "mount \"$0\" \"$1\" && echo mounted && exec sleep 60";
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, &device.0])
        .arg(fixture.dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut other = Running(child);
    other
        .0
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut [0])
        .unwrap();
    for path in [device.path(), &fixture.path] {
        let message = busy(path);
        assert!(message.contains("another namespace"), "{message}");
    }
}

#[test]
fn a_read_only_loop_device_is_a_source() {
    if !root() || !tool("losetup") {
        return;
    }
    let fixture = Fixture::new(1 << 20);
    for (args, granule) in [(&["--read-only"][..], 512), (&["-r", "-b", "4096"], 4096)] {
        let device = Loop::attach(&fixture.path, args);
        let source = FileSource::open(device.path(), STILL).unwrap();
        assert_eq!(source.size(), 1 << 20);
        assert_eq!(source.granule().get(), granule);
        let expected = fs::read(&fixture.path).unwrap();
        assert_eq!(
            read(&source, 1_000_000, 1000).unwrap(),
            expected[1_000_000..1_001_000]
        );
        let segment = source.segment_at(10..1000).unwrap();
        let stored = Location {
            member: 0,
            offset: 10,
        };
        assert_eq!(
            (segment.len, segment.kind),
            (990, SegmentKind::Stored(stored))
        );
    }
}

#[test]
fn a_disk_with_a_mounted_partition_is_refused_and_its_neighbour_is_not() {
    if !may_mount() || !tool("sfdisk") || !tool("partx") {
        return;
    }
    let fixture = Fixture::new(0);
    fixture.writable().set_len(64 << 20).unwrap();
    let path = fixture.path.to_str().unwrap();
    let script = "printf 'size=20M\\nsize=20M\\n' | sfdisk -q \"$0\"";
    run("sh", &["-c", script, path]);
    let device = Loop::attach(&fixture.path, &["--partscan"]);
    // Kernels without the table's parser are told by `partx`; others have the partitions already.
    let _ = Command::new("partx")
        .arg("--add")
        .arg(device.path())
        .output()
        .unwrap();
    let [first, second] = [1, 2].map(|number| PathBuf::from(format!("{}p{number}", device.0)));
    run("mkfs.ext4", &["-q", first.to_str().unwrap()]);
    FileSource::open(device.path(), STILL).unwrap();
    let at = fixture.dir.path().join("mount");
    fs::create_dir(&at).unwrap();
    run("mount", &[first.to_str().unwrap(), at.to_str().unwrap()]);
    let mount = Mount(at);
    for path in [device.path(), &first, &fixture.path] {
        let message = busy(path);
        assert!(message.contains("mounted read-write at"), "{message}");
    }
    FileSource::open(&second, STILL).unwrap();
    drop(mount);
    FileSource::open(device.path(), STILL).unwrap();
}

#[test]
fn a_device_written_to_while_open_is_refused() {
    if !root() || !tool("losetup") {
        return;
    }
    let fixture = Fixture::new(1 << 20);
    let device = Loop::attach(&fixture.path, &[]);
    let (still, live) = [STILL, LIVE]
        .map(|how| FileSource::open(device.path(), how).unwrap())
        .into();
    assert!(read(&still, 0, 10).is_ok());
    let writer = File::options().write(true).open(device.path()).unwrap();
    writer.write_all_at(&[7; 4096], 4096).unwrap();
    writer.sync_all().unwrap();
    assert_eq!(read(&still, 0, 10), Err(ErrorKind::StaleNetworkFileHandle));
    assert_eq!(read(&live, 5000, 1).unwrap(), [7]);
}
