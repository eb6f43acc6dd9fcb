//! A bin: what the hive grows by, a run of whole pages that holds cells.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x00 | signature | `hbin` |
//! | 0x04 | offset | of this bin, from the first one |
//! | 0x08 | size | of this bin, a multiple of 4 KiB |
//! | 0x20 | cells | |
//!
//! No list leads to the bins; the one around a cell is found by going back page by page.
//! Source: Maxim Suhanov, "Windows registry file format specification", section "Hive bin".

use super::{Hive, PAGE_LEN, codes};
use flr_fs::bytes::le_u32;
use flr_fs::{Error, Result};

/// Bytes of the header.
const LEN: usize = 0x20;
/// Pages that are gone back over: more than the largest cell that is read has.
const PAGES_BACK_MAX: usize = 512;

/// Where the cells of a bin lie, from the first bin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bin {
    start: u64,
    end: u64,
}

impl Bin {
    /// The bin that holds the byte at `at`.
    pub(super) fn around(hive: &Hive, at: u64) -> Result<Self> {
        let last = at.saturating_sub(at.checked_rem(PAGE_LEN).unwrap_or(0));
        let pages = std::iter::successors(Some(last), |page| page.checked_sub(PAGE_LEN));
        for page in pages.take(PAGES_BACK_MAX) {
            let raw: [u8; LEN] = hive.array(page)?;
            // A page amid a large value may begin with anything, but not with its own place.
            if raw.starts_with(b"hbin") && u64::from(le_u32(&raw, 0x4)) == page {
                let end = page.saturating_add(le_u32(&raw, 0x8).into());
                return Ok(Self { start: page, end });
            }
        }
        Err(Error::corrupt(codes::BIN, Hive::place(at), "no bin here"))
    }

    /// Whether `len` bytes at `at` are cells of this bin.
    pub(super) fn holds(&self, at: u64, len: u64) -> bool {
        let first = self.start.saturating_add(0x20);
        at >= first && at.saturating_add(len) <= self.end
    }
}
