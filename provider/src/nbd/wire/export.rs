//! Size and flags of an export, as `INFO_EXPORT` and `EXPORT_NAME` give them.

use super::{Cursor, Violation};

/// Bytes of this structure.
pub(in crate::nbd) const EXPORT_LEN: usize = 10;

const HAS_FLAGS: u16 = 1;
const READ_ONLY: u16 = 1 << 1;
const CAN_MULTI_CONN: u16 = 1 << 8;

/// An export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::nbd) struct Export {
    /// Bytes, less than 2⁶³.
    pub(in crate::nbd) size: u64,
    /// The transmission flags as they came.
    pub(in crate::nbd) flags: u16,
}

impl Export {
    /// Parses the ten bytes.
    pub(in crate::nbd) fn parse(bytes: &[u8]) -> Result<Self, Violation> {
        let mut cursor = Cursor::new(bytes);
        let (size, flags) = (cursor.u64()?, cursor.u16()?);
        cursor.end()?;
        if i64::try_from(size).is_err() {
            return Err(Violation::new(format!(
                "expected an export of less than 8 EiB, found {size} bytes"
            )));
        }
        if flags & HAS_FLAGS == 0 {
            return Err(Violation::new(format!(
                "expected transmission flags, found {flags:#x}"
            )));
        }
        Ok(Self { size, flags })
    }

    /// Nobody can write to it through this server.
    pub(in crate::nbd) const fn is_read_only(self) -> bool {
        self.flags & READ_ONLY != 0
    }

    /// All connections see the same.
    pub(in crate::nbd) const fn can_multi_conn(self) -> bool {
        self.flags & CAN_MULTI_CONN != 0
    }
}
