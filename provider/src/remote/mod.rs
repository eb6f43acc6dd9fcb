//! Bytes that lie on the other side of a network: read in chunks, kept in a bounded cache, fetched
//! many at a time.
//!
//! ```text
//!  ByteSource::read_at ──► gather ──► memory cache ──► flights ──► disk cache ──► limits ──► ChunkStore
//!     (any thread)            │        (bounded)      (one per    (optional,     (AIMD,      map, fetch
//!                             └ readahead              chunk)      self-checking) per second)  (async)
//! ```
//!
//! A thread that reads looks in the cache and at the map, asks for flights for what is missing, and
//! waits at its mailbox until all has come or its time is over. A flight runs on the runtime, is repeated
//! there, and ends when nobody waits for it any more.
//!
//! | module | |
//! |---|---|
//! | [`store`] | what a provider implements: a map of chunks, and chunks |
//! | [`chunked`] | a [`ByteSource`](flr_fs::ByteSource) over such a store |
//! | [`settings`], [`cancel`], [`stats`] | its bounds, its end, its cost |
//! | `gather`, `mailbox` | reads, and where they wait |
//! | `hub`, `flights`, `pump`, `attempt`, `repeat` | what is asked of the store, when, and how often |
//! | `streams`, `ahead` | what is fetched before it is asked for |
//! | `disk`, `look` | the cache on disk, and when it is looked at |
//! | `limiter`, `rate` | calls at once, and per second |
//! | `budget`, `cache`, `geometry`, `map` | chunks in memory, and what is known of the others |
//! | `calls` | what is no chunk |
//! | `even` | stores without holes |
//! | [`runtime`] | the one runtime; futures exist in this crate only |

mod ahead;
mod attempt;
mod budget;
mod cache;
mod calls;
pub mod cancel;
pub mod chunked;
mod disk;
pub(crate) mod even;
mod flights;
mod gather;
mod geometry;
mod hub;
mod interrupt;
mod limiter;
mod look;
mod mailbox;
mod map;
mod pump;
mod rate;
mod repeat;
pub mod runtime;
pub mod settings;
pub mod stats;
pub mod store;
mod streams;

pub use calls::retry_calls;
pub use cancel::Cancel;
pub use chunked::Chunked;
pub use disk::kin::{kin, remember};
pub use disk::settle;
pub use interrupt::cancelled_by;
pub use runtime::{TokioClock, block_on};
pub use settings::{DiskSettings, Rate, Settings, cache_dir};
pub use stats::Stats;
pub use store::{ChunkRun, ChunkState, ChunkStore};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nothing here panics while it holds a lock; if it did, what is kept would still be right bytes.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
