//! `$OBJECT_ID`: an identifier of a file that survives renaming, for links of the shell.
//!
//! `0x0` the identifier, `0x10` the volume's, `0x20` the file's and `0x30` the domain's when it was made;
//! Windows leaves the last three out here and keeps them in the index of `$ObjId`, which is not read.
//! Source: MS-FSCC 2.1.3; Linux-NTFS documentation, "$OBJECT_ID".

use crate::bytes::{get_array, uuid_text};

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
    fn identifiers_as_windows_prints_them() {
        let value: Vec<u8> = (0..16).collect();
        assert_eq!(
            text(&value).as_deref(),
            Some("03020100-0504-0706-0809-0a0b0c0d0e0f")
        );
        assert_eq!(text(&value[..15]), None);
    }
}
