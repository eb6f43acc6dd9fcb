//! A store in memory that fails, stalls and lies as it is told, and counts what it is asked.

#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(
    clippy::panic,
    reason = "a store that panics is one of those that are tested"
)]

use bytes::Bytes;
use flr_fs::source::ByteSource;
use flr_provider::engine::BoxFuture;
use flr_provider::remote::{ChunkRun, ChunkState, ChunkStore, Settings};
use flr_provider::{Fault, FaultKind};
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a call does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Serve,
    Fault(Fault),
    /// It never answers.
    Stall,
    /// It answers once this is true.
    Gate(Arc<AtomicBool>),
    /// So many bytes too few, or too many.
    Short(usize),
    Long(usize),
    Panic,
}

type Plan = dyn Fn(u64, &Range<u64>) -> Act + Send + Sync;

/// The store. Calls are numbered from 0, maps and fetches apart.
pub(crate) struct Fake {
    pub(crate) content: Vec<u8>,
    pub(crate) chunk_len: u32,
    pub(crate) coalesce: u32,
    pub(crate) latency: Duration,
    pub(crate) holes: HashMap<u64, ()>,
    pub(crate) fetch_plan: Box<Plan>,
    pub(crate) map_plan: Box<Plan>,
    pub(crate) cache_names: Vec<String>,
    pub(crate) fetches: Mutex<HashMap<u64, u32>>,
    pub(crate) fetch_calls: AtomicU64,
    pub(crate) map_calls: AtomicU64,
    pub(crate) calling: AtomicUsize,
    pub(crate) calling_max: AtomicUsize,
    pub(crate) given_up: AtomicU64,
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

/// Numbers by chance, the same for the same seed.
pub(crate) struct Chance(pub u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

impl Fake {
    /// `size` bytes by chance, all stored.
    pub(crate) fn new(size: usize, chunk_len: u32) -> Self {
        let mut chance = Chance(size as u64);
        let words = std::iter::repeat_with(|| chance.next().to_le_bytes());
        let content = words.take(size.div_ceil(8)).flatten().take(size).collect();
        Self {
            content,
            chunk_len,
            coalesce: 1,
            latency: Duration::ZERO,
            holes: HashMap::new(),
            fetch_plan: Box::new(|_, _| Act::Serve),
            map_plan: Box::new(|_, _| Act::Serve),
            cache_names: Vec::new(),
            fetches: Mutex::default(),
            fetch_calls: AtomicU64::new(0),
            map_calls: AtomicU64::new(0),
            calling: AtomicUsize::new(0),
            calling_max: AtomicUsize::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    /// Makes these chunks holes, and their bytes zeros.
    pub(crate) fn with_holes(mut self, holes: impl IntoIterator<Item = u64>) -> Self {
        for hole in holes {
            let start = (hole * u64::from(self.chunk_len)) as usize;
            let end = (start + self.chunk_len as usize).min(self.content.len());
            self.content[start..end].fill(0);
            self.holes.insert(hole, ());
        }
        self
    }

    pub(crate) fn chunks(&self) -> u64 {
        (self.content.len() as u64).div_ceil(u64::from(self.chunk_len))
    }

    /// The most often that a chunk was fetched.
    pub(crate) fn most_fetched(&self) -> u32 {
        let fetches = self.fetches.lock().unwrap();
        fetches.values().copied().max().unwrap_or(0)
    }

    pub(crate) fn fetched(&self, chunk: u64) -> u32 {
        let fetches = self.fetches.lock().unwrap();
        fetches.get(&chunk).copied().unwrap_or(0)
    }

    fn bytes(&self, chunks: &Range<u64>) -> Vec<u8> {
        let len = u64::from(self.chunk_len);
        let end = (chunks.end * len).min(self.content.len() as u64);
        self.content[(chunks.start * len) as usize..end as usize].to_vec()
    }
}

/// Counts calls under way, also those that are dropped.
struct Calling<'a>(&'a Fake, bool);

impl<'a> Calling<'a> {
    fn new(fake: &'a Fake) -> Self {
        let now = fake.calling.fetch_add(1, Ordering::SeqCst) + 1;
        fake.calling_max.fetch_max(now, Ordering::SeqCst);
        Self(fake, false)
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.calling.fetch_sub(1, Ordering::SeqCst);
        if !self.1 {
            self.0.given_up.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl ChunkStore for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn size(&self) -> u64 {
        self.content.len() as u64
    }

    fn chunk_len(&self) -> NonZeroU32 {
        NonZeroU32::new(self.chunk_len).unwrap()
    }

    fn coalesce_max(&self) -> NonZeroU32 {
        NonZeroU32::new(self.coalesce).unwrap()
    }

    fn map(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Vec<ChunkRun>, Fault>> {
        Box::pin(async move {
            let call = self.map_calls.fetch_add(1, Ordering::SeqCst);
            assert!(chunks.start < chunks.end && chunks.end <= self.chunks());
            tokio::time::sleep(self.latency).await;
            match (self.map_plan)(call, &chunks) {
                Act::Fault(fault) => return Err(fault),
                Act::Stall => std::future::pending().await,
                Act::Panic => panic!("the store panics"),
                Act::Short(_) => return Ok(Vec::new()),
                Act::Serve | Act::Long(_) | Act::Gate(_) => {}
            }
            let mut runs: Vec<ChunkRun> = Vec::new();
            for chunk in chunks {
                let state = match self.holes.contains_key(&chunk) {
                    true => ChunkState::Hole,
                    false => ChunkState::Present,
                };
                match runs.last_mut() {
                    Some(run) if run.state == state => run.chunks.end = chunk + 1,
                    _ => runs.push(ChunkRun {
                        chunks: chunk..chunk + 1,
                        state,
                    }),
                }
            }
            Ok(runs)
        })
    }

    fn fetch(&self, chunks: Range<u64>) -> BoxFuture<'_, Result<Bytes, Fault>> {
        Box::pin(async move {
            let call = self.fetch_calls.fetch_add(1, Ordering::SeqCst);
            let mut calling = Calling::new(self);
            assert!(chunks.start < chunks.end && chunks.end <= self.chunks());
            assert!(chunks.end - chunks.start <= u64::from(self.coalesce));
            for chunk in chunks.clone() {
                assert!(!self.holes.contains_key(&chunk), "hole {chunk} fetched");
                *self.fetches.lock().unwrap().entry(chunk).or_default() += 1;
            }
            let act = (self.fetch_plan)(call, &chunks);
            if !self.latency.is_zero() {
                tokio::time::sleep(self.latency).await;
            }
            let mut bytes = self.bytes(&chunks);
            match act {
                Act::Serve => {}
                Act::Fault(fault) => {
                    calling.1 = true;
                    return Err(fault);
                }
                Act::Stall => std::future::pending().await,
                Act::Gate(open) => {
                    while !open.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
                Act::Short(by) => bytes.truncate(bytes.len().saturating_sub(by)),
                Act::Long(by) => bytes.resize(bytes.len() + by, 0),
                Act::Panic => panic!("the store panics"),
            }
            calling.1 = true;
            Ok(bytes.into())
        })
    }

    fn cache_names(&self, _chunk: u64) -> BoxFuture<'_, Vec<String>> {
        Box::pin(std::future::ready(self.cache_names.clone()))
    }
}

/// Short waits, no readahead: what a call does is then decided by the test alone.
pub(crate) fn settings() -> Settings {
    Settings {
        deadline: Duration::from_secs(20),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(10),
        readahead: false,
        ..Settings::default()
    }
}

pub(crate) fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, format!("the store says {kind:?}")).with_code("Fake")
}

pub(crate) fn read(source: &dyn ByteSource, offset: u64, len: usize) -> flr_fs::Result<Vec<u8>> {
    let mut buf = vec![0xaa; len];
    source.read_at(offset, &mut buf).map(|()| buf)
}

/// The fault that stands behind an error.
pub(crate) fn fault_of(error: &flr_fs::Error) -> Option<&Fault> {
    match error {
        flr_fs::Error::Io { source, .. } => source.get_ref()?.downcast_ref(),
        _ => None,
    }
}

pub(crate) fn shared(fake: Fake) -> Arc<Fake> {
    Arc::new(fake)
}
