//! Percent-encoding, and words of others made fit for a message.

use std::fmt::Write as _;

/// Longest explanation that is passed on, in characters.
const MESSAGE_MAX: usize = 400;

/// From here on a message holds what is no use to people, or is secret: the request as it was signed
/// (with its session token), or the encoded policy.
const CUT_BEFORE: [&str; 6] = [
    "Encoded authorization failure message",
    "The Canonical String",
    "The String-to-Sign",
    "server StringToSign",
    "server string to sign",
    "\n",
];

/// Percent-encodes all but what RFC 3986 calls unreserved, as a signature wants it.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Pairs of names and values as a query or a form.
pub(crate) fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// What a server said, on one line, bounded, without any of `secrets`.
pub(crate) fn tame(message: &str, secrets: &[&str]) -> String {
    let mut message = message.trim().to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= 8) {
        for form in [(*secret).to_owned(), encode(secret)] {
            message = message.replace(&form, "…");
        }
    }
    for mark in CUT_BEFORE {
        if let Some((kept, _)) = message.split_once(mark) {
            message = kept.trim_end().to_owned();
        }
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
    fn only_unreserved_characters_stay() {
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(encode("+/= *é"), "%2B%2F%3D%20%2A%C3%A9");
        assert_eq!(form([("a b", "1"), ("c", "")]), "a%20b=1&c=");
    }

    #[test]
    fn secrets_and_policies_are_cut() {
        let said = "You are not authorized. Encoded authorization failure message: AAAAsecret";
        assert_eq!(tame(said, &[]), "You are not authorized");
        let said =
            "it does not match.\n\nThe Canonical String for this request should have been 'x'";
        assert_eq!(tame(said, &[]), "it does not match");
        assert_eq!(
            tame(
                "token AAA+BBB/CC== or AAA%2BBBB%2FCC%3D%3D",
                &["AAA+BBB/CC=="]
            ),
            "token … or …"
        );
        assert_eq!(tame("a\u{1b}[31mb\tc", &[]), "a [31mb c");
        assert_eq!(tame(&"x".repeat(9999), &[]).len(), MESSAGE_MAX);
    }
}
