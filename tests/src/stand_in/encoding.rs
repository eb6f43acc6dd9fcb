//! Percent-encoding, forms, and writing XML.

use std::fmt::{Display, Write as _};

/// As a signature wants it: everything but `A-Z a-z 0-9 - _ . ~`.
pub(crate) fn percent_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string");
        }
    }
    out
}

/// The bytes that are meant. A `%` without two digits stands for itself.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let value = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, value) {
            (b'%', Some(value)) => {
                out.push(value);
                rest = &tail[2..];
            }
            (b'+', _) if plus_is_space => {
                out.push(b' ');
                rest = tail;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// Names and values of a query or a form.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| String::from_utf8_lossy(&percent_decode(part, true)).into_owned();
    let pieces = text.split('&').filter(|piece| !piece.is_empty());
    let pair = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        (decode(name), decode(value))
    };
    pieces.map(pair).collect()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a string");
        out
    })
}

/// XML that grows.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// An element with text.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        let value = value.replace('>', "&gt;");
        write!(self.0, "<{name}>{value}</{name}>").expect("a string");
        self
    }

    /// An element with text, where there is some.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// An element with elements.
    pub(crate) fn inside(&mut self, name: &str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        write!(self.0, "<{name}>").expect("a string");
        fill(self);
        // Attributes belong to the opening tag only.
        let name = name.split(' ').next().unwrap_or(name);
        write!(self.0, "</{name}>").expect("a string");
        self
    }

    /// An element with an `item` for each thing.
    pub(crate) fn set<T>(
        &mut self,
        name: &str,
        things: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.inside(name, |xml| {
            for thing in things {
                xml.inside("item", |xml| fill(xml, thing));
            }
        })
    }

    /// The whole document.
    pub(crate) fn finish(self) -> Vec<u8> {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.0).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        assert_eq!(percent_encode(b"a+/= ~\xff"), "a%2B%2F%3D%20~%FF");
        assert_eq!(percent_decode("a%2B%2f+%", true), b"a+/ %");
        assert_eq!(percent_decode("a+", false), b"a+");
        let read = pairs("A=1&B=x%3D+y&C");
        let expected = [("A", "1"), ("B", "x= y"), ("C", "")];
        assert_eq!(
            read,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn text_is_no_markup() {
        let mut xml = Xml::default();
        xml.inside("a x=\"1\"", |xml| {
            xml.text("b", "<&>");
        });
        let text = String::from_utf8(xml.finish()).expect("text");
        assert!(
            text.ends_with("<a x=\"1\"><b>&lt;&amp;&gt;</b></a>"),
            "{text}"
        );
    }
}
