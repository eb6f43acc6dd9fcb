use super::*;
use crate::testing::{Part, Parts};
use flr_fs::ByteSource;
use rustix::fs::{SeekFrom, seek};
use std::sync::Arc;

const MIB: u64 = 1 << 20;

fn copy_parts(parts: Vec<Part>, options: CopyOptions) -> (Out, CopyReport, Vec<u8>) {
    let parts = Arc::new(Parts(parts));
    let expected = parts.expected();
    let mut fs = MemoryFs::new();
    fs.source(ROOT, "f", parts);
    let out = Out::new();
    let report = out.copy(&fs.view(), options);
    (out, report, expected)
}

/// Data ranges as the host tells them.
fn data_map(path: &Path) -> Vec<(u64, u64)> {
    let file = std::fs::File::open(path).unwrap();
    let (mut at, mut map) = (0, Vec::new());
    while let Ok(start) = seek(&file, SeekFrom::Data(at)) {
        let end = seek(&file, SeekFrom::Hole(start)).unwrap();
        map.push((start, end));
        at = end;
    }
    map
}

fn salvage() -> CopyOptions {
    CopyOptions {
        salvage: true,
        ..CopyOptions::plain()
    }
}

#[test]
fn every_byte_is_where_it_was() {
    for len in [1, 4095, 4096, MIB - 1, MIB, MIB + 1, 3 * MIB + 17] {
        let (out, report, expected) = copy_parts(vec![Part::Data(len)], CopyOptions::plain());
        assert_eq!((report.bytes, report.bytes_written), (len, len));
        assert!(std::fs::read(out.path("f")).unwrap() == expected, "{len}");
    }
}

#[test]
fn holes_and_reserved_space_stay_holes() {
    let parts = vec![
        Part::Hole(3 * MIB),
        Part::Data(8192),
        Part::Unwritten(2 * MIB - 8192),
        Part::Data(MIB + 4096),
        Part::Zeros(4096),
        Part::Hole(5 * MIB - 8192),
    ];
    let (out, report, expected) = copy_parts(parts, CopyOptions::plain());
    assert_eq!(
        (report.bytes, report.bytes_written),
        (11 * MIB, MIB + 16384)
    );
    assert!(std::fs::read(out.path("f")).unwrap() == expected);
    assert_eq!(
        data_map(&out.path("f")),
        [(3 * MIB, 3 * MIB + 8192), (5 * MIB, 6 * MIB + 8192)]
    );
}

#[test]
fn a_file_of_one_hole_takes_no_room_and_no_time() {
    let (out, report, _) = {
        let mut fs = MemoryFs::new();
        fs.source(ROOT, "f", Arc::new(Parts(vec![Part::Hole(1 << 42)])));
        let out = Out::new();
        let report = out.copy(&fs.view(), CopyOptions::plain());
        (out, report, ())
    };
    assert!(report.is_complete() && report.bytes_written == 0);
    let found = std::fs::metadata(out.path("f")).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((found.len(), found.blocks()), (1 << 42, 0));
}

#[test]
fn stored_zeros_become_holes_only_when_asked() {
    let parts = vec![
        Part::Data(4096),
        Part::Zeros(2 * MIB),
        Part::Data(4096 + 5),
        Part::Zeros(8192),
    ];
    let sparse = CopyOptions {
        sparse: true,
        ..CopyOptions::plain()
    };
    let (out, report, expected) = copy_parts(parts.clone(), sparse);
    assert!(std::fs::read(out.path("f")).unwrap() == expected);
    assert_eq!(report.bytes_written, 3 * 4096);
    assert_eq!(
        data_map(&out.path("f")),
        [(0, 4096), (2 * MIB + 4096, 2 * MIB + 12288)]
    );
    let (_, report, _) = copy_parts(parts, CopyOptions::plain());
    assert_eq!(report.bytes_written, report.bytes);
}

#[test]
fn a_range_that_cannot_be_read_fails_the_file_and_leaves_nothing() {
    for bad in [Part::Bad(512), Part::Missing(512)] {
        let parts = vec![Part::Data(3 * MIB), bad, Part::Data(MIB)];
        let (out, report, _) = copy_parts(parts, CopyOptions::plain());
        assert_eq!((report.failed, report.files, report.bytes), (1, 0, 0));
        assert_eq!(out.all(), [""; 0]);
        let words = &out.log.of("failed")[0];
        assert!(words.contains("0x300000"), "{words}");
    }
}

#[test]
fn a_file_that_exists_survives_a_failed_copy() {
    let mut fs = MemoryFs::new();
    fs.source(
        ROOT,
        "f",
        Arc::new(Parts(vec![Part::Data(9), Part::Bad(1)])),
    );
    let out = Out::new();
    out.put("f", b"mine");
    assert_eq!(out.copy(&fs.view(), CopyOptions::plain()).failed, 1);
    assert_eq!(out.all(), ["f"]);
    assert_eq!(out.text("f"), "mine");
}

#[test]
fn salvage_leaves_out_what_cannot_be_read_and_names_it() {
    let parts = vec![
        Part::Data(MIB + 1000),
        Part::Bad(24),
        Part::Data(2 * MIB),
        Part::Missing(4096),
        Part::Bad(MIB),
        Part::Hole(MIB),
        Part::Data(77),
    ];
    let (out, report, expected) = copy_parts(parts, salvage());
    assert_eq!((report.files, report.salvaged, report.failed), (1, 1, 0));
    assert!(!report.is_complete());
    // The first one lies within one unit of 512 bytes, which is lost whole.
    let first = MIB + 512..MIB + 1024;
    let second = 3 * MIB + 1024..4 * MIB + 1024 + 4096;
    let second_end = second.end.div_ceil(512) * 512;
    let lines = out.log.of("unreadable");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("unreadable /f {first:?} read error")));
    let words = format!("unreadable /f {:?} damaged", second.start..second_end);
    assert!(lines[1].starts_with(&words), "{lines:?}");
    assert_eq!(report.bytes_unreadable, 512 + (second_end - second.start));

    let copied = std::fs::read(out.path("f")).unwrap();
    assert_eq!(copied.len(), expected.len());
    let at = |offset: u64| usize::try_from(offset).unwrap();
    assert!(copied[..at(first.start)] == expected[..at(first.start)]);
    assert!(copied[at(first.end)..] == expected[at(first.end)..]);
    assert!(copied[at(first.start)..at(first.end)] == [0; 512]);
}

#[test]
fn salvage_of_a_sound_file_is_a_plain_copy() {
    let (_, report, _) = copy_parts(vec![Part::Data(MIB), Part::Hole(3)], salvage());
    assert!(report.is_complete() && report.salvaged == 0);
}

#[test]
fn a_stream_has_zeros_for_holes() {
    let parts = Parts(vec![
        Part::Data(10),
        Part::Hole(2 * MIB),
        Part::Data(MIB),
        Part::Unwritten(3),
    ]);
    let cancel = AtomicBool::new(false);
    let expected = parts.expected();
    for range in [0..parts.size(), 5..12, MIB..MIB, 11..2 * MIB + 20, 0..0] {
        let mut out = Vec::new();
        let len = range.end - range.start;
        let written = copy_to_writer(&parts, range.clone(), &mut out, &cancel).unwrap();
        assert_eq!(written, len);
        let at = |offset: u64| usize::try_from(offset).unwrap();
        assert!(out == expected[at(range.start)..at(range.end)], "{range:?}");
    }
    let mut out = Vec::new();
    let past = copy_to_writer(&parts, 0..parts.size() + 1, &mut out, &cancel);
    assert!(matches!(past, Err(Error::Fs(_))) && out.is_empty());

    let bad = Parts(vec![Part::Data(10), Part::Missing(1)]);
    assert!(copy_to_writer(&bad, 0..11, &mut out, &cancel).is_err());
    assert_eq!(out.len(), 10);
    cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(copy_to_writer(&bad, 0..10, &mut out, &cancel).is_err());
}

#[test]
fn a_broken_pipe_is_told_as_one() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let cancel = AtomicBool::new(false);
    let written = copy_to_writer(&Parts(vec![Part::Data(1)]), 0..1, &mut Closed, &cancel);
    let Err(Error::Write { source, .. }) = written else {
        panic!("{written:?}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::BrokenPipe);
}
