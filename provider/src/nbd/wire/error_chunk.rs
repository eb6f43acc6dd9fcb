//! An error in a structured answer: `NBD_REPLY_TYPE_ERROR`, `NBD_REPLY_TYPE_ERROR_OFFSET`.

use super::text::plain;
use super::{Cursor, STRING_MAX, Violation};

/// The longest one that is taken: the longest message, and room for what newer kinds add.
pub(in crate::nbd) const ERROR_MAX: u32 = 8 << 10;

/// An error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct ErrorChunk {
    /// Its number, not 0.
    pub(in crate::nbd) error: u32,
    /// What the server says, fit for a line.
    pub(in crate::nbd) message: String,
    /// The byte of the export where it happened.
    pub(in crate::nbd) offset: Option<u64>,
}

impl ErrorChunk {
    /// Parses what follows the head.
    pub(in crate::nbd) fn parse(payload: &[u8], has_offset: bool) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(payload);
        let (error, len) = (cursor.u32()?, usize::from(cursor.u16()?));
        if error == 0 {
            return Err(Violation::new("expected the number of an error, found 0"));
        }
        if len > STRING_MAX {
            return Err(Violation::new(format!(
                "expected a message of at most {STRING_MAX} bytes, found {len}"
            )));
        }
        let message = plain(cursor.bytes(len)?);
        let offset = if has_offset {
            Some(cursor.u64()?)
        } else {
            None
        };
        Ok(Self {
            error,
            message,
            offset,
        })
    }
}
