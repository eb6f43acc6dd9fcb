//! Strings of a server, made fit for a line of a message.

/// Longer ones are cut.
const CHARS_MAX: usize = 200;

/// Readable text: control and bidirectional characters escaped, what is no UTF-8 replaced, cut at a
/// length that suits a line.
pub(in crate::nbd) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    for char in text.trim().chars().take(CHARS_MAX) {
        let bidirectional = matches!(
            char,
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if char.is_control() || bidirectional {
            out.extend(char.escape_unicode());
        } else {
            out.push(char);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_server_cannot_paint_the_terminal() {
        assert_eq!(
            plain(b"  no such\x1b[2J export\n"),
            "no such\\u{1b}[2J export"
        );
        assert_eq!(plain(b"\xff"), "\u{fffd}");
        assert_eq!(plain("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(plain(&[b'x'; 5000]).len(), 200);
    }
}
