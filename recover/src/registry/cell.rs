//! A cell: where everything but the headers lies.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x0 | size | of the whole cell, negative if it is in use; a multiple of 8 |
//! | 0x4 | content | |
//!
//! Source: Maxim Suhanov, "Windows registry file format specification", section "Cell".

use super::bin::Bin;
use super::{Hive, codes};
use flr_fs::bytes::clamp_usize;
use flr_fs::{Error, Result};

/// Bytes of the largest cell that is read. A value of more than 16 344 bytes is cut into segments
/// since version 1.4, and a list of a quarter of a million subkeys takes 2 MiB.
const LEN_MAX: u64 = (2 << 20) + 64;

/// The content of the cell at `at`, counted from the first bin.
pub(super) fn read(hive: &Hive, at: u32) -> Result<Vec<u8>> {
    let place = Hive::place(at.into());
    let corrupt = |detail: &str| Error::corrupt(codes::CELL, place, detail);
    let start = u64::from(at);
    if at & 7 != 0 {
        return Err(corrupt("a cell begins at a multiple of 8"));
    }
    let bin = Bin::around(hive, start)?;
    let size = i32::from_le_bytes(hive.array(start)?);
    if size >= 0 {
        return Err(corrupt("the cell should be in use and is free"));
    }
    let len = u64::from(size.unsigned_abs());
    if len < 8 || !bin.holds(start, len) {
        return Err(corrupt("the cell leaves its bin"));
    }
    if len > LEN_MAX {
        let detail = format!("a cell of {len} bytes, at most {LEN_MAX} are read");
        return Err(Error::limit(codes::CELL_SIZE, place, detail));
    }
    let mut content = vec![0; clamp_usize(len.saturating_sub(4), usize::MAX)];
    hive.read(start.saturating_add(4), &mut content)?;
    Ok(content)
}
