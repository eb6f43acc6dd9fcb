//! A sparse image as a few bytes: its size and its sectors that are not empty.
//!
//! ```text
//! 0  sectors of the image (u32)
//! then, repeated: first sector (u32)  number of sectors (u8)  their bytes
//! ```
//! Little-endian. Any bytes are an image; the last run may be cut short.

use flr_fs::Result;
use flr_fs::source::{ByteSource, check_range};

/// Bytes per sector.
pub const SECTOR_LEN: usize = 512;

/// Sectors of an image at most: 4 GiB.
const SECTOR_COUNT_MAX: u32 = 1 << 23;

/// An unpacked image.
#[derive(Clone, Debug)]
pub struct Scattered {
    size: u64,
    runs: Vec<(u64, Vec<u8>)>,
}

/// Packs the sectors of `bytes` that are not empty and that `wanted` takes.
#[must_use]
pub fn pack(bytes: &[u8], wanted: impl Fn(usize, &[u8]) -> bool) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).expect("a small image").to_le_bytes();
    let mut packed = number(bytes.len() / SECTOR_LEN).to_vec();
    let sectors: Vec<_> = bytes.chunks_exact(SECTOR_LEN).collect();
    let taken = |index: usize| {
        sectors
            .get(index)
            .is_some_and(|sector| sector.iter().any(|byte| *byte != 0) && wanted(index, sector))
    };
    let mut index = 0;
    while index < sectors.len() {
        let len = (index..index + 255)
            .take_while(|index| taken(*index))
            .count();
        if len > 0 {
            packed.extend(number(index));
            packed.push(u8::try_from(len).expect("at most 255"));
            packed.extend(&bytes[index * SECTOR_LEN..(index + len) * SECTOR_LEN]);
        }
        index += len.max(1);
    }
    packed
}

/// The image that `packed` stands for.
#[must_use]
pub fn unpack(packed: &[u8]) -> Scattered {
    let (size, mut rest) = packed.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let size = u64::from(u32::from_le_bytes(*size) % (SECTOR_COUNT_MAX + 1)) * 512;
    let mut runs = Vec::new();
    while let Some(([a, b, c, d, count], tail)) = rest.split_first_chunk() {
        let start = u64::from(u32::from_le_bytes([*a, *b, *c, *d])) * 512;
        let len = (usize::from(*count) * SECTOR_LEN).min(tail.len());
        runs.push((start, tail[..len].to_vec()));
        rest = &tail[len..];
    }
    Scattered { size, runs }
}

impl ByteSource for Scattered {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = check_range(offset, buf.len(), self.size)?;
        buf.fill(0);
        let index = |n: u64| usize::try_from(n).expect("inside of a buffer");
        for (start, bytes) in &self.runs {
            let run_end = start + u64::try_from(bytes.len()).expect("a length");
            let (from, to) = (offset.max(*start), end.min(run_end));
            if from < to {
                buf[index(from - offset)..index(to - offset)]
                    .copy_from_slice(&bytes[index(from - start)..index(to - start)]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_what_was_packed() {
        let mut bytes = vec![0; 40 * SECTOR_LEN];
        bytes[700] = 1;
        bytes[1500..4000].fill(2);
        let image = unpack(&pack(&bytes, |_, _| true));
        let mut read = vec![9; bytes.len()];
        image.read_at(0, &mut read).expect("all of it");
        assert_eq!(read, bytes);
        assert!(unpack(&[1, 0]).size() == 0 && unpack(&[1, 0, 0, 0, 9]).size() == 512);
    }
}
