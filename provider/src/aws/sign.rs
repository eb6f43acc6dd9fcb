//! Signatures, version 4.

use crate::fault::{Fault, FaultKind};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as sign_http};
use aws_sigv4::sign::v4;
use std::time::SystemTime;

/// What is signed.
pub(super) struct Unsigned<'a> {
    /// `GET`, `POST`, …
    pub(super) method: &'a str,
    /// Whole and percent-encoded.
    pub(super) url: &'a str,
    /// All headers that are sent, but for those of the transport.
    pub(super) headers: &'a [(&'static str, String)],
    /// The body.
    pub(super) body: &'a [u8],
}

/// Headers that make it a signed request. Their values are secret.
///
/// # Errors
/// The address makes no sense.
pub(super) fn sign(
    request: &Unsigned<'_>,
    credentials: Credentials,
    region: &str,
    service: &str,
    time: SystemTime,
) -> Result<Vec<(String, String)>, Fault> {
    // What these errors say may hold the request, so it is not passed on.
    let broken = || Fault::new(FaultKind::Refused, "the request cannot be signed");
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| broken())?;
    let signable = SignableRequest::new(
        request.method,
        request.url,
        request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
        SignableBody::Bytes(request.body),
    )
    .map_err(|_| broken())?;
    let signed = sign_http(signable, &params.into()).map_err(|_| broken())?;
    let (instructions, _signature) = signed.into_parts();
    let headers = instructions.headers();
    Ok(headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::text::{encode, form};
    use std::time::Duration;

    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
    const SNAPSHOT: &str =
        "https://ebs.us-east-1.amazonaws.com/snapshots/snap-0123456789abcdef0/blocks";

    /// Signs at 2026-11-20T12:00:00Z, as the vectors were.
    fn authorization(request: &Unsigned<'_>, service: &str, token: Option<&str>) -> String {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            token.map(str::to_owned),
            None,
            "test",
        );
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1_795_176_000));
        let time = time.unwrap();
        let headers = sign(request, credentials, "us-east-1", service, time).unwrap();
        let value = |name: &str| {
            let found = headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        assert_eq!(value("x-amz-date").as_deref(), Some("20261120T120000Z"));
        assert_eq!(value("x-amz-security-token").as_deref(), token);
        value("authorization").unwrap()
    }

    fn get(url: &str, token: Option<&str>) -> String {
        let request = Unsigned {
            method: "GET",
            url,
            headers: &[],
            body: &[],
        };
        authorization(&request, "ebs", token)
    }

    /// Vectors made by botocore, and checked by an independent signer.
    #[test]
    fn golden_block() {
        let token = "AAABAV3/PNhXOynVdMYHUpPsetaSvjLB1dtIGfbJv5OJ0sX855EzGTWos4a4";
        let signed = get(
            &format!("{SNAPSHOT}/1001?blockToken={}", encode(token)),
            None,
        );
        assert_eq!(
            signed,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/us-east-1/ebs/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=1080ca21e049c9cfa46d2ff2f01ad70f4117e69a3472af2f6800056e7b719606"
        );
    }

    #[test]
    fn golden_listing_with_a_session() {
        let query = form([("maxResults", "10000"), ("pageToken", "AAA+b/==")]);
        let signed = get(&format!("{SNAPSHOT}?{query}"), Some("SESSION"));
        assert!(signed.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,"));
        let golden = "f8f2da21dfe706feeaf7277339f288f25330957af4945a58c55d74b2d32925ed";
        assert!(signed.ends_with(golden), "{signed}");
    }

    #[test]
    fn golden_form() {
        let body = form([
            ("Action", "DescribeVolumes"),
            ("Version", "2016-11-15"),
            ("VolumeId.1", "vol-0123456789abcdef0"),
        ]);
        let request = Unsigned {
            method: "POST",
            url: "https://ec2.us-east-1.amazonaws.com/",
            headers: &[("content-type", FORM.to_owned())],
            body: body.as_bytes(),
        };
        let signed = authorization(&request, "ec2", None);
        assert!(signed.contains("SignedHeaders=content-type;host;x-amz-date,"));
        let golden = "25305d071a0d288b5b3a1496bc9b8209738a1c75a6c1d615d061f344a8d65ab6";
        assert!(signed.ends_with(golden), "{signed}");
    }

    #[test]
    fn golden_json() {
        let request = Unsigned {
            method: "POST",
            url: "https://lightsail.us-east-1.amazonaws.com/",
            headers: &[
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                (
                    "x-amz-target",
                    "Lightsail_20161128.GetDiskSnapshots".to_owned(),
                ),
            ],
            body: b"{}",
        };
        let signed = authorization(&request, "lightsail", None);
        assert!(signed.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-target,"));
        let golden = "9dc522d73d51bf03dcdb42fc52a30a78d0bfa7f72d13855bf95bb0b774a0e585";
        assert!(signed.ends_with(golden), "{signed}");
    }
}
