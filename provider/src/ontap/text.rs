//! Percent-encoding, names that a query takes as they are, and words of others made fit for a message.

use crate::secret::Secret;
use std::fmt::Write as _;

/// Longest explanation that is passed on, in characters.
const MESSAGE_MAX: usize = 400;

/// Percent-encodes all but letters, digits, `-`, `_`, `~` and what `also` has.
fn encode(text: &[u8], also: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                encoded.push(char::from(*byte));
            }
            other if also.contains(other) => encoded.push(char::from(*other)),
            other => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    encoded
}

/// A name of a parameter, or its value, in a query.
pub(super) fn in_query(text: &str) -> String {
    encode(text.as_bytes(), b".*,/")
}

/// A name as one part of a path.
pub(super) fn in_path(text: &str) -> String {
    encode(text.as_bytes(), b".")
}

/// A path inside of a volume as one part of a path: its slashes and dots are encoded, too.
pub(super) fn in_file_path(path: &str) -> String {
    encode(path.as_bytes(), b"")
}

/// Whether a query takes this as a name, and not as a pattern, a choice or a range ("Query
/// parameters" in the reference). Names of volumes, LUNs and qtrees have nothing of that.
pub(super) fn is_plain(name: &str) -> bool {
    let special = |c: char| c.is_control() || "*|!<>\"'\\?%&#".contains(c);
    !name.is_empty() && !name.contains(special) && !name.contains("..")
}

/// What a server said, on one line, bounded, without the secret.
pub(super) fn tame(message: &str, secret: Option<&Secret>) -> String {
    let mut message = message.trim().to_owned();
    if let Some(secret) = secret.map(Secret::expose).filter(|text| text.len() >= 4) {
        message = message.replace(secret, "…");
    }
    let plain = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    let plain: String = plain.take(MESSAGE_MAX).collect();
    plain.trim_end_matches(['.', ' ', ':']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_their_place() {
        assert_eq!(in_query("*/flr_1"), "*/flr_1");
        assert_eq!(in_query("a b&c=d+é"), "a%20b%26c%3Dd%2B%C3%A9");
        assert_eq!(in_path("a/b.c"), "a%2Fb.c");
        // "Manage files and directories" in the reference.
        assert_eq!(in_file_path("d1/d2/d3/.f"), "d1%2Fd2%2Fd3%2F%2Ef");
    }

    #[test]
    fn patterns_are_no_names() {
        for good in ["vol1", "lun_0.bak", "q-tree{1}"] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", "*", "a|b", "!a", "1..2", "<5", "a\nb", "../x", "%2e"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_said_is_told_without_the_secret() {
        let secret = Secret::new("s3cret-canary".into());
        let said = "bad password \u{1b}[31ms3cret-canary\n for admin.";
        assert_eq!(tame(said, Some(&secret)), "bad password  [31m…  for admin");
        assert_eq!(tame(&"x".repeat(9999), None).len(), MESSAGE_MAX);
    }
}
