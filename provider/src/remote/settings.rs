//! Bounds on memory, time and the number of calls.

use super::cancel::Cancel;
use std::path::PathBuf;
use std::time::Duration;

/// Bounds on memory, time and the number of calls of one [`Chunked`](super::Chunked).
#[derive(Clone, Debug)]
pub struct Settings {
    /// For one read with all its repetitions, counted from where it first waits; then it is an error. A
    /// read of more than 16 MiB has this for each 16 MiB. Soon after a read that has waited in vain for all of
    /// it, the next ones have a small part of it.
    pub deadline: Duration,
    /// For one call to the store, a slow answer included; then the call is made again.
    pub attempt_limit: Duration,
    /// The first wait before a call is repeated is chance up to this.
    pub backoff_min: Duration,
    /// Waits double up to this.
    pub backoff_max: Duration,
    /// Bytes of chunks in memory: kept, being fetched, or being handed over. At least two chunks.
    pub cache_bytes: usize,
    /// Calls at once at the start. Halved by a throttle, raised by success.
    pub calls_start: u32,
    /// Calls at once at most.
    pub calls_max: u32,
    /// How many calls a second; `None`: as many as there are.
    pub rate: Option<Rate>,
    /// The map is asked for so many chunks at once, aligned; rounded up to a power of two, at least 64.
    pub map_chunks: u64,
    /// Whether chunks are fetched ahead of reads: for streams, and for what is announced.
    pub readahead: bool,
    /// A cache that outlives the process; `None`: there is none.
    pub disk: Option<DiskSettings>,
    /// Ends all reads, of all sources that were made with it.
    pub cancel: Cancel,
}

/// A budget of calls per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At the start. Halved by a throttle, raised by success.
    pub start: u32,
    /// At most.
    pub max: u32,
}

/// A disk cache and its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// Its folder, of the user alone; it is made if it is missing. Processes may share it.
    pub folder: PathBuf,
    /// Bytes that its files may take.
    pub bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            attempt_limit: Duration::from_secs(10),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            cache_bytes: 64 << 20,
            calls_start: 16,
            calls_max: 64,
            rate: None,
            map_chunks: 4096,
            readahead: true,
            disk: None,
            cancel: Cancel::default(),
        }
    }
}

/// Where the disk cache is if nobody says otherwise: `$XDG_CACHE_HOME/flr`, for root without that
/// `/var/cache/flr`. `None` if there is no home either.
#[must_use]
pub fn cache_dir(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let absolute = |name| {
        let path = env(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    if let Some(base) = absolute("XDG_CACHE_HOME") {
        return Some(base.join("flr"));
    }
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/cache/flr"));
    }
    absolute("HOME").map(|home| home.join(".cache/flr"))
}
