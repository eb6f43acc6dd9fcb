//! The first request for an image: its version, its length, and whether ranges work.
//!
//! It is a `GET` of the first byte and no `HEAD`: a signed URL is good for one method only, and the
//! answer to a `HEAD` does not show whether ranges work.

use super::client::{check_url, shown};
use super::fault;
use super::options::HttpOptions;
use super::pin::Pin;
use super::range::{NO_RANGES, Remote, check, is_empty, is_plain};
use super::repeat::repeat;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use reqwest::header::LOCATION;
use reqwest::{Response, Url};

/// Redirects that are followed, on the same scheme, host and port.
const REDIRECTS_MAX: usize = 5;

/// What the first answer says.
#[derive(Debug)]
pub(super) struct Opened {
    /// The URL behind all redirects.
    pub(super) url: Url,
    /// The version.
    pub(super) pin: Pin,
    /// Bytes, at least one.
    pub(super) size: u64,
}

/// Reads a URL as the user typed it.
pub(super) fn parse(text: &str) -> Result<Url> {
    let mut url = Url::parse(text).map_err(|error| Error::Usage {
        // What follows a question mark may be a signature.
        what: format!(
            "expected a URL, not {}: {error}",
            text.split(['?', '#']).next().unwrap_or_default()
        ),
        hint: Some("write https://HOST/PATH".to_owned()),
    })?;
    url.set_fragment(None);
    check_url(&url)?;
    Ok(url)
}

/// Asks for the first byte, repeatedly if need be.
pub(super) async fn open(remote: &Remote, options: &HttpOptions) -> Result<Opened> {
    let name = shown(&remote.url);
    let opened = repeat(async || first_byte(remote).await).await;
    let (url, response, size) = opened.map_err(|fault| error(&name, fault))?;
    let pin = match Pin::of(response.headers()) {
        _ if options.live => Pin::Any,
        Some(pin) => pin,
        None => return Err(unpinned(&name)),
    };
    Ok(Opened { url, pin, size })
}

/// The first byte's answer, behind redirects of the same origin, and the length of the whole.
async fn first_byte(remote: &Remote) -> Result<(Url, Response, u64), Fault> {
    let mut remote = remote.clone();
    for _ in 0..=REDIRECTS_MAX {
        let response = remote.ask(&(0..=0), &Pin::Any).await?;
        if let Some(url) = redirect(&remote.url, &response)? {
            remote.url = url;
            continue;
        }
        if is_empty(&response) {
            return Err(Fault::new(FaultKind::Refused, "it is empty"));
        }
        let size = check(&response, &(0..=0))?;
        is_plain(&response)?;
        if i64::try_from(size).is_err() {
            let message = format!("expected fewer than 2^63 bytes, but it says {size}");
            return Err(Fault::new(FaultKind::Refused, message));
        }
        return Ok((remote.url, response, size));
    }
    let message = format!("expected at most {REDIRECTS_MAX} redirects");
    Err(Fault::new(FaultKind::Refused, message))
}

/// Where an answer leads, if it is a redirect: only within the same scheme, host and port.
fn redirect(from: &Url, response: &Response) -> Result<Option<Url>, Fault> {
    let status = response.status();
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let Some(mut to) = location.and_then(|text| from.join(text).ok()) else {
        return Err(fault::from_status(status, response.headers()));
    };
    to.set_fragment(None);
    if to.origin() != from.origin() || check_url(&to).is_err() {
        let message = format!("the server leads to another place, {}", shown(&to));
        return Err(Fault::new(FaultKind::Refused, message).with_code(ELSEWHERE));
    }
    Ok(Some(to))
}

/// The code of the fault of a redirect that is not followed.
const ELSEWHERE: &str = "Elsewhere";

fn unpinned(name: &str) -> Error {
    Error::Refused {
        what: format!(
            "refused to open {name}: the server names no version of it, so a change would not be seen"
        ),
        hint: Some(
            "if it was just written, wait two seconds; accept an image that may move with --live"
                .to_owned(),
        ),
    }
}

fn error(name: &str, fault: Fault) -> Error {
    let hint = match (fault.kind, fault.code.as_deref()) {
        (FaultKind::NotFound, _) => {
            return Error::NoSuch {
                what: format!("cannot open {name}: {fault}"),
                hint: Some("check the URL".to_owned()),
            };
        }
        (FaultKind::Denied, _) => {
            Some("use a signed URL, or a source with credentials in the configuration")
        }
        (_, Some(NO_RANGES)) => Some("download it, or serve it with a server that knows ranges"),
        (FaultKind::Unknown, None) => Some("check the address, and that the server runs"),
        (_, Some(ELSEWHERE)) => Some("if you trust that place, name its URL instead"),
        _ => None,
    };
    Error::Remote {
        doing: format!("open {name}"),
        fault,
        hint: hint.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_is_told_without_its_query() {
        for text in [
            "https://?s3cret",
            "https://[h/?s3cret",
            "x?s3cret",
            "http://h/?s3cret",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
        let url = parse("https://h/x?a=b#c").unwrap();
        assert_eq!(url.as_str(), "https://h/x?a=b");
    }
}
