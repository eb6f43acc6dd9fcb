//! Which version of an image was opened: what every later request insists on, and every answer must
//! confirm.
//!
//! | what the server gives | condition | compared |
//! |---|---|---|
//! | a strong `ETag` | `If-Match` | `ETag` |
//! | `Last-Modified`, two seconds or more before its `Date` | `If-Unmodified-Since` | `Last-Modified`, a weak `ETag` |
//! | neither | refused, unless the image may move | |
//!
//! RFC 9110, section 8.8.2.2: a time of modification is a strong validator only if nothing can have
//! changed within the same second afterwards.

use super::fault::date;
use crate::fault::{Fault, FaultKind};
use reqwest::RequestBuilder;
use reqwest::header::{
    DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use std::time::Duration;

/// A file that was written this shortly before may be written again within the second that it names.
const SETTLED: Duration = Duration::from_secs(2);

/// No server needs more to name a version.
const VALIDATOR_LEN_MAX: usize = 1024;

/// A version of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// By a strong entity tag.
    Tag(HeaderValue),
    /// By the time it was modified, and a weak tag if there is one.
    Modified {
        time: HeaderValue,
        weak: Option<HeaderValue>,
    },
    /// Any: the image may move.
    Any,
}

impl Pin {
    /// The version that the headers of an answer name, if they name one reliably.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let tag = single(headers, &ETAG);
        if let Some(tag) = &tag
            && is_strong(tag)
        {
            return Some(Self::Tag(tag.clone()));
        }
        let time = single(headers, &LAST_MODIFIED)?;
        let modified = date(time.to_str().ok()?)?;
        let now = date(single(headers, &DATE)?.to_str().ok()?)?;
        (now.since(modified) >= SETTLED).then_some(Self::Modified { time, weak: tag })
    }

    /// Asks for this version only.
    pub(super) fn condition(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Tag(tag) => request.header(IF_MATCH, tag),
            Self::Modified { time, .. } => request.header(IF_UNMODIFIED_SINCE, time),
            Self::Any => request,
        }
    }

    /// Whether an answer is of this version. One that does not say is not.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let same = match self {
            Self::Tag(tag) => single(headers, &ETAG).as_ref() == Some(tag),
            Self::Modified { time, weak } => {
                single(headers, &LAST_MODIFIED).as_ref() == Some(time)
                    && single(headers, &ETAG) == *weak
            }
            Self::Any => true,
        };
        if same {
            return Ok(());
        }
        let message = "it has changed since it was opened: the answer is of another version";
        Err(Fault::new(FaultKind::Refused, message))
    }

    /// What names the version among all of the same URL, if the server promises that it does.
    pub(super) fn version(&self) -> Option<&[u8]> {
        match self {
            Self::Tag(tag) => Some(tag.as_bytes()),
            Self::Modified { .. } | Self::Any => None,
        }
    }
}

/// The value of a header that may occur once only.
pub(super) fn single(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    (values.next().is_none() && value.len() <= VALIDATOR_LEN_MAX).then(|| value.clone())
}

/// `"…"`, not `W/"…"`.
fn is_strong(tag: &HeaderValue) -> bool {
    let inner = tag
        .as_bytes()
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    inner.is_some_and(|inner| !inner.contains(&b'"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        let mut map = HeaderMap::new();
        for (name, value) in lines.iter().map(line) {
            map.append(name, value);
        }
        map
    }

    const MODIFIED: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    const LATER: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:39 GMT");
    const SOON: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:38 GMT");

    #[test]
    fn only_what_names_one_version_is_a_pin() {
        let strong = Pin::of(&headers(&[("etag", "\"a\""), MODIFIED, SOON])).unwrap();
        assert_eq!(strong.version(), Some(&b"\"a\""[..]));
        assert!(matches!(
            Pin::of(&headers(&[("etag", "W/\"a\""), MODIFIED, LATER])),
            Some(Pin::Modified { weak: Some(_), .. })
        ));
        for nothing in [
            &[][..],
            &[("etag", "W/\"a\"")],
            &[("etag", "a")],
            &[("etag", "\"a\""), ("etag", "\"b\"")],
            &[MODIFIED],
            &[MODIFIED, SOON],
            &[("last-modified", "yesterday"), LATER],
        ] {
            assert_eq!(Pin::of(&headers(nothing)), None, "{nothing:?}");
        }
    }

    #[test]
    fn an_answer_must_confirm_the_version() {
        let pin = Pin::of(&headers(&[("etag", "\"a\"")])).unwrap();
        assert!(pin.check(&headers(&[("etag", "\"a\"")])).is_ok());
        for other in [
            &[][..],
            &[("etag", "\"b\"")],
            &[("etag", "W/\"a\"")],
            &[("etag", "\"a\""), ("etag", "\"a\"")],
        ] {
            let fault = pin.check(&headers(other)).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Refused, "{other:?}");
        }
        let pin = Pin::of(&headers(&[MODIFIED, LATER])).unwrap();
        assert!(pin.check(&headers(&[MODIFIED])).is_ok());
        assert!(pin.check(&headers(&[MODIFIED, ("etag", "\"a\"")])).is_err());
        assert!(pin.check(&headers(&[LATER])).is_err());
        assert!(Pin::Any.check(&headers(&[])).is_ok());
    }
}
