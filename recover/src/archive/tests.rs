//! Archives of a filesystem in memory: what cannot be read, and what no header has room for.

use super::*;
use crate::testing::{BAD, MemoryFs, Part, Parts, ROOT};
use flr_fs::{ByteSource, DeviceNumber, Error as FsError, FileKind, Segment, SegmentKind};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

const TAR: ArchiveOptions = ArchiveOptions {
    format: Format::Tar,
    salvage: false,
};

/// What came of an archive.
struct Made {
    bytes: Vec<u8>,
    result: Result<ArchiveReport>,
    /// The event and the path, one line each.
    told: Vec<String>,
}

fn make(view: &View, options: ArchiveOptions) -> Made {
    let root = view.resolve(b"/", true).unwrap();
    let (mut bytes, mut told) = (Vec::new(), Vec::new());
    let mut events = |event: Event<'_>| {
        let (word, item) = match &event {
            Event::Advanced(_) | Event::Finished(_) | Event::Unnamed(..) => return,
            Event::LeftOut(item, why) => (format!("left out {why:?}"), item),
            Event::Lacks(item, Lack::Xattr { why, .. }) => (format!("lacks: {why}"), item),
            Event::Lacks(item, Lack::XattrUnreadable { .. }) => ("lacks".to_owned(), item),
            Event::Unreadable(item, range, _) => (format!("unreadable {range:?}"), item),
            Event::Failed(item, error) => (format!("failed {error}"), item),
            Event::Ended(item, _) => ("ended".to_owned(), item),
        };
        told.push(format!("{} {word}", String::from_utf8_lossy(&item.source)));
    };
    let never = AtomicBool::new(false);
    let result = archive(view, &root, None, options, &mut bytes, &mut events, &never);
    Made {
        bytes,
        result,
        told,
    }
}

/// Names and contents, as the crate's own reader sees them.
fn read(tar: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in ::tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        found.insert(name, content);
    }
    Ok(found)
}

/// A large file with a part that cannot be read, between two that can.
fn damaged() -> (View, Parts) {
    let parts = Parts(vec![
        Part::Data(2_000_000),
        Part::Bad(10_000),
        Part::Data(990_000),
    ]);
    let mut fs = MemoryFs::new();
    fs.file(ROOT, "a", *b"first");
    fs.source(ROOT, "b", Arc::new(Parts(parts.0.clone())));
    fs.file(ROOT, "c", *b"last");
    (fs.view(), parts)
}

#[test]
fn content_that_cannot_be_read_behind_its_header_ends_the_archive() {
    let (view, _) = damaged();
    for format in [Format::Tar, Format::TarGzip, Format::TarZstd, Format::Zip] {
        let options = ArchiveOptions { format, ..TAR };
        let made = make(&view, options);
        assert!(matches!(made.result, Err(Error::Fs(FsError::Io { .. }))));
        assert_eq!(made.told, ["/b ended"]);
        let whole = match format {
            Format::Tar => read(&made.bytes).map(drop),
            Format::TarGzip => {
                let mut decoder = flate2::read::GzDecoder::new(made.bytes.as_slice());
                io::copy(&mut decoder, &mut io::sink()).map(drop)
            }
            Format::TarZstd => zstd::decode_all(made.bytes.as_slice()).map(drop),
            Format::Zip => match made.bytes.windows(4).any(|bytes| bytes == b"PK\x05\x06") {
                true => Ok(()),
                false => Err(io::Error::other("no end")),
            },
        };
        assert!(whole.is_err(), "{format:?}");
    }
}

#[test]
fn salvaged_content_is_zeros_where_it_cannot_be_read_and_nowhere_else() {
    let (view, parts) = damaged();
    let options = ArchiveOptions {
        salvage: true,
        ..TAR
    };
    let made = make(&view, options);
    let report = made.result.unwrap();
    // Whole units of 512 bytes are lost.
    assert_eq!(made.told, ["/b unreadable 1999872..2010112"]);
    assert_eq!((report.salvaged, report.bytes_unreadable), (1, 10_240));
    assert!(!report.is_complete());
    let mut expected = parts.expected();
    expected[1_999_872..2_010_112].fill(0);
    let found = read(&made.bytes).unwrap();
    assert!(found["b"] == expected);
    assert_eq!(found["c"], b"last");
}

#[test]
fn what_fails_before_its_header_is_left_out_and_the_rest_is_there() {
    let mut fs = MemoryFs::new();
    fs.source(
        ROOT,
        "bad",
        Arc::new(Parts(vec![Part::Data(10), Part::Bad(10)])),
    );
    let missing = Parts(vec![Part::Data(2_000_000), Part::Missing(10)]);
    fs.source(ROOT, "missing", Arc::new(missing));
    let device = fs.special(ROOT, "device", FileKind::CharDevice);
    fs.edit(device).rdev = Some(DeviceNumber {
        major: u32::MAX,
        minor: 0,
    });
    fs.special(ROOT, "socket", FileKind::Socket);
    let file = fs.file(ROOT, "good", *b"good");
    fs.xattr(file, "user.bad", Err(FsError::corrupt(BAD, 0, "bad")));
    fs.xattr(file, "user.good", Ok(b"value"));
    let made = make(&fs.view(), TAR);
    let report = made.result.unwrap();
    assert_eq!((report.failed, report.left_out), (3, 1));
    assert_eq!((report.lacks, report.xattrs_unreadable), (1, 1));
    assert_eq!(made.told.len(), 5, "{:#?}", made.told);
    let found = read(&made.bytes).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["good"]);
}

#[test]
fn names_that_no_path_holds_are_shown_ones() {
    let mut fs = MemoryFs::new();
    for name in ["a/b", "", ".."] {
        fs.file(ROOT, name, *b"x");
    }
    let long = "n".repeat(70_000);
    let made = make(&fs.view(), TAR);
    let names: Vec<_> = read(&made.bytes).unwrap().into_keys().collect();
    assert_eq!(names, [r"\x00", r"\x2e\x2e", r"a\x2fb"]);
    let mut fs = MemoryFs::new();
    let mut dir = ROOT;
    for _ in 0..80 {
        dir = fs.dir(dir, &long[..900]);
    }
    let zip = ArchiveOptions {
        format: Format::Zip,
        ..TAR
    };
    let made = make(&fs.view(), zip);
    let report = made.result.unwrap();
    assert_eq!(report.dirs + report.left_out, 80);
    assert!(report.left_out > 0);
    assert!(made.told.iter().all(|line| line.ends_with("left out Name")));
}

#[test]
fn a_raised_flag_ends_it() {
    let (view, _) = damaged();
    let root = view.resolve(b"/", true).unwrap();
    let cancel = AtomicBool::new(false);
    let mut events = |event: Event<'_>| {
        if let Event::Finished(_) = event {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let mut bytes = Vec::new();
    let result = archive(&view, &root, None, TAR, &mut bytes, &mut events, &cancel);
    // Ended between two entries, where a reader would take it for whole.
    assert!(bytes.ends_with(b"not whole\n"));
    assert!(read(&bytes).is_err());
    let cancelled = FsError::Request(flr_fs::Request::Cancelled).to_string();
    assert_eq!(result.unwrap_err().to_string(), cancelled);
}

#[test]
fn files_with_holes_are_read_again_by_others() {
    let parts = Parts(vec![
        Part::Hole(4096),
        Part::Data(4096),
        Part::Unwritten(8192),
        Part::Zeros(100),
        Part::Hole(1 << 40),
    ]);
    let mut fs = MemoryFs::new();
    fs.source(ROOT, "sparse", Arc::new(parts));
    let made = make(&fs.view(), TAR);
    assert_eq!(made.result.unwrap().bytes, (1 << 40) + 16484);
    let mut archive = ::tar::Archive::new(made.bytes.as_slice());
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    // The map in decimal, as the manual of GNU tar has it, and then the runs.
    let mut content = Vec::new();
    entry.read_to_end(&mut content).unwrap();
    let map = "3\n4096\n4096\n16384\n100\n1099511644260\n0\n";
    assert!(content.starts_with(map.as_bytes()));
    assert_eq!(content.len(), 512 + 4196);
}

/// Zeros, whose map ends in a hole or not.
#[derive(Debug)]
struct Moody {
    looked: AtomicU32,
    /// From this look on there is no hole any more.
    changes: u32,
}

impl ByteSource for Moody {
    fn size(&self) -> u64 {
        2_000_000
    }

    fn read_at(&self, _: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        buf.fill(0);
        Ok(())
    }

    fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<Segment> {
        let looked = self.looked.fetch_add(1, Ordering::Relaxed);
        let (len, kind) = match range.start {
            0..1_000_000 => (
                1_000_000_u64.saturating_sub(range.start),
                SegmentKind::Opaque,
            ),
            _ if looked >= self.changes => (
                2_000_000_u64.saturating_sub(range.start),
                SegmentKind::Opaque,
            ),
            _ => (2_000_000_u64.saturating_sub(range.start), SegmentKind::Hole),
        };
        Ok(Segment { len, kind })
    }
}

#[test]
fn a_map_that_changes_makes_no_archive_that_is_taken_for_whole() {
    let mut outcomes = Vec::new();
    for changes in 0..12 {
        let mut fs = MemoryFs::new();
        let looked = AtomicU32::new(0);
        fs.source(ROOT, "a", Arc::new(Moody { looked, changes }));
        fs.file(ROOT, "b", *b"last");
        let made = make(&fs.view(), TAR);
        assert_eq!(made.result.is_ok(), read(&made.bytes).is_ok(), "{changes}");
        outcomes.push(made.result.is_ok());
    }
    // Without a hole from the first look on, and with one to the last.
    assert_eq!(
        (outcomes.first(), outcomes.last()),
        (Some(&true), Some(&true))
    );
    assert!(outcomes.contains(&false), "{outcomes:?}");
}
