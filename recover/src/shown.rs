//! How names are shown where a terminal, a log or a person reads them.
//!
//! Names come from disks whose owner may be hostile: they can hold escape sequences, line breaks
//! and marks that reverse the order of the text. What is shown has none of these and still is the
//! name: [`from_terminal`] gives its bytes back.
//!
//! | in the name | shown |
//! |---|---|
//! | C0 control characters, DEL | `\x1b` |
//! | bytes that are not UTF-8 | `\xff` |
//! | C1 control characters | `\u{9b}` |
//! | bidirectional controls: U+061C, U+200E, U+200F, U+202A…E, U+2066…F | `\u{202e}` |
//! | line and paragraph separator: U+2028, U+2029 | `\u{2028}` |
//! | invisible: U+AD, U+180E, U+200B, U+2060…65, U+FEFF, U+FFF9…B, U+E0000…7F | `\u{200b}` |
//! | joiners U+200C, U+200D, unless both neighbours are beyond ASCII and shown | `\u{200d}` |
//! | a lone surrogate of a Windows name, in WTF-8 | `\u{d800}` |
//! | `\` before something that would be read as one of these, or before a `\` | `\\` |
//! | everything else, other `\` included | as it is |
//!
//! Persian and Hindi words and many emoji need joiners, hence their exception. The hexadecimal
//! digits are lower case without leading zeros, and only sequences that this table makes are read
//! back: `\x2f` in a volume's label or `C:\users` mean what they say. Showing a path is showing
//! its components with `/` between.

/// The name without anything a terminal would act on.
#[must_use]
pub fn for_terminal(name: &[u8]) -> String {
    let mut shown = String::with_capacity(name.len());
    // The last character if it was shown as it is.
    let mut last = None;
    let mut rest = name;
    while let Some((unit, tail)) = take_unit(rest) {
        let next = take_unit(tail).map(|(unit, _)| unit);
        match unit {
            Unit::Char('\\') => {
                let doubled = match next {
                    Some(Unit::Char(char)) => {
                        char == '\\' || is_hidden(char) || take_escape(tail).is_some()
                    }
                    Some(Unit::Byte(_) | Unit::Surrogate(_)) => true,
                    None => false,
                };
                shown.push_str(if doubled { r"\\" } else { r"\" });
                last = None;
            }
            Unit::Char(char) if is_hidden(char) && !(is_joiner(char) && is_joined(last, next)) => {
                if char.is_ascii() {
                    shown.push_str(&format!("\\x{:02x}", u32::from(char)));
                } else {
                    shown.push_str(&format!("\\u{{{:x}}}", u32::from(char)));
                }
                last = None;
            }
            Unit::Char(char) => {
                shown.push(char);
                last = Some(char);
            }
            Unit::Byte(byte) => {
                shown.push_str(&format!("\\x{byte:02x}"));
                last = None;
            }
            Unit::Surrogate(code) => {
                shown.push_str(&format!("\\u{{{code:x}}}"));
                last = None;
            }
        }
        rest = tail;
    }
    shown
}

/// The bytes of a name that [`for_terminal`] showed. Any text is read; a `\` that begins nothing
/// known is a `\`.
#[must_use]
pub fn from_terminal(shown: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(shown.len());
    let mut rest = shown.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'\\' {
            name.push(*byte);
        } else if let Some(tail) = tail.strip_prefix(b"\\") {
            name.push(b'\\');
            rest = tail;
        } else if let Some((unit, tail)) = take_escape(tail) {
            unit.push_to(&mut name);
            rest = tail;
        } else {
            name.push(b'\\');
        }
    }
    name
}

/// The smallest thing a name is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A character in UTF-8.
    Char(char),
    /// U+D800 to U+DFFF in the three bytes that WTF-8 gives it.
    Surrogate(u16),
    /// A byte that is neither.
    Byte(u8),
}

impl Unit {
    fn push_to(self, name: &mut Vec<u8>) {
        match self {
            Self::Char(char) => name.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Self::Byte(byte) => name.push(byte),
            Self::Surrogate(code) => {
                // 1110xxxx 10xxxxxx 10xxxxxx, the first always 0xed. Six bits fit a byte.
                let six = |bits: u16| u8::try_from(bits & 0x3f).map_or(0x80, |bits| 0x80 | bits);
                name.extend_from_slice(&[0xed, six(code >> 6), six(code)]);
            }
        }
    }
}

/// The first unit of a name and what follows it; `None` at its end.
pub(crate) fn take_unit(name: &[u8]) -> Option<(Unit, &[u8])> {
    let (first, tail) = name.split_first()?;
    let len = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if let Some((bytes, tail)) = name.split_at_checked(len) {
        if let Some(char) = str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.chars().next())
        {
            return Some((Unit::Char(char), tail));
        }
        if let [0xed, middle @ 0xa0..=0xbf, last @ 0x80..=0xbf] = bytes {
            let code = 0xd000 | (u16::from(middle & 0x3f) << 6) | u16::from(last & 0x3f);
            return Some((Unit::Surrogate(code), tail));
        }
    }
    Some((Unit::Byte(*first), tail))
}

/// What stands behind a `\`, if [`for_terminal`] could have written it there.
fn take_escape(text: &[u8]) -> Option<(Unit, &[u8])> {
    if let Some(text) = text.strip_prefix(b"x") {
        let (digits, tail) = text.split_at_checked(2)?;
        let byte = u8::try_from(hex(digits)?).ok()?;
        let made = byte.is_ascii_control() || !byte.is_ascii();
        return made.then_some((Unit::Byte(byte), tail));
    }
    let text = text.strip_prefix(b"u{")?;
    let end = text.iter().take(7).position(|byte| *byte == b'}')?;
    let (digits, tail) = text.split_at_checked(end)?;
    let code = hex(digits).filter(|_| !digits.starts_with(b"0"))?;
    let unit = match char::from_u32(code) {
        Some(char) if is_hidden(char) && !char.is_ascii() => Unit::Char(char),
        Some(_) => return None,
        None => Unit::Surrogate(u16::try_from(code).ok()?),
    };
    Some((unit, tail.strip_prefix(b"}")?))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let lower = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let text = str::from_utf8(digits)
        .ok()
        .filter(|_| digits.iter().all(lower))?;
    u32::from_str_radix(text, 16).ok()
}

/// Characters that are escaped. Joiners are, with an exception.
#[must_use]
pub fn is_hidden(char: char) -> bool {
    char.is_control()
        || is_joiner(char)
        || matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn is_joiner(char: char) -> bool {
    matches!(char, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner stands between two characters that it may join.
fn is_joined(last: Option<char>, next: Option<Unit>) -> bool {
    let joinable = |char: char| !char.is_ascii() && !is_hidden(char);
    last.is_some_and(joinable) && matches!(next, Some(Unit::Char(char)) if joinable(char))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn check(name: &[u8], shown: &str) {
        assert_eq!(for_terminal(name), shown);
        assert_eq!(from_terminal(shown), name, "{shown}");
    }

    #[test]
    fn plain_names_are_left_alone() {
        for name in [
            "",
            "syslog",
            "a b",
            "Größe 木 🐘",
            "e\u{301}",
            r"C:\users\x",
            r"a\",
            r"fs/a\x2fb",
        ] {
            check(name.as_bytes(), name);
        }
    }

    #[test]
    fn hostile_names_are_disarmed() {
        check(b"\x1b]0;pwned\x07", r"\x1b]0;pwned\x07");
        check(b"a\nb\r\tc\0", r"a\x0ab\x0d\x09c\x00");
        check(b"\x7f", r"\x7f");
        check("\u{9b}31m\u{85}".as_bytes(), r"\u{9b}31m\u{85}");
        check(b"\x9b31m", r"\x9b31m");
        check("gpj.\u{202e}exe".as_bytes(), r"gpj.\u{202e}exe");
        check(
            "\u{61c}\u{200e}\u{200f}\u{2066}\u{2069}".as_bytes(),
            r"\u{61c}\u{200e}\u{200f}\u{2066}\u{2069}",
        );
        check("a\u{2028}b\u{2029}".as_bytes(), r"a\u{2028}b\u{2029}");
        check("a\u{200b}\u{feff}b".as_bytes(), r"a\u{200b}\u{feff}b");
        check(b"caf\xe9", r"caf\xe9");
        check(b"\xc3", r"\xc3");
        check(b"\xf0\x9f\x90", r"\xf0\x9f\x90");
        check(b"\xc0\xaf", r"\xc0\xaf");
        check("\u{e0041}".as_bytes(), r"\u{e0041}");
    }

    #[test]
    fn lone_surrogates_are_named() {
        check(b"a\xed\xa0\x80b", r"a\u{d800}b");
        check(b"\xed\xbf\xbf", r"\u{dfff}");
        check(b"\xed\xa0\x80\xed\xb0\x80", r"\u{d800}\u{dc00}");
        check(b"\xed\xa0", r"\xed\xa0");
    }

    #[test]
    fn joiners_stay_between_letters_that_need_them() {
        check("می\u{200c}خواهم".as_bytes(), "می\u{200c}خواهم");
        check("👩\u{200d}💻".as_bytes(), "👩\u{200d}💻");
        check("a\u{200d}b".as_bytes(), r"a\u{200d}b");
        check("é\u{200d}".as_bytes(), r"é\u{200d}");
        check("é\u{200d}\u{200d}é".as_bytes(), r"é\u{200d}\u{200d}é");
    }

    #[test]
    fn a_backslash_is_doubled_only_where_it_must() {
        check(br"\x1b", r"\\x1b");
        check(br"\x1B", r"\x1B");
        check(br"\x41", r"\x41");
        check(br"\u{202e}", r"\\u{202e}");
        check(br"\u{0202e}", r"\u{0202e}");
        check(br"\u{41}", r"\u{41}");
        check(br"\u{d800}", r"\\u{d800}");
        check(b"\\\x1b", r"\\\x1b");
        check(b"\\\xff", r"\\\xff");
        check(br"\\", r"\\\");
        check(br"\\server\x", r"\\\server\x");
        check("\\\u{200d}é".as_bytes(), r"\\\u{200d}é");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_name_is_read_back(name in prop_oneof![
            vec(any::<u8>(), 0..40),
            vec(proptest::sample::select(b"\\xu{}d8020e1b7fa\x1b\xed\xa0\x80/".to_vec()), 0..24),
            "\\PC{0,12}|[\u{80}-\u{9f}\u{200b}-\u{2070}\\\\é]{0,12}".prop_map(String::into_bytes),
        ]) {
            let shown = for_terminal(&name);
            prop_assert_eq!(from_terminal(&shown), name);
            let quiet = |char: char| !char.is_control() && (!is_hidden(char) || is_joiner(char));
            prop_assert!(shown.chars().all(quiet), "{:?}", shown);
        }

        #[test]
        fn components_are_shown_alone_or_in_a_path(
            left in vec(any::<u8>(), 0..12),
            right in vec(any::<u8>(), 0..12),
        ) {
            let path = [&left, b"/".as_slice(), &right].concat();
            let apart = format!("{}/{}", for_terminal(&left), for_terminal(&right));
            prop_assert_eq!(for_terminal(&path), apart);
        }

        #[test]
        fn any_text_is_read(text in "\\PC*") {
            let _ = from_terminal(&text);
        }
    }
}
