//! The checksum of the oldest journal checksum feature: CRC-32 with its bits in big-endian order, as
//! the kernel's `crc32_be`, without inversions.

const POLYNOMIAL: u32 = 0x04c1_1db7;

const TABLE: [u32; 256] = table();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "computed by the compiler, which finds any mistake"
)]
const fn table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut index = 0;
    let mut byte = 0_u32;
    while index < 256 {
        let mut register = byte << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = register & 0x8000_0000 != 0;
            register <<= 1;
            if carry {
                register ^= POLYNOMIAL;
            }
            bit += 1;
        }
        table[index] = register;
        index += 1;
        byte += 1;
    }
    table
}

/// The register after `bytes`.
pub(super) fn crc32_be(register: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(register, |register, byte| {
        let [top, ..] = register.to_be_bytes();
        let entry = TABLE.get(usize::from(top ^ byte)).copied().unwrap_or(0);
        (register << 8) ^ entry
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_check_value() {
        // CRC-32/MPEG-2 of "123456789" (reveng catalogue).
        assert_eq!(crc32_be(!0, b"123456789"), 0x0376_e6e7);
    }
}
