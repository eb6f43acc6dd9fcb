//! An image with changes on top: what is changed is copied, the rest is shared, so that a mutated
//! image costs as little as its mutations.

use flr_fs::source::{ByteSource, check_range};
use flr_fs::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Unit in which changes are kept.
pub const BLOCK_LEN: usize = 1024;

/// Bytes with changes on top.
#[derive(Clone)]
pub struct Overlaid {
    base: Arc<[u8]>,
    size: usize,
    blocks: BTreeMap<usize, Box<[u8; BLOCK_LEN]>>,
}

impl std::fmt::Debug for Overlaid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Overlaid({} bytes, {} blocks)",
            self.size,
            self.blocks.len()
        )
    }
}

impl Overlaid {
    /// `base` without changes.
    #[must_use]
    pub fn new(base: Arc<[u8]>) -> Self {
        let size = base.len();
        let blocks = BTreeMap::new();
        Self { base, size, blocks }
    }

    /// Bytes, at most the number of the base's.
    #[must_use]
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Cuts the image off.
    pub fn truncate(&mut self, size: usize) {
        self.size = self.size.min(size);
    }

    /// Copies bytes out; what lies behind the base's end is zeros.
    pub fn get(&self, at: usize, buf: &mut [u8]) {
        let from = self.base.get(at..).unwrap_or_default();
        let len = from.len().min(buf.len());
        buf[..len].copy_from_slice(&from[..len]);
        buf[len..].fill(0);
        let end = at + buf.len();
        for (index, block) in self.blocks.range(at / BLOCK_LEN..end.div_ceil(BLOCK_LEN)) {
            let start = index * BLOCK_LEN;
            let (from, to) = (start.max(at), (start + BLOCK_LEN).min(end));
            if from < to {
                buf[from - at..to - at].copy_from_slice(&block[from - start..to - start]);
            }
        }
    }

    /// Some bytes of it.
    #[must_use]
    pub fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        self.get(at, &mut bytes);
        bytes
    }

    /// Puts bytes in their place.
    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        for index in at / BLOCK_LEN..end.div_ceil(BLOCK_LEN) {
            let start = index * BLOCK_LEN;
            let (from, to) = (start.max(at), (start + BLOCK_LEN).min(end));
            let mut block = Box::new(self.array::<BLOCK_LEN>(start));
            block[from - start..to - start].copy_from_slice(&bytes[from - at..to - at]);
            self.blocks.insert(index, block);
        }
    }
}

impl ByteSource for Overlaid {
    fn size(&self) -> u64 {
        u64::try_from(self.size).expect("a size")
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(offset, buf.len(), self.size())?;
        let at = usize::try_from(offset)
            .map_err(|_| Error::io(offset, std::io::ErrorKind::Other.into()))?;
        self.get(at, buf);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_put_and_the_base_around_it() {
        let base: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let mut expected = base.clone();
        let mut image = Overlaid::new(base.into());
        for (at, len) in [(0, 1), (1000, 100), (2040, 20), (2990, 10)] {
            expected[at..at + len].fill(0xee);
            image.put(at, &vec![0xee; len]);
        }
        let mut read = vec![0; 3000];
        image.read_at(0, &mut read).expect("all of it");
        assert_eq!(read, expected);
        image.truncate(2000);
        assert!(image.read_at(1990, &mut [0; 11]).is_err());
        assert_eq!(image.array::<4>(1099), expected[1099..1103]);
    }
}
