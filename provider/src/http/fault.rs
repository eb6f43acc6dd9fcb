//! How a call over HTTP fails, as a [`Fault`]: the one place where errors of the client and statuses of
//! plain servers are judged. Providers with error codes of their own judge by those first.

use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

/// A server may ask for silence, but not for ever.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Errors that name each other in a circle do not keep us, and a long story helps nobody.
const REASONS_MAX: usize = 8;
const MESSAGE_MAX: usize = 400;

/// A call that got no answer, or only a part of one.
///
/// The URL is left out: its query may be as good as a password. Only what can never get better is
/// [`FaultKind::Refused`]: a certificate that is not trusted, a request that cannot be built.
#[must_use]
pub fn from_error(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    let kind = if error.is_builder() || is_certificate(&error) {
        FaultKind::Refused
    } else {
        FaultKind::Unknown
    };
    Fault::new(kind, reasons(&error))
}

/// An answer whose status is no success, of a server that says nothing more than that.
#[must_use]
pub fn from_status(status: StatusCode, headers: &HeaderMap) -> Fault {
    let kind = match status.as_u16() {
        401 | 403 => FaultKind::Denied,
        404 | 410 => FaultKind::NotFound,
        429 | 503 => FaultKind::Throttled,
        500..=599 | 408 => FaultKind::Unknown,
        _ => FaultKind::Refused,
    };
    let message = match status.as_u16() {
        412 => "it has changed since it was opened (412 Precondition Failed)".to_owned(),
        416 => {
            "the server says that it is shorter than that (416 Range Not Satisfiable)".to_owned()
        }
        _ => format!("the server answered {status}"),
    };
    let mut fault = Fault::new(kind, message);
    fault.retry_after = retry_after(headers);
    fault
}

/// How long the server wants to be left alone, given in seconds or as a date; at most an hour.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    retry_after_at(headers, SystemTime::now())
}

fn retry_after_at(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            let date = date(text)?;
            date.since(UnixTime(now.as_secs()))
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn date(text: &str) -> Option<UnixTime> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    let timestamp = parser.parse_timestamp(text.trim()).ok()?;
    u64::try_from(timestamp.as_second()).ok().map(UnixTime)
}

/// An error and what it came from, in one line: `error sending request: connection refused`.
pub(crate) fn reasons(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    for _ in 0..REASONS_MAX {
        let Some(error) = source else { break };
        let reason = error.to_string();
        // Many errors print their source themselves.
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        source = error.source();
    }
    let end = text.char_indices().nth(MESSAGE_MAX).map(|(end, _)| end);
    if let Some(end) = end {
        text.truncate(end);
        text.push('…');
    }
    text.replace(char::is_control, " ")
}

/// Whether the server's certificate is why: trying again does not make it a better one.
fn is_certificate(error: &dyn StdError) -> bool {
    let mut source = error.source();
    for _ in 0..REASONS_MAX {
        let Some(error) = source else { break };
        // An error of the system may be wrapped in another one, and is passed over by `source`.
        let mut inner = error;
        for _ in 0..REASONS_MAX {
            let io = inner.downcast_ref::<std::io::Error>();
            let Some(wrapped) = io.and_then(std::io::Error::get_ref) else {
                break;
            };
            inner = wrapped;
        }
        let tls = inner.downcast_ref::<rustls::Error>();
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(retry_after: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(retry_after))])
    }

    #[test]
    fn statuses_are_sorted() {
        let kind = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            from_status(status, &HeaderMap::new()).kind
        };
        assert_eq!(kind(401), FaultKind::Denied);
        assert_eq!(kind(404), FaultKind::NotFound);
        assert_eq!(kind(429), FaultKind::Throttled);
        assert_eq!(kind(503), FaultKind::Throttled);
        assert_eq!(kind(500), FaultKind::Unknown);
        assert_eq!(kind(504), FaultKind::Unknown);
        assert_eq!(kind(302), FaultKind::Refused);
        assert_eq!(kind(412), FaultKind::Refused);
        assert_eq!(kind(416), FaultKind::Refused);
    }

    #[test]
    fn servers_say_when_to_come_back() {
        // The date is the example of RFC 9110, section 5.6.7.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 90);
        let wait = |text| retry_after_at(&headers(text), now);
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::from_secs(90))
        );
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("99999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(wait("soon"), None);
        assert_eq!(retry_after_at(&HeaderMap::new(), now), None);
    }

    #[test]
    fn an_unreachable_server_is_told_without_its_query() {
        let url = reqwest::Url::parse("http://127.0.0.1:1/x?token=s3cret").unwrap();
        let client = crate::http::client(&url).unwrap();
        let error = crate::remote::block_on(async { client.get(url).send().await }).unwrap_err();
        let fault = from_error(error);
        assert_eq!(fault.kind, FaultKind::Unknown);
        assert!(fault.message.contains("refused"), "{}", fault.message);
        assert!(!format!("{fault:?}").contains("s3cret"));
    }
}
