//! What is read from a store through chunks is what lies in it, and each chunk is fetched once.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests compute with numbers of their own, and fail by a panic"
)]

mod remote_fake;

use flr_fs::error::{Error, Request};
use flr_fs::source::{ByteSource, Location, ReadRequest, SegmentKind};
use flr_provider::remote::{ChunkStore, Chunked, Settings};
use remote_fake::{Act, Chance, Fake, fault, read, settings, shared};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const CHUNK: u32 = 4096;

fn chunked(fake: &Arc<Fake>, settings: &Settings) -> Arc<Chunked> {
    Chunked::new(Arc::clone(fake) as Arc<dyn ChunkStore>, settings)
}

#[test]
fn many_threads_that_want_one_chunk_cause_one_fetch() {
    let mut fake = Fake::new(10 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(100);
    let fake = shared(fake);
    let source = chunked(&fake, &settings());
    thread::scope(|scope| {
        for index in 0..32 {
            let (source, fake) = (&source, &fake);
            scope.spawn(move || {
                let at = 3 * u64::from(CHUNK) + index;
                let bytes = read(&**source, at, 100).unwrap();
                assert_eq!(bytes, fake.content[at as usize..at as usize + 100]);
            });
        }
    });
    assert_eq!(fake.fetch_calls.load(Ordering::SeqCst), 1);
    assert_eq!(fake.map_calls.load(Ordering::SeqCst), 1);
    assert_eq!(source.stats().fetch_calls, 1);
}

#[test]
fn random_reads_equal_the_content_with_holes_and_a_short_end() {
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let size = 1 + chance.below(200 * u64::from(CHUNK)) as usize;
        let count = (size as u64).div_ceil(u64::from(CHUNK));
        let holes: Vec<u64> = (0..count).filter(|_| chance.below(3) == 0).collect();
        let mut fake = Fake::new(size, CHUNK).with_holes(holes);
        fake.coalesce = 1 + chance.below(8) as u32;
        let fake = shared(fake);
        let settings = Settings {
            cache_bytes: CHUNK as usize * (2 + chance.below(40) as usize),
            map_chunks: 1 << chance.below(10),
            readahead: chance.below(2) == 0,
            ..settings()
        };
        let source = chunked(&fake, &settings);
        thread::scope(|scope| {
            for number in 0..3 {
                let (source, fake) = (&source, &fake);
                scope.spawn(move || random_reads(&**source, &fake.content, seed * 10 + number));
            }
        });
        let stats = source.stats();
        assert!(
            stats.held_bytes_max <= settings.cache_bytes as u64,
            "{seed}: {stats:?}"
        );
    }
}

fn random_reads(source: &dyn ByteSource, content: &[u8], seed: u64) {
    let mut chance = Chance(seed);
    for _ in 0..40 {
        let offset = chance.below(content.len() as u64 + 1) as usize;
        let most = (content.len() - offset).min(1 << (4 + chance.below(15)));
        let len = chance.below(most as u64 + 1) as usize;
        match chance.below(4) {
            0 => {
                let half = len / 2;
                let (mut a, mut b) = (vec![1; half], vec![2; len - half]);
                let mut reads = [
                    ReadRequest::new((offset + half) as u64, &mut b),
                    ReadRequest::new(offset as u64, &mut a),
                ];
                source.read_many(&mut reads);
                assert!(reads.iter().all(|read| read.result.is_ok()));
                assert_eq!([a, b].concat(), content[offset..offset + len]);
            }
            1 if len > 0 => check_segment(source, content, offset, len),
            2 => source.will_read(&vec![offset as u64..(offset + len) as u64; 1]),
            _ => {
                let bytes = read(source, offset as u64, len).unwrap();
                assert_eq!(bytes, content[offset..offset + len], "{offset} {len}");
            }
        }
    }
}

fn check_segment(source: &dyn ByteSource, content: &[u8], offset: usize, len: usize) {
    let range = offset as u64..(offset + len) as u64;
    let segment = source.segment_at(range).unwrap();
    let end = offset + segment.len as usize;
    assert!(segment.len >= 1 && end <= offset + len);
    let zeros = |at: usize| {
        let chunk = at / CHUNK as usize * CHUNK as usize;
        let end = (chunk + CHUNK as usize).min(content.len());
        content[chunk..end].iter().all(|byte| *byte == 0)
    };
    let location = Location {
        member: 0,
        offset: offset as u64,
    };
    match segment.kind {
        SegmentKind::Hole => assert!((offset..end).all(zeros)),
        SegmentKind::Stored(at) => {
            assert_eq!(at, location);
            assert!(!zeros(offset) && !zeros(end - 1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_export_of_holes_costs_a_map_and_nothing_else() {
    let fake = shared(Fake::new(100 * CHUNK as usize, CHUNK).with_holes(0..100));
    let source = chunked(&fake, &Settings::default());
    for _ in 0..3 {
        let bytes = read(&*source, 5, 90 * CHUNK as usize).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
    let whole = source.segment_at(0..source.size()).unwrap();
    assert_eq!((whole.len, whole.kind), (source.size(), SegmentKind::Hole));
    let stats = source.stats();
    assert_eq!(
        (stats.map_calls, stats.fetch_calls, stats.held_bytes_max),
        (1, 0, 0)
    );
}

#[test]
fn the_map_of_a_region_is_asked_for_once() {
    let fake = shared(Fake::new(1024 * CHUNK as usize, CHUNK).with_holes((0..1024).step_by(2)));
    let settings = Settings {
        map_chunks: 128,
        ..settings()
    };
    let source = chunked(&fake, &settings);
    let mut at = 0;
    while at < source.size() {
        at += source.segment_at(at..source.size()).unwrap().len;
    }
    read(&*source, 0, source.size() as usize).unwrap();
    assert_eq!(fake.map_calls.load(Ordering::SeqCst), 8);
}

#[test]
fn a_large_read_overlaps_its_fetches() {
    let mut fake = Fake::new(16 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(100);
    let fake = shared(fake);
    let source = chunked(&fake, &settings());
    let started = Instant::now();
    assert_eq!(read(&*source, 0, fake.content.len()).unwrap(), fake.content);
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(fake.calling_max.load(Ordering::SeqCst), 16);
}

#[test]
fn scattered_reads_overlap_and_each_has_its_own_result() {
    let mut fake = Fake::new(16 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(100);
    fake.fetch_plan = Box::new(|_, chunks| match chunks.start {
        5 => Act::Fault(fault(flr_provider::FaultKind::Denied)),
        _ => Act::Serve,
    });
    let fake = shared(fake);
    let source = chunked(&fake, &settings());
    let mut bufs = vec![vec![0; 3000]; 8];
    let chunk = u64::from(CHUNK);
    let mut reads: Vec<_> = bufs
        .iter_mut()
        .zip([0, 2, 5, 8, 9, 11, 15, 16])
        .map(|(buf, at)| ReadRequest::new(at * chunk + 7, buf))
        .collect();
    let started = Instant::now();
    source.read_many(&mut reads);
    assert!(started.elapsed() < Duration::from_millis(500));
    let failed: Vec<usize> = (0..8).filter(|at| reads[*at].result.is_err()).collect();
    assert_eq!(failed, [2, 7]);
    for (buf, at) in bufs.iter().zip([0, 2, 5, 8, 9, 11, 15]) {
        let start = at * CHUNK as usize + 7;
        assert!(at == 5 || *buf == fake.content[start..start + 3000]);
    }
}

#[test]
fn neighbours_are_fetched_together() {
    let mut fake = Fake::new(64 * CHUNK as usize, CHUNK).with_holes([20]);
    fake.coalesce = 8;
    let fake = shared(fake);
    let source = chunked(&fake, &settings());
    assert_eq!(read(&*source, 0, fake.content.len()).unwrap(), fake.content);
    assert_eq!(fake.fetch_calls.load(Ordering::SeqCst), 9);
    assert_eq!(fake.most_fetched(), 1);
}

#[test]
fn memory_stays_within_its_bound_however_many_read() {
    let mut fake = Fake::new(2000 * CHUNK as usize, CHUNK);
    fake.coalesce = 4;
    fake.latency = Duration::from_millis(1);
    let fake = shared(fake);
    let settings = Settings {
        cache_bytes: 40 * CHUNK as usize,
        readahead: true,
        ..settings()
    };
    let source = chunked(&fake, &settings);
    thread::scope(|scope| {
        for number in 0..8 {
            let (source, fake) = (&source, &fake);
            scope.spawn(move || {
                let mut chance = Chance(number);
                for _ in 0..20 {
                    let at = chance.below(1800 * u64::from(CHUNK));
                    let len = chance.below(200 * u64::from(CHUNK)) as usize;
                    let bytes = read(&**source, at, len).unwrap();
                    assert_eq!(bytes, fake.content[at as usize..at as usize + len]);
                }
            });
        }
    });
    let stats = source.stats();
    assert!(stats.held_bytes_max <= 40 * u64::from(CHUNK), "{stats:?}");
}

#[test]
fn outside_of_the_source_is_a_bad_request() {
    let fake = shared(Fake::new(5000, CHUNK));
    let source = chunked(&fake, &settings());
    for (offset, len) in [(5000, 1), (0, 5001), (u64::MAX, 2), (4999, 2)] {
        let error = read(&*source, offset, len).unwrap_err();
        assert!(matches!(error, Error::Request(Request::OutOfRange { .. })));
    }
    assert!(read(&*source, 5000, 0).unwrap().is_empty());
    assert_eq!(read(&*source, 4999, 1).unwrap(), fake.content[4999..]);
    assert!(source.segment_at(5000..5001).is_err());
    assert_eq!(source.granule().get(), CHUNK);
}
