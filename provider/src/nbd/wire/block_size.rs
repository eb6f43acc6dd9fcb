//! What lengths of requests a server wants: `NBD_INFO_BLOCK_SIZE`.

use super::{Cursor, Violation};

/// The protocol's bound on the smallest block.
const MINIMUM_MAX: u32 = 64 << 10;

/// Lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct BlockSize {
    /// Offsets and lengths are multiples of it; a power of two, at most 64 KiB.
    pub(in crate::nbd) minimum: u32,
    /// Shorter requests cost more; a power of two, at least the minimum.
    pub(in crate::nbd) preferred: u32,
    /// No read is longer; at least the preferred one.
    pub(in crate::nbd) maximum: u32,
}

impl Default for BlockSize {
    /// What holds for a server that says nothing.
    fn default() -> Self {
        Self {
            minimum: 512,
            preferred: 4096,
            maximum: 32 << 20,
        }
    }
}

impl BlockSize {
    /// Parses what follows the type in an info.
    pub(in crate::nbd) fn parse(bytes: &[u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(bytes);
        let (minimum, preferred, maximum) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        cursor.end()?;
        let sound = minimum.is_power_of_two()
            && minimum <= MINIMUM_MAX
            && preferred.is_power_of_two()
            && preferred >= minimum.max(512)
            && maximum >= preferred;
        if !sound {
            return Err(Violation::new(format!(
                "expected block sizes in order, found {minimum}, {preferred} and {maximum} bytes"
            )));
        }
        Ok(Self {
            minimum,
            preferred,
            maximum,
        })
    }
}
