//! What files hold, as programs see it.

use crate::harness::{Place, read_error};
use flr_tests::faulty::expected;
use flr_tests::sample::HELLO;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

const MIB: u64 = 1 << 20;

#[test]
fn files_read_as_they_are() {
    for settings in [
        &[][..],
        &["no_open=0", "no_opendir=0"],
        &["no_open=0", "direct_io=1"],
        &["read_ahead_kib=4096", "threads=8"],
    ] {
        let Some(place) = Place::new() else { return };
        let server = place.mount(settings);
        assert_eq!(fs::read(server.path("hello.txt")).unwrap(), HELLO);
        assert_eq!(fs::read(server.path("empty")).unwrap(), b"");
        assert_eq!(fs::read(server.path("mnt/inside")).unwrap(), b"inside\n");
        let len = usize::try_from(8 * MIB + 5).unwrap();
        assert_eq!(fs::read(server.path("big.bin")).unwrap(), expected(0, len));
        let file = File::open(server.path("big.bin")).unwrap();
        let mut tail = [0; 100];
        assert_eq!(file.read_at(&mut tail, 8 * MIB - 5).unwrap(), 10);
        assert_eq!(tail[..10], expected(8 * MIB - 5, 10));
        assert_eq!(file.read_at(&mut tail, 9 * MIB).unwrap(), 0);
    }
}

#[test]
fn an_unreadable_range_is_an_error_and_its_neighbours_are_not() {
    for settings in [&[][..], &["no_open=0", "direct_io=1"]] {
        let Some(place) = Place::new() else { return };
        let server = place.mount(settings);
        let path = server.path("bad");
        assert_eq!(read_error(&path), Errno::IO);
        let file = File::open(&path).unwrap();
        let mut page = vec![0; 4096];
        for offset in (0..MIB).step_by(4096) {
            let read = file.read_exact_at(&mut page, offset);
            match offset {
                0x40000 => assert_eq!(read.unwrap_err().raw_os_error(), Some(5)),
                _ => {
                    read.unwrap();
                    assert_eq!(page, expected(offset, 4096), "page at {offset:#x}");
                }
            }
        }
        // The size is still what it was: an error is not the end of the file.
        assert_eq!(file.metadata().unwrap().len(), MIB);
        assert_eq!(fs::read(server.path("hello.txt")).unwrap(), HELLO);
    }
}

#[test]
fn content_that_cannot_be_had_says_why() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let error = |name: &str| read_error(&server.path("broken").join(name));
    assert_eq!(error("locked"), Errno::NOKEY);
    assert_eq!(error("unsupported"), Errno::OPNOTSUPP);
    assert_eq!(error("two-sizes"), Errno::IO);
    assert_eq!(error("broken-node"), Errno::IO);
}

#[test]
fn a_panic_is_an_error_of_its_request_only() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    // More panics than there are threads: none of them may die.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..8 {
                    assert_eq!(read_error(&server.path("broken/panic-read")), Errno::IO);
                    assert_eq!(read_error(&server.path("broken/panic-node")), Errno::IO);
                }
            });
        }
    });
    assert_eq!(fs::read(server.path("hello.txt")).unwrap(), HELLO);
    assert!(place.unmount(&server.point).unwrap().ended.unwrap());
}

#[test]
fn holes_are_found_and_read_as_zeros() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let file = File::open(server.path("sparse")).unwrap();
    let seek = |to| rustix::fs::seek(&file, to);
    assert_eq!(seek(SeekFrom::Data(0)), Ok(0));
    assert_eq!(seek(SeekFrom::Hole(0)), Ok(MIB));
    // The hole and the unwritten stretch behind it are one.
    assert_eq!(seek(SeekFrom::Data(MIB + 7)), Ok(4 * MIB));
    assert_eq!(seek(SeekFrom::Hole(3 * MIB + 7)), Ok(3 * MIB + 7));
    assert_eq!(seek(SeekFrom::Hole(4 * MIB)), Ok(5 * MIB));
    assert_eq!(seek(SeekFrom::Data(5 * MIB)), Err(Errno::NXIO));
    assert_eq!(seek(SeekFrom::Data(6 * MIB)), Err(Errno::NXIO));
    let bytes = fs::read(server.path("sparse")).unwrap();
    let mib = usize::try_from(MIB).unwrap();
    assert_eq!(bytes[..mib], expected(0, mib));
    assert!(bytes[mib..4 * mib].iter().all(|byte| *byte == 0));
    assert_eq!(bytes[4 * mib..5 * mib], expected(4 * MIB, mib));
    // What cannot be read is no hole: copying it must fail, not skip it.
    let bad = File::open(server.path("bad")).unwrap();
    assert_eq!(rustix::fs::seek(&bad, SeekFrom::Hole(0)), Ok(MIB));
}

#[test]
fn metadata_is_the_stored_one() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let stat = |name: &str| fs::symlink_metadata(server.path(name)).unwrap();
    let old = stat("old");
    assert_eq!((old.mtime(), old.mtime_nsec()), (-2, 500_000_000));
    assert_eq!((old.atime(), old.atime_nsec()), (10_000_000_000, 1));
    assert_eq!(
        (old.mode(), old.uid(), old.gid()),
        (0o104_751, 1000, 100_000)
    );
    assert!(stat("fifo").file_type().is_fifo());
    assert!(stat("socket").file_type().is_socket());
    let disk = stat("disk");
    assert!(disk.file_type().is_block_device());
    assert_eq!(disk.rdev(), rustix::fs::makedev(259, 0x12345));
    assert_eq!(stat("hard-1").ino(), stat("hard-2").ino());
    assert_eq!(stat("").ino(), 1);
    assert_eq!(stat("mnt/inside").ino(), (1 << 48) | 3);
    assert_eq!(
        fs::read_link(server.path("link")).unwrap(),
        Path::new("hello.txt")
    );
    assert_eq!(fs::read(server.path("link")).unwrap(), HELLO);
    let dangling = fs::read_link(server.path("dangling")).unwrap();
    assert_eq!(dangling, Path::new("/no/such/file"));
    // Devices of the image must not reach those of this machine.
    assert_eq!(read_error(&server.path("null")), Errno::ACCESS);
    let statvfs = rustix::fs::statvfs(&server.point).unwrap();
    assert_eq!((statvfs.f_blocks, statvfs.f_bfree), (16384, 1000));
    assert_eq!((statvfs.f_files, statvfs.f_namemax), (100_000, 255));
}

#[test]
fn attributes_come_within_the_bounds_of_linux() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let hello = server.path("hello.txt");
    let get = |name: &str, len: usize| {
        let mut value = vec![0; len];
        let len = rustix::fs::getxattr(&hello, name, &mut value[..])?;
        value.truncate(len);
        Ok::<_, Errno>(value)
    };
    assert_eq!(get("user.comment", 100).unwrap(), b"a greeting");
    assert_eq!(get("user.empty", 100).unwrap(), b"");
    assert_eq!(get("user.comment", 3), Err(Errno::RANGE));
    assert_eq!(get("user.none", 100), Err(Errno::NODATA));
    assert_eq!(get("user.long", 65536).unwrap().len(), 65536);
    assert_eq!(get("user.too-long", 65536), Err(Errno::TOOBIG));
    let query = |name: &str| rustix::fs::getxattr_query(&hello, name);
    assert_eq!(query("user.comment"), Ok(10));
    let mut list = vec![0; 1000];
    let len = rustix::fs::listxattr(&hello, &mut list[..]).unwrap();
    assert_eq!(
        list[..len],
        *b"user.comment\0user.empty\0user.long\0user.too-long\0"
    );
    assert_eq!(rustix::fs::listxattr_query(&hello), Ok(len));
    let many = server.path("many-xattrs");
    assert_eq!(rustix::fs::listxattr_query(&many), Err(Errno::TOOBIG));
    let mut list = vec![0; 65536];
    let listed = rustix::fs::listxattr(&many, &mut list[..]);
    assert_eq!(listed, Err(Errno::TOOBIG));
    assert_eq!(rustix::fs::listxattr_query(server.path("empty")), Ok(0));
}

#[test]
fn nothing_can_be_changed() {
    let Some(place) = Place::new() else { return };
    let server = place.mount(&[]);
    let raw = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    let rofs = Some(Errno::ROFS.raw_os_error());
    for _ in ["read-only", "remounted"] {
        assert_eq!(raw(fs::create_dir(server.path("new"))), rofs);
        assert_eq!(raw(fs::remove_dir(server.path("sub"))), rofs);
        let (hello, new) = (server.path("hello.txt"), server.path("new"));
        assert_eq!(raw(fs::hard_link(&hello, &new)), rofs);
        assert_eq!(raw(std::os::unix::fs::symlink(&hello, &new)), rofs);
        let chown = std::os::unix::fs::chown(&hello, Some(1), None);
        assert_eq!(raw(chown), rofs);
        let flags = rustix::fs::XattrFlags::empty();
        let set = rustix::fs::setxattr(&hello, "user.x", b"1", flags);
        assert_eq!(set, Err(Errno::ROFS));
        // Even if somebody lifts the mount's own flag.
        let flags = rustix::mount::MountFlags::NODEV;
        rustix::mount::mount_remount(&server.point, flags, "").unwrap();
    }
}
