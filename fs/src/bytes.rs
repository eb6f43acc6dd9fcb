//! Taking integers out of fixed byte arrays, and the few number conversions a parser needs.
//!
//! `le_u32(&raw, 0x18)` reads like the tables of the specifications. The array's length is a
//! constant, so an offset that does not fit is our own mistake and is found by the first test that
//! calls it; slices whose length comes from an image go through the `get_` functions.

/// A slice of an image was shorter than the field read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

macro_rules! getter {
    ($get:ident, $fixed:ident, $ty:ty, $n:literal, $from:ident, $doc:literal) => {
        #[doc = concat!("The ", $doc, " at byte `at`, or `None` past the end.")]
        #[must_use]
        pub fn $get(bytes: &[u8], at: usize) -> Option<$ty> {
            let end = at.checked_add($n)?;
            let field: [u8; $n] = bytes.get(at..end)?.try_into().ok()?;
            Some(<$ty>::$from(field))
        }

        #[doc = concat!("The ", $doc, " at byte `at` of a structure of fixed size.")]
        ///
        /// An offset past the end is a mistake in this program, never one of the image: it reads
        /// as 0 in release builds and fails an assertion in debug builds.
        #[must_use]
        pub fn $fixed<const N: usize>(bytes: &[u8; N], at: usize) -> $ty {
            debug_assert!(
                at.saturating_add($n) <= N,
                "field at {at:#x} of {N:#x} bytes"
            );
            $get(bytes, at).unwrap_or(0)
        }
    };
}

getter!(
    get_le_u16,
    le_u16,
    u16,
    2,
    from_le_bytes,
    "little-endian 16-bit number"
);
getter!(
    get_le_u32,
    le_u32,
    u32,
    4,
    from_le_bytes,
    "little-endian 32-bit number"
);
getter!(
    get_le_u64,
    le_u64,
    u64,
    8,
    from_le_bytes,
    "little-endian 64-bit number"
);
getter!(
    get_be_u16,
    be_u16,
    u16,
    2,
    from_be_bytes,
    "big-endian 16-bit number"
);
getter!(
    get_be_u32,
    be_u32,
    u32,
    4,
    from_be_bytes,
    "big-endian 32-bit number"
);
getter!(
    get_be_u64,
    be_u64,
    u64,
    8,
    from_be_bytes,
    "big-endian 64-bit number"
);

/// `N` bytes at `at`, or `None` past the end.
#[must_use]
pub fn get_array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// `N` bytes at `at` of a structure of fixed size; see [`le_u16`] for offsets past the end.
#[must_use]
pub fn array<const N: usize, const M: usize>(bytes: &[u8; M], at: usize) -> [u8; N] {
    debug_assert!(
        at.saturating_add(N) <= M,
        "field at {at:#x} of {M:#x} bytes"
    );
    get_array(bytes, at).unwrap_or([0; N])
}

/// A 64-bit number from a low and a high half, as ext4 and others store it.
#[must_use]
pub fn join_u32(low: u32, high: u32) -> u64 {
    (u64::from(high) << 32) | u64::from(low)
}

/// The length of a slice as a 64-bit number. Lossless: `usize` is at most 64 bits wide.
#[must_use]
#[expect(
    clippy::as_conversions,
    reason = "usize is at most 64 bits on every target Rust has"
)]
pub const fn len_u64(len: usize) -> u64 {
    len as u64
}

/// The smaller of a 64-bit length and `max`, as an index type.
///
/// For lengths that have already been bounded by a buffer: a value that does not fit in `usize`
/// is larger than any buffer.
#[must_use]
pub fn clamp_usize(len: u64, max: usize) -> usize {
    usize::try_from(len).map_or(max, |len| len.min(max))
}

/// A UUID as text, from its bytes in the order they are printed.
#[must_use]
pub fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_past_the_end_are_absent() {
        assert_eq!(get_le_u32(&[1, 2, 3], 0), None);
        assert_eq!(get_le_u16(&[1, 2, 3], usize::MAX), None);
        assert_eq!(get_le_u16(&[1, 2, 3], 1), Some(0x0302));
        assert_eq!(get_be_u16(&[1, 2, 3], 1), Some(0x0203));
    }

    #[test]
    fn uuids_print_as_blkid_prints_them() {
        let bytes: [u8; 16] = std::array::from_fn(|i| u8::try_from(i * 16 + i).unwrap());
        assert_eq!(uuid_text(&bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }
}
