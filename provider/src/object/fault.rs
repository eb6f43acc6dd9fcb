//! What the services say when they refuse, sorted by their own codes first.

use crate::fault::{Fault, FaultKind};
use crate::http;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::error::Error as StdError;

/// No code and no sentence of theirs is longer.
const CODE_MAX: usize = 80;
const TEXT_MAX: usize = 200;

/// Errors that name each other in a circle do not keep us.
const SOURCES_MAX: usize = 16;

/// An answer that is no success: its code stands in a header (Azure) or in XML (all of them).
pub(super) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Fault {
    let mut fault = http::fault::from_status(status, headers);
    let text = String::from_utf8_lossy(body);
    let header = headers.get("x-ms-error-code");
    let code = header
        .and_then(|value| value.to_str().ok())
        .or_else(|| element(&text, "Code"))
        .filter(|code| is_code(code));
    let Some(code) = code else { return fault };
    if let Some(kind) = kind(code) {
        fault.kind = kind;
    }
    let said = element(&text, "Message").unwrap_or_default();
    // Azure's sentences go on with ids and times on lines of their own.
    let said: String = said
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(TEXT_MAX)
        .collect();
    fault.message = match status.as_u16() {
        412 | 416 => format!("{} ({code})", fault.message),
        _ if said.is_empty() => format!("{code} ({status})"),
        _ => format!("{code}: {said}"),
    };
    fault.with_code(code)
}

/// What is known of these codes that their status does not say.
fn kind(code: &str) -> Option<FaultKind> {
    Some(match code {
        "SlowDown"
        | "ServiceUnavailable"
        | "RequestLimitExceeded"
        | "ServerBusy"
        | "ThrottlingException"
        | "Throttling"
        | "TooManyRequests" => FaultKind::Throttled,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => {
            FaultKind::Expired
        }
        "InternalError" | "RequestTimeout" | "OperationTimedOut" => FaultKind::Unknown,
        // A clock that is wrong stays wrong, and an archived object archived.
        "RequestTimeTooSkewed" | "InvalidObjectState" | "BlobArchived" => FaultKind::Refused,
        _ => return None,
    })
}

/// The text of the first element of this name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim())
}

fn is_code(code: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=CODE_MAX).contains(&code.len()) && code.chars().all(allowed)
}

/// An error of the crate. What our gate or our credentials said is found again; everything else is
/// told by its innermost reason, since outer ones print URLs.
pub(super) fn from_error(error: &object_store::Error) -> Fault {
    let mut kind = match error {
        object_store::Error::NotFound { .. } => FaultKind::NotFound,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => FaultKind::Denied,
        _ => FaultKind::Refused,
    };
    let mut inner: &dyn StdError = error;
    for _ in 0..SOURCES_MAX {
        if let Some(fault) = inner.downcast_ref::<Fault>() {
            return fault.clone();
        }
        if inner.is::<std::io::Error>() {
            kind = FaultKind::Unknown;
        }
        let Some(source) = inner.source() else { break };
        inner = source;
    }
    Fault::new(kind, http::fault::reasons(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, body: &str) -> Fault {
        let status = StatusCode::from_u16(status).unwrap();
        from_answer(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn codes_say_more_than_statuses() {
        let xml = |code: &str| {
            format!("<?xml?><Error><Code>{code}</Code><Message>Why\nId:1</Message></Error>")
        };
        for (status, code, kind) in [
            (503, "SlowDown", FaultKind::Throttled),
            (400, "ExpiredToken", FaultKind::Expired),
            (403, "RequestTimeTooSkewed", FaultKind::Refused),
            (403, "InvalidObjectState", FaultKind::Refused),
            (403, "AccessDenied", FaultKind::Denied),
            (404, "NoSuchKey", FaultKind::NotFound),
            (400, "RequestTimeout", FaultKind::Unknown),
            (500, "InternalError", FaultKind::Unknown),
        ] {
            let fault = fault(status, &xml(code));
            assert_eq!(fault.kind, kind, "{code}");
            assert!(fault.is(code));
            assert_eq!(fault.message, format!("{code}: Why"));
        }
        assert_eq!(fault(403, "<Code>no code\n</Code>").code, None);
        assert_eq!(fault(502, "\u{0}<html>").kind, FaultKind::Unknown);
        assert!(
            fault(412, &xml("PreconditionFailed"))
                .message
                .contains("changed")
        );
    }
}
