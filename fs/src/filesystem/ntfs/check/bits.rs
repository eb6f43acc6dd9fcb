//! Sets of numbers, one bit each, and bitmaps as they are stored.

use super::super::content;
use super::super::disk::Disk;
use super::super::stream::Stream;
use crate::bytes::{clamp_usize, len_u64};
use crate::error::Result;
use crate::source::{ByteSource, SegmentKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Words of a chunk: 512 bytes for 4096 numbers.
const WORDS: usize = 64;
/// Chunks that are kept: 32 MiB. Numbers beyond are not in the set.
const CHUNK_COUNT_MAX: usize = 64 << 10;
/// Bytes of a stored bitmap that are read at once.
const READ_LEN: usize = 64 << 10;

/// A set of numbers that lie near each other.
#[derive(Debug, Default)]
pub(super) struct Bits(BTreeMap<u64, Box<[u64; WORDS]>>);

impl Bits {
    /// Adds a number that is not in the set, and takes out one that is.
    pub(super) fn toggle(&mut self, number: u64) {
        let chunk = number >> 12;
        if self.0.len() >= CHUNK_COUNT_MAX && !self.0.contains_key(&chunk) {
            return;
        }
        let words = self.0.entry(chunk).or_insert_with(|| Box::new([0; WORDS]));
        let word = usize::try_from(number >> 6 & 63).unwrap_or(0);
        if let Some(word) = words.get_mut(word) {
            *word ^= 1 << (number & 63);
        }
    }

    /// The numbers in the set, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|(chunk, words)| {
            let words = (0_u64..).zip(words.iter());
            words.flat_map(move |(index, word)| {
                let base = (chunk << 12) | (index << 6);
                (0..64_u64)
                    .filter(move |bit| word >> bit & 1 != 0)
                    .map(move |bit| base | bit)
            })
        })
    }
}

/// A bitmap on the volume, read piece by piece in order.
pub(super) struct StoredBits {
    content: Arc<dyn ByteSource>,
    /// Byte at which the piece at hand begins.
    start: u64,
    piece: Vec<u8>,
}

impl StoredBits {
    /// The bitmap in `stream`.
    pub(super) fn new(disk: &Arc<Disk>, stream: Stream) -> Self {
        Self {
            content: content::open(disk, &Arc::new(stream)),
            start: 0,
            piece: Vec::new(),
        }
    }

    /// Number of bits.
    pub(super) fn len(&self) -> u64 {
        self.content.size().saturating_mul(8)
    }

    /// Byte of the volume that holds the bit of `number`, where it is stored as such.
    pub(super) fn place(&self, number: u64) -> Option<u64> {
        let byte = number >> 3;
        let range = byte..byte.checked_add(1)?;
        match self.content.segment_at(range).ok()?.kind {
            SegmentKind::Stored(location) => Some(location.offset),
            _ => None,
        }
    }

    /// The bit of `number`; unset behind the end.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn get(&mut self, number: u64) -> Result<bool> {
        let byte = self.bytes(number >> 3)?.first().copied().unwrap_or(0);
        Ok(byte >> (number & 7) & 1 != 0)
    }

    /// 64 bits from `number` on, a multiple of 64; unset behind the end.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn word(&mut self, number: u64) -> Result<u64> {
        let bytes = self.bytes(number >> 3)?;
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(u64::from_le_bytes(word))
    }

    /// Stored bytes from `at` on, at least eight if there are so many and `at` is a multiple of eight.
    fn bytes(&mut self, at: u64) -> Result<&[u8]> {
        let end = self.start.saturating_add(len_u64(self.piece.len()));
        if at < self.start || at >= end {
            // In whole words, so that none is cut.
            let start = at & !7;
            let left = self.content.size().saturating_sub(start);
            let mut piece = vec![0; clamp_usize(left, READ_LEN)];
            if !piece.is_empty() {
                self.content.read_at(start, &mut piece)?;
            }
            self.start = start;
            self.piece = piece;
        }
        let within = clamp_usize(at.saturating_sub(self.start), usize::MAX);
        Ok(self.piece.get(within..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_gone() {
        let mut bits = Bits::default();
        let numbers = [0, 1, 63, 64, 4095, 4096, 1 << 40];
        numbers.iter().for_each(|number| bits.toggle(*number));
        assert_eq!(bits.iter().collect::<Vec<_>>(), numbers);
        bits.toggle(64);
        bits.toggle(0);
        assert_eq!(
            bits.iter().collect::<Vec<_>>(),
            [1, 63, 4095, 4096, 1 << 40]
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut bits = Bits::default();
        let most = u64::try_from(CHUNK_COUNT_MAX).unwrap();
        (0..most + 9).for_each(|chunk| bits.toggle(chunk << 12));
        assert_eq!(bits.iter().count(), CHUNK_COUNT_MAX);
        bits.toggle(1);
        assert_eq!(bits.iter().count(), CHUNK_COUNT_MAX + 1);
    }
}
