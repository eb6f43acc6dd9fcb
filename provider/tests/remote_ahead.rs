//! What is fetched before it is asked for: enough of it, nothing twice, nothing in vain.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests compute with numbers of their own, tell what they measured, and fail by a panic"
)]

mod remote_fake;

use flr_fs::source::ByteSource;
use flr_provider::remote::{ChunkStore, Chunked, Settings};
use remote_fake::{Act, Chance, Fake, fault, read, settings, shared};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const CHUNK: u32 = 16 << 10;

fn chunked(fake: &Arc<Fake>, settings: &Settings) -> Arc<Chunked> {
    Chunked::new(Arc::clone(fake) as Arc<dyn ChunkStore>, settings)
}

fn ahead() -> Settings {
    Settings {
        readahead: true,
        ..settings()
    }
}

fn announce(source: &Chunked, range: Range<u64>) {
    source.will_read(std::slice::from_ref(&range));
}

/// Waits for something that another thread is about to do.
fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "it did not happen in time");
        thread::yield_now();
    }
}

#[test]
fn a_stream_gets_what_the_calls_at_once_allow() {
    const CHUNKS: u64 = 64 * 60;
    let mut fake = Fake::new((CHUNKS * u64::from(CHUNK)) as usize, CHUNK);
    fake.latency = Duration::from_millis(50);
    let fake = shared(fake);
    let source = chunked(&fake, &ahead());
    let mut started = Instant::now();
    for chunk in 0..CHUNKS {
        // What it takes to get there is not what is measured.
        if chunk == CHUNKS / 4 {
            started = Instant::now();
        }
        let at = chunk * u64::from(CHUNK);
        let bytes = read(&*source, at, CHUNK as usize).unwrap();
        assert_eq!(
            bytes,
            fake.content[at as usize..at as usize + CHUNK as usize]
        );
    }
    let took = started.elapsed().as_secs_f64();
    let ideal = (CHUNKS * 3 / 4) as f64 / 64.0 * 0.05;
    eprintln!(
        "{:.0} % of the ideal, {:?}",
        ideal / took * 100.0,
        source.stats()
    );
    assert_eq!(fake.most_fetched(), 1);
    assert_eq!(fake.calling_max.load(Ordering::SeqCst), 64);
    // How near it comes is for a benchmark on a quiet machine to say: 96 % there. One call after the other
    // would be 2 %.
    assert!(ideal / took >= 0.5, "{took} s instead of {ideal} s");
}

#[test]
fn a_scan_in_large_chunks_fetches_nothing_twice() {
    const LARGE: u32 = 512 << 10;
    const PIECE: usize = 128 << 10;
    for cache_bytes in [64 << 20, 8 << 20, 3 << 20] {
        let mut fake = Fake::new(200 * LARGE as usize - 5000, LARGE);
        fake.latency = Duration::from_millis(2);
        let fake = shared(fake);
        let source = chunked(
            &fake,
            &Settings {
                cache_bytes,
                ..ahead()
            },
        );
        for (index, piece) in fake.content.chunks(PIECE).enumerate() {
            let bytes = read(&*source, (index * PIECE) as u64, piece.len()).unwrap();
            assert!(bytes == piece, "piece {index}");
        }
        assert_eq!(fake.most_fetched(), 1);
        assert_eq!(fake.fetch_calls.load(Ordering::SeqCst), 200);
        let stats = source.stats();
        // Six chunks of memory have room ahead only while nobody holds what was read. Otherwise it is
        // 160 to 190 of 200 on a quiet machine, and fewer where others keep the fetching waiting.
        let least = if cache_bytes > 4 << 20 { 50 } else { 0 };
        assert!(stats.ahead_chunks > least, "{stats:?}");
        assert!(stats.held_bytes_max <= cache_bytes as u64, "{stats:?}");
    }
}

#[test]
fn streams_side_by_side_do_not_take_chunks_from_each_other() {
    let mut fake = Fake::new(3000 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(2);
    fake.coalesce = 4;
    let fake = shared(fake);
    let settings = Settings {
        cache_bytes: 300 * CHUNK as usize,
        ..ahead()
    };
    let source = chunked(&fake, &settings);
    thread::scope(|scope| {
        for stream in 0..5_u64 {
            let (source, fake) = (&source, &fake);
            scope.spawn(move || {
                let start = stream * 600 * u64::from(CHUNK);
                for step in 0..800 {
                    let at = start + step * u64::from(CHUNK / 2);
                    let bytes = read(&**source, at, CHUNK as usize / 2).unwrap();
                    assert_eq!(bytes, fake.content[at as usize..][..CHUNK as usize / 2]);
                    // One of them takes its time.
                    if stream == 0 && step % 8 == 0 {
                        thread::sleep(Duration::from_millis(3));
                    }
                }
            });
        }
    });
    let stats = source.stats();
    eprintln!("{stats:?}");
    // A chunk that was waited for is as any other from then on: its second half may come too late.
    let read = (0..3000).filter(|chunk| chunk % 600 < 400);
    let fetched: u32 = read.map(|chunk| fake.fetched(chunk)).sum();
    assert!(
        (2000..=2020).contains(&fetched),
        "2000 chunks were read, {fetched} fetched"
    );
    assert!(stats.fetch_calls < 1200, "{stats:?}");
}

#[test]
fn random_reads_fetch_what_they_read_and_nothing_else() {
    let fake = shared(Fake::new(2000 * CHUNK as usize, CHUNK));
    let source = chunked(&fake, &ahead());
    let mut chance = Chance(1);
    for _ in 0..500 {
        let at = chance.below(1990 * u64::from(CHUNK));
        read(&*source, at, 4096).unwrap();
    }
    assert_eq!(source.stats().ahead_chunks, 0);
}

#[test]
fn readahead_ends_at_holes_and_at_the_end() {
    let fake = shared(Fake::new(100 * CHUNK as usize - 7, CHUNK).with_holes(40..60));
    let source = chunked(&fake, &ahead());
    for chunk in 0..40 {
        read(&*source, chunk * u64::from(CHUNK), CHUNK as usize).unwrap();
    }
    until(|| source.stats().fetch_calls == 40);
    for chunk in 40..99 {
        read(&*source, chunk * u64::from(CHUNK), CHUNK as usize).unwrap();
    }
    until(|| source.stats().fetch_calls == 80);
    assert_eq!(fake.most_fetched(), 1);
}

#[test]
fn what_is_announced_is_there_when_it_is_read() {
    let mut fake = Fake::new(300 * CHUNK as usize, CHUNK).with_holes([12]);
    fake.latency = Duration::from_millis(50);
    let fake = shared(fake);
    let source = chunked(&fake, &ahead());
    let chunk = u64::from(CHUNK);
    let started = Instant::now();
    source.will_read(&[10 * chunk + 5..14 * chunk, 100 * chunk..100 * chunk + 1]);
    let reversed = Range { start: 7, end: 3 };
    source.will_read(&[5..5, u64::MAX - 1..u64::MAX, reversed]);
    assert!(started.elapsed() < Duration::from_millis(40));
    until(|| source.stats().ahead_chunks == 4);
    let started = Instant::now();
    let bytes = read(&*source, 10 * chunk, 4 * CHUNK as usize).unwrap();
    assert_eq!(
        bytes,
        fake.content[10 * CHUNK as usize..14 * CHUNK as usize]
    );
    read(&*source, 100 * chunk, 10).unwrap();
    assert!(started.elapsed() < Duration::from_millis(40));
    let stats = source.stats();
    assert_eq!((stats.fetch_calls, stats.map_calls), (4, 1));
}

#[test]
fn announcements_are_bounded_and_leave_room_for_reads() {
    let mut fake = Fake::new(1000 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(1);
    let fake = shared(fake);
    let settings = Settings {
        cache_bytes: 40 * CHUNK as usize,
        ..ahead()
    };
    let source = chunked(&fake, &settings);
    source.segment_at(0..1).unwrap();
    for _ in 0..100 {
        announce(&source, 0..source.size());
    }
    until(|| source.stats().ahead_chunks == 30);
    let at = 900 * u64::from(CHUNK);
    let bytes = read(&*source, at, 50 * CHUNK as usize).unwrap();
    assert_eq!(bytes, fake.content[at as usize..][..50 * CHUNK as usize]);
    // What was announced has not been thrown away for it.
    for chunk in 0..30 {
        read(&*source, chunk * u64::from(CHUNK), 1).unwrap();
        assert_eq!(fake.fetched(chunk), 1);
    }
    assert!(source.stats().held_bytes_max <= 40 * u64::from(CHUNK));
}

#[test]
fn reads_go_before_readahead() {
    let mut fake = Fake::new(1000 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(20);
    let fake = shared(fake);
    let settings = Settings {
        calls_start: 1,
        calls_max: 1,
        ..ahead()
    };
    let source = chunked(&fake, &settings);
    source.segment_at(0..1).unwrap();
    announce(&source, 0..200 * u64::from(CHUNK));
    let started = Instant::now();
    read(&*source, 900 * u64::from(CHUNK), 10).unwrap();
    // In the queue already, it now goes first.
    read(&*source, 150 * u64::from(CHUNK), 10).unwrap();
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(fake.most_fetched(), 1);
}

#[test]
fn readahead_that_fails_is_not_an_error_of_the_read() {
    let mut fake = Fake::new(300 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(1);
    fake.fetch_plan = Box::new(|call, _| match call % 3 {
        0 => Act::Fault(fault(flr_provider::FaultKind::Unknown)),
        _ => Act::Serve,
    });
    let fake = shared(fake);
    let source = chunked(&fake, &ahead());
    for chunk in 0..300 {
        let at = chunk * CHUNK as usize;
        let bytes = read(&*source, at as u64, CHUNK as usize).unwrap();
        assert_eq!(bytes, fake.content[at..at + CHUNK as usize]);
    }
}

#[test]
fn calls_per_second_are_bounded() {
    let fake = shared(Fake::new(1000 * CHUNK as usize, CHUNK));
    let rate = flr_provider::remote::Rate {
        start: 100,
        max: 100,
    };
    let settings = Settings {
        rate: Some(rate),
        ..ahead()
    };
    let source = chunked(&fake, &settings);
    let started = Instant::now();
    read(&*source, 0, 125 * CHUNK as usize).unwrap();
    // 25 may come at once.
    let took = started.elapsed();
    assert!((900..2500).contains(&took.as_millis()), "{took:?}");
}
