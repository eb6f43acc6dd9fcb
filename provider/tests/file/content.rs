//! What a file holds, while it changes, and what is nothing to read from.

use crate::harness::{Fixture, LIVE, STILL, read, tool};
use flr_fs::source::{ByteSource, Location, ReadRequest, SegmentKind};
use flr_provider::{Error, FileSource, ImageChanged};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

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
            "exec \"$0\" --exact content::a_file_without_permission_is_denied",
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
