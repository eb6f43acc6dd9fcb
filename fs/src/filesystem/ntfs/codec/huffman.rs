//! Canonical Huffman codes, as XPRESS and LZX use them: a code is told by the lengths of its words.
//!
//! Words of up to [`SHORT`] bits are found in a table, longer ones by comparing with the first word of
//! each length. A code that leaves words without a symbol is taken (an unused code is all zeros); to meet
//! such a word is an error. One that gives a word to two symbols is refused.

use super::bits::Bits;

/// Bits looked up at once.
const SHORT: u32 = 10;
/// Entries of the table: 2 to the power of [`SHORT`].
const TABLE_LEN: usize = 1 << SHORT;
/// Bits of a word at most.
const LEN_MAX: usize = 16;

/// A code of at most `N` symbols.
#[derive(Debug)]
pub(super) struct Huffman<const N: usize> {
    /// By the next bits: symbol and, in the lowest four bits, the length of its word; 0 if it is longer.
    table: [u16; TABLE_LEN],
    /// By length: where the words of this length end, shifted up to 16 bits.
    end: [u32; LEN_MAX + 1],
    /// By length: what to add to a word to get the index of its symbol.
    base: [u16; LEN_MAX + 1],
    /// The symbols in the order of their words.
    symbols: [u16; N],
}

impl<const N: usize> Huffman<N> {
    /// The code whose words have these lengths, 0 for a symbol without one. `None` if there is no such
    /// code, or a length is above 16.
    pub(super) fn new(lengths: &[u8; N]) -> Option<Self> {
        let mut count = [0_u16; LEN_MAX + 1];
        for length in lengths {
            let slot = count.get_mut(usize::from(*length))?;
            *slot = slot.wrapping_add(1);
        }
        let mut code = Self {
            table: [0; TABLE_LEN],
            end: [0; LEN_MAX + 1],
            base: [0; LEN_MAX + 1],
            symbols: [0; N],
        };
        let mut next_index = [0_u16; LEN_MAX + 1];
        let (mut word, mut index) = (0_u32, 0_u16);
        let slots = count.iter().zip(&mut code.end).zip(&mut code.base);
        for (length, (((count, end), base), next)) in
            (0_u32..).zip(slots.zip(&mut next_index)).skip(1)
        {
            word <<= 1;
            *next = index;
            *base = index.wrapping_sub(u16::try_from(word & 0xffff).ok()?);
            word = word.wrapping_add(u32::from(*count));
            index = index.wrapping_add(*count);
            *end = word << 16_u32.wrapping_sub(length);
            if *end > 1 << 16 {
                return None;
            }
        }
        for (symbol, length) in (0_u16..).zip(lengths).filter(|(_, length)| **length > 0) {
            let next = next_index.get_mut(usize::from(*length))?;
            *code.symbols.get_mut(usize::from(*next))? = symbol;
            *next = next.wrapping_add(1);
        }
        code.fill(lengths, usize::from(index));
        Some(code)
    }

    /// Fills the table: the words in their order take one stretch after the other.
    fn fill(&mut self, lengths: &[u8; N], used: usize) {
        let mut at = 0_usize;
        for symbol in self.symbols.into_iter().take(used) {
            let Some(length) = lengths
                .get(usize::from(symbol))
                .map(|length| u16::from(*length))
            else {
                return;
            };
            let Some(shift) = SHORT
                .checked_sub(u32::from(length))
                .filter(|shift| *shift < SHORT)
            else {
                return;
            };
            let end = at.wrapping_add(1 << shift);
            let Some(stretch) = self.table.get_mut(at..end) else {
                return;
            };
            stretch.fill((symbol << 4) | length);
            at = end;
        }
    }

    /// Takes the next word of `bits`, which must have been refilled, and tells its symbol. `None` if there
    /// is no such word, or the input has ended.
    #[inline]
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let word = bits.peek();
        let index = usize::try_from(word >> 16_u32.wrapping_sub(SHORT)).ok()?;
        let entry = *self.table.get(index)?;
        if entry == 0 {
            return self.next_long(bits, u32::try_from(word).ok()?);
        }
        bits.skip(u32::from(entry & 15))?;
        Some(entry >> 4)
    }

    fn next_long(&self, bits: &mut Bits<'_>, word: u32) -> Option<u16> {
        let ends = (0_u32..).zip(&self.end).skip(1);
        let (length, _) = ends.into_iter().find(|(_, end)| word < **end)?;
        bits.skip(length)?;
        let number = u16::try_from(word >> 16_u32.wrapping_sub(length)).ok()?;
        let base = self.base.get(usize::try_from(length).ok()?)?;
        self.symbols
            .get(usize::from(base.wrapping_add(number)))
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a code, by the rule of RFC 1951 section 3.2.2, which is the same.
    fn words(lengths: &[u8]) -> Vec<(u16, u8, u32)> {
        let mut sorted: Vec<_> = (0..).zip(lengths.iter().copied()).collect();
        sorted.retain(|(_, length)| *length > 0);
        sorted.sort_by_key(|(symbol, length): &(u16, u8)| (*length, *symbol));
        let (mut next, mut last) = (0_u32..1 << 17, 0);
        let mut words = Vec::new();
        for (symbol, length) in sorted {
            next.start <<= length.abs_diff(last);
            words.push((symbol, length, next.next().unwrap()));
            last = length;
        }
        words
    }

    fn check<const N: usize>(lengths: &[u8; N]) {
        let code = Huffman::new(lengths).unwrap();
        for (symbol, length, word) in words(lengths) {
            let top = word << 16_u8.abs_diff(length);
            let input = [u16::try_from(top).unwrap().to_le_bytes(), [0; 2]].concat();
            let mut bits = Bits::new(&input);
            bits.refill();
            assert_eq!(code.next(&mut bits), Some(symbol));
            assert!(bits.read(32_u32.abs_diff(u32::from(length))).is_some());
            assert!(bits.read(1).is_none(), "{length} bits were taken");
        }
    }

    #[test]
    fn every_word_gives_its_symbol() {
        check(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16]);
        check(&[16, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        check(&[3, 0, 3, 3, 3, 3, 0, 2, 4, 4]);
        check(&[0, 1, 0]);
        check(&[9; 512]);
        check(&[12; 512]);
    }

    #[test]
    fn impossible_codes_and_words_are_refused() {
        assert!(Huffman::new(&[1, 1, 1]).is_none());
        assert!(Huffman::new(&[1, 2, 2, 16]).is_none());
        assert!(Huffman::new(&[17, 1]).is_none());
        for lengths in [[0, 0], [1, 0], [12, 0]] {
            let code = Huffman::new(&lengths).unwrap();
            let mut bits = Bits::new(&[0xff; 4]);
            bits.refill();
            assert_eq!(code.next(&mut bits), None);
        }
        // At the end of the input there is no word, though zeros can be seen there.
        let mut bits = Bits::new(&[]);
        assert_eq!(Huffman::new(&[1, 1]).unwrap().next(&mut bits), None);
    }
}
