//! An export as a byte source: any range, with the cache, the repetitions and the map in between.

use crate::harness::{Server, open, options, pattern, same, text};
use flr_fs::source::{ByteSource, SegmentKind};
use flr_provider::nbd::NbdStore;
use flr_provider::remote::{Chunked, Settings};
use flr_tests::require::require;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn source(store: Arc<NbdStore>, deadline: Duration) -> Arc<Chunked> {
    let settings = Settings {
        deadline,
        ..Settings::default()
    };
    Chunked::new(store, &settings)
}

#[test]
fn any_range_of_a_server_that_fails_now_and_then() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let expected = pattern(20 << 20);
    let words = [
        "--filter=error",
        "pattern",
        "20M",
        "error-pread=EIO",
        "error-pread-rate=20%",
    ];
    let server = Server::nbdkit(&dir, &words);
    let source = source(open(&server.uri("")), Duration::from_secs(30));
    let mut at = 1;
    for step in 1..60_usize {
        let len = step * step * 100;
        let from = at % (expected.len() - len);
        let mut found = vec![0; len];
        source
            .read_at(u64::try_from(from).unwrap(), &mut found)
            .unwrap();
        same(&found, &expected[from..from + len]);
        at = (at * 7 + step) % expected.len();
    }
}

#[test]
fn holes_are_not_fetched() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    // A read of anything but the only stored place fails.
    let words = [
        "--filter=error",
        "memory",
        "1T",
        "error-pread=EIO",
        "error-pread-rate=100%",
    ];
    let server = Server::nbdkit(&dir, &words);
    let source = source(open(&server.uri("")), Duration::from_secs(2));
    let segment = source.segment_at(0..1 << 30).unwrap();
    assert_eq!(segment.kind, SegmentKind::Hole);
    let mut bytes = vec![1; 3 << 20];
    source.read_at(500 << 30, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
}

#[test]
fn a_bad_place_costs_no_more_than_its_chunk() {
    if !require(&["nbdkit"]) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("image");
    let expected = pattern(4 << 20);
    std::fs::write(&file, &expected).unwrap();
    // Sectors from 1 MiB to 1 MiB + 4 KiB cannot be read.
    let pread = format!(
        "pread=if [ $4 -lt 1052672 ] && [ $(( $4 + $3 )) -gt 1048576 ]; \
         then echo EIO bad sector >&2; exit 1; fi; \
         dd if={} bs=65536 skip=$4 iflag=skip_bytes,count_bytes count=$3 2>/dev/null",
        text(&file)
    );
    let words = [
        "eval",
        "thread_model=echo parallel",
        "get_size=echo 4M",
        &pread,
    ];
    let server = Server::nbdkit(&dir, &words);
    let store = NbdStore::open(&server.uri(""), &options()).unwrap();
    let source = source(store, Duration::from_secs(3));
    let start = Instant::now();
    let mut all = vec![0; expected.len()];
    let error = source.read_at(0, &mut all).unwrap_err();
    assert!(error.to_string().contains("EIO"), "{error}");
    // What lies beside it is there.
    let (bad, next) = (1 << 20, (1 << 20) + (64 << 10));
    source.read_at(0, &mut all[..bad]).unwrap();
    let end = all.len();
    source
        .read_at(u64::try_from(next).unwrap(), &mut all[next..end])
        .unwrap();
    same(&all[..bad], &expected[..bad]);
    same(&all[next..], &expected[next..]);
    assert!(
        source
            .read_at(u64::try_from(bad).unwrap(), &mut [0; 512])
            .is_err()
    );
    assert!(start.elapsed() < Duration::from_secs(20));
}
