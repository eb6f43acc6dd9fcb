//! LZNT1 (MS-XCA section 2.5; Linux-NTFS documentation, "Compression").
//!
//! ```text
//! chunk   header (u16)   bits 0-11  bytes of the whole chunk - 3
//!                        bits 12-14 signature, 3
//!                        bit 15     compressed; else 4096 bytes follow as they are
//!         then, until the chunk ends: a byte of flags, lowest bit first, and eight tokens
//! token   flag 0: a byte
//!         flag 1: u16, offset - 1 in the upper and length - 3 in the lower bits; the offset has as
//!                 many bits as the place of the byte before it in the chunk needs, at least 4
//! end     a header of 0, or the end of the input
//! ```
//! A chunk stands for 4096 bytes. One that gives less is filled up with zeros, as ntfs-3g and the ntfs3
//! driver of Linux do. A chunk that is stored as it is must be whole: nothing writes another.

use super::Malformed;
use super::copy::copy_match;
use crate::bytes::get_le_u16;

/// What a chunk stands for, in bytes.
pub const CHUNK_LEN: usize = 4096;

/// Decompresses whole chunks into `output` until it is full or the input ends, and tells how many bytes
/// of it were filled. The rest is left as it was: what that means is up to the caller.
///
/// # Errors
/// [`Malformed`] for a chunk that breaks the rules or does not fit.
pub fn decompress(input: &[u8], output: &mut [u8]) -> Result<usize, Malformed> {
    let mut at = 0_usize;
    let mut done = 0_usize;
    for target in output.chunks_mut(CHUNK_LEN) {
        let header = match get_le_u16(input, at) {
            None | Some(0) => break,
            Some(header) => header,
        };
        if header & 0x7000 != 0x3000 {
            return Err(Malformed::new(at, "a chunk without its signature"));
        }
        let body = at.saturating_add(2);
        let end = at
            .saturating_add(usize::from(header & 0xfff))
            .saturating_add(3);
        let cut = Malformed::new(at, "a chunk that is longer than the input");
        let data = input.get(body..end).ok_or(cut)?;
        if header & 0x8000 != 0 {
            let len = chunk(data, target)
                .map_err(|bad| Malformed::new(body.saturating_add(bad.at), bad.what))?;
            if let Some(rest) = target.get_mut(len..) {
                rest.fill(0);
            }
        } else if data.len() == target.len() {
            target.copy_from_slice(data);
        } else {
            return Err(Malformed::new(at, "a stored chunk that is not whole"));
        }
        at = end;
        done = done.saturating_add(target.len());
    }
    Ok(done)
}

/// Decompresses the tokens of one chunk and tells how many bytes they gave.
fn chunk(input: &[u8], output: &mut [u8]) -> Result<usize, Malformed> {
    let (mut at, mut to) = (0_usize, 0_usize);
    while let Some(flags) = input.get(at) {
        at = at.wrapping_add(1);
        // The bit above the eight flags is where they end.
        let mut flags = u32::from(*flags) | 0x100;
        loop {
            let literals = flags.trailing_zeros();
            let count = usize::try_from(literals).unwrap_or(8);
            if !copy_literals(input, at, output, to, count) {
                let Some(rest) = input.get(at..).filter(|rest| rest.len() < count) else {
                    return Err(Malformed::new(at, "more bytes than a chunk holds"));
                };
                // The input ends inside of the last group.
                let len = rest.len();
                let fits = copy_literals(input, at, output, to, len);
                let end = fits.then(|| to.wrapping_add(len));
                return end.ok_or(Malformed::new(at, "more bytes than a chunk holds"));
            }
            at = at.wrapping_add(count);
            to = to.wrapping_add(count);
            flags >>= literals;
            if flags == 1 {
                break;
            }
            flags >>= 1;
            let Some(token) = get_le_u16(input, at) else {
                if at == input.len() {
                    return Ok(to);
                }
                return Err(Malformed::new(at, "a cut token"));
            };
            let shift = length_bits(to);
            let offset = usize::from(token >> shift).wrapping_add(1);
            let length = usize::from(token & !(u16::MAX << shift)).wrapping_add(3);
            if copy_match(output, to, offset, length).is_none() {
                return Err(Malformed::new(at, "a match that lies outside of its chunk"));
            }
            at = at.wrapping_add(2);
            to = to.wrapping_add(length);
            if flags == 1 {
                break;
            }
        }
    }
    Ok(to)
}

/// The bits that the length has in a token at byte `to` of a chunk: 12 down to 4.
#[inline]
fn length_bits(to: usize) -> u32 {
    let before = u16::try_from(to.wrapping_sub(1) & 0xfff).unwrap_or(0);
    // 8 needs four bits, which is the least.
    (before | 8).leading_zeros()
}

/// Copies up to eight bytes; `false` if they are not there or do not fit.
#[inline]
fn copy_literals(input: &[u8], at: usize, output: &mut [u8], to: usize, count: usize) -> bool {
    let source = input.get(at..).unwrap_or_default();
    let target = output.get_mut(to..).unwrap_or_default();
    if let (Some(from), Some(wide)) = (source.first_chunk::<8>(), target.first_chunk_mut::<8>()) {
        *wide = *from;
        return true;
    }
    match (source.get(..count), target.get_mut(..count)) {
        (Some(from), Some(into)) => {
            into.copy_from_slice(from);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(input: &[u8], len: usize) -> Result<Vec<u8>, Malformed> {
        let mut output = vec![0xaa; len];
        let done = decompress(input, &mut output)?;
        output.truncate(done);
        Ok(output)
    }

    /// The example of MS-XCA section 3.3.
    #[test]
    fn the_example_of_the_specification() {
        let packed = b"\
            \x38\xb0\x88\x46\x23\x20\x00\x20\x47\x20\x41\x00\x10\xa2\x47\x01\xa0\x45\x20\x44\
            \x00\x08\x45\x01\x50\x79\x00\xc0\x45\x20\x05\x24\x13\x88\x05\xb4\x02\x4a\x44\xef\
            \x03\x58\x02\x8c\x09\x16\x01\x48\x45\x00\xbe\x00\x9e\x00\x04\x01\x18\x90\x00";
        let first = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D ";
        let second = "E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
        let text = [first, second].concat();
        let mut expected = text.as_bytes().to_vec();
        expected.resize(CHUNK_LEN, 0);
        assert_eq!(unpack(packed, CHUNK_LEN), Ok(expected));
    }

    #[test]
    fn the_end_is_a_header_of_zero_or_the_end_of_the_input() {
        let zeros = [0x03, 0xb0, 0x02, 0, 0xfc, 0x0f];
        let mut two = zeros.to_vec();
        two.extend(zeros);
        assert_eq!(unpack(&two, 3 * CHUNK_LEN), Ok(vec![0; 2 * CHUNK_LEN]));
        two.extend([0, 0, 0x99]);
        assert_eq!(unpack(&two, 3 * CHUNK_LEN), Ok(vec![0; 2 * CHUNK_LEN]));
        // What stands behind a full output belongs to nobody.
        assert_eq!(unpack(&two, CHUNK_LEN), Ok(vec![0; CHUNK_LEN]));
        assert_eq!(unpack(&[], CHUNK_LEN), Ok(Vec::new()));
    }

    #[test]
    fn a_short_chunk_is_filled_with_zeros_before_the_next() {
        let mut input = vec![0x01, 0xb0, 0x00, b'a'];
        input.extend([0xff, 0x3f]);
        input.extend([b'b'; CHUNK_LEN]);
        let output = unpack(&input, 2 * CHUNK_LEN).unwrap();
        assert_eq!(output[0], b'a');
        assert!(output[1..CHUNK_LEN].iter().all(|byte| *byte == 0));
        assert!(output[CHUNK_LEN..].iter().all(|byte| *byte == b'b'));
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let refused = |input: &[u8]| unpack(input, CHUNK_LEN).unwrap_err().what;
        assert!(refused(&[0x00, 0x80, 0, 0]).contains("signature"));
        assert!(refused(&[0x05, 0xb0, 0, 0]).contains("longer"));
        assert!(refused(&[0x01, 0x30, 0, 0]).contains("not whole"));
        // A match before the first byte, one from before it, and one that runs over the end.
        assert!(refused(&[0x02, 0xb0, 0x01, 0, 0]).contains("outside"));
        assert!(refused(&[0x03, 0xb0, 0x02, b'a', 0, 0x10]).contains("outside"));
        assert!(refused(&[0x03, 0xb0, 0x02, b'a', 0xff, 0x0f]).contains("outside"));
        assert!(refused(&[0x02, 0xb0, 0x02, b'a', 0]).contains("cut"));
    }
}
