//! Timestamps: signed 32-bit seconds, and in large inodes two more bits of seconds and nanoseconds.
//!
//! Source: `ext4_decode_extra_time` in `fs/ext4/ext4.h`. The range is 1901-12-13 to 2446-05-10.

use crate::node::Timestamp;

/// Decodes the 32-bit base and, if the inode is large enough to have it, the extra word.
///
/// Nanoseconds that no clock can show (damage; the field has room for 2^30) are clamped: a wrong
/// fraction of a second is no reason to refuse an inode.
pub(super) fn decode(base: u32, extra: Option<u32>) -> Timestamp {
    let seconds = i64::from(i32::from_le_bytes(base.to_le_bytes()));
    let Some(extra) = extra else {
        return Timestamp {
            seconds,
            nanoseconds: 0,
        };
    };
    let epoch = i64::from(extra & 0x3) << 32;
    // Both parts are small: |seconds| is at most 2^31, epoch at most 3 * 2^32.
    let seconds = seconds.saturating_add(epoch);
    Timestamp {
        seconds,
        nanoseconds: (extra >> 2).min(999_999_999),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanoseconds: u32) -> Timestamp {
        Timestamp {
            seconds,
            nanoseconds,
        }
    }

    /// The table of Documentation/filesystems/ext4/inodes.rst.
    #[test]
    fn the_whole_range() {
        assert_eq!(decode(0x8000_0000, Some(0)), at(-0x8000_0000, 0));
        assert_eq!(decode(0xffff_ffff, Some(0)), at(-1, 0));
        assert_eq!(decode(0x7fff_ffff, None), at(0x7fff_ffff, 0));
        assert_eq!(decode(0x8000_0000, Some(1)), at(0x8000_0000, 0));
        assert_eq!(decode(0x7fff_ffff, Some(3)), at(0x3_7fff_ffff, 0));
        assert_eq!(decode(0, Some(123_456_789 << 2)), at(0, 123_456_789));
        assert_eq!(decode(0, Some(!3)), at(0, 999_999_999));
    }
}
