//! One range of an image: asked for, and its answer checked before a byte of it is believed.

use super::fault;
use super::options::Authorization;
use super::pin::{Pin, single};
use crate::fault::{Fault, FaultKind};
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use std::ops::RangeInclusive;

/// The code of the fault of a server that knows no ranges.
pub(super) const NO_RANGES: &str = "NoRanges";

/// Whom to ask, and as whom.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) client: Client,
    pub(super) url: Url,
    pub(super) authorization: Option<Authorization>,
}

impl Remote {
    /// Asks for these bytes of this version; the answer has been judged in nothing yet.
    pub(super) async fn ask(
        &self,
        bytes: &RangeInclusive<u64>,
        pin: &Pin,
    ) -> Result<Response, Fault> {
        let range = format!("bytes={}-{}", bytes.start(), bytes.end());
        let request = self.client.get(self.url.clone());
        // Ranges of a compressed form would be ranges of something else.
        let request = request
            .header(RANGE, range)
            .header(ACCEPT_ENCODING, "identity");
        let request = pin.condition(request);
        let request = match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.header()),
            None => request,
        };
        request.send().await.map_err(fault::from_error)
    }

    /// These bytes of this version, of an image of `total` bytes (whatever it says, if that is none).
    pub(super) async fn get(
        &self,
        bytes: &RangeInclusive<u64>,
        pin: &Pin,
        total: Option<u64>,
    ) -> Result<Bytes, Fault> {
        let response = self.ask(bytes, pin).await?;
        let said = check(&response, bytes)?;
        is_plain(&response)?;
        pin.check(response.headers())?;
        if total.is_some_and(|total| total != said) {
            let message = "it has changed since it was opened: it has another length";
            return Err(Fault::new(FaultKind::Refused, message));
        }
        let len = bytes.end().saturating_sub(*bytes.start()).checked_add(1);
        let len = len.and_then(|len| usize::try_from(len).ok());
        let too_much = || refused("more was asked for than there is memory");
        body(response, len.ok_or_else(too_much)?).await
    }
}

/// Whether this is an answer with exactly `bytes`; gives the length of the whole.
pub(crate) fn check(response: &Response, bytes: &RangeInclusive<u64>) -> Result<u64, Fault> {
    let headers = response.headers();
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {}
        StatusCode::OK => {
            let message = "the server ignores ranges: it sends the whole image for a part of it";
            return Err(refused(message).with_code(NO_RANGES));
        }
        status => return Err(fault::from_status(status, headers)),
    }
    let range = single(headers, &CONTENT_RANGE);
    let range = range.as_ref().and_then(|value| value.to_str().ok());
    let Some(range) = range.and_then(ContentRange::parse) else {
        return Err(refused("the server does not say which bytes it sends"));
    };
    if range.bytes != *bytes {
        return Err(refused(format!(
            "expected bytes {}-{}, but the server sends {}-{}",
            bytes.start(),
            bytes.end(),
            range.bytes.start(),
            range.bytes.end()
        )));
    }
    range
        .total
        .ok_or_else(|| refused("the server does not say how long the image is"))
}

/// Whether the bytes are those of the image, and not of something that was made of it on the way.
pub(super) fn is_plain(response: &Response) -> Result<(), Fault> {
    match response.headers().get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(refused(
            "the server sends it compressed, though it was asked not to",
        )),
        _ => Ok(()),
    }
}

/// Whether this says that there is nothing at all. Servers answer the question for a byte of an empty
/// file with either status.
pub(crate) fn is_empty(response: &Response) -> bool {
    let nothing = |value| value == "bytes */0";
    match response.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => {
            single(response.headers(), &CONTENT_RANGE).is_some_and(nothing)
        }
        StatusCode::OK => response.content_length() == Some(0),
        _ => false,
    }
}

/// Exactly `len` bytes of body. What is longer is noticed before it is kept.
pub(crate) async fn body(mut response: Response, len: usize) -> Result<Bytes, Fault> {
    let mut bytes = BytesMut::with_capacity(len);
    while let Some(part) = response.chunk().await.map_err(fault::from_error)? {
        if part.len() > len.saturating_sub(bytes.len()) {
            return Err(refused(format!(
                "expected {len} bytes, but the server sends more"
            )));
        }
        bytes.extend_from_slice(&part);
    }
    if bytes.len() < len {
        let message = format!("expected {len} bytes, but only {} came", bytes.len());
        return Err(Fault::new(FaultKind::Unknown, message));
    }
    Ok(bytes.freeze())
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Refused, message)
}

/// `bytes 0-499/1234` or `bytes 0-499/*`: RFC 9110, section 14.4.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    bytes: RangeInclusive<u64>,
    total: Option<u64>,
}

impl ContentRange {
    /// None if it is no such text, or contradicts itself.
    fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.split_once(' ')?;
        let (bytes, total) = rest.split_once('/')?;
        let (first, last) = bytes.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = match total {
            "*" => None,
            total => Some(number(total)?),
        };
        let fits = first <= last && total.is_none_or(|total| last < total);
        (unit.eq_ignore_ascii_case("bytes") && fits).then_some(Self {
            bytes: first..=last,
            total,
        })
    }
}

/// Digits only; a sign or a space is no number here.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_strictly() {
        let parse = ContentRange::parse;
        let range = parse("bytes 0-499/1234").unwrap();
        assert_eq!((range.bytes, range.total), (0..=499, Some(1234)));
        assert_eq!(parse("bytes 5-5/*").unwrap().total, None);
        for bad in [
            "",
            "bytes",
            "bytes */1234",
            "bytes 0-499",
            "bytes 500-499/1234",
            "bytes 0-1234/1234",
            "bytes +0-499/1234",
            "bytes 0-499/-1",
            "bytes 0- 499/1234",
            "bytes 0-18446744073709551616/*",
            "octets 0-499/1234",
            "bytes 0-0,2-2/4",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
