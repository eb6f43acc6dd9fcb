//! NBD: exports of a server, read over its newstyle protocol.
//!
//! ```text
//!  NbdStore ──► Pool ──► Connection ──► task: Decoder ◄──► BoxStream (TCP or Unix, in TLS or not)
//!  (chunks)   (1 to 4)   (a handle)         │
//!                                           └ Assembly: pieces of a read, in any order
//! ```
//!
//! | module | |
//! |---|---|
//! | [`store`] | an export as chunks: a map, and bytes |
//! | `pool` | connections, opened again when they broke; the export must be the same |
//! | `connection` | many questions under way on one connection |
//! | `decoder`, `assembly` | what the server says: bytes in, answers out, no I/O |
//! | `chunk_map` | extents of bytes as runs of chunks |
//! | `handshake`, `tls`, `dial` | from nothing to transmission |
//! | `wire` | structures of the protocol |
//! | [`uri`], [`options`], `errno` | where, what is allowed, and what went wrong |
//!
//! What is spoken: the fixed newstyle handshake, TLS by `STARTTLS`, `GO` (or `EXPORT_NAME` where there
//! is no `GO`), structured answers and `base:allocation` where the server has them. What is not: the
//! old handshake, extended headers, keys shared beforehand. Nothing here can write.

mod assembly;
mod chunk_map;
mod connection;
mod decoder;
mod dial;
mod errno;
mod handshake;
pub mod options;
mod pool;
pub mod store;
mod tls;
pub mod uri;
mod wire;

pub use options::NbdOptions;
pub use store::NbdStore;
pub use uri::export_uri;
