//! Faults of ONTAP: `{"error":{"code":"4","message":"…","target":"…"}}`, and one table of what codes mean.
//!
//! Codes are numbers as text. Most calls have dozens of their own; those here are the ones that decide what is
//! done next. All else is judged by the status and by what the message says.

use super::text::tame;
use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::Value;

/// The code of a call that waits for other administrators (multi-admin verification).
pub(super) const APPROVAL: &str = "ApprovalNeeded";
/// The code of a feature without a licence.
pub(super) const LICENCE: &str = "LicenceMissing";
/// The code of a volume or aggregate without room.
pub(super) const NO_SPACE: &str = "NoSpace";
/// No such file, in calls for files: their codes are 6684672 and a number of errno(3).
pub(super) const NO_FILE: &str = "6684674";
/// A directory where a file is meant.
pub(super) const IS_DIRECTORY: &str = "6684693";
/// The code of a configuration that does not lead to a cluster any more.
pub(super) const NO_SOURCE: &str = "NoSource";

/// What an answer that is no success says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    pub(super) message: Option<String>,
    /// Text in answers, a number in jobs.
    pub(super) code: Value,
    pub(super) target: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<Said>,
}

impl Said {
    /// The code as text. `None`: there is none, or 0, which is success.
    pub(super) fn code(&self) -> Option<String> {
        let text = match &self.code {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let digits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        (digits && text != "0").then_some(text)
    }

    /// The fault that this is.
    pub(super) fn fault(&self, status: Option<u16>, secret: Option<&Secret>) -> Fault {
        let said = self.message.as_deref().map(|text| tame(text, secret));
        let said = said.filter(|text| !text.is_empty());
        let code = self.code();
        let words = said.clone().unwrap_or_else(|| match status {
            Some(status) => format!("HTTP {status}"),
            None => "the job failed".to_owned(),
        });
        let (kind, name) = sort(code.as_deref(), &words, status);
        let number = code.as_deref().map(|code| format!(" ({code})"));
        let fault = Fault::new(kind, format!("{words}{}", number.unwrap_or_default()));
        match name.map(str::to_owned).or(code) {
            Some(code) => fault.with_code(code),
            None => fault,
        }
    }
}

/// What codes mean, whatever the status.
const KINDS: &[(FaultKind, &[&str])] = &[
    (FaultKind::NotFound, &["4", NO_FILE]),
    (FaultKind::Exists, &["1", "5374922", "6684689"]),
    (FaultKind::Denied, &["6", "6691623"]),
    // A volume, or a snapshot, that something else uses just now.
    (FaultKind::InUse, &["524486", "1638555"]),
    // A destination of SnapMirror that nothing was ever written to.
    (FaultKind::Refused, &["917536"]),
];

/// Words of messages that mean the same whatever the call.
fn named(words: &str) -> Option<(FaultKind, &'static str)> {
    let words = words.to_ascii_lowercase();
    let has = |text: &str| words.contains(text);
    if has("multi-admin") || (has("approv") && (has("request") || has("pending"))) {
        return Some((FaultKind::Denied, APPROVAL));
    }
    if has("licens") || has("licenc") {
        return Some((FaultKind::Refused, LICENCE));
    }
    let full = [
        "no space",
        "out of space",
        "not enough space",
        "is full",
        "insufficient space",
    ];
    if full.iter().any(|text| has(text)) {
        return Some((FaultKind::Quota, NO_SPACE));
    }
    None
}

fn sort(code: Option<&str>, words: &str, status: Option<u16>) -> (FaultKind, Option<&'static str>) {
    if let Some((kind, name)) = named(words) {
        return (kind, Some(name));
    }
    let known = KINDS
        .iter()
        .find(|(_, codes)| code.is_some_and(|code| codes.contains(&code)));
    if let Some((kind, _)) = known {
        return (*kind, None);
    }
    let there = words.to_ascii_lowercase().contains("already exists");
    let kind = match status {
        _ if there => FaultKind::Exists,
        Some(401 | 403) => FaultKind::Denied,
        // The interface has no such path: that says nothing of what was meant by it.
        Some(404) if code == Some("3") => FaultKind::Refused,
        Some(404) if code.is_some() => FaultKind::NotFound,
        Some(409) => FaultKind::InUse,
        Some(429) => FaultKind::Throttled,
        Some(404 | 408 | 500..=599) => FaultKind::Unknown,
        // A job that failed has said why, and would fail again.
        _ => FaultKind::Refused,
    };
    (kind, None)
}

/// The fault that an answer with this status and body is. "Not found" is believed only of a server that
/// says so in ONTAP's own way: a page of a proxy in between must not pass for the end of a LUN.
pub(super) fn fault(status: u16, body: &[u8], secret: Option<&Secret>) -> Fault {
    let read: Result<Body, _> = serde_json::from_slice(body);
    let said = read.ok().and_then(|body| body.error);
    match said {
        Some(said) => said.fault(Some(status), secret),
        None => {
            let said = Said::default();
            let mut fault = said.fault(Some(status), secret);
            fault.message = format!("the server answered with HTTP {status} and no reason");
            fault
        }
    }
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
    let words = match (fault.kind, code) {
        (_, APPROVAL) => {
            "other administrators have to approve it: security multi-admin-verify request show"
        }
        (_, LICENCE) => "FlexClone is part of ONTAP One and of the premium bundle: license show",
        (_, NO_SPACE) => {
            "make room in the volume, or let it grow: volume modify -autosize-mode grow"
        }
        (_, NO_SOURCE) => "flr source ls; add it again with flr source add NAME --type ontap",
        (FaultKind::Denied, _) => "`flr policy ontap` prints the role that is needed",
        (FaultKind::InUse, "1638555") => {
            "something holds the snapshot: flr points shows its owners"
        }
        (FaultKind::Throttled, _) => "wait a little; the management of the cluster is busy",
        (FaultKind::Refused, "") if fault.message.contains("certificate") => {
            "name the authority of the cluster's certificate in SSL_CERT_FILE"
        }
        (FaultKind::Unknown, "") => {
            "check the endpoint, and that management of the cluster can be reached from here"
        }
        (FaultKind::Refused, "917536") => "wait until SnapMirror has transferred it once",
        _ => return None,
    };
    Some(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str, message: &str) -> Fault {
        let body = serde_json::json!({"error": {"code": code, "message": message}});
        fault(status, body.to_string().as_bytes(), None)
    }

    #[test]
    fn codes_go_before_statuses() {
        // "Errors" in the reference's introduction.
        let example = of(404, "4", "entry doesn't exist");
        assert_eq!(example.kind, FaultKind::NotFound);
        assert_eq!(example.to_string(), "entry doesn't exist (4)");
        assert!(example.is("4"));
        for (status, code, kind) in [
            (400, "4", FaultKind::NotFound),
            (409, "1", FaultKind::Exists),
            (500, "524486", FaultKind::InUse),
            (500, "1638555", FaultKind::InUse),
            (400, "917536", FaultKind::Refused),
            (403, "6", FaultKind::Denied),
            (401, "6691623", FaultKind::Denied),
            (409, "5374123", FaultKind::InUse),
            (400, "5374123", FaultKind::Refused),
            (500, "5374123", FaultKind::Unknown),
            (503, "8585320", FaultKind::Unknown),
            (429, "9", FaultKind::Throttled),
            (404, "5374875", FaultKind::NotFound),
            (404, "3", FaultKind::Refused),
        ] {
            assert_eq!(of(status, code, "no").kind, kind, "{status} {code}");
        }
        assert_eq!(of(400, "9", "LUN already exists").kind, FaultKind::Exists);
    }

    #[test]
    fn what_has_to_be_said_has_a_name() {
        for (message, name) in [
            ("The cluster lacks a valid FlexClone license", LICENCE),
            ("No space left on the volume", NO_SPACE),
            (
                "This operation requires an approved multi-admin-verify request",
                APPROVAL,
            ),
            ("The approval of request 4 is pending", APPROVAL),
        ] {
            let fault = of(400, "7", message);
            assert!(fault.is(name), "{message}");
            assert!(!fault.is_temporary() && hint(&fault).is_some(), "{message}");
        }
    }

    #[test]
    fn others_pages_say_nothing() {
        let page = fault(404, b"<html>404</html>", None);
        assert_eq!(page.kind, FaultKind::Unknown);
        assert_eq!(page.code, None);
        assert_eq!(fault(401, b"", None).kind, FaultKind::Denied);
        assert_eq!(fault(502, b"{\"error\":3}", None).kind, FaultKind::Unknown);
    }

    #[test]
    fn jobs_have_numbers() {
        let said: Said = serde_json::from_str(r#"{"code": 4, "message": "gone"}"#).unwrap();
        assert_eq!(said.fault(None, None).kind, FaultKind::NotFound);
        let said: Said = serde_json::from_str(r#"{"code": 0}"#).unwrap();
        assert_eq!(said.code(), None);
        assert_eq!(said.fault(None, None).to_string(), "the job failed");
    }
}
