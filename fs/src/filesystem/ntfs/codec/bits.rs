//! The bit stream of XPRESS and LZX: little-endian 16-bit words, highest bit first.
//!
//! Both formats put whole bytes between the words. A plain reader holds as few words as it can at that
//! moment; this one reads ahead, and gives back what such a reader would not have taken yet.

/// A reader of bits, and of the bytes between them.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    input: &'a [u8],
    /// First byte that is not in `buffer`.
    at: usize,
    /// The next bits, from the highest on. What lies below `count` bits has no meaning.
    buffer: u64,
    /// Bits in `buffer` that may be taken.
    count: u32,
}

impl<'a> Bits<'a> {
    /// Begins at the first byte.
    pub(super) const fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            buffer: 0,
            count: 0,
        }
    }

    /// Where it is in the input, in bytes; up to eight bytes behind what was taken.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Makes 49 bits or more ready, or all there are. Behind the end of the input, bits are zeros that
    /// can be looked at and not taken.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.count > 48 {
            return;
        }
        if let Some(next) = self.input.get(self.at..).and_then(<[u8]>::first_chunk) {
            let words = u64::from_le_bytes(*next).rotate_left(32);
            let low = 0x0000_ffff_0000_ffff;
            let ordered = ((words & low) << 16) | ((words >> 16) & low);
            // The bits past `count` are those that the next refill puts there again.
            self.buffer |= ordered.wrapping_shr(self.count);
            let taken = 64_u32.wrapping_sub(self.count) & !15;
            self.count = self.count.wrapping_add(taken);
            self.at = self
                .at
                .wrapping_add(usize::try_from(taken >> 3).unwrap_or(0));
        } else {
            self.refill_slowly();
        }
    }

    #[cold]
    fn refill_slowly(&mut self) {
        self.clear_unread();
        while self.count <= 48 {
            let Some([low, high]) = self.input.get(self.at..).and_then(<[u8]>::first_chunk) else {
                return;
            };
            let word = u64::from(u16::from_le_bytes([*low, *high]));
            self.buffer |= word << 48_u32.wrapping_sub(self.count);
            self.count = self.count.wrapping_add(16);
            self.at = self.at.wrapping_add(2);
        }
    }

    fn clear_unread(&mut self) {
        let unread = u64::MAX.checked_shr(self.count).unwrap_or(0);
        self.buffer &= !unread;
    }

    /// The next 16 bits, without taking them.
    #[inline]
    pub(super) const fn peek(&self) -> u64 {
        self.buffer >> 48
    }

    /// Takes `count` bits, at most 32, of those that are ready. `None` behind the end of the input.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        self.count = self.count.checked_sub(count)?;
        self.buffer <<= count & 63;
        Some(())
    }

    /// Takes a number of `count` bits, at most 32, of those that are ready.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        // In two steps: a shift by 64 is none.
        let number = (self.buffer >> 1) >> (63_u32.wrapping_sub(count) & 63);
        self.skip(count)?;
        u32::try_from(number).ok()
    }

    /// Makes bits ready and takes a number of `count` bits, at most 32.
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        if self.count < count {
            self.refill();
        }
        self.take(count)
    }

    /// Gives back the words that a plain reader would not hold which wants `count` bits to be ready.
    fn give_back(&mut self, count: u32) {
        let words = self.count.saturating_sub(count) >> 4;
        self.count = self.count.wrapping_sub(words << 4);
        let bytes = usize::try_from(words << 1).unwrap_or(0);
        self.at = self.at.saturating_sub(bytes);
        self.clear_unread();
    }

    /// Bytes that stand behind the words of which the last 16 bits are not yet used up.
    pub(super) fn bytes_behind_16<const N: usize>(&mut self) -> Option<[u8; N]> {
        if self.count < 16 {
            self.refill();
        }
        self.give_back(16);
        self.bytes()
    }

    /// Leaves out the rest of the word at hand, or a whole word if nothing of it was used.
    pub(super) fn align(&mut self) -> Option<()> {
        if self.count == 0 {
            self.refill();
        }
        self.give_back(1);
        self.skip(self.count.max(1))?;
        self.clear_unread();
        Some(())
    }

    /// The next bytes, when there are no bits at hand or the bits lie before them.
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = *self.input.get(self.at..)?.first_chunk()?;
        self.at = self.at.wrapping_add(N);
        Some(bytes)
    }

    /// The next `len` bytes, as [`Bits::bytes`].
    pub(super) fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let bytes = self.input.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_little_endian_and_their_bits_highest_first() {
        let input: Vec<u8> = (1..=30).collect();
        let mut bits = Bits::new(&input);
        let mut plain = Vec::new();
        for pair in input.chunks(2) {
            let word = u16::from_le_bytes([pair[0], pair[1]]);
            plain.extend((0..16).rev().map(|bit| u32::from(word >> bit) & 1));
        }
        let mut at = 0;
        for count in (0..=32).cycle() {
            if at + count > plain.len() {
                assert_eq!(bits.read(u32::try_from(count).unwrap()), None);
                break;
            }
            let expected = plain[at..at + count].iter().fold(0, |n, bit| n << 1 | bit);
            assert_eq!(bits.read(u32::try_from(count).unwrap()), Some(expected));
            at += count;
        }
    }

    #[test]
    fn bytes_stand_where_a_plain_reader_meets_them() {
        let input: Vec<u8> = (0..32).collect();
        for (taken, expected) in [(0, 2), (1, 4), (16, 4), (17, 6), (31, 6), (32, 6), (33, 8)] {
            let mut bits = Bits::new(&input);
            bits.refill();
            bits.read(taken / 2).unwrap();
            bits.read(taken - taken / 2).unwrap();
            assert_eq!(bits.bytes_behind_16(), Some([expected]), "{taken}");
        }
        for (taken, expected) in [(0, 2), (1, 2), (15, 2), (16, 4), (17, 4)] {
            let mut bits = Bits::new(&input);
            bits.read(taken).unwrap();
            bits.align().unwrap();
            assert_eq!(bits.bytes(), Some([expected]), "{taken}");
        }
    }
}
