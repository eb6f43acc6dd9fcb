//! The base block: the first 4 KiB of a hive.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x000 | signature | `regf` |
//! | 0x004 | primary sequence number | written before the hive is |
//! | 0x008 | secondary sequence number | written behind it; the same, or the last write did not end |
//! | 0x014 | major version | 1 |
//! | 0x018 | minor version | 3 to 6; 2 and below hold other key nodes |
//! | 0x01c | file type | 0: a hive; others are logs |
//! | 0x020 | file format | 1: to be read as it lies |
//! | 0x024 | offset of the root's cell | from the first bin |
//! | 0x028 | size of all bins | |
//! | 0x1fc | checksum | XOR of the 127 words before it; never 0 and never all ones |
//!
//! Source: Maxim Suhanov, "Windows registry file format specification", section "Base block".

use super::codes;
use flr_fs::bytes::{get_le_u32, le_u32};
use flr_fs::{Error, Result};

/// Bytes of it that hold something.
pub(super) const LEN: usize = 0x200;
/// Bytes it takes; the first bin lies behind them.
pub(super) const BINS_AT: u64 = 0x1000;

/// A base block as it is on disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct BaseBlock {
    /// Offset of the root key's cell, from the first bin.
    pub(super) root_at: u32,
    /// Size of all bins.
    pub(super) bins_len: u32,
    /// Whether values of several segments may occur.
    pub(super) has_big_data: bool,
    /// Whether the last write did not end: newer changes may lie in the logs beside the hive.
    pub(super) dirty: bool,
}

impl BaseBlock {
    /// Reads a base block.
    pub(super) fn parse(raw: &[u8; LEN]) -> Result<Self> {
        if !raw.starts_with(b"regf") {
            return Err(Error::corrupt(codes::BASE, 0, "a hive begins with regf"));
        }
        let (stored, computed) = (le_u32(raw, 0x1fc), checksum(raw));
        if stored != computed {
            let detail = format!("checksum should be {computed:#010x}, is {stored:#010x}");
            return Err(Error::corrupt(codes::BASE_CHECKSUM, 0x1fc, detail));
        }
        let (major, minor) = (le_u32(raw, 0x14), le_u32(raw, 0x18));
        if major != 1 || !(3..=6).contains(&minor) {
            let detail = format!("a hive of version {major}.{minor}, versions 1.3 to 1.6 are read");
            return Err(Error::unsupported(codes::VERSION, 0x14, detail));
        }
        let (kind, format) = (le_u32(raw, 0x1c), le_u32(raw, 0x20));
        if (kind, format) != (0, 1) {
            let detail = format!("type 0 and format 1 are read, these are {kind} and {format}");
            return Err(Error::unsupported(codes::VERSION, 0x1c, detail));
        }
        Ok(Self {
            root_at: le_u32(raw, 0x24),
            bins_len: le_u32(raw, 0x28),
            has_big_data: minor > 3,
            dirty: le_u32(raw, 0x4) != le_u32(raw, 0x8),
        })
    }
}

fn checksum(raw: &[u8; LEN]) -> u32 {
    let words = (0..0x1fc).step_by(4).filter_map(|at| get_le_u32(raw, at));
    match words.fold(0, |sum, word| sum ^ word) {
        0 => 1,
        u32::MAX => u32::MAX - 1,
        sum => sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(fill: impl FnOnce(&mut [u8; LEN])) -> [u8; LEN] {
        let mut raw = [0; LEN];
        raw[..4].copy_from_slice(b"regf");
        for (at, word) in [(0x14, 1_u32), (0x18, 5), (0x20, 1), (0x24, 0x20)] {
            raw[at..][..4].copy_from_slice(&word.to_le_bytes());
        }
        fill(&mut raw);
        let sum = checksum(&raw);
        raw[0x1fc..].copy_from_slice(&sum.to_le_bytes());
        raw
    }

    fn code(raw: &[u8; LEN]) -> &'static str {
        BaseBlock::parse(raw).unwrap_err().code().as_str()
    }

    #[test]
    fn what_is_no_hive_is_refused() {
        assert_eq!(code(&block(|raw| raw[0] = b'R')), "registry.base");
        let mut raw = block(|_| ());
        raw[0x30] ^= 1;
        assert_eq!(code(&raw), "registry.base.checksum");
        for (at, value) in [(0x14, 2), (0x18, 2), (0x18, 7), (0x1c, 1), (0x20, 0)] {
            assert_eq!(code(&block(|raw| raw[at] = value)), "registry.version");
        }
    }

    #[test]
    fn a_write_that_did_not_end_is_known() {
        assert!(!BaseBlock::parse(&block(|_| ())).unwrap().dirty);
        assert!(BaseBlock::parse(&block(|raw| raw[4] = 9)).unwrap().dirty);
    }

    #[test]
    fn the_checksum_is_never_all_zeros_and_never_all_ones() {
        assert_eq!(checksum(&[0; LEN]), 1);
        let mut raw = [0; LEN];
        raw[..4].fill(0xff);
        assert_eq!(checksum(&raw), u32::MAX - 1);
    }
}
