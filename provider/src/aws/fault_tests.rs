use super::*;

#[test]
fn three_ways_to_write_a_fault() {
    // EC2, as it is and as moto writes it; STS.
    let ec2 = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>InvalidVolume.NotFound</Code>\
        <Message>The volume 'vol-1' &amp; more does not exist.</Message></Error></Errors>\
        <RequestID>r</RequestID></Response>";
    let sts = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
        <Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>";
    let it = fault(400, None, ec2.as_bytes(), &[]);
    assert_eq!(it.kind, FaultKind::NotFound);
    assert!(it.is("InvalidVolume.NotFound"));
    assert_eq!(
        it.message,
        "The volume 'vol-1' & more does not exist (InvalidVolume.NotFound)"
    );
    assert_eq!(
        fault(403, None, sts.as_bytes(), &[]).kind,
        FaultKind::Denied
    );
    // EBS: the code in a header, the reason in the body.
    let ebs = br#"{"Message":"The block token is invalid","Reason":"INVALID_BLOCK_TOKEN"}"#;
    let it = fault(400, Some("ValidationException:http://x/"), ebs, &[]);
    assert_eq!(it.kind, FaultKind::Refused);
    assert!(it.is("ValidationException.INVALID_BLOCK_TOKEN"));
    // Lightsail: both in the body.
    let lightsail = br#"{"__type":"com.amazonaws#NotFoundException","message":"no such disk"}"#;
    let it = fault(400, None, lightsail, &[]);
    assert!(it.is("NotFoundException"));
    assert_eq!(it.kind, FaultKind::NotFound);
}

/// Statuses and codes as the services document them.
const CODES: &[(u16, &str, FaultKind)] = &[
    // EBS, as its manual lists them.
    (403, "AccessDeniedException", FaultKind::Denied),
    (400, "ValidationException", FaultKind::Refused),
    (404, "ResourceNotFoundException", FaultKind::NotFound),
    (400, "RequestThrottledException", FaultKind::Throttled),
    (400, "RequestThrottleException", FaultKind::Throttled),
    (400, "ThrottlingException", FaultKind::Throttled),
    (400, "Throttling", FaultKind::Throttled),
    (402, "ServiceQuotaExceededException", FaultKind::Quota),
    (500, "InternalServerException", FaultKind::Unknown),
    (409, "ConflictException", FaultKind::Exists),
    (
        400,
        "ConcurrentLimitExceededException",
        FaultKind::Throttled,
    ),
    (403, "InvalidSignatureException", FaultKind::Denied),
    // EC2.
    (503, "RequestLimitExceeded", FaultKind::Throttled),
    (400, "InvalidSnapshot.NotFound", FaultKind::NotFound),
    (400, "InvalidInstanceID.NotFound", FaultKind::NotFound),
    (400, "InvalidAttachment.NotFound", FaultKind::NotFound),
    (400, "InvalidSnapshotID.Malformed", FaultKind::Refused),
    (400, "InvalidSnapshot.InUse", FaultKind::InUse),
    (400, "IncorrectState", FaultKind::InUse),
    (400, "IncorrectInstanceState", FaultKind::InUse),
    (400, "VolumeInUse", FaultKind::InUse),
    (400, "AttachmentLimitExceeded", FaultKind::Quota),
    (400, "VolumeLimitExceeded", FaultKind::Quota),
    (400, "SnapshotLimitExceeded", FaultKind::Quota),
    (400, "ConcurrentSnapshotLimitExceeded", FaultKind::Quota),
    (400, "MaxIOPSLimitExceeded", FaultKind::Quota),
    (
        400,
        "SnapshotCreationPerVolumeRateExceeded",
        FaultKind::Throttled,
    ),
    (500, "InsufficientVolumeCapacity", FaultKind::Quota),
    (400, "IdempotentParameterMismatch", FaultKind::Exists),
    (400, "InvalidParameterValue", FaultKind::Refused),
    (403, "UnauthorizedOperation", FaultKind::Denied),
    (401, "AuthFailure", FaultKind::Denied),
    (403, "OptInRequired", FaultKind::Denied),
    (412, "DryRunOperation", FaultKind::Refused),
    (400, "RequestExpired", FaultKind::Expired),
    (500, "InternalError", FaultKind::Unknown),
    (503, "Unavailable", FaultKind::Unknown),
    (503, "ServiceUnavailable", FaultKind::Unknown),
    (500, "Server.InternalError", FaultKind::Unknown),
    (400, "Client.InvalidVolume.NotFound", FaultKind::NotFound),
    // STS and Lightsail.
    (400, "ExpiredToken", FaultKind::Expired),
    (400, "ExpiredTokenException", FaultKind::Expired),
    (403, "SignatureDoesNotMatch", FaultKind::Denied),
    (403, "RequestTimeTooSkewed", FaultKind::Expired),
    (403, "InvalidClientTokenId", FaultKind::Denied),
    (400, "UnrecognizedClientException", FaultKind::Denied),
    (500, "ServiceException", FaultKind::Unknown),
    (400, "InvalidInputException", FaultKind::Refused),
    (400, "NotFoundException", FaultKind::NotFound),
    (400, "OperationFailureException", FaultKind::Unknown),
    (400, "UnauthenticatedException", FaultKind::Denied),
    (400, "AccountSetupInProgressException", FaultKind::InUse),
    (400, "RegionSetupInProgressException", FaultKind::InUse),
    // Nobody knows these: the status is what is left.
    (500, "Whatever", FaultKind::Unknown),
    (400, "Whatever", FaultKind::Refused),
    (403, "Whatever", FaultKind::Denied),
    (429, "Whatever", FaultKind::Throttled),
];

#[test]
fn codes_are_sorted_and_statuses_are_not_believed() {
    for (status, code, kind) in CODES.iter().copied() {
        let body = format!("{{\"__type\":\"{code}\",\"Message\":\"m\"}}");
        let it = fault(status, None, body.as_bytes(), &[]);
        assert_eq!(it.kind, kind, "{status} {code}");
        assert!(it.is(code));
        let body = format!("<R><Errors><Error><Code>{code}</Code></Error></Errors></R>");
        assert_eq!(
            fault(status, None, body.as_bytes(), &[]).kind,
            kind,
            "{code}"
        );
    }
}

#[test]
fn words_matter_where_a_code_means_two_things() {
    let kind = |code: &str, message: &str| {
        let body = serde_json::json!({"__type": code, "message": message}).to_string();
        fault(403, None, body.as_bytes(), &[]).kind
    };
    let late = "Signature expired: 20261120T120000Z is now earlier than 20261120T121000Z";
    let early = "Signature not yet current: 20261120T120000Z is still later than 2026";
    assert_eq!(kind("InvalidSignatureException", late), FaultKind::Expired);
    assert_eq!(kind("SignatureDoesNotMatch", early), FaultKind::Expired);
    assert_eq!(kind("SignatureDoesNotMatch", "no"), FaultKind::Denied);
    let taken =
        "Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use";
    assert_eq!(kind("InvalidParameterValue", taken), FaultKind::Exists);
}

#[test]
fn an_answer_without_a_code_is_not_an_end() {
    for body in [
        "",
        "<html><body>not found</body></html>",
        "{}",
        "{\"a\"",
        "no",
        "<a><b",
    ] {
        let it = fault(404, None, body.as_bytes(), &[]);
        assert_eq!(it.kind, FaultKind::Unknown, "{body}");
        assert_eq!(it.code, None);
        assert_eq!(
            fault(400, None, body.as_bytes(), &[]).kind,
            FaultKind::Unknown
        );
        assert_eq!(
            fault(500, None, body.as_bytes(), &[]).kind,
            FaultKind::Unknown
        );
        assert_eq!(
            fault(403, None, body.as_bytes(), &[]).kind,
            FaultKind::Denied
        );
        assert_eq!(
            fault(301, None, body.as_bytes(), &[]).kind,
            FaultKind::Refused
        );
    }
    let long = format!("{{\"__type\":\"{}\"}}", "A".repeat(101));
    assert_eq!(fault(400, None, long.as_bytes(), &[]).code, None);
}

#[test]
fn no_secret_gets_into_a_message() {
    let token = "IQoJb3JpZ2luX2VjEXAMPLE/+==";
    let body = serde_json::json!({
        "__type": "SignatureDoesNotMatch",
        "message": format!("token {token} is wrong.\n\nThe Canonical String was 'GET\n{token}'"),
    });
    let it = fault(403, None, body.to_string().as_bytes(), &[token]);
    assert_eq!(it.message, "token … is wrong (SignatureDoesNotMatch)");
    let denied = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not \
        authorized to perform this operation. Encoded authorization failure message: abcdef\
        </Message></Error></Errors></Response>";
    assert_eq!(
        fault(403, None, denied.as_bytes(), &[]).message,
        "You are not authorized to perform this operation (UnauthorizedOperation)"
    );
}

#[test]
fn hints_name_the_next_command() {
    let hinted = |kind, code: &str| hint(&Fault::new(kind, "m").with_code(code)).unwrap();
    let words = hinted(FaultKind::Denied, NO_CREDENTIALS);
    assert!(words.contains("aws configure") && words.contains("--profile"));
    let words = hinted(
        FaultKind::Denied,
        "AccessDeniedException.DEPENDENCY_ACCESS_DENIED",
    );
    assert!(words.contains("kms:Decrypt"));
    assert!(hinted(FaultKind::Denied, "UnauthorizedOperation").contains("flr policy aws"));
    assert!(hint(&Fault::new(FaultKind::Unknown, "m")).is_none());
}
