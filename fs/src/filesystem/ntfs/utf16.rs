//! Names: UTF-16 as Windows stores it, WTF-8 as they travel here.
//!
//! NTFS takes any 16-bit units for a name and does not care whether surrogates come in pairs. WTF-8 is
//! UTF-8 in which an unpaired surrogate is encoded as if it were a character, so that every name has
//! exactly one form in bytes and the way back gives the same units (The WTF-8 encoding, sections 3 and 4).

use crate::bytes::get_le_u16;

/// The WTF-8 form of little-endian UTF-16. An odd byte at the end is left out; callers pass whole units.
#[must_use]
pub fn to_wtf8(units: &[u8]) -> Vec<u8> {
    let units = units
        .chunks_exact(2)
        .map(|unit| get_le_u16(unit, 0).unwrap_or(0));
    let mut out = Vec::new();
    let mut buf = [0; 4];
    for decoded in char::decode_utf16(units) {
        match decoded {
            Ok(char) => out.extend_from_slice(char.encode_utf8(&mut buf).as_bytes()),
            Err(unpaired) => out.extend_from_slice(&surrogate(unpaired.unpaired_surrogate())),
        }
    }
    out
}

/// The units of a name in WTF-8, or `None` for bytes that no name of 16-bit units has as its form:
/// bytes that are not UTF-8, overlong forms, and two surrogates that would be a pair.
#[must_use]
pub fn from_wtf8(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units: Vec<u16> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid_len = match std::str::from_utf8(rest) {
            Ok(_) => rest.len(),
            Err(error) => error.valid_up_to(),
        };
        let (valid, after) = rest.split_at_checked(valid_len)?;
        units.extend(std::str::from_utf8(valid).ok()?.encode_utf16());
        rest = after;
        let Some((encoded, after)) = rest.split_first_chunk::<3>() else {
            return rest.is_empty().then_some(units);
        };
        let unit = surrogate_of(*encoded)?;
        let high_before = valid.is_empty() && units.last().is_some_and(|unit| is_high(*unit));
        if high_before && !is_high(unit) {
            return None;
        }
        units.push(unit);
        rest = after;
    }
    Some(units)
}

/// The units of a name as stored, little-endian. An odd byte at the end is left out.
#[must_use]
pub fn units_of(stored: &[u8]) -> Vec<u16> {
    let units = stored.chunks_exact(2);
    units.map(|unit| get_le_u16(unit, 0).unwrap_or(0)).collect()
}

const fn is_high(unit: u16) -> bool {
    matches!(unit, 0xd800..=0xdbff)
}

/// Three bytes for a surrogate, by the rule of UTF-8 for U+0800 to U+FFFF.
fn surrogate(unit: u16) -> [u8; 3] {
    let [low, high] = unit.to_le_bytes();
    // 0xd8 to 0xdf: the first four bits are always 0xd.
    [
        0xed,
        0x80 | ((high & 0x0f) << 2) | (low >> 6),
        0x80 | (low & 0x3f),
    ]
}

fn surrogate_of([first, second, third]: [u8; 3]) -> Option<u16> {
    let is_surrogate =
        first == 0xed && matches!(second, 0xa0..=0xbf) && matches!(third, 0x80..=0xbf);
    let unit = 0xd000 | (u16::from(second & 0x3f) << 6) | u16::from(third & 0x3f);
    is_surrogate.then_some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(units: &[u16]) -> Vec<u8> {
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    #[test]
    fn every_name_has_one_form_and_comes_back() {
        let cases: &[(&[u16], &[u8])] = &[
            (&[], b""),
            (&[0x41, 0xe4, 0x6f22], "Aä漢".as_bytes()),
            (&[0xd83d, 0xde00], "😀".as_bytes()),
            (&[0xd800], b"\xed\xa0\x80"),
            (&[0xdbff, 0x41], b"\xed\xaf\xbfA"),
            (&[0xdfff, 0xd800], b"\xed\xbf\xbf\xed\xa0\x80"),
            (
                &[0xd800, 0xd83d, 0xde00, 0xdc00],
                b"\xed\xa0\x80\xf0\x9f\x98\x80\xed\xb0\x80",
            ),
            (&[0, 0xffff, 0xfeff], b"\0\xef\xbf\xbf\xef\xbb\xbf"),
        ];
        for (units, wtf8) in cases {
            assert_eq!(to_wtf8(&stored(units)), *wtf8, "{units:x?}");
            assert_eq!(from_wtf8(wtf8).as_deref(), Some(*units), "{units:x?}");
        }
        for unit in 0..=u16::MAX {
            let wtf8 = to_wtf8(&stored(&[unit, 0x41]));
            assert_eq!(from_wtf8(&wtf8), Some(vec![unit, 0x41]));
        }
    }

    #[test]
    fn bytes_that_are_no_names_form_name_nothing() {
        for bytes in [
            &b"\xff"[..],
            b"a\xc3",
            b"\xc0\x80",
            b"\xed\xa0",
            b"\xed\x20\x80",
            // A pair must be one character of four bytes.
            b"\xed\xa0\xbd\xed\xb8\x80",
            b"\xf5\x80\x80\x80",
            b"\xe0\x80\x80",
        ] {
            assert_eq!(from_wtf8(bytes), None, "{bytes:x?}");
        }
    }
}
