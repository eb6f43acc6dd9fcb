//! How calls to Alibaba Cloud fail: codes, and what they mean.
//!
//! An answer that is no success has `{"Code": …, "Message": …}`. Codes have parts behind dots, from the
//! general to the particular; the longest one that is known counts.

use crate::account::NO_CREDENTIALS;
use crate::account::text::tame;
use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// Longest code that is taken for one.
const CODE_MAX: usize = 100;

/// A server may ask for silence, but not for ever.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// The fault that an answer with this status and body is. None of `secrets` gets into it.
pub(super) fn fault(status: u16, body: &[u8], secrets: &[&str]) -> Fault {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    of_value(status, &value, secrets)
}

/// The same, for an answer that was read already.
pub(super) fn of_value(status: u16, value: &Value, secrets: &[&str]) -> Fault {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let message = text("Message").map(|message| tame(message, secrets));
    let message = message.filter(|message| !message.is_empty());
    let code = text("Code").filter(|code| is_code(code));
    let Some(code) = code else {
        let words = match message {
            Some(message) => format!("{message} (HTTP {status})"),
            None => format!("the server answered with HTTP {status} and no reason"),
        };
        // Whatever ECS refuses, it says why. An answer that does not was not heard rightly.
        let kind = match status {
            400 => FaultKind::Unknown,
            status => kind_of_status(status),
        };
        return Fault::new(kind, words);
    };
    let words = message.unwrap_or_else(|| format!("HTTP {status}"));
    let kind = kind_of_code(code).unwrap_or_else(|| match status {
        // It says what it does not like, and 403 is said to much else than what is not allowed.
        401 | 403 | 404 => FaultKind::Refused,
        status => kind_of_status(status),
    });
    Fault::new(kind, format!("{words} ({code})")).with_code(code)
}

/// How long the provider wants to be left alone: milliseconds.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("x-acs-retry-after")?.to_str().ok()?;
    let wait = Duration::from_millis(text.trim().parse().ok()?);
    Some(wait.min(RETRY_AFTER_MAX))
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
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| code.starts_with(prefix));
    let words = match fault.kind {
        FaultKind::Denied if code == NO_CREDENTIALS => {
            "run `aliyun configure`, set ALIBABA_CLOUD_PROFILE, or name a profile with --profile"
        }
        FaultKind::Denied if begins(IN_ARREARS) => {
            "settle the account's bill, or add to its balance, in the console under Expenses"
        }
        FaultKind::Denied if begins(LOCKED) => {
            "Alibaba Cloud has locked it for security or for an unpaid bill: see the console"
        }
        FaultKind::Denied if is_signature(code) => {
            "check the secret key, and `aliyun sts GetCallerIdentity` with the same profile"
        }
        FaultKind::Denied => "`flr policy aliyun` prints what has to be allowed",
        FaultKind::Expired => "renew the session's credentials: `aliyun configure`",
        FaultKind::Quota if code.starts_with("InstanceDiskLimitExceeded") => {
            "detach a disk of this instance, or run flr on another one in the same zone"
        }
        FaultKind::Quota => "delete some, or have the quota raised in Quota Center",
        FaultKind::Refused if code == "ResourcesNotInSameZone" => {
            "the disk is made in the zone that the metadata of this instance say: compare them with the \
             console"
        }
        FaultKind::Throttled => "wait a little; others use the same account's budget of requests",
        _ => return None,
    };
    Some(words.to_owned())
}

/// Whether this is what is said to a signature of the wrong time, among other things.
pub(super) fn is_signature(code: &str) -> bool {
    let begins = |prefix: &&str| code.starts_with(prefix);
    [
        "IllegalTimestamp",
        "IncompleteSignature",
        "InvalidTimeStamp",
        "SignatureDoesNotMatch",
    ]
    .iter()
    .any(begins)
}

/// The account owes money, or has none.
const IN_ARREARS: &[&str] = &[
    "Account.Arrearage",
    "DiskInArrears",
    "InsufficientBalance",
    "InvalidAccountStatus",
];

/// What was locked by the provider.
const LOCKED: &[&str] = &[
    "DiskLockedForSecurity",
    "InstanceLockedForSecurity",
    "OperationLocked",
];

/// What codes mean, whatever the status; also with more parts behind them.
const KINDS: &[(FaultKind, &[&str])] = &[
    (
        FaultKind::Expired,
        &[
            "IllegalTimestamp",
            "InvalidSecurityToken.Expired",
            "InvalidTimeStamp.Expired",
            "SecurityTokenExpired",
        ],
    ),
    (
        FaultKind::Denied,
        &[
            "Account.Arrearage",
            "DiskInArrears",
            "DiskLockedForSecurity",
            "Forbidden",
            "IncompleteSignature",
            "InstanceLockedForSecurity",
            "InsufficientBalance",
            "InvalidAccessKeyId",
            "InvalidAccountStatus",
            "InvalidSecurityToken",
            "InvalidUser.NotInWhiteList",
            "MissingAccessKeyId",
            "MissingSecurityToken",
            "NoPermission",
            "OperationLocked",
            "SignatureDoesNotMatch",
            "UnauthorizedOperation",
        ],
    ),
    (FaultKind::Throttled, &["ServiceBusy", "SystemBusy"]),
    (
        FaultKind::Quota,
        &[
            "InstanceDiskLimitExceeded",
            "InstanceDiskNumLimitExceed",
            "OperationDenied.NoStock",
            "QuotaExceed",
            "QuotaExceeded",
        ],
    ),
    (FaultKind::Exists, &["IdempotentParameterMismatch"]),
    // No word on what was asked for there.
    (FaultKind::Refused, &["InvalidRegion", "InvalidRegionId"]),
    (
        FaultKind::InUse,
        &[
            "DependencyViolation",
            "DiskCreatingSnapshot",
            "DiskInUse",
            "DiskStillAttached",
            "IncorrectDiskStatus",
            "IncorrectInstanceStatus",
            "InvalidDisk.InUse",
            "InvalidDiskStatus",
            "InvalidSnapshot.NotReady",
            "InvalidSnapshotId.NotReady",
            "OperationConflict",
        ],
    ),
    (
        FaultKind::Unknown,
        &[
            // The first call of the same token is still on its way.
            "IdempotentProcessing",
            "InternalError",
            "ServiceTimeout",
            "ServiceUnavailable",
            // Something in between has delivered it twice.
            "SignatureNonceUsed",
            "UnknownError",
        ],
    ),
];

/// Whether it is known what a code means.
pub(super) fn is_known(code: &str) -> bool {
    kind_of_code(code).is_some()
}

/// What a code means; nothing if it is not known.
fn kind_of_code(code: &str) -> Option<FaultKind> {
    if code.starts_with("Throttling") || code.starts_with("FlowControl") {
        return Some(FaultKind::Throttled);
    }
    // `InvalidAccessKeyId.NotFound` is known whole, so it counts before its form.
    let mut shorter = Some(code);
    while let Some(prefix) = shorter {
        let known = KINDS.iter().find(|(_, codes)| codes.contains(&prefix));
        if let Some((kind, _)) = known {
            return Some(*kind);
        }
        shorter = prefix.rsplit_once('.').map(|(start, _)| start);
    }
    let is_missing = code.ends_with(".NotFound") || code.ends_with(".NotExist");
    is_missing.then_some(FaultKind::NotFound)
}

/// What a status alone means. "Not found" is believed only of a service that says what was not found.
const fn kind_of_status(status: u16) -> FaultKind {
    match status {
        401 | 403 => FaultKind::Denied,
        429 => FaultKind::Throttled,
        200 | 404 | 408 | 500..=599 => FaultKind::Unknown,
        _ => FaultKind::Refused,
    }
}

fn is_code(code: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=CODE_MAX).contains(&code.len()) && code.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn of(status: u16, code: &str) -> Fault {
        let body = format!(
            r#"{{"RequestId":"4C467B38","HostId":"ecs.aliyuncs.com","Code":"{code}","Message":"said."}}"#
        );
        fault(status, body.as_bytes(), &[])
    }

    #[test]
    fn codes_are_sorted_by_their_effect() {
        for (status, code, kind) in [
            (400, "Throttling", FaultKind::Throttled),
            (400, "Throttling.User", FaultKind::Throttled),
            (503, "Throttling.Api", FaultKind::Throttled),
            (400, "InvalidSecurityToken.Expired", FaultKind::Expired),
            (400, "InvalidSecurityToken.Malformed", FaultKind::Denied),
            (404, "InvalidAccessKeyId.NotFound", FaultKind::Denied),
            (403, "Forbidden.RAM", FaultKind::Denied),
            (403, "Account.Arrearage", FaultKind::Denied),
            (
                403,
                "InvalidAccountStatus.NotEnoughBalance",
                FaultKind::Denied,
            ),
            (403, "InstanceLockedForSecurity", FaultKind::Denied),
            (403, "QuotaExceed.PortableCloudDisk", FaultKind::Quota),
            (403, "InstanceDiskLimitExceeded", FaultKind::Quota),
            (400, "IdempotentParameterMismatch", FaultKind::Exists),
            (400, "IdempotentProcessing", FaultKind::Unknown),
            (403, "IncorrectDiskStatus.Initializing", FaultKind::InUse),
            (403, "IncorrectDiskStatus", FaultKind::InUse),
            (403, "DiskCreatingSnapshot", FaultKind::InUse),
            (404, "InvalidDiskId.NotFound", FaultKind::NotFound),
            (404, "InvalidSnapshotId.NotFound", FaultKind::NotFound),
            (404, "InvalidRegionId.NotFound", FaultKind::Refused),
            (404, "InvalidUsage", FaultKind::Refused),
            (500, "InternalError", FaultKind::Unknown),
            (503, "ServiceUnavailable", FaultKind::Unknown),
            (
                400,
                "InvalidDataDiskCategory.ValueNotSupported",
                FaultKind::Refused,
            ),
            (403, "ResourcesNotInSameZone", FaultKind::Refused),
            (500, "SomethingOfLaterTimes", FaultKind::Unknown),
        ] {
            let fault = of(status, code);
            assert_eq!(fault.kind, kind, "{code}");
            assert_eq!(fault.message, format!("said ({code})"));
            assert!(fault.is(code));
        }
    }

    #[test]
    fn what_is_no_answer_of_the_provider_has_no_code() {
        for body in ["", "<html>", "{}", r#"{"Code":5}"#, r#"{"Code":"a b"}"#] {
            let kind = |status| fault(status, body.as_bytes(), &[]).kind;
            assert_eq!(kind(400), FaultKind::Unknown, "{body}");
            assert_eq!(kind(404), FaultKind::Unknown);
            assert_eq!(kind(502), FaultKind::Unknown);
            assert_eq!(kind(403), FaultKind::Denied);
            assert!(fault(400, body.as_bytes(), &[]).code.is_none());
        }
    }

    #[test]
    fn secrets_are_not_repeated() {
        let body = br#"{"Code":"SignatureDoesNotMatch","Message":"bad with s3cret-canary, server StringToSign is:[tok]"}"#;
        let fault = fault(400, body, &["s3cret-canary"]);
        assert_eq!(fault.message, "bad with …, (SignatureDoesNotMatch)");
        assert!(hint(&fault).unwrap().contains("secret key"));
    }

    #[test]
    fn hints_fit_their_codes() {
        for (code, words) in [
            ("Account.Arrearage", "bill"),
            ("InstanceLockedForSecurity", "locked"),
            ("InstanceDiskLimitExceeded", "detach"),
            ("QuotaExceed.PostPaidDisk", "Quota Center"),
            ("NoPermission", "flr policy aliyun"),
            ("ResourcesNotInSameZone", "zone"),
            ("Throttling.User", "wait"),
        ] {
            let hint = hint(&of(403, code)).unwrap();
            assert!(hint.contains(words), "{code}: {hint}");
        }
    }

    #[test]
    fn silence_is_asked_for_in_milliseconds() {
        let headers = |text: &'static str| {
            HeaderMap::from_iter([(
                "x-acs-retry-after".parse().unwrap(),
                HeaderValue::from_static(text),
            )])
        };
        assert_eq!(
            retry_after(&headers("1500")),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(retry_after(&headers("99999999999")), Some(RETRY_AFTER_MAX));
        assert_eq!(retry_after(&headers("soon")), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
