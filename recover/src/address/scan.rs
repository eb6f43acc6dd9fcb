//! Where an address's locator begins.
//!
//! ```text
//! disk.img::part/2        at the first "::"
//! disk.img:/etc           at the first ":/" that is not "://"
//! disk.vhdx:C:\Users      at the first ":X:\" or ":X:/", X a letter
//! nbd://[::1]:10809/e:/x  nothing inside "[…]" counts
//! ```
//!
//! A pair of brackets is one without a slash or backslash between them: an IPv6 address has none,
//! and so `a[b.img:/x/y]` cannot hide its locator. A `[` without its `]` is an ordinary byte.

/// The offset of the byte `:` that begins the locator, looking no earlier than `from`.
///
/// One pass: linear in the length of the text.
pub(super) fn locator_start(text: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    // No "[" before this offset has a "]": the same slash or end stops them all.
    let mut open_until = from;
    while let Some(rest) = text.get(position..) {
        match rest {
            [] => return None,
            [b'[', inside @ ..] if position >= open_until => {
                match inside
                    .iter()
                    .position(|byte| matches!(byte, b']' | b'/' | b'\\'))
                {
                    Some(len) if inside.get(len) == Some(&b']') => {
                        position = position.saturating_add(len).saturating_add(1);
                    }
                    Some(len) => open_until = position.saturating_add(len),
                    None => open_until = text.len(),
                }
            }
            _ if begins_locator(rest) => return Some(position),
            _ => {}
        }
        position = position.saturating_add(1);
    }
    None
}

fn begins_locator(rest: &[u8]) -> bool {
    match rest {
        [b':', b'/', b'/', ..] => false,
        [b':', b':' | b'/', ..] => true,
        [b':', rest @ ..] => begins_drive(rest),
        _ => false,
    }
}

/// Whether a text begins `X:\` or `X:/`, X an ASCII letter.
pub(super) fn begins_drive(text: &[u8]) -> bool {
    matches!(text, [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

/// The offset of the first `needle` in a text; an empty needle is nowhere.
pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    text.windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(text: &str) -> Option<usize> {
        locator_start(text.as_bytes(), 0)
    }

    #[test]
    fn the_first_mark_wins() {
        assert_eq!(start("a::b:/c"), Some(1));
        assert_eq!(start("a:/b::c"), Some(1));
        assert_eq!(start("a:C:\\b"), Some(1));
        assert_eq!(start("a:c:/b"), Some(1));
        assert_eq!(start(":::"), Some(0));
    }

    #[test]
    fn near_misses_are_not_marks() {
        for text in ["", ":", "a:", "a:b", "a://b", "a:C:", "a:C:x", "a:\\b"] {
            assert_eq!(start(text), None, "{text}");
        }
        // The digit before is not a drive, but ":/" follows.
        assert_eq!(start("a:1:/x"), Some(3));
    }

    #[test]
    fn brackets_hide_only_what_they_hold() {
        assert_eq!(start("nbd://[::1]:10809/x:/y"), Some(19));
        assert_eq!(start("a[b::c].img::"), Some(11));
        assert_eq!(start("a[b.img:/x/y]"), Some(7));
        assert_eq!(start("a[b.img::raw"), Some(7));
        assert_eq!(start("a[b.img:C:\\x]"), Some(7));
        assert_eq!(start("a]b[::"), Some(4));
    }

    #[test]
    fn a_megabyte_of_open_brackets_takes_no_time() {
        let text = vec![b'['; 1 << 20];
        assert_eq!(locator_start(&text, 0), None);
    }
}
