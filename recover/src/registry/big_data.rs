//! The data of a value that is too large for one cell, since version 1.4.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x0 | signature | `db` |
//! | 0x2 | count of segments | |
//! | 0x4 | offset of the list of segments | a cell of offsets; each is a cell of 16 344 bytes, the last one of the rest |
//!
//! Source: Maxim Suhanov, "Windows registry file format specification", section "Big data".

use super::{Hive, cell, codes};
use flr_fs::bytes::{get_le_u16, get_le_u32};
use flr_fs::{Error, Result};

/// Bytes of every segment but the last one, and of the largest value without segments.
pub(super) const SEGMENT_LEN: usize = 16_344;

/// The `len` bytes whose segments the cell at `at` lists.
pub(super) fn read(hive: &Hive, at: u32, len: usize) -> Result<Vec<u8>> {
    let corrupt = |detail| Error::corrupt(codes::BIG_DATA, Hive::place(at.into()), detail);
    let raw = cell::read(hive, at)?;
    let fields = match raw.first_chunk() {
        Some(b"db") => get_le_u16(&raw, 0x2).zip(get_le_u32(&raw, 0x4)),
        _ => None,
    };
    let (count, list_at) = fields.ok_or_else(|| corrupt("db expected"))?;
    if usize::from(count) != len.div_ceil(SEGMENT_LEN) {
        return Err(corrupt("the count of segments does not fit the length"));
    }
    let list = cell::read(hive, list_at)?;
    let mut data = Vec::with_capacity(len);
    for index in 0..usize::from(count) {
        let offset = get_le_u32(&list, index.saturating_mul(4));
        let offset = offset.ok_or_else(|| corrupt("more segments than their list has room for"))?;
        let wanted = len.saturating_sub(data.len()).min(SEGMENT_LEN);
        let segment = cell::read(hive, offset)?;
        let segment = segment.get(..wanted);
        data.extend_from_slice(segment.ok_or_else(|| corrupt("a segment is too short"))?);
    }
    Ok(data)
}
