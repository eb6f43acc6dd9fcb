//! A store that fails, stalls or lies: right bytes, or an error in time.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests compute with numbers of their own, and fail by a panic"
)]

mod remote_fake;

use flr_fs::error::{Error, Request};
use flr_fs::source::ByteSource;
use flr_provider::remote::{Cancel, ChunkStore, Chunked, Settings};
use flr_provider::{Fault, FaultKind};
use remote_fake::{Act, Chance, Fake, fault, fault_of, read, settings, shared};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CHUNK: u32 = 4096;

fn chunked(fake: &Arc<Fake>, settings: &Settings) -> Arc<Chunked> {
    Chunked::new(Arc::clone(fake) as Arc<dyn ChunkStore>, settings)
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
fn each_kind_of_fault_is_repeated_or_told() {
    use FaultKind::*;
    for (kind, calls) in [
        (Unknown, 3),
        (Throttled, 3),
        (Expired, 3),
        (Unavailable, 1),
        (Denied, 1),
        (Quota, 1),
        (Exists, 1),
        (NotFound, 1),
        (InUse, 1),
        (Refused, 1),
    ] {
        for of_map in [false, true] {
            let mut fake = Fake::new(8 * CHUNK as usize, CHUNK);
            let plan = Box::new(move |call, _: &_| match call < 2 {
                true => Act::Fault(fault(kind)),
                false => Act::Serve,
            });
            match of_map {
                true => fake.map_plan = plan,
                false => fake.fetch_plan = plan,
            }
            let fake = shared(fake);
            let source = chunked(&fake, &settings());
            let got = read(&*source, 5000, 10);
            let counted = match of_map {
                true => &fake.map_calls,
                false => &fake.fetch_calls,
            };
            assert_eq!(counted.load(Ordering::SeqCst), calls, "{kind:?} {of_map}");
            match calls {
                3 => assert_eq!(got.unwrap(), fake.content[5000..5010]),
                _ => {
                    let error = got.unwrap_err();
                    assert_eq!(fault_of(&error), Some(&fault(kind)));
                    let Error::Io {
                        at: 5000,
                        source: io,
                    } = &error
                    else {
                        panic!("{error:?}");
                    };
                    let denied = io.kind() == std::io::ErrorKind::PermissionDenied;
                    assert_eq!(denied, kind == Denied);
                    // An error is not kept.
                    assert!(read(&*chunked(&fake, &settings()), 5000, 10).is_err());
                    assert_eq!(read(&*source, 5000, 10).unwrap(), fake.content[5000..5010]);
                }
            }
        }
    }
}

#[test]
fn credentials_that_stay_expired_end_the_read() {
    let mut fake = Fake::new(8 * CHUNK as usize, CHUNK);
    fake.fetch_plan = Box::new(|_, _| Act::Fault(fault(FaultKind::Expired)));
    let fake = shared(fake);
    let error = read(&*chunked(&fake, &settings()), 0, 10).unwrap_err();
    assert_eq!(fault_of(&error).unwrap().kind, FaultKind::Expired);
    assert_eq!(fake.fetch_calls.load(Ordering::SeqCst), 3);
}

#[test]
fn a_stalled_store_is_an_error_within_the_deadline() {
    for of_map in [false, true] {
        let mut fake = Fake::new(8 * CHUNK as usize, CHUNK);
        match of_map {
            true => fake.map_plan = Box::new(|_, _| Act::Stall),
            false => fake.fetch_plan = Box::new(|_, _| Act::Stall),
        }
        let fake = shared(fake);
        let settings = Settings {
            deadline: Duration::from_millis(500),
            attempt_limit: Duration::from_millis(200),
            ..settings()
        };
        let source = chunked(&fake, &settings);
        let started = Instant::now();
        let error = read(&*source, 0, 8 * CHUNK as usize).unwrap_err();
        let took = started.elapsed();
        assert!((500..2000).contains(&took.as_millis()), "{took:?}");
        let text = fault_of(&error).unwrap().message.clone();
        assert!(text.starts_with("fake: no answer within 500ms"), "{text}");
        assert!(text.contains("200ms"), "{text}");
        if of_map {
            assert!(source.segment_at(0..10).is_err());
        } else {
            until(|| fake.calling.load(Ordering::SeqCst) == 0);
        }
        until(|| source.stats().held_bytes == 0);
    }
}

#[test]
fn after_a_read_that_waited_in_vain_the_next_ones_wait_less_until_something_comes() {
    let mut fake = Fake::new(8 * CHUNK as usize, CHUNK);
    let stalls = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&stalls);
    fake.fetch_plan = Box::new(move |_, _| match still.load(Ordering::SeqCst) {
        true => Act::Stall,
        false => Act::Serve,
    });
    let fake = shared(fake);
    let settings = Settings {
        deadline: Duration::from_millis(3000),
        attempt_limit: Duration::from_millis(5000),
        readahead: false,
        ..settings()
    };
    let source = chunked(&fake, &settings);
    let took = |chunk: u64, works: bool| {
        let started = Instant::now();
        let at = chunk * u64::from(CHUNK);
        assert_eq!(read(&*source, at, 10).is_ok(), works);
        started.elapsed()
    };
    assert!(took(0, false) >= settings.deadline);
    assert!(took(1, false) < settings.deadline / 2);
    assert!(took(2, false) < settings.deadline / 2);
    stalls.store(false, Ordering::SeqCst);
    assert!(took(3, true) < settings.deadline / 2);
    stalls.store(true, Ordering::SeqCst);
    assert!(took(4, false) >= settings.deadline);
}

#[test]
fn who_leaves_does_not_end_the_flight_of_others() {
    let mut fake = Fake::new(8 * CHUNK as usize, CHUNK);
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    fake.fetch_plan = Box::new(move |_, _| Act::Gate(Arc::clone(&gate)));
    let fake = shared(fake);
    let settings = Settings {
        deadline: Duration::from_millis(800),
        ..settings()
    };
    let source = chunked(&fake, &settings);
    thread::scope(|scope| {
        let started = Instant::now();
        let first = scope.spawn(|| read(&*source, 0, 10));
        until(|| started.elapsed() > Duration::from_millis(500));
        let second = scope.spawn(|| read(&*source, 7, 10));
        assert!(first.join().unwrap().is_err());
        open.store(true, Ordering::SeqCst);
        assert_eq!(second.join().unwrap().unwrap(), fake.content[7..17]);
    });
    assert_eq!(fake.fetch_calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_flight_that_nobody_waits_for_is_given_up() {
    let mut fake = Fake::new(8 * CHUNK as usize, CHUNK);
    fake.fetch_plan = Box::new(|_, chunks| match chunks.start {
        0 => Act::Stall,
        _ => Act::Serve,
    });
    let fake = shared(fake);
    let settings = Settings {
        deadline: Duration::from_millis(200),
        ..settings()
    };
    let source = chunked(&fake, &settings);
    assert!(read(&*source, 0, 10).is_err());
    until(|| fake.given_up.load(Ordering::SeqCst) == 1);
    until(|| source.stats().held_bytes == 0);
    assert_eq!(read(&*source, 5000, 10).unwrap(), fake.content[5000..5010]);
}

#[test]
fn failures_by_chance_cost_time_and_no_byte() {
    let mut fake = Fake::new(400 * CHUNK as usize, CHUNK);
    fake.coalesce = 4;
    fake.fetch_plan = Box::new(|call, chunks| match Chance(call).below(40) {
        0 => Act::Fault(fault(FaultKind::Unknown)),
        1 => Act::Fault(fault(FaultKind::Throttled)),
        2 => Act::Short(1 + Chance(chunks.start).below(900) as usize),
        3 => Act::Long(1),
        _ => Act::Serve,
    });
    let fake = shared(fake);
    let source = chunked(
        &fake,
        &Settings {
            cache_bytes: 50 * CHUNK as usize,
            readahead: true,
            ..settings()
        },
    );
    thread::scope(|scope| {
        for number in 0..4 {
            let (source, fake) = (&source, &fake);
            scope.spawn(move || {
                let mut chance = Chance(number);
                for _ in 0..100 {
                    let at = chance.below(380 * u64::from(CHUNK));
                    let len = chance.below(20 * u64::from(CHUNK)) as usize;
                    let bytes = read(&**source, at, len).unwrap();
                    assert_eq!(bytes, fake.content[at as usize..at as usize + len]);
                }
            });
        }
    });
    let stats = source.stats();
    assert!(stats.retries > 20 && stats.throttles > 5, "{stats:?}");
}

#[test]
fn an_answer_of_wrong_length_is_none() {
    for act in [
        Act::Short(1),
        Act::Short(CHUNK as usize),
        Act::Long(1),
        Act::Long(5000),
    ] {
        let mut fake = Fake::new(3 * CHUNK as usize - 100, CHUNK);
        fake.fetch_plan = Box::new(move |_, _| act.clone());
        let fake = shared(fake);
        let settings = Settings {
            deadline: Duration::from_millis(100),
            ..settings()
        };
        for chunk in [0, 2] {
            let error = read(&*chunked(&fake, &settings), chunk * 4096, 10);
            let Fault { kind, message, .. } = fault_of(&error.unwrap_err()).unwrap().clone();
            assert_eq!(kind, FaultKind::Unknown);
            assert!(message.contains("expected"), "{message}");
        }
    }
}

#[test]
fn a_map_that_is_none_is_an_error() {
    let mut fake = Fake::new(3 * CHUNK as usize, CHUNK);
    fake.map_plan = Box::new(|_, _| Act::Short(0));
    let settings = Settings {
        deadline: Duration::from_millis(100),
        ..settings()
    };
    let error = read(&*chunked(&shared(fake), &settings), 0, 10).unwrap_err();
    let text = &fault_of(&error).unwrap().message;
    assert!(text.contains("expected a map up to chunk 3"), "{text}");
}

#[test]
fn a_store_that_panics_is_an_error_at_once() {
    let mut fake = Fake::new(3 * CHUNK as usize, CHUNK);
    fake.fetch_plan = Box::new(|_, _| Act::Panic);
    let source = chunked(&shared(fake), &settings());
    let error = read(&*source, 0, 10).unwrap_err();
    assert_eq!(fault_of(&error).unwrap().kind, FaultKind::Refused);
    assert_eq!(source.stats().held_bytes, 0);
}

#[test]
fn a_throttle_halves_the_calls_at_once() {
    let mut fake = Fake::new(200 * CHUNK as usize, CHUNK);
    fake.latency = Duration::from_millis(5);
    fake.fetch_plan = Box::new(|call, _| match call {
        20..40 => Act::Fault(fault(FaultKind::Throttled)),
        _ => Act::Serve,
    });
    let fake = shared(fake);
    let source = chunked(&fake, &settings());
    assert_eq!(read(&*source, 0, fake.content.len()).unwrap(), fake.content);
    let stats = source.stats();
    assert_eq!(stats.throttles, 20);
    assert!(fake.calling_max.load(Ordering::SeqCst) >= 16);
    assert!(stats.calls_limit < 32, "{stats:?}");
}

#[test]
fn the_provider_is_left_alone_for_as_long_as_it_asks() {
    let mut fake = Fake::new(8 * CHUNK as usize, CHUNK);
    fake.fetch_plan = Box::new(|call, _| {
        let mut throttled = fault(FaultKind::Throttled);
        throttled.retry_after = Some(Duration::from_millis(300));
        match call {
            0 => Act::Fault(throttled),
            _ => Act::Serve,
        }
    });
    let fake = shared(fake);
    let started = Instant::now();
    read(&*chunked(&fake, &settings()), 0, 10).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn cancelling_ends_all_reads_at_once() {
    for all in [false, true] {
        let mut fake = Fake::new(80 * CHUNK as usize, CHUNK);
        fake.fetch_plan = Box::new(|_, _| Act::Stall);
        let fake = shared(fake);
        let settings = Settings {
            cancel: Cancel::default(),
            ..settings()
        };
        let source = chunked(&fake, &settings);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..8)
                .map(|at| {
                    let source = &source;
                    scope.spawn(move || read(&**source, at * 4096, 9000))
                })
                .collect();
            until(|| fake.calling.load(Ordering::SeqCst) == 10);
            let started = Instant::now();
            match all {
                true => settings.cancel.cancel(),
                false => source.cancel(),
            }
            for reader in readers {
                let error = reader.join().unwrap().unwrap_err();
                assert!(matches!(error, Error::Request(Request::Cancelled)));
            }
            assert!(started.elapsed() < Duration::from_secs(2));
        });
        until(|| fake.calling.load(Ordering::SeqCst) == 0);
        assert!(matches!(
            read(&*source, 0, 1),
            Err(Error::Request(Request::Cancelled))
        ));
        assert!(source.segment_at(0..1).is_err());
        let later = chunked(&fake, &settings);
        assert_eq!(read(&*later, 0, 0).is_err(), all);
        assert_eq!(source.stats().held_bytes, 0);
    }
}

#[test]
fn a_source_that_is_dropped_leaves_no_call_behind() {
    let mut fake = Fake::new(80 * CHUNK as usize, CHUNK);
    fake.fetch_plan = Box::new(|_, _| Act::Stall);
    let fake = shared(fake);
    let settings = Settings {
        deadline: Duration::from_millis(50),
        ..settings()
    };
    let source = chunked(&fake, &settings);
    assert!(read(&*source, 0, 10 * 4096).is_err());
    drop(source);
    until(|| fake.calling.load(Ordering::SeqCst) == 0 && Arc::strong_count(&fake) == 1);
}
