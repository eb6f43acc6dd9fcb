//! Bytes that lie on the other side of a network: read in chunks, kept in a bounded cache, fetched
//! many at a time.
//!
//! ```text
//!  ByteSource::read_at ──► Chunked ──► memory cache ──► disk cache ──► flights ──► limiter ──► ChunkStore
//!     (any thread)            │            (bounded)    (optional,     (one per     (AIMD,      map, fetch
//!                             └ readahead               self-checking)  chunk)       deadlines)  (async)
//! ```
//!
//! | module | |
//! |---|---|
//! | [`store`] | what a provider implements: a map of chunks, and chunks |
//! | [`chunked`] | a [`ByteSource`](flr_fs::ByteSource) over such a store |
//! | [`runtime`] | the one runtime; futures exist in this crate only |

pub mod chunked;
pub mod runtime;
pub mod store;

pub use chunked::{Chunked, Settings};
pub use runtime::{TokioClock, block_on};
pub use store::{ChunkRun, ChunkState, ChunkStore};
