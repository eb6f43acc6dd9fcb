//! Chunks on disk, for the next process: optional, bounded, and never believed without a checksum.
//!
//! A chunk is a file of its own under `v1/`, in the user's private folder. It is written under another
//! name first. Whatever is torn, damaged or foreign is dropped and fetched again; no error of the cache
//! is an error of a read. Processes may share it: each keeps the whole within its bytes, and overshoots by
//! at most a sixteenth before it counts what others have written.

mod block;
mod evict;
mod folder;
pub(super) mod kin;

use super::budget::Held;
use super::lock;
use super::settings::DiskSettings;
use super::stats::Counters;
use crate::engine::{Rand, SystemRand};
use block::{HEADER_LEN, Identity};
use flr_fs::bytes::len_u64;
use folder::Folder;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// After a disk was full, or failed, nothing is written for so long.
const REST: Duration = Duration::from_secs(30);

/// Threads that write.
const WRITERS: u32 = 2;

/// Chunks of all caches that are queued or being written.
static UNWRITTEN: AtomicU64 = AtomicU64::new(0);

/// How often it is looked whether all is written.
const SETTLE_GAP: Duration = Duration::from_millis(5);

/// Waits until all disk caches have written what was fetched, at most so long: for the end of a process, which
/// would lose it. Blocks.
pub fn settle(limit: Duration) {
    let begun = Instant::now();
    while UNWRITTEN.load(Ordering::Acquire) > 0 && begun.elapsed() < limit {
        std::thread::sleep(SETTLE_GAP);
    }
}

/// A disk cache of one process. All calls block.
#[derive(Debug)]
pub(super) struct Disk {
    settings: DiskSettings,
    chunk_len: u32,
    folder: OnceLock<Option<Folder>>,
    fill: Mutex<Fill>,
    queue: Mutex<Queue>,
}

/// How full it is.
#[derive(Debug, Default)]
struct Fill {
    /// Bytes of all files when they were counted last, and what this process wrote since; `None`: they
    /// have never been counted.
    total: Option<u64>,
    /// What this process wrote since.
    written: u64,
    rest_until: Option<Instant>,
}

/// Chunks that wait to be written.
#[derive(Debug, Default)]
struct Queue {
    writes: VecDeque<Write>,
    bytes: usize,
    writers: u32,
}

/// A chunk to be written.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) name: String,
    pub(super) chunk: u64,
    pub(super) held: Arc<Held>,
}

impl Disk {
    pub(super) fn new(settings: DiskSettings, chunk_len: u32) -> Self {
        Self {
            settings,
            chunk_len,
            folder: OnceLock::new(),
            fill: Mutex::default(),
            queue: Mutex::default(),
        }
    }

    fn folder(&self) -> Option<&Folder> {
        let open = || match Folder::open(&self.settings.folder) {
            Ok(folder) => Some(folder),
            Err(error) => {
                let folder = self.settings.folder.display();
                tracing::warn!(%folder, %error, "no disk cache");
                None
            }
        };
        self.folder.get_or_init(open).as_ref()
    }

    /// The bytes of a chunk, `len` of them, under the first name that has them.
    pub(super) fn look(
        &self,
        names: &[String],
        chunk: u64,
        len: usize,
        counters: &Counters,
    ) -> Option<Vec<u8>> {
        let folder = self.folder()?;
        for name in names {
            let identity = Identity::new(name, chunk, self.chunk_len);
            let (shard, file) = identity.path();
            match read(folder, &identity, len) {
                Ok(Read::Right(bytes)) => {
                    counters.disk_hits.add(1);
                    return Some(bytes);
                }
                Ok(Read::None) => {}
                Ok(Read::Wrong) => {
                    counters.disk_dropped.add(1);
                    tracing::debug!(name, chunk, "damaged block dropped from the disk cache");
                    if let Err(error) = folder.remove(&shard, &file) {
                        failed(counters, &error);
                    }
                }
                Err(error) => failed(counters, &error),
            }
        }
        None
    }

    /// Puts a chunk into the queue, unless the chunks there already take `bytes_max` bytes. Whether
    /// whoever calls is to give a thread to [`Disk::write_queued`].
    pub(super) fn enqueue(&self, write: Write, bytes_max: usize) -> bool {
        let mut queue = lock(&self.queue);
        let bytes = queue.bytes.saturating_add(write.held.len());
        if bytes > bytes_max {
            return false;
        }
        queue.bytes = bytes;
        UNWRITTEN.fetch_add(1, Ordering::AcqRel);
        queue.writes.push_back(write);
        let more = queue.writers < WRITERS;
        queue.writers = queue.writers.saturating_add(u32::from(more));
        more
    }

    /// Writes what is queued until nothing is. `gave_back` is called after each chunk.
    pub(super) fn write_queued(&self, counters: &Counters, gave_back: impl Fn()) {
        loop {
            let write = {
                let mut queue = lock(&self.queue);
                let Some(write) = queue.writes.pop_front() else {
                    queue.writers = queue.writers.saturating_sub(1);
                    return;
                };
                queue.bytes = queue.bytes.saturating_sub(write.held.len());
                write
            };
            self.write(&write, counters);
            UNWRITTEN.fetch_sub(1, Ordering::AcqRel);
            drop(write);
            gave_back();
        }
    }

    fn write(&self, write: &Write, counters: &Counters) {
        let Some(folder) = self.folder() else {
            return;
        };
        let bytes = write.held.bytes();
        let takes = folder::on_disk(len_u64(bytes.len().saturating_add(HEADER_LEN)));
        let done = match self.make_room(folder, takes) {
            Ok(false) => return,
            Ok(true) => {
                let identity = Identity::new(&write.name, write.chunk, self.chunk_len);
                let (shard, file) = identity.path();
                let random = SystemRand.next_u64();
                folder.write((&shard, &file), random, |file| identity.write(bytes, file))
            }
            Err(error) => Err(error),
        };
        let mut fill = lock(&self.fill);
        match done {
            Ok(()) => {
                counters.disk_stores.add(1);
                fill.written = fill.written.saturating_add(takes);
                fill.total = fill.total.map(|total| total.saturating_add(takes));
            }
            Err(error) => {
                failed(counters, &error);
                // What there is has to be counted anew.
                fill.total = None;
                fill.rest_until = Instant::now().checked_add(REST);
            }
        }
    }

    /// Makes room for `bytes`; `false` if there is none now.
    fn make_room(&self, folder: &Folder, bytes: u64) -> io::Result<bool> {
        let max = self.settings.bytes_max;
        let mut fill = lock(&self.fill);
        if bytes > max || fill.rest_until.is_some_and(|until| Instant::now() < until) {
            return Ok(false);
        }
        let sixteenth = max.checked_div(16).unwrap_or(0);
        let fits = fill
            .total
            .is_some_and(|total| total.saturating_add(bytes) <= max);
        if fits && fill.written <= sixteenth {
            return Ok(true);
        }
        let Some(_lock) = folder.lock() else {
            return Ok(false);
        };
        let total = evict::shrink(folder, max.saturating_sub(bytes))?;
        // If it was full, it soon will be again: some more at once.
        let total = match total.saturating_add(bytes).saturating_add(sixteenth) > max && !fits {
            true => evict::shrink(folder, max.saturating_sub(bytes).saturating_sub(sixteenth))?,
            false => total,
        };
        fill.total = Some(total);
        fill.written = 0;
        Ok(total.saturating_add(bytes) <= max)
    }
}

enum Read {
    Right(Vec<u8>),
    None,
    Wrong,
}

fn read(folder: &Folder, identity: &Identity, len: usize) -> io::Result<Read> {
    let (shard, name) = identity.path();
    let file = match folder.read(&shard, &name) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Read::None),
        // A link or a device: none of ours.
        Err(error) if is_foreign(&error) => return Ok(Read::Wrong),
        Err(error) => return Err(error),
    };
    let wanted = len_u64(len.saturating_add(HEADER_LEN));
    if !is_regular(&file)? || file.metadata()?.len() != wanted {
        return Ok(Read::Wrong);
    }
    let Some(bytes) = identity.read(len, &file)? else {
        return Ok(Read::Wrong);
    };
    if let Err(error) = folder::touch(&file) {
        tracing::debug!(%error, "the disk cache does not learn that a block was of use");
    }
    Ok(Read::Right(bytes))
}

fn is_foreign(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::LOOP | Errno::NXIO))
}

fn is_regular(file: &File) -> io::Result<bool> {
    let stat = rustix::fs::fstat(file)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

fn failed(counters: &Counters, error: &io::Error) {
    counters.disk_errors.add(1);
    tracing::debug!(%error, "the disk cache failed");
}
