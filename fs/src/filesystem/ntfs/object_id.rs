//! `$OBJECT_ID`: an identifier of a file that survives renaming, for links of the shell.
//!
//! `0x0` the identifier, `0x10` the volume's, `0x20` the file's and `0x30` the domain's when it was made;
//! the last three may be missing. Source: MS-FSCC 2.1.3.

use crate::bytes::{get_array, uuid_text};

/// Bytes that the attribute has at most, and that `system.ntfs_object_id` always has.
pub const OBJECT_ID_BYTES: usize = 0x40;

/// The value as ntfs-3g hands it out: all four identifiers, zeros for those that are missing. `None` if
/// there is not even the first.
#[must_use]
pub fn whole(value: &[u8]) -> Option<[u8; OBJECT_ID_BYTES]> {
    if value.len() < 16 {
        return None;
    }
    let mut whole = [0; OBJECT_ID_BYTES];
    for (to, from) in whole.iter_mut().zip(value) {
        *to = *from;
    }
    Some(whole)
}

/// The identifier as text, as Windows prints a GUID: the first three groups are little-endian.
#[must_use]
pub fn text(value: &[u8]) -> Option<String> {
    let [a, b, c, d, e, f, g, h, rest @ ..]: [u8; 16] = get_array(value, 0)?;
    let mut printed = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
    for (to, from) in printed.iter_mut().skip(8).zip(rest) {
        *to = from;
    }
    Some(uuid_text(&printed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_handed_out_whole() {
        let value: Vec<u8> = (0..16).collect();
        let whole = whole(&value).unwrap();
        assert_eq!((&whole[..16], &whole[16..]), (&value[..], &[0; 48][..]));
        assert_eq!(
            text(&value).as_deref(),
            Some("03020100-0504-0706-0809-0a0b0c0d0e0f")
        );
        assert_eq!(super::whole(&value[..15]), None);
        assert_eq!(text(&value[..15]), None);
        assert!(super::whole(&[1; 100]).is_some());
    }
}
