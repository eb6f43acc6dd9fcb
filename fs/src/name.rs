//! Names as they stand in an image: bytes, never trusted.
//!
//! A name may hold anything, also what no path can hold. [`RawName::shown`] makes of it a name that
//! a path can hold, reversibly; nothing is ever dropped because of its name. Formats with UTF-16
//! names hand them out as WTF-8, so that unpaired surrogates survive.

use std::borrow::Cow;
use std::fmt;

/// A name as a filesystem stores it: any bytes at all, `/`, NUL and none included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawName<'a>(&'a [u8]);

impl<'a> RawName<'a> {
    /// Views bytes as a name.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as stored.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The name in a form that can be one component of a path.
    ///
    /// `/` and NUL become `\x2f` and `\x00`; the names `.`, `..` and the empty one become `\x2e`,
    /// `\x2e\x2e` and `\x00`. Everything else stands for itself, also a backslash: two names that
    /// come out alike are told apart by the listing, with a suffix ([`with_suffix`]).
    #[must_use]
    pub fn shown(self) -> Cow<'a, [u8]> {
        match self.0 {
            b"" => return Cow::Borrowed(br"\x00"),
            b"." => return Cow::Borrowed(br"\x2e"),
            b".." => return Cow::Borrowed(br"\x2e\x2e"),
            _ => {}
        }
        if !self.0.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Cow::Borrowed(self.0);
        }
        let mut shown = Vec::with_capacity(self.0.len().saturating_add(12));
        for byte in self.0 {
            match byte {
                b'/' => shown.extend_from_slice(br"\x2f"),
                0 => shown.extend_from_slice(br"\x00"),
                byte => shown.push(*byte),
            }
        }
        Cow::Owned(shown)
    }

    /// Whether the name is shown as it is stored.
    #[must_use]
    pub fn is_plain(self) -> bool {
        matches!(self.shown(), Cow::Borrowed(shown) if shown == self.0)
    }
}

/// Whether a shown name may stand for other stored bytes, so that only a listing can tell.
///
/// True for names that hold an escape or end in `~flr` and a number.
#[must_use]
pub fn may_be_escaped(shown: &[u8]) -> bool {
    shown
        .windows(4)
        .any(|part| matches!(part, br"\x2f" | br"\x00" | br"\x2e"))
        || suffix_of(shown).is_some()
}

/// `shown` with the suffix that tells it apart from `n` names before it that look the same.
#[must_use]
pub fn with_suffix(shown: &[u8], n: u32) -> Vec<u8> {
    let mut name = shown.to_vec();
    name.extend_from_slice(format!("~flr{n}").as_bytes());
    name
}

fn suffix_of(shown: &[u8]) -> Option<&[u8]> {
    let digits = shown
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (head, tail) = shown.split_at_checked(shown.len().checked_sub(digits)?)?;
    (digits > 0 && head.ends_with(b"~flr")).then_some(tail)
}

impl fmt::Debug for RawName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The full name of an extended attribute as Linux shows it, such as `user.comment`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XattrName(Box<[u8]>);

impl XattrName {
    /// A name with its namespace, such as `security.capability`.
    #[must_use]
    pub fn new(name: impl Into<Box<[u8]>>) -> Self {
        Self(name.into())
    }

    /// The bytes of the name.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for XattrName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_path_can_hold_are_escaped() {
        for (raw, shown) in [
            (&b"a/b"[..], &br"a\x2fb"[..]),
            (b"a\0", br"a\x00"),
            (b".", br"\x2e"),
            (b"..", br"\x2e\x2e"),
            (b"", br"\x00"),
            (b"...", b"..."),
            (br"a\b", br"a\b"),
            (b"\xff\x1b[0m", b"\xff\x1b[0m"),
        ] {
            assert_eq!(RawName::new(raw).shown().as_ref(), shown);
            assert_eq!(RawName::new(raw).is_plain(), raw == shown);
            assert!(raw == shown || may_be_escaped(shown));
        }
    }

    #[test]
    fn suffixes_are_recognised() {
        assert!(may_be_escaped(&with_suffix(b"a", 1)));
        assert!(may_be_escaped(b"~flr12"));
        assert!(!may_be_escaped(b"a~flr"));
        assert!(!may_be_escaped(b"12"));
        assert!(!may_be_escaped(b""));
    }
}
