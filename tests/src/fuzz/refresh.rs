//! Making the checksums of a changed log right again, so that a mutation is not told by them.
//!
//! Only what carries checksums of version 3, as every log since 2014 does: the log's superblock,
//! descriptors with their tags, revoke and commit blocks. Source: `include/linux/jbd2.h`.

use crate::Overlaid;
use std::ops::Range;

const MAGIC: [u8; 4] = [0xc0, 0x3b, 0x39, 0x98];

/// The kernel's register starts at all ones and is not inverted at the end.
fn crc(register: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!register, bytes)
}

/// Refreshes the checksums of a log whose superblock and blocks lie at `places`.
pub fn log(image: &mut Overlaid, places: &[Range<usize>]) {
    let Some((superblock, blocks)) = places.split_first() else {
        return;
    };
    let at = superblock.start;
    let mut raw: [u8; 1024] = image.array(at);
    raw[0xfc..0x100].fill(0);
    image.put(at + 0xfc, &crc(!0, &raw).to_be_bytes());
    let seed = crc(!0, &raw[0x30..0x40]);
    for (index, place) in blocks.iter().enumerate() {
        let mut block = vec![0; place.len()];
        image.get(place.start, &mut block);
        let (Some(&MAGIC), Some(kind)) = (block.first_chunk::<4>(), block.get(4..8)) else {
            continue;
        };
        let sum_at = match kind {
            [0, 0, 0, 1] => {
                tags(image, &mut block, &blocks[index + 1..], seed);
                block.len() - 4
            }
            [0, 0, 0, 5] => block.len() - 4,
            [0, 0, 0, 2] => 0x10,
            _ => continue,
        };
        block[sum_at..sum_at + 4].fill(0);
        let sum = crc(seed, &block);
        block[sum_at..sum_at + 4].copy_from_slice(&sum.to_be_bytes());
        image.put(place.start, &block);
    }
}

/// Tags of version 3: block, flags, upper half of the block, checksum; 16 bytes, the first one and
/// those that say so followed by a UUID.
fn tags(image: &Overlaid, block: &mut [u8], copies: &[Range<usize>], seed: u32) {
    const SAME_UUID: u8 = 0x2;
    const LAST: u8 = 0x8;
    let sequence: [u8; 4] = block[8..12].try_into().expect("four bytes");
    let mut at = 12;
    for copy in copies {
        if at + 16 > block.len() - 4 {
            break;
        }
        let mut bytes = vec![0; copy.len()];
        image.get(copy.start, &mut bytes);
        let sum = crc(crc(seed, &sequence), &bytes);
        block[at + 12..at + 16].copy_from_slice(&sum.to_be_bytes());
        let flags = block[at + 7];
        at += if flags & SAME_UUID != 0 { 16 } else { 32 };
        if flags & LAST != 0 {
            break;
        }
    }
}
