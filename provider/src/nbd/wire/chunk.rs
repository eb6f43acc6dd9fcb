//! The head of a chunk of a structured answer.

use super::block_status::BLOCK_STATUS_MAX;
use super::error_chunk::ERROR_MAX;
use super::{Cursor, Violation};

/// Bytes of a head.
pub(in crate::nbd) const CHUNK_LEN: usize = 20;

/// Its magic number.
pub(in crate::nbd) const CHUNK_MAGIC: u32 = 0x668e_33ef;

const DONE: u16 = 1;
const ERROR_BIT: u16 = 1 << 15;

/// What a chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) enum ChunkKind {
    /// Nothing more.
    None,
    /// Bytes, after their offset.
    OffsetData,
    /// Zeros.
    OffsetHole,
    /// A part of the map.
    BlockStatus,
    /// An error, with a place or without.
    Error {
        /// The place follows the message.
        has_offset: bool,
    },
}

/// A head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct Chunk {
    /// No chunk of this answer comes after it.
    pub(in crate::nbd) done: bool,
    /// What it says.
    pub(in crate::nbd) kind: ChunkKind,
    /// That of the request.
    pub(in crate::nbd) cookie: u64,
    /// How many bytes follow: at least as many as its kind has, and, data apart, not more than what is
    /// sensible for it. Data is measured against the request.
    pub(in crate::nbd) len: u32,
}

impl Chunk {
    /// Parses a head, whose magic number has been seen.
    pub(in crate::nbd) fn parse(bytes: &[u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(bytes);
        cursor.u32()?;
        let (flags, kind, cookie) = (cursor.u16()?, cursor.u16()?, cursor.u64()?);
        let len = cursor.u32()?;
        cursor.end()?;
        let done = flags & DONE != 0;
        let (kind, bounds) = match kind {
            0 => (ChunkKind::None, 0..=0),
            1 => (ChunkKind::OffsetData, 9..=u32::MAX),
            2 => (ChunkKind::OffsetHole, 12..=12),
            5 => (ChunkKind::BlockStatus, 12..=BLOCK_STATUS_MAX),
            0x8002 => (ChunkKind::Error { has_offset: true }, 14..=ERROR_MAX),
            kind if kind & ERROR_BIT != 0 => {
                (ChunkKind::Error { has_offset: false }, 6..=ERROR_MAX)
            }
            kind => {
                let what = format!("expected a known kind of answer, found {kind}");
                return Err(Violation::new(what));
            }
        };
        if !bounds.contains(&len) {
            let (least, most) = bounds.into_inner();
            return Err(Violation::new(format!(
                "expected {least} to {most} bytes of {kind:?}, found {len}"
            )));
        }
        if kind == ChunkKind::None && !done {
            return Err(Violation::new(
                "expected the end of an answer, found more of it",
            ));
        }
        Ok(Self {
            done,
            kind,
            cookie,
            len,
        })
    }
}
