//! Errors in the words of the service that was asked, told by the form of the request.

use super::Call;
use super::wire::Message;

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Internal,
    Unavailable,
    Throttled,
    Expired,
    Skewed,
    Quota,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// EC2 and STS: a form, answered with XML.
    Query,
    /// EBS direct APIs: a header and JSON.
    RestJson,
    /// Lightsail: JSON with its type inside.
    Json,
    /// S3, and whoever reads statuses only.
    S3,
}

impl Dialect {
    fn of(call: &Call) -> Self {
        let form = "application/x-www-form-urlencoded";
        if call.header("x-amz-target").is_some() {
            Self::Json
        } else if call.target.starts_with("/snapshots") {
            Self::RestJson
        } else if call
            .header("content-type")
            .is_some_and(|value| value.starts_with(form))
        {
            Self::Query
        } else {
            Self::S3
        }
    }

    /// The status and the service's own name.
    const fn code(self, trouble: Trouble) -> (u16, &'static str) {
        match (trouble, self) {
            (Trouble::Internal, Self::Json) => (500, "ServiceException"),
            (Trouble::Internal, Self::RestJson) => (500, "InternalServerException"),
            (Trouble::Internal, _) => (500, "InternalError"),
            (Trouble::Unavailable, Self::Query) => (503, "Unavailable"),
            (Trouble::Unavailable, _) => (503, "ServiceUnavailable"),
            (Trouble::Throttled, Self::Query) => (400, "RequestLimitExceeded"),
            (Trouble::Throttled, Self::RestJson) => (400, "RequestThrottledException"),
            (Trouble::Throttled, Self::Json) => (400, "ThrottlingException"),
            (Trouble::Throttled, Self::S3) => (503, "SlowDown"),
            (Trouble::Expired, Self::Query) => (400, "RequestExpired"),
            (Trouble::Expired, Self::S3) => (400, "ExpiredToken"),
            (Trouble::Expired, _) => (403, "ExpiredTokenException"),
            (Trouble::Skewed, Self::Query) => (400, "RequestExpired"),
            (Trouble::Skewed, Self::S3) => (403, "RequestTimeTooSkewed"),
            (Trouble::Skewed, _) => (403, "InvalidSignatureException"),
            (Trouble::Quota, Self::Query) => (400, "VolumeLimitExceeded"),
            (Trouble::Quota, Self::RestJson) => (402, "ServiceQuotaExceededException"),
            (Trouble::Quota, Self::Json) => (400, "OperationFailureException"),
            (Trouble::Quota, Self::S3) => (403, "QuotaExceeded"),
        }
    }
}

/// The answer.
pub(super) fn answer(call: &Call, trouble: Trouble) -> Message {
    let dialect = Dialect::of(call);
    let (status, code) = dialect.code(trouble);
    let text = match trouble {
        Trouble::Skewed => "Signature expired: it is not now",
        _ => "made up by a proxy",
    };
    let reason = match trouble {
        Trouble::Throttled => "ACCOUNT_THROTTLED",
        _ => "NONE",
    };
    let mut message = Message {
        first_line: format!("HTTP/1.1 {status} {code}"),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let (kind, body) = match dialect {
        Dialect::Query => (
            "text/xml",
            format!(
                "<?xml version=\"1.0\"?><Response><Errors><Error><Code>{code}</Code>\
                 <Message>{text}</Message></Error></Errors><RequestID>r</RequestID></Response>"
            ),
        ),
        Dialect::RestJson => {
            message.set("x-amzn-errortype", code);
            let body = format!("{{\"Message\":\"{text}\",\"Reason\":\"{reason}\"}}");
            ("application/json", body)
        }
        Dialect::Json => (
            "application/x-amz-json-1.1",
            format!("{{\"__type\":\"{code}\",\"message\":\"{text}\"}}"),
        ),
        Dialect::S3 => (
            "application/xml",
            format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
            ),
        ),
    };
    message.set("content-type", kind);
    message.body = body.into_bytes();
    message.set("content-length", &message.body.len().to_string());
    message
}
