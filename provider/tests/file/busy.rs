//! Images and devices that are in use: locked, mounted, part of a running machine, written to.

use crate::harness::{
    Fixture, LIVE, Loop, Mount, Running, STILL, busy, ext4, may_mount, read, root, run, tool,
};
use flr_fs::source::{ByteSource, Location, SegmentKind};
use flr_provider::FileSource;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
