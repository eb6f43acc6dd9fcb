//! What stands on the wire, one structure a file: bytes in, values out, and the other way round. No I/O.
//!
//! | structure | |
//! |---|---|
//! | `greeting` | what the server says first |
//! | `option` | what the client asks for before transmission |
//! | `option_reply` | the head of the answer to that |
//! | `server` | the name of an export, from a list |
//! | `meta_context` | the name and number of a map |
//! | `info`, `export`, `block_size` | what an export is |
//! | `request` | a read, a question for the map, the end |
//! | `simple_reply`, `chunk` | the two heads of answers |
//! | `hole`, `block_status`, `error_chunk` | what follows the head of a chunk |
//!
//! All integers are big-endian. The names in the comments are those of the protocol's document.

pub(super) mod block_size;
pub(super) mod block_status;
pub(super) mod chunk;
mod cursor;
pub(super) mod error_chunk;
pub(super) mod export;
pub(super) mod greeting;
pub(super) mod hole;
pub(super) mod info;
pub(super) mod meta_context;
pub(super) mod option;
pub(super) mod option_reply;
pub(super) mod request;
pub(super) mod server;
pub(super) mod simple_reply;
pub(super) mod text;

pub(super) use cursor::Cursor;

use std::fmt;

/// The longest string that the protocol allows, in bytes.
pub(super) const STRING_MAX: usize = 4096;

/// The other side does not speak the protocol. The connection cannot be used any longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation(String);

impl Violation {
    /// What was expected, and what came.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
