//! A run of zeros in an answer to a read: `NBD_REPLY_TYPE_OFFSET_HOLE`.

use super::{Cursor, Violation};

/// Where it begins in the export, and its bytes, not 0.
pub(in crate::nbd) fn parse(payload: &[u8]) -> Result<(u64, u32), Violation> {
    let mut cursor = Cursor::new(payload);
    let (offset, len) = (cursor.u64()?, cursor.u32()?);
    cursor.end()?;
    if len == 0 {
        return Err(Violation::new("expected a hole, found one of no bytes"));
    }
    Ok((offset, len))
}
