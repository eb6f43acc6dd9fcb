//! The name and number of a map: `NBD_REP_META_CONTEXT`.

use super::{Cursor, Violation};

/// What the protocol itself says about blocks: whether they are stored, and whether they are zeros.
pub(in crate::nbd) const ALLOCATION: &str = "base:allocation";

/// The number of `base:allocation`, if it is that.
pub(in crate::nbd) fn parse(payload: &[u8]) -> Result<Option<u32>, Violation> {
    let mut cursor = Cursor::new(payload);
    let id = cursor.u32()?;
    Ok((cursor.rest() == ALLOCATION.as_bytes()).then_some(id))
}
