//! The memory of a process that reads much more than it may keep.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    reason = "tests compute with numbers of their own, tell what they measured, and fail by a panic"
)]

use bytes::Bytes;
use flr_fs::source::ByteSource;
use flr_provider::Fault;
use flr_provider::engine::BoxFuture;
use flr_provider::remote::{ChunkRun, ChunkState, ChunkStore, Chunked, Settings};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const CHUNK: u32 = 512 << 10;
const SIZE: u64 = 3 << 30;

/// Three gigabytes in which each chunk is made when it is asked for, in a buffer that is far too large.
#[derive(Debug)]
struct Made;

impl ChunkStore for Made {
    fn name(&self) -> &str {
        "made"
    }

    fn size(&self) -> u64 {
        SIZE
    }

    fn chunk_len(&self) -> NonZeroU32 {
        NonZeroU32::new(CHUNK).unwrap()
    }

    fn map(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Vec<ChunkRun>, Fault>> {
        let state = ChunkState::Present;
        Box::pin(std::future::ready(Ok(vec![ChunkRun { chunks, state }])))
    }

    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let buffer = Bytes::from(vec![chunks.start as u8; 3 * CHUNK as usize]);
            Ok(buffer.slice(..CHUNK as usize))
        })
    }
}

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

#[test]
fn a_process_takes_its_cache_and_little_more() {
    let settings = Settings::default();
    let source = Chunked::new(Arc::new(Made), &settings);
    thread::scope(|scope| {
        for stream in 0..4 {
            let source = &source;
            scope.spawn(move || {
                let quarter = SIZE / 4;
                let mut buf = vec![0; 1 << 20];
                for step in 0..quarter >> 20 {
                    let at = stream * quarter + (step << 20);
                    source.read_at(at, &mut buf).unwrap();
                    assert_eq!(u64::from(buf[0]), at / u64::from(CHUNK) % 256);
                }
            });
        }
    });
    let stats = source.stats();
    eprintln!("{} MiB at most, {stats:?}", peak() >> 20);
    assert!(stats.held_bytes_max <= settings.cache_bytes as u64);
    assert!(
        peak() <= settings.cache_bytes as u64 + (64 << 20),
        "{} bytes",
        peak()
    );
}
