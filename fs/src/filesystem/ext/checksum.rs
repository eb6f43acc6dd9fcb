//! The two checksums of ext4 metadata.
//!
//! `metadata_csum` uses CRC-32C without the usual inversions: the kernel's `ext4_chksum` passes a
//! running register that starts at all ones. `uninit_bg` uses CRC-16 with the polynomial 0x8005.

/// A CRC-32C register as ext4 uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crc32c(u32);

impl Crc32c {
    /// All ones: where every chain starts.
    pub(super) const START: Self = Self(!0);

    /// A register with this content, such as `s_checksum_seed`.
    pub(super) const fn seeded(register: u32) -> Self {
        Self(register)
    }

    /// The register after `bytes`.
    #[must_use]
    pub(super) fn with(self, bytes: &[u8]) -> Self {
        // The crate computes the common variant, which inverts before and after.
        Self(!crc32c::crc32c_append(!self.0, bytes))
    }

    /// The register after `len` zero bytes; 4 at most.
    #[must_use]
    pub(super) fn with_zeros(self, len: usize) -> Self {
        self.with([0; 4].get(..len).unwrap_or_default())
    }

    /// The checksum.
    pub(super) const fn value(self) -> u32 {
        self.0
    }

    /// The lower half, where only 16 bits are stored.
    pub(super) const fn low16(self) -> u16 {
        let [a, b, _, _] = self.0.to_le_bytes();
        u16::from_le_bytes([a, b])
    }
}

/// The kernel's `crc16`: reflected polynomial 0xa001, no inversions.
pub(super) fn crc16(mut register: u16, bytes: &[u8]) -> u16 {
    for byte in bytes {
        register ^= u16::from(*byte);
        for _ in 0..8 {
            let carry = register & 1;
            register >>= 1;
            if carry != 0 {
                register ^= 0xa001;
            }
        }
    }
    register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_check_values() {
        // CRC-32/ISCSI and CRC-16/ARC of "123456789" (reveng catalogue), taken without the final xor.
        assert_eq!(!Crc32c::START.with(b"123456789").value(), 0xe306_9283);
        assert_eq!(crc16(0, b"123456789"), 0xbb3d);
    }

    #[test]
    fn chains() {
        let whole = Crc32c::START.with(b"abcdefgh");
        assert_eq!(Crc32c::START.with(b"abc").with(b"defgh"), whole);
        assert_eq!(Crc32c::START.with_zeros(2), Crc32c::START.with(&[0, 0]));
    }
}
