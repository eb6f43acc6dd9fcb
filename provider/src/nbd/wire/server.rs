//! The name of an export, from a list: `NBD_REP_SERVER`.

use super::text::plain;
use super::{Cursor, STRING_MAX, Violation};

/// The name, fit for a message.
pub(in crate::nbd) fn parse(payload: &[u8]) -> Result<String, Violation> {
    let mut cursor = Cursor::new(payload);
    let len = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
    if len > STRING_MAX {
        return Err(Violation::new(format!(
            "expected the name of an export of at most {STRING_MAX} bytes, found {len}"
        )));
    }
    // What follows the name is a description for people.
    cursor.bytes(len).map(plain)
}
