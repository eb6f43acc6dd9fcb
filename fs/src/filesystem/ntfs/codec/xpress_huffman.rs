//! XPRESS with Huffman codes (MS-XCA section 2.1), as WOF stores it in chunks of 4, 8 and 16 KiB.
//!
//! ```text
//! 0x00  256 bytes   512 code lengths of four bits, the lower half first
//! 0x100 bit stream  symbols
//! symbol 0-255      a byte
//! symbol 256-511    a match: length - 3 in the lower four bits, number of offset bits in the upper four;
//!                   length 15: a byte follows that is added; 255 there: a word follows, the length - 3;
//!                   then the bits of the offset below its highest, which is 1 and not stored
//! ```
//! The bytes of long lengths stand between the words of the bit stream, behind those that have been read
//! when the length is met. A chunk ends with its output, so the symbol 256 is a match like the others.
//! Not supported: several blocks of 64 KiB each, and lengths of 32 bits, which need more than 16 KiB.

use super::Malformed;
use super::bits::Bits;
use super::copy::copy_match;
use super::huffman::Huffman;

/// Bytes of the code lengths.
const LENGTHS_LEN: usize = 256;
/// Symbols of the code.
const SYMBOL_COUNT: usize = 512;

/// Decompresses one chunk, which gives exactly `output`.
///
/// # Errors
/// [`Malformed`] if it does not.
pub fn decompress(input: &[u8], output: &mut [u8]) -> Result<(), Malformed> {
    let cut = Malformed::new(0, "code lengths that are cut");
    let (packed, stream) = input.split_first_chunk::<LENGTHS_LEN>().ok_or(cut)?;
    let mut lengths = [0_u8; SYMBOL_COUNT];
    for (pair, packed) in lengths.chunks_exact_mut(2).zip(packed) {
        pair.copy_from_slice(&[packed & 15, packed >> 4]);
    }
    let code = Huffman::new(&lengths);
    let code = code.ok_or(Malformed::new(0, "code lengths that make no code"))?;
    let mut bits = Bits::new(stream);
    symbols(&code, &mut bits, output).ok_or_else(|| {
        Malformed::new(
            bits.at().saturating_add(LENGTHS_LEN),
            "a symbol that is cut, unknown or leads outside of its chunk",
        )
    })
}

fn symbols(code: &Huffman<SYMBOL_COUNT>, bits: &mut Bits<'_>, output: &mut [u8]) -> Option<()> {
    let mut to = 0_usize;
    while to < output.len() {
        bits.refill();
        // Three words of up to 15 bits lie in what was made ready.
        for _ in 0..3 {
            let symbol = code.next(bits)?;
            let Ok(byte) = u8::try_from(symbol) else {
                to = repeat(symbol, bits, output, to)?;
                break;
            };
            *output.get_mut(to)? = byte;
            to = to.wrapping_add(1);
            if to == output.len() {
                break;
            }
        }
    }
    Some(())
}

/// Carries out a match and tells where the output goes on.
#[inline]
fn repeat(symbol: u16, bits: &mut Bits<'_>, output: &mut [u8], to: usize) -> Option<usize> {
    let mut length = usize::from(symbol & 15);
    if length == 15 {
        length = long_length(bits)?;
    }
    let offset_bits = u32::from(symbol >> 4) & 15;
    let low = bits.read(offset_bits)?;
    let offset = usize::try_from((1 << offset_bits) | low).ok()?;
    let length = length.wrapping_add(3);
    copy_match(output, to, offset, length)?;
    Some(to.wrapping_add(length))
}

/// The length, less 3, that is stored in bytes.
#[cold]
fn long_length(bits: &mut Bits<'_>) -> Option<usize> {
    let [byte] = bits.bytes_behind_16()?;
    if byte < 255 {
        return Some(usize::from(byte).saturating_add(15));
    }
    let length = usize::from(u16::from_le_bytes(bits.bytes()?));
    (length >= 15).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code lengths of an example of MS-XCA: bytes at places of the first 256.
    fn head(bytes: &[(usize, &[u8])]) -> Vec<u8> {
        let mut head = vec![0; LENGTHS_LEN];
        for (at, bytes) in bytes {
            head[*at..][..bytes.len()].copy_from_slice(bytes);
        }
        head
    }

    /// MS-XCA section 3.2: the alphabet.
    fn alphabet() -> Vec<u8> {
        let lengths = b"\x50\x55\x55\x55\x55\x55\x55\x55\x55\x55\x55\x45\x44\x04";
        let mut packed = head(&[(0x30, lengths), (0x80, &[4])]);
        packed.extend(b"\xd8\x52\x3e\xd7\x94\x11\x5b\xe9\x19\x5f\xf9\xd6\x7c\xdf\x8d\x04");
        packed.extend([0; 4]);
        packed
    }

    /// MS-XCA section 3.2: "abc" a hundred times.
    fn hundred() -> Vec<u8> {
        let mut packed = head(&[(0x30, &[0x30, 0x23]), (0x80, &[2]), (0x8f, &[0x20])]);
        packed.extend(b"\xa8\xdc\x00\x00\xff\x26\x01");
        packed
    }

    #[test]
    fn the_examples_of_the_specification() {
        let mut output = [0; 26];
        decompress(&alphabet(), &mut output).unwrap();
        assert_eq!(&output, b"abcdefghijklmnopqrstuvwxyz");
        let mut output = [0; 300];
        decompress(&hundred(), &mut output).unwrap();
        assert_eq!(output.to_vec(), b"abc".repeat(100));
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let refused =
            |input: &[u8], len: usize| decompress(input, &mut vec![0; len]).unwrap_err().what;
        assert!(refused(&[0; 255], 4).contains("cut"));
        assert!(refused(&[0x11; 300], 4).contains("no code"));
        assert!(refused(&[0; 300], 4).contains("symbol"));
        // The match is longer than what is left, and there is nothing after it but an end.
        assert!(refused(&hundred(), 299).contains("outside"));
        assert!(refused(&hundred(), 301).contains("symbol"));
        for len in 0..hundred().len() {
            refused(&hundred()[..len], 300);
        }
    }
}
