//! LZX as WIM and WOF use it: windows of 32 KiB that stand for themselves.
//!
//! The bit stream is that of XPRESS. What differs from the LZX of cabinets (MS-PATCH; libwim's
//! documentation): no head with a file size, no frames, and the addresses of calls (0xe8) in every chunk
//! are made relative again as if the file had 12,000,000 bytes.
//!
//! ```text
//! block   type (3 bits): 1 verbatim, 2 aligned, 3 uncompressed
//!         1 bit: 32,768 bytes; else their number in 16 bits
//!         aligned only: 8 lengths of 3 bits of the code for the lowest bits of offsets
//!         verbatim and aligned: lengths of the main code, bytes and matches apart, and of the length code,
//!         each behind a code of its own (20 lengths of 4 bits), as changes of those of the block before
//!         uncompressed: aligned to a word, the three recent offsets (u32), the bytes, one more if odd
//! symbol  of the main code: 0-255 a byte; else a match: length - 2 in the lower three bits (7: the length
//!         code has the rest), the offset's slot in the upper ones; slots 0 to 2 are the recent offsets
//! ```
//! Not supported: larger windows, which WOF does not have.

use super::Malformed;
use super::bits::Bits;
use super::copy::copy_match;
use super::huffman::Huffman;

/// Bytes of a chunk at most.
pub const CHUNK_LEN: usize = 32_768;

/// Symbols of the main code: bytes, and eight lengths for each of the 30 slots of a window of 32 KiB.
const MAIN_COUNT: usize = BYTE_COUNT + 8 * SLOT_COUNT;
const BYTE_COUNT: usize = 256;
const SLOT_COUNT: usize = 30;
/// Symbols of the code of long lengths.
const LENGTH_COUNT: usize = 249;
/// Symbols of the code of the lowest bits of offsets.
const ALIGNED_COUNT: usize = 8;
/// Symbols of the code of code lengths.
const PRECODE_COUNT: usize = 20;

/// The size of file that addresses of calls were made absolute for.
const CALL_FILE_SIZE: i32 = 12_000_000;

/// What one block leaves to the next.
struct State {
    main_lengths: [u8; MAIN_COUNT],
    length_lengths: [u8; LENGTH_COUNT],
    /// The last three offsets, as numbers of bytes back.
    recent: [usize; 3],
}

/// Decompresses one chunk, which gives exactly `output`, of at most [`CHUNK_LEN`] bytes.
///
/// # Errors
/// [`Malformed`] if it does not.
pub fn decompress(input: &[u8], output: &mut [u8]) -> Result<(), Malformed> {
    if output.len() > CHUNK_LEN {
        return Err(Malformed::new(0, "a chunk of more than 32 KiB"));
    }
    let mut state = State {
        main_lengths: [0; MAIN_COUNT],
        length_lengths: [0; LENGTH_COUNT],
        recent: [1; 3],
    };
    let mut bits = Bits::new(input);
    let mut to = 0_usize;
    while to < output.len() {
        let what = "a block that is cut, breaks the rules or leads outside of its chunk";
        let done = block(&mut state, &mut bits, output, to);
        to = done.ok_or_else(|| Malformed::new(bits.at().min(input.len()), what))?;
    }
    relative_calls(output);
    Ok(())
}

/// Decompresses one block, of at least one byte, to byte `to` and tells where the next one goes.
fn block(state: &mut State, bits: &mut Bits<'_>, output: &mut [u8], to: usize) -> Option<usize> {
    let kind = bits.read(3)?;
    let len = match bits.read(1)? {
        1 => CHUNK_LEN,
        _ => usize::try_from(bits.read(16)?).ok()?,
    };
    let end = to.checked_add(len)?;
    if len == 0 || end > output.len() {
        return None;
    }
    // Matches reach back to the first byte, and not beyond the block.
    let output = output.get_mut(..end)?;
    match kind {
        1 | 2 => {
            let aligned = if kind == 2 {
                Some(aligned_code(bits)?)
            } else {
                None
            };
            let (bytes, matches) = state.main_lengths.split_at_mut(BYTE_COUNT);
            read_lengths(bits, bytes)?;
            read_lengths(bits, matches)?;
            read_lengths(bits, &mut state.length_lengths)?;
            let codes = Codes {
                main: Huffman::new(&state.main_lengths)?,
                length: Huffman::new(&state.length_lengths)?,
                aligned,
            };
            symbols(&codes, &mut state.recent, bits, output, to)?;
        }
        3 => {
            bits.align()?;
            for recent in &mut state.recent {
                *recent = usize::try_from(u32::from_le_bytes(bits.bytes()?)).ok()?;
            }
            let bytes = bits.slice(len)?;
            output.get_mut(to..)?.copy_from_slice(bytes);
            if len & 1 == 1 {
                bits.bytes::<1>()?;
            }
        }
        _ => return None,
    }
    Some(end)
}

struct Codes {
    main: Huffman<MAIN_COUNT>,
    length: Huffman<LENGTH_COUNT>,
    aligned: Option<Huffman<ALIGNED_COUNT>>,
}

fn aligned_code(bits: &mut Bits<'_>) -> Option<Huffman<ALIGNED_COUNT>> {
    let mut lengths = [0; ALIGNED_COUNT];
    for length in &mut lengths {
        *length = u8::try_from(bits.read(3)?).ok()?;
    }
    Huffman::new(&lengths)
}

/// Reads code lengths as changes of what `lengths` holds.
fn read_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Option<()> {
    let mut precode = [0; PRECODE_COUNT];
    for length in &mut precode {
        *length = u8::try_from(bits.read(4)?).ok()?;
    }
    let precode = Huffman::new(&precode)?;
    let mut at = 0_usize;
    while at < lengths.len() {
        bits.refill();
        let (count, change) = match precode.next(bits)? {
            17 => (bits.take(4)?.wrapping_add(4), None),
            18 => (bits.take(5)?.wrapping_add(20), None),
            19 => {
                let count = bits.take(1)?.wrapping_add(4);
                (count, Some(precode.next(bits)?))
            }
            change => (1, Some(change)),
        };
        let end = at.checked_add(usize::try_from(count).ok()?)?;
        // A run must end with the lengths: what lies behind belongs to other symbols.
        let run = lengths.get_mut(at..end)?;
        let length = match (change, run.first()) {
            (None, _) => 0,
            (Some(change @ 0..=16), Some(old)) => {
                let length = i32::from(*old).wrapping_sub(i32::from(change));
                u8::try_from(length.rem_euclid(17)).ok()?
            }
            _ => return None,
        };
        run.fill(length);
        at = end;
    }
    Some(())
}

/// Decompresses symbols from byte `to` to the end of `output`.
fn symbols(
    codes: &Codes,
    recent: &mut [usize; 3],
    bits: &mut Bits<'_>,
    output: &mut [u8],
    mut to: usize,
) -> Option<()> {
    while to < output.len() {
        // Enough for a match: 16 + 16 + 13 bits.
        bits.refill();
        let symbol = codes.main.next(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            *output.get_mut(to)? = byte;
            to = to.wrapping_add(1);
            continue;
        }
        let mut length = usize::from(symbol & 7).wrapping_add(2);
        if symbol & 7 == 7 {
            length = length.wrapping_add(usize::from(codes.length.next(bits)?));
        }
        let slot = u32::from(symbol.wrapping_sub(256) >> 3);
        let [first, second, third] = *recent;
        let offset = match slot {
            0 => first,
            1 => second,
            2 => third,
            _ => offset(slot, codes, bits)?,
        };
        *recent = match slot {
            0 => *recent,
            // Changes places with the first; the other one stays.
            1 => [second, first, third],
            2 => [third, second, first],
            _ => [offset, first, second],
        };
        copy_match(output, to, offset, length)?;
        to = to.wrapping_add(length);
    }
    Some(())
}

/// The offset of a match whose slot is 3 or higher.
#[inline]
fn offset(slot: u32, codes: &Codes, bits: &mut Bits<'_>) -> Option<usize> {
    // Slots come in pairs of the same width: 2 and 3 are one wide, 4 and 5 two, 6 and 7 four.
    let extra = (slot >> 1).wrapping_sub(1);
    let base = (2 | (slot & 1)) << extra;
    let low = match &codes.aligned {
        Some(aligned) if extra >= 3 => {
            let high = bits.take(extra.wrapping_sub(3))?;
            (high << 3) | u32::from(aligned.next(bits)?)
        }
        _ => bits.take(extra)?,
    };
    // The first three numbers stand for the recent offsets; 3 is one byte back.
    usize::try_from(base.wrapping_add(low).checked_sub(2)?).ok()
}

/// Makes the addresses of calls (0xe8) relative to where they stand again.
///
/// An address that the encoder would not have changed is left; the last ten bytes never are.
fn relative_calls(output: &mut [u8]) {
    let end = output.len().saturating_sub(10);
    let mut at = 0_usize;
    while let Some(found) = output
        .get(at..end)
        .and_then(|rest| rest.iter().position(|byte| *byte == 0xe8))
    {
        let call = at.saturating_add(found);
        let target = output.get_mut(call.saturating_add(1)..);
        let Some(target) = target.and_then(<[u8]>::first_chunk_mut::<4>) else {
            return;
        };
        let absolute = i32::from_le_bytes(*target);
        let place = i32::try_from(call).unwrap_or(i32::MAX);
        if (0..CALL_FILE_SIZE).contains(&absolute) {
            *target = absolute.wrapping_sub(place).to_le_bytes();
        } else if absolute < 0 && absolute >= place.wrapping_neg() {
            *target = absolute.wrapping_add(CALL_FILE_SIZE).to_le_bytes();
        }
        at = call.saturating_add(5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes bits as the format wants them.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn put(mut self, count: u32, number: u32) -> Self {
            self.0
                .extend((0..count).rev().map(|bit| number >> bit & 1 == 1));
            self
        }

        fn bytes(&self) -> Vec<u8> {
            let words = self.0.chunks(16).map(|bits| {
                let bits = (0..16).map(|i| u16::from(bits.get(i).copied().unwrap_or(false)));
                bits.fold(0, |word, bit| word << 1 | bit)
            });
            words.flat_map(u16::to_le_bytes).collect()
        }
    }

    fn stored(bytes: &[u8]) -> Vec<u8> {
        let len = u32::try_from(bytes.len()).unwrap();
        let mut input = Writer::default().put(3, 3).put(1, 0).put(16, len).bytes();
        for offset in [1_u32, 1, 1] {
            input.extend(offset.to_le_bytes());
        }
        input.extend(bytes);
        input.resize(input.len().next_multiple_of(2), 0);
        input
    }

    #[test]
    fn uncompressed_blocks_and_calls() {
        let mut plain = vec![0xe8; 5];
        plain.resize(20, 0x90);
        plain[1..5].copy_from_slice(&1000_i32.to_le_bytes());
        plain[6] = 0xe8;
        plain[7..11].copy_from_slice(&1000_i32.to_le_bytes());
        let mut input = stored(&plain[..7]);
        input.extend(stored(&plain[7..]));
        let mut output = [0; 20];
        decompress(&input, &mut output).unwrap();
        assert_eq!(output[1..5], 1000_i32.to_le_bytes());
        assert_eq!(output[7..11], 994_i32.to_le_bytes());
        // The last ten bytes are left as they are.
        let mut short = [0; 16];
        decompress(&stored(&plain[..16]), &mut short).unwrap();
        assert_eq!(short[..16], plain[..16]);
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let refused = |input: &[u8], len: usize| decompress(input, &mut vec![0; len]).is_err();
        let input = stored(&[7; 20]);
        assert!(!refused(&input, 20));
        assert!(refused(&input, 19) && refused(&input, 21));
        for len in 0..input.len() {
            assert!(refused(&input[..len], 20), "{len}");
        }
        assert!(refused(&input, CHUNK_LEN + 1));
        for kind in [0, 4, 7] {
            let head = Writer::default().put(3, kind).put(1, 1).put(16, 0).bytes();
            assert!(refused(&head, CHUNK_LEN));
        }
        let empty = Writer::default().put(3, 3).put(1, 0).put(16, 0).bytes();
        assert!(refused(&empty, 1));
    }
}
