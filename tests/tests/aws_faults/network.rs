//! Networks that stall, and services that are overrun: nobody waits longer than was promised, and all that
//! is read is right.

use crate::direct::{SNAPSHOT, client, reading, world};
use flr_fs::ByteSource;
use flr_provider::aws::EbsSnapshot;
use flr_provider::remote::{Chunked, Rate, Settings, block_on, retry_calls};
use flr_tests::aws_fake::{BLOCK_LEN, Blocks, Fake, FakeFault, Rate as Bound, Snapshot, When};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Another snapshot, with many blocks.
const LARGE: &str = "snap-0aaaaaaaaaaaaaaaa";

fn byte(index: u64) -> u8 {
    u8::try_from(index % 251).expect("small") + 1
}

/// Adds a snapshot in which every one of so many blocks is stored.
fn add_large(fake: &Fake, count: u64) {
    let stored = move |index| (index < count).then(|| vec![byte(index); BLOCK_LEN]);
    let mut state = fake.state();
    state.settings.pages.max = None;
    state.add_snapshot(Snapshot::new(LARGE, Blocks::from_fn(2048, stored)));
}

fn source(fake: &Fake, id: &str, settings: &Settings) -> Arc<Chunked> {
    let client = client(fake);
    let snapshot = block_on(retry_calls(|| EbsSnapshot::open(&client, id)));
    Chunked::new(snapshot.expect("a snapshot"), settings)
}

fn at(index: u64) -> u64 {
    index * u64::try_from(BLOCK_LEN).expect("small")
}

/// Reads blocks from several threads, and checks them; how many failed.
fn read_all(source: &Chunked, count: u64) -> usize {
    const THREADS: u64 = 4;
    std::thread::scope(|scope| {
        let threads = (0..THREADS).map(|thread| {
            scope.spawn(move || {
                let mut failed = 0;
                let mut bytes = vec![0; 8 * BLOCK_LEN];
                for first in (thread * 8..count).step_by(8 * 4) {
                    let blocks = 8.min(count - first);
                    let len = BLOCK_LEN * usize::try_from(blocks).expect("small");
                    match source.read_at(at(first), &mut bytes[..len]) {
                        Err(_) => failed += 1,
                        Ok(()) => {
                            let blocks = bytes[..len].chunks(BLOCK_LEN);
                            for (index, block) in (first..).zip(blocks) {
                                let right = block.iter().all(|found| *found == byte(index));
                                assert!(right, "block {index} has other bytes");
                            }
                        }
                    }
                }
                failed
            })
        });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    })
}

#[test]
fn a_network_that_stalls_is_an_error_in_time_and_recovers() {
    let fake = world();
    let settings = reading();
    let source = source(&fake, SNAPSHOT, &settings);
    crate::direct::check(&*source).expect("it is read");
    add_large(&fake, 64);
    let large = self::source(&fake, LARGE, &settings);
    let stalled = Arc::new(AtomicBool::new(true));
    let is_stalled = Arc::clone(&stalled);
    fake.set_rule(move |_| {
        let stalled = is_stalled.load(Ordering::Relaxed);
        stalled.then_some(FakeFault::NoAnswer(When::BeforeEffect))
    });
    // Several readers at once, as a mount has them.
    std::thread::scope(|scope| {
        for index in 0..8 {
            let large = Arc::clone(&large);
            scope.spawn(move || {
                let begun = Instant::now();
                let mut bytes = vec![0; 4096];
                let error = large.read_at(at(index * 7), &mut bytes).unwrap_err();
                let took = begun.elapsed();
                assert!(took < Duration::from_secs(4), "{took:?}: {error}");
                assert!(error.to_string().contains("no answer within"), "{error}");
            });
        }
    });
    // What was read before is there still.
    crate::direct::check(&*source).expect("it is in memory");
    stalled.store(false, Ordering::Relaxed);
    let begun = Instant::now();
    assert_eq!(read_all(&large, 64), 0);
    println!("recovered in {:?}", begun.elapsed());
}

/// Chance that is the same at every run.
fn chance(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn blocks_that_fail_at_random_are_all_right_in_the_end() {
    const COUNT: u64 = 400;
    for percent in [1, 10] {
        let fake = world();
        add_large(&fake, COUNT);
        let settings = Settings {
            attempt_limit: Duration::from_millis(500),
            backoff_min: Duration::from_millis(10),
            deadline: Duration::from_secs(20),
            ..Settings::default()
        };
        let source = source(&fake, LARGE, &settings);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 + percent;
        let hits = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&hits);
        fake.set_rule(move |call| {
            let hit = call.operation == "GetSnapshotBlock" && chance(&mut state) % 100 < percent;
            let faults = [
                FakeFault::Status(When::BeforeEffect, 500),
                FakeFault::Reset(When::AfterEffect, 70_000),
                FakeFault::TruncatedBody(100_000),
                FakeFault::FlippedByte(200_000),
                FakeFault::NoAnswer(When::BeforeEffect),
                FakeFault::HalfClosed(When::AfterEffect),
            ];
            let which = usize::try_from(chance(&mut state) % 6).expect("small");
            hit.then(|| {
                counted.fetch_add(1, Ordering::Relaxed);
                faults[which].clone()
            })
        });
        let begun = Instant::now();
        assert_eq!(read_all(&source, COUNT), 0, "{percent} %");
        let (hits, took) = (hits.load(Ordering::Relaxed), begun.elapsed());
        println!("{percent} %: {COUNT} blocks in {took:.1?}, {hits} calls failed");
        assert!(hits >= percent * COUNT / 200, "only {hits}");
    }
}

/// What one snapshot may be asked for is shared by all; who asks for too much is turned down.
#[test]
fn a_storm_of_throttles_settles_at_what_the_service_bears() {
    const BUDGET: i64 = 50;
    const COUNT: u64 = 500;
    let fake = world();
    add_large(&fake, COUNT);
    fake.set_latency(Duration::from_millis(20));
    fake.state().settings.snapshot_rate = Some(Bound {
        per_second: BUDGET,
        burst: 10,
    });
    let settings = Settings {
        // What flr reads EBS with.
        rate: Some(Rate {
            start: 100,
            max: 1000,
        }),
        ..Settings::default()
    };
    let source = source(&fake, LARGE, &settings);
    let begun = Instant::now();
    assert_eq!(read_all(&source, COUNT), 0);
    let took = begun.elapsed();
    let stats = source.stats();
    let calls = fake.requests();
    let of_blocks = calls
        .iter()
        .filter(|call| call.operation == "GetSnapshotBlock");
    let turned_down = of_blocks
        .clone()
        .filter(|call| call.outcome.as_ref().is_some_and(|it| it.status == 400));
    let (asked, turned_down) = (of_blocks.count(), turned_down.count());
    let fair = f64::from(u32::try_from(COUNT).expect("small") - 10) / 50.0;
    let used = fair / took.as_secs_f64();
    println!(
        "{COUNT} blocks in {took:.1?}: {:.0} % of the budget, {turned_down} of {asked} calls turned \
         down; {stats:?}",
        used * 100.0
    );
    // How near it comes is for a benchmark on a quiet machine to say; here it must not collapse.
    assert!(used >= 0.5, "only {:.0} % of the budget", used * 100.0);
    assert!(
        turned_down * 4 <= asked,
        "{turned_down} of {asked} calls turned down"
    );
}
