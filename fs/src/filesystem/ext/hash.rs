//! Hashes of names in indexed directories.
//!
//! Source: `fs/ext4/hash.c` of Linux 6.18. SipHash, used where names are both encrypted and
//! case-folded, needs the directory's key and is not computed.

/// How a directory's names are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashVersion {
    /// The first one, from before there were others.
    Legacy,
    /// A cut-down MD4; the default.
    HalfMd4,
    /// The Tiny Encryption Algorithm.
    Tea,
}

impl HashVersion {
    /// The version with this number in a directory's root, and whether the number itself says that
    /// characters are unsigned.
    pub(super) const fn from_disk(number: u8) -> Option<(Self, bool)> {
        Some(match number {
            0 => (Self::Legacy, false),
            1 => (Self::HalfMd4, false),
            2 => (Self::Tea, false),
            3 => (Self::Legacy, true),
            4 => (Self::HalfMd4, true),
            5 => (Self::Tea, true),
            _ => return None,
        })
    }
}

/// The hash by which a name is found: the major hash with its lowest bit, which marks collisions,
/// cleared.
pub(super) fn hash(version: HashVersion, unsigned: bool, seed: [u32; 4], name: &[u8]) -> u32 {
    let start = if seed == [0; 4] {
        // MD4's own start.
        [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
    } else {
        seed
    };
    let major = match version {
        HashVersion::Legacy => legacy(unsigned, name),
        HashVersion::HalfMd4 => {
            let state = parts::<32>(name).fold(start, |state, (part, left)| {
                half_md4(state, words(unsigned, part, left))
            });
            state[1]
        }
        HashVersion::Tea => {
            let state = parts::<16>(name).fold(start, |state, (part, left)| {
                tea(state, words(unsigned, part, left))
            });
            state[0]
        }
    };
    let major = major & !1;
    // The largest value marks the end of a directory in the kernel's cursors and is never stored.
    if major == u32::MAX.wrapping_sub(1) {
        major.wrapping_sub(2)
    } else {
        major
    }
}

/// Parts of a name of `N` bytes, each with the number of bytes from its start to the name's end.
fn parts<const N: usize>(name: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let lefts = std::iter::successors(Some(name.len()), |left| left.checked_sub(N));
    name.chunks(N).zip(lefts)
}

fn extend(unsigned: bool, byte: u8) -> u32 {
    if unsigned {
        u32::from(byte)
    } else {
        u32::from_le_bytes(i32::from(i8::from_le_bytes([byte])).to_le_bytes())
    }
}

/// `str2hashbuf`: packs up to `4 * N` characters in words, padded with the length of what is left.
fn words<const N: usize>(unsigned: bool, part: &[u8], left: usize) -> [u32; N] {
    let [len, ..] = u32::try_from(left).unwrap_or(u32::MAX).to_le_bytes();
    let len = u32::from(len);
    let pad = len | (len << 8) | (len << 16) | (len << 24);
    let mut words = [pad; N];
    for (word, bytes) in words.iter_mut().zip(part.chunks(4)) {
        *word = bytes.iter().fold(pad, |word, byte| {
            (word << 8).wrapping_add(extend(unsigned, *byte))
        });
    }
    words
}

fn legacy(unsigned: bool, name: &[u8]) -> u32 {
    let (mut hash0, mut hash1) = (0x12a3_fe2d_u32, 0x37ab_e8f9_u32);
    for byte in name {
        let mut hash = hash1.wrapping_add(hash0 ^ extend(unsigned, *byte).wrapping_mul(7_152_373));
        if hash & 0x8000_0000 != 0 {
            hash = hash.wrapping_sub(0x7fff_ffff);
        }
        hash1 = hash0;
        hash0 = hash;
    }
    hash0 << 1
}

fn tea(state: [u32; 4], key: [u32; 4]) -> [u32; 4] {
    let [a, b, c, d] = key;
    let [mut b0, mut b1, third, fourth] = state;
    let mut sum = 0_u32;
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        b0 = b0.wrapping_add(
            (b1 << 4).wrapping_add(a) ^ b1.wrapping_add(sum) ^ (b1 >> 5).wrapping_add(b),
        );
        b1 = b1.wrapping_add(
            (b0 << 4).wrapping_add(c) ^ b0.wrapping_add(sum) ^ (b0 >> 5).wrapping_add(d),
        );
    }
    [
        state[0].wrapping_add(b0),
        state[1].wrapping_add(b1),
        third,
        fourth,
    ]
}

fn half_md4(state: [u32; 4], input: [u32; 8]) -> [u32; 4] {
    /// Order in which each round takes the words, and by how much it rotates.
    const ROUNDS: [([usize; 8], [u32; 4], u32); 3] = [
        ([0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19], 0),
        ([1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13], 0x5a82_7999),
        ([3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15], 0x6ed9_eba1),
    ];
    let [mut a, mut b, mut c, mut d] = state;
    for (round, (order, shifts, constant)) in ROUNDS.into_iter().enumerate() {
        for (index, shift) in order.into_iter().zip(shifts.into_iter().cycle()) {
            let mixed = match round {
                0 => d ^ (b & (c ^ d)),
                1 => (b & c).wrapping_add((b ^ c) & d),
                _ => b ^ c ^ d,
            };
            let word = input.get(index).copied().unwrap_or(0);
            let next = a
                .wrapping_add(mixed)
                .wrapping_add(word)
                .wrapping_add(constant);
            (a, d, c, b) = (d, c, b, next.rotate_left(shift));
        }
    }
    [
        state[0].wrapping_add(a),
        state[1].wrapping_add(b),
        state[2].wrapping_add(c),
        state[3].wrapping_add(d),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `debugfs -R "dx_hash -h VERSION [-s SEED] NAME"` of e2fsprogs 1.47.0.
    #[test]
    fn agrees_with_debugfs() {
        let seed = [0x0403_0201, 0x0807_0605, 0x0c0b_0a09, 0x100f_0e0d];
        let alphabet = &b"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"[..];
        let (x32, y255) = ([b'x'; 32], [b'y'; 255]);
        let umlauts = "äöüß".as_bytes();
        for (name, md4, tea, legacy) in [
            (&b"a"[..], 0x8d08_ec4c_u32, 0xf535_28f0_u32, 0xe74b_53e2_u32),
            (b"abc", 0xf54f_014a, 0xe5b2_4162, 0x75af_d992),
            (alphabet, 0xa91e_c488, 0xb5cf_7a7e, 0x1a3e_33a2),
            (umlauts, 0xcfab_7b64, 0xdfe9_ce16, 0x752e_990c),
            (&x32, 0xbc1d_a53a, 0x3579_9b42, 0xccf8_e87c),
            (&y255, 0xa21a_6eb2, 0x6069_0da0, 0xb162_4e08),
        ] {
            assert_eq!(
                hash(HashVersion::HalfMd4, false, seed, name),
                md4,
                "{name:?}"
            );
            assert_eq!(hash(HashVersion::Tea, false, seed, name), tea, "{name:?}");
            assert_eq!(
                hash(HashVersion::Legacy, false, seed, name),
                legacy,
                "{name:?}"
            );
        }
        assert_eq!(
            hash(HashVersion::HalfMd4, false, [0; 4], b"hello"),
            0x1746_da32
        );
    }

    #[test]
    fn signs_matter_only_beyond_ascii() {
        for version in [HashVersion::Legacy, HashVersion::HalfMd4, HashVersion::Tea] {
            let both =
                |name: &[u8]| [false, true].map(|unsigned| hash(version, unsigned, [0; 4], name));
            let [signed, unsigned] = both(b"plain");
            assert_eq!(signed, unsigned);
            let [signed, unsigned] = both("ä".as_bytes());
            assert_ne!(signed, unsigned);
        }
    }
}
