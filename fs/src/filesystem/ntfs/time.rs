//! Times: signed 64-bit counts of 100 ns since 1601-01-01T00:00:00Z (MS-DTYP 2.3.3, `FILETIME`).
//!
//! Windows shows no time before 1601; ntfs-3g writes and reads them as negative counts, and so they
//! are read here. Every stored value has a [`Timestamp`].

use crate::node::Timestamp;

const TICKS_PER_SECOND: i64 = 10_000_000;
/// Nanoseconds in one tick.
const TICK_NS: i64 = 100;
/// Seconds from 1601-01-01 to 1970-01-01: 369 years, 89 of them leap years.
const SECONDS_TO_1970: i64 = 11_644_473_600;

/// Decodes a stored time.
#[must_use]
pub fn decode(raw: u64) -> Timestamp {
    let ticks = i64::from_le_bytes(raw.to_le_bytes());
    let fraction = ticks.rem_euclid(TICKS_PER_SECOND);
    // Neither can overflow: |seconds| is at most 2^63 / 10^7, the fraction is below 10^9.
    let seconds = ticks
        .div_euclid(TICKS_PER_SECOND)
        .saturating_sub(SECONDS_TO_1970);
    let nanoseconds = u32::try_from(fraction.saturating_mul(TICK_NS)).unwrap_or(0);
    Timestamp {
        seconds,
        nanoseconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `date -u -d 1601-01-01 +%s` and the like; the ends of the range by whole division.
    #[test]
    fn the_whole_range() {
        for (raw, seconds, nanoseconds) in [
            (0, -11_644_473_600, 0),
            (1, -11_644_473_600, 100),
            (116_444_736_000_000_000, 0, 0),
            (116_444_735_999_999_999, -1, 999_999_900),
            // 2026-11-24T00:00:00.1234567Z.
            (134_399_520_001_234_567, 1_795_478_400, 123_456_700),
            (u64::MAX, -11_644_473_601, 999_999_900),
            (1 << 63, -933_981_677_286, 522_419_200),
            (u64::MAX >> 1, 910_692_730_085, 477_580_700),
        ] {
            let expected = Timestamp {
                seconds,
                nanoseconds,
            };
            assert_eq!(decode(raw), expected, "{raw}");
        }
    }
}
