//! Bytes of a LUN or a file in an answer: `multipart/form-data` with exactly one part (RFC 7578, framing of RFC
//! 2046, section 5.1).
//!
//! The bytes may hold anything, also what looks like the end of the part. How many there must be is
//! known, so the end is looked for at its place and nowhere else.

use crate::fault::{Fault, FaultKind};
use bytes::Bytes;

/// What there may be in an answer beside the bytes: headers of the part, and its boundaries.
pub(super) const FRAME_MAX: usize = 16 << 10;

/// Longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// Longest headers of the part.
const HEADERS_MAX: usize = 8 << 10;

/// The code of the fault of an answer that is no data at all.
pub(super) const NO_DATA: &str = "NoData";

/// The boundary of a `Content-Type`. `None`: it is something else, or has none that is allowed.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, mut rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"')?;
                (value, next.split_once(';').map_or("", |(_, next)| next))
            }
            None => match after.split_once(';') {
                Some((value, next)) => (value.trim_end(), next),
                None => (after.trim_end(), ""),
            },
        };
        if name.trim().eq_ignore_ascii_case("boundary") {
            return is_boundary(value).then_some(value);
        }
        rest = next;
    }
}

fn is_boundary(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=BOUNDARY_MAX).contains(&text.len()) && text.bytes().all(good) && !text.ends_with(' ')
}

/// The `len` bytes of the only part of `body`.
///
/// # Errors
/// It is not framed so, has another number of bytes or of parts. What was cut short is
/// [`FaultKind::Unknown`], since it may come whole the next time.
pub(super) fn part(body: &Bytes, boundary: &str, len: usize) -> Result<Bytes, Fault> {
    let mut rest = body.as_ref();
    // A line break before the first boundary is an empty preamble.
    rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    rest = rest
        .strip_prefix(b"--")
        .and_then(|rest| rest.strip_prefix(boundary.as_bytes()))
        .ok_or_else(
            || match [b"--", boundary.as_bytes()].concat().starts_with(rest) {
                true => short("the answer was cut off at its beginning"),
                false => refused("the answer does not begin with its boundary"),
            },
        )?;
    rest = line_end(rest)?;
    rest = headers(rest)?;
    let begun = body.len().saturating_sub(rest.len());
    let Some(behind) = rest.get(len..) else {
        let closing = [b"\r\n--", boundary.as_bytes()].concat();
        let whole = rest.windows(closing.len()).any(|bytes| bytes == closing);
        return Err(match whole {
            true => refused(&format!("expected {len} bytes, but the answer has fewer")),
            false => short(&format!("expected {len} bytes, but the answer was cut off")),
        });
    };
    let end = behind
        .strip_prefix(b"\r\n--")
        .and_then(|behind| behind.strip_prefix(boundary.as_bytes()));
    match end {
        Some(end) if end.starts_with(b"--") => {
            let end = begun.saturating_add(len);
            Ok(body.slice(begun..end))
        }
        Some(end) if end.len() < 2 => Err(short("the answer was cut off at its end")),
        Some(_) => Err(refused("the answer has several parts, expected one")),
        None => {
            let closing = [b"\r\n--", boundary.as_bytes()].concat();
            match closing.starts_with(behind) {
                true => Err(short("the answer was cut off at its end")),
                false => Err(refused(&format!(
                    "expected {len} bytes, but the answer does not end behind them"
                ))),
            }
        }
    }
}

/// Behind padding and the line break.
fn line_end(rest: &[u8]) -> Result<&[u8], Fault> {
    let blanks = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let rest = rest.get(blanks..).unwrap_or_default();
    rest.strip_prefix(b"\r\n").ok_or_else(|| match rest.len() {
        0 | 1 => short("the answer was cut off at its beginning"),
        _ => refused("expected a line break behind the boundary"),
    })
}

/// Behind the headers of the part, which must not say that the bytes are encoded.
fn headers(mut rest: &[u8]) -> Result<&[u8], Fault> {
    let begun = rest.len();
    loop {
        if let Some(rest) = rest.strip_prefix(b"\r\n") {
            return Ok(rest);
        }
        let end = rest.windows(2).position(|bytes| bytes == b"\r\n");
        let Some((line, behind)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return Err(match rest.len() > HEADERS_MAX {
                true => refused("the headers of the part are too long"),
                false => short("the answer was cut off in its headers"),
            });
        };
        rest = behind.get(2..).unwrap_or_default();
        if begun.saturating_sub(rest.len()) > HEADERS_MAX {
            return Err(refused("the headers of the part are too long"));
        }
        let line = line.to_ascii_lowercase();
        let encoding = line.strip_prefix(b"content-transfer-encoding:");
        let plain = |value: &[u8]| matches!(value.trim_ascii(), b"binary" | b"8bit" | b"7bit");
        if encoding.is_some_and(|value| !plain(value)) {
            return Err(refused("the bytes of the part are encoded"));
        }
    }
}

fn refused(message: &str) -> Fault {
    Fault::new(FaultKind::Refused, message).with_code(NO_DATA)
}

fn short(message: &str) -> Fault {
    Fault::new(FaultKind::Unknown, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(data: &[u8]) -> Bytes {
        let mut body = b"--b0\r\nContent-Disposition: form-data; name=\"data\"\r\n\
            Content-Type: application/octet-stream\r\n\r\n"
            .to_vec();
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n--b0--\r\n");
        body.into()
    }

    fn kind(body: &[u8], len: usize) -> FaultKind {
        part(&Bytes::copy_from_slice(body), "b0", len)
            .unwrap_err()
            .kind
    }

    #[test]
    fn boundaries_are_found_in_headers() {
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc"));
        assert_eq!(
            boundary("Multipart/Form-Data; charset=x; Boundary=\"a b:c\"; y=1"),
            Some("a b:c")
        );
        // RFC 2046, section 5.1.1.
        let example = "multipart/form-data; boundary=\"gc0pJq0M:08jU534c0p\"";
        assert_eq!(boundary(example), Some("gc0pJq0M:08jU534c0p"));
        for bad in [
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"",
            "multipart/mixed; boundary=a",
            "multipart/form-data; boundary=a\r\nb",
            &format!("multipart/form-data; boundary={}", "a".repeat(71)),
        ] {
            assert_eq!(boundary(bad), None, "{bad}");
        }
    }

    #[test]
    fn bytes_may_look_like_the_end() {
        for data in [
            b"".to_vec(),
            b"hello".to_vec(),
            b"\r\n--b0--\r\n".to_vec(),
            b"x\r\n--b0\r\n\r\n\r\n--b0--".to_vec(),
            (0..=255).collect(),
        ] {
            let body = framed(&data);
            assert_eq!(part(&body, "b0", data.len()).unwrap(), data);
        }
    }

    #[test]
    fn what_is_cut_off_may_come_whole() {
        let body = framed(b"0123456789");
        for end in 0..body.len() - 4 {
            let cut = body.slice(..end);
            let fault = part(&cut, "b0", 10).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Unknown, "{end}: {fault}");
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let body = framed(b"0123456789");
        for len in [0, 1, 9, 11, 12, 4096] {
            assert_eq!(kind(&body, len), FaultKind::Refused, "{len}");
        }
        let two = b"--b0\r\n\r\nab\r\n--b0\r\n\r\ncd\r\n--b0--";
        assert_eq!(kind(two, 2), FaultKind::Refused);
        assert_eq!(kind(b"{\"uuid\":1}", 2), FaultKind::Refused);
        let encoded = b"--b0\r\nContent-Transfer-Encoding: base64\r\n\r\nYWI=\r\n--b0--";
        assert_eq!(kind(encoded, 4), FaultKind::Refused);
        let endless = [b"--b0\r\n".to_vec(), b"a: b\r\n".repeat(9999)].concat();
        assert_eq!(kind(&endless, 4), FaultKind::Refused);
    }
}
