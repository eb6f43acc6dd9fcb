//! Comparing names without regard to case, as Linux does in directories with `chattr +F`.
//!
//! The kernel compares `NFDICF` forms: canonical decomposition, full case folding, and code points
//! that are ignored by default left out (`fs/unicode/`, Unicode 12.1). Here the tables are those of the
//! Unicode version that the libraries carry; what was assigned since 12.1 folds where the kernel
//! compares it as it is. Names that are not UTF-8 are compared byte for byte, as the kernel does unless
//! the filesystem is strict, in which case it has none.

use unicode_normalization::UnicodeNormalization;

/// The folded form of a name; bytes that are not UTF-8 stay as they are.
pub(super) fn fold(name: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(name) else {
        return name.to_vec();
    };
    if text.is_ascii() {
        return text.to_ascii_lowercase().into_bytes();
    }
    let folded: String = caseless::default_case_fold_str(&text.nfd().collect::<String>())
        .chars()
        .filter(|c| !is_default_ignorable(*c))
        .nfd()
        .collect();
    folded.into_bytes()
}

/// `Default_Ignorable_Code_Point` of Unicode 12.1 (DerivedCoreProperties.txt), assigned ones.
const fn is_default_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_like_the_kernel() {
        for (a, b) in [
            ("README.md", "readme.MD"),
            ("Größe", "GRÖSSE"),
            ("Ångström", "A\u{30a}ngstro\u{308}m"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("soft\u{ad}hyphen", "softhyphen"),
        ] {
            assert_eq!(fold(a.as_bytes()), fold(b.as_bytes()), "{a} {b}");
        }
        assert_ne!(fold("a".as_bytes()), fold("ä".as_bytes()));
        assert_eq!(fold(b"A\xff"), b"A\xff");
    }
}
