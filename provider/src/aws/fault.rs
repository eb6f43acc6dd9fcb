//! Faults of AWS: three ways to write them, one table of what they mean.

use super::credentials::NO_CREDENTIALS;
use crate::account::text::tame;
use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use quick_xml::events::Event;
use serde_json::Value;

/// Longest code that is taken for one.
const CODE_MAX: usize = 100;

/// What an answer that is no success says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: Option<String>,
    reason: Option<String>,
    message: Option<String>,
}

/// The fault that an answer with this status, header and body is. None of `secrets` gets into it.
///
/// The code of EBS has the reason after a dot: `ValidationException.INVALID_BLOCK_TOKEN`.
pub(super) fn fault(status: u16, error_type: Option<&str>, body: &[u8], secrets: &[&str]) -> Fault {
    let said = read(error_type, body);
    let message = said.message.map(|message| tame(&message, secrets));
    let message = message.filter(|message| !message.is_empty());
    let Some(code) = said.code else {
        let words = match message {
            Some(message) => format!("{message} (HTTP {status})"),
            None => format!("the server answered with HTTP {status} and no reason"),
        };
        // Whatever AWS refuses, it says why. An answer that does not was not heard rightly.
        let kind = match status {
            400 => FaultKind::Unknown,
            status => kind_of_status(status),
        };
        return Fault::new(kind, words);
    };
    let words = message.unwrap_or_else(|| format!("HTTP {status}"));
    let kind = kind_of_code(&code, said.reason.as_deref(), &words);
    let code = match said.reason {
        Some(reason) => format!("{code}.{reason}"),
        None => code,
    };
    let kind = kind.unwrap_or_else(|| kind_of_status(status));
    Fault::new(kind, format!("{words} ({code})")).with_code(code)
}

/// The same as an error with a hint, where the code gives one.
#[must_use]
pub fn error(doing: impl Into<String>, fault: Fault) -> Error {
    let hint = hint(&fault);
    Error::Remote {
        doing: doing.into(),
        fault,
        hint,
    }
}

/// What to try next after a fault.
#[must_use]
pub fn hint(fault: &Fault) -> Option<String> {
    let code = fault.code.as_deref().unwrap_or_default();
    let words = match fault.kind {
        FaultKind::Denied if code == NO_CREDENTIALS => {
            "run `aws configure` or `aws sso login`, set AWS_PROFILE, or name a profile with --profile"
        }
        FaultKind::Denied if code.ends_with("DEPENDENCY_ACCESS_DENIED") => {
            "the snapshot is encrypted: allow kms:Decrypt on its key"
        }
        FaultKind::Denied if is_signature(code) => {
            "check the secret key, and `aws sts get-caller-identity` with the same profile"
        }
        FaultKind::Denied => "`flr policy aws` prints what has to be allowed",
        FaultKind::Expired => "log in again: `aws sso login`, or renew the session's credentials",
        FaultKind::Quota => "free some, or have the quota raised in Service Quotas",
        FaultKind::Throttled => "wait a little; others use the same account's budget of requests",
        _ => return None,
    };
    Some(words.to_owned())
}

/// Whether this is what AWS says to a signature of the wrong time, among other things.
pub(super) fn is_signature(code: &str) -> bool {
    matches!(
        code,
        "AuthFailure"
            | "InvalidSignatureException"
            | "RequestExpired"
            | "RequestInTheFuture"
            | "RequestTimeTooSkewed"
            | "SignatureDoesNotMatch"
    )
}

/// What codes mean, whatever the status.
const KINDS: &[(FaultKind, &[&str])] = &[
    (
        FaultKind::Expired,
        &[
            "ExpiredToken",
            "ExpiredTokenException",
            "RequestExpired",
            "RequestInTheFuture",
            "RequestTimeTooSkewed",
            "TokenRefreshRequired",
        ],
    ),
    (
        FaultKind::Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "AuthFailure",
            "AuthorizationHeaderMalformed",
            "Blocked",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidSecurityToken",
            "InvalidSignatureException",
            "KMSAccessDeniedException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OperationNotPermitted",
            "OptInRequired",
            "PendingVerification",
            "SignatureDoesNotMatch",
            "SubscriptionRequiredException",
            "UnauthenticatedException",
            "UnauthorizedOperation",
            "UnrecognizedClientException",
        ],
    ),
    (
        FaultKind::Throttled,
        &[
            "BandwidthLimitExceeded",
            "ConcurrentLimitExceededException",
            "EC2ThrottledException",
            "PriorRequestNotComplete",
            "RequestLimitExceeded",
            "SlowDown",
            "SnapshotCreationPerVolumeRateExceeded",
            "TooManyRequestsException",
            "TransactionInProgressException",
        ],
    ),
    (
        FaultKind::Quota,
        &[
            "InsufficientCapacity",
            "InsufficientInstanceCapacity",
            "InsufficientVolumeCapacity",
            "MaxIOPSLimitExceeded",
            "ServiceQuotaExceededException",
        ],
    ),
    (
        FaultKind::Exists,
        &[
            "ConflictException",
            "IdempotentParameterMismatch",
            "ResourceAlreadyExists",
        ],
    ),
    (
        FaultKind::InUse,
        &[
            "AccountSetupInProgressException",
            "DependencyViolation",
            "IncorrectInstanceState",
            "IncorrectState",
            "IncorrectStateException",
            "RegionSetupInProgressException",
            "ResourceInUse",
            "VolumeInUse",
        ],
    ),
    (
        FaultKind::NotFound,
        &[
            "NoSuchBucket",
            "NoSuchEntity",
            "NoSuchKey",
            "NotFoundException",
            "ResourceNotFoundException",
        ],
    ),
    (
        FaultKind::Unknown,
        &[
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServerException",
            "InternalServiceError",
            "OperationFailureException",
            "RequestCanceled",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "Unavailable",
        ],
    ),
    (
        FaultKind::Refused,
        &[
            "DryRunOperation",
            "InvalidInputException",
            "InvalidParameterCombination",
            "InvalidParameterValue",
            "InvalidRequest",
            "MissingParameter",
            "UnknownParameter",
            "UnsupportedOperation",
            "ValidationException",
        ],
    ),
];

/// What a code means; nothing if it is not known.
fn kind_of_code(code: &str, reason: Option<&str>, message: &str) -> Option<FaultKind> {
    let code = code.strip_prefix("Client.").unwrap_or(code);
    let code = code.strip_prefix("Server.").unwrap_or(code);
    let expired = message.contains("expired") || message.contains("not yet current");
    match code {
        "InvalidSignatureException" | "SignatureDoesNotMatch" if expired => {
            Some(FaultKind::Expired)
        }
        "InvalidParameterValue" if message.contains("already in use") => Some(FaultKind::Exists),
        "ValidationException" if reason == Some("WRITE_REQUEST_TIMEOUT") => {
            Some(FaultKind::Unknown)
        }
        _ => {
            let found = KINDS.iter().find(|(_, codes)| codes.contains(&code));
            found.map(|(kind, _)| *kind).or_else(|| kind_of_form(code))
        }
    }
}

/// What the form of a code means, for the many that follow one.
fn kind_of_form(code: &str) -> Option<FaultKind> {
    // EBS writes RequestThrottledException, its manual RequestThrottleException.
    if code.starts_with("RequestThrottle") || code.starts_with("Throttl") {
        return Some(FaultKind::Throttled);
    }
    let suffixes = [
        (".NotFound", FaultKind::NotFound),
        (".Unknown", FaultKind::NotFound),
        (".InUse", FaultKind::InUse),
        (".Duplicate", FaultKind::Exists),
        (".AlreadyExists", FaultKind::Exists),
        ("LimitExceeded", FaultKind::Quota),
        ("QuotaExceeded", FaultKind::Quota),
        (".Malformed", FaultKind::Refused),
    ];
    let found = suffixes.iter().find(|(suffix, _)| code.ends_with(suffix));
    found.map(|(_, kind)| *kind)
}

/// What a status alone means. "Not found" is believed only of a service that says what was not found: a
/// page of a proxy in between must not pass for the end of a volume.
const fn kind_of_status(status: u16) -> FaultKind {
    match status {
        401 | 403 => FaultKind::Denied,
        429 => FaultKind::Throttled,
        404 | 408 | 500..=599 => FaultKind::Unknown,
        _ => FaultKind::Refused,
    }
}

fn read(error_type: Option<&str>, body: &[u8]) -> Said {
    let text = String::from_utf8_lossy(body);
    let start = text.trim_start();
    let mut said = if start.starts_with('{') {
        read_json(start)
    } else if start.starts_with('<') {
        read_xml(start)
    } else {
        Said::default()
    };
    if let Some(code) = error_type.and_then(plain_code) {
        said.code = Some(code);
    }
    said
}

/// A code without the shape's namespace before it and the address behind it.
fn plain_code(code: &str) -> Option<String> {
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good = (1..=CODE_MAX).contains(&code.len()) && code.chars().all(fits);
    good.then(|| code.to_owned())
}

fn read_json(text: &str) -> Said {
    let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let field = |names: [&str; 2]| names.iter().find_map(|name| value.get(name)?.as_str());
    Said {
        code: field(["__type", "code"]).and_then(plain_code),
        reason: field(["Reason", "reason"]).and_then(plain_code),
        message: field(["Message", "message"]).map(str::to_owned),
    }
}

/// The first `Error/Code` and `Error/Message`, wherever they are.
fn read_xml(text: &str) -> Said {
    let mut said = Said::default();
    let mut reader = quick_xml::Reader::from_str(text);
    let mut path: Vec<Vec<u8>> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => path.push(start.local_name().as_ref().to_vec()),
            Ok(Event::End(_)) => {
                let closed = path.pop();
                if closed.as_deref() == Some(b"Error") && said.code.is_some() {
                    return said;
                }
            }
            Ok(Event::Text(text)) => add(&mut said, &path, &text.decode().unwrap_or_default()),
            Ok(Event::GeneralRef(reference)) => {
                let name = reference.decode().unwrap_or_default();
                let resolved = match name.as_ref() {
                    "amp" => "&",
                    "lt" => "<",
                    "gt" => ">",
                    "quot" => "\"",
                    "apos" => "'",
                    _ => " ",
                };
                add(&mut said, &path, resolved);
            }
            Ok(Event::Eof) | Err(_) => return said,
            Ok(_) => {}
        }
    }
}

fn add(said: &mut Said, path: &[Vec<u8>], text: &str) {
    let [.., parent, name] = path else { return };
    if parent != b"Error" {
        return;
    }
    match name.as_slice() {
        b"Code" if said.code.is_none() => said.code = plain_code(text),
        b"Message" => said.message.get_or_insert_default().push_str(text),
        _ => {}
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
