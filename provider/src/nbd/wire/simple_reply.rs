//! The head of an answer without structure: an error, or that the bytes follow.

use super::{Cursor, Violation};

/// Bytes of a head.
pub(in crate::nbd) const SIMPLE_REPLY_LEN: usize = 16;

/// Its magic number.
pub(in crate::nbd) const SIMPLE_MAGIC: u32 = 0x6744_6698;

/// A head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct SimpleReply {
    /// 0, or the number of an error.
    pub(in crate::nbd) error: u32,
    /// That of the request.
    pub(in crate::nbd) cookie: u64,
}

impl SimpleReply {
    /// Parses the head, whose magic number has been seen.
    pub(in crate::nbd) fn parse(bytes: &[u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(bytes);
        cursor.u32()?;
        let (error, cookie) = (cursor.u32()?, cursor.u64()?);
        cursor.end()?;
        Ok(Self { error, cookie })
    }
}
