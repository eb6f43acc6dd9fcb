//! Who calls: the signature of a request, checked as the services do.

use super::config::AccessKey;
use super::error::{ServiceError, bad, error, expired_token, skewed};
use super::service::Service;
use super::sigv4::{Authorization, signature};
use crate::stand_in::Request;
use crate::stand_in::clock::{iso, parse_amz};
use crate::stand_in::encoding::hex;
use crate::stand_in::hash::sha256;
use crate::stand_in::{Caller, Times};

/// How far the time of a signature may be off, in milliseconds.
const SKEW_MAX_MS: i64 = 5 * 60 * 1000;

/// Who has signed a request to a service.
pub(crate) fn verify(
    request: &Request,
    service: Service,
    keys: &[AccessKey],
    regions: &[String],
    times: Times,
) -> Result<Caller, ServiceError> {
    let wrong = |why: &str| invalid(service, why);
    let header = request.header("authorization");
    let header = header.ok_or_else(|| {
        error(
            403,
            "MissingAuthenticationToken",
            "Missing Authentication Token",
        )
    })?;
    let authorization = Authorization::parse(&header).ok_or_else(|| {
        error(
            403,
            "IncompleteSignatureException",
            "not a signature of version 4",
        )
    })?;
    let key = keys.iter().find(|key| key.id == authorization.key);
    let key = key.ok_or_else(|| unknown_key(service))?;
    if Some(authorization.service.as_str()) != service.signing_name() {
        return Err(wrong("Credential should be scoped to the correct service."));
    }
    if !regions.contains(&authorization.region) {
        return Err(wrong("Credential should be scoped to a valid region."));
    }
    let (date, at) = check_signature(request, service, key, &authorization)?;
    // Whose time is wrong learns so only if the rest is right.
    if (at - times.wire).abs() > SKEW_MAX_MS {
        return Err(skewed(service, &date, &iso(times.wire)));
    }
    if key.token != request.header("x-amz-security-token") {
        return Err(unknown_key(service));
    }
    if key.expires.is_some_and(|expires| expires <= times.model) {
        return Err(expired_token(service));
    }
    Ok(Caller {
        account: key.account.clone(),
        arn: key.arn("arn:aws:iam"),
        region: authorization.region,
    })
}

/// The time of a signature, as text and in milliseconds since 1970, if it is right in itself.
fn check_signature(
    request: &Request,
    service: Service,
    key: &AccessKey,
    authorization: &Authorization,
) -> Result<(String, i64), ServiceError> {
    let wrong = |why: &str| invalid(service, why);
    let date = request.header("x-amz-date").unwrap_or_default();
    let at = parse_amz(&date).ok_or_else(|| wrong("X-Amz-Date is not a time"))?;
    if !date.starts_with(&authorization.date) {
        return Err(wrong("Date in Credential scope does not match X-Amz-Date"));
    }
    for (name, _) in &request.headers {
        let must_be_signed = name == "host" || name.starts_with("x-amz-");
        if must_be_signed && !authorization.signed_headers.contains(name) {
            return Err(wrong(&format!("the header {name} is not signed")));
        }
    }
    if !authorization.signed_headers.is_sorted() {
        return Err(wrong("SignedHeaders are not in order"));
    }
    let given = request.header("x-amz-content-sha256");
    if given.is_some_and(|given| given != hex(&sha256(&request.body))) {
        return Err(wrong("x-amz-content-sha256 is not that of the body"));
    }
    let expected = signature(&key.secret, authorization, &date, request);
    if expected.as_ref() != Some(&authorization.signature) {
        return Err(wrong(
            "The request signature we calculated does not match the signature you provided.",
        ));
    }
    Ok((date, at))
}

fn invalid(service: Service, why: &str) -> ServiceError {
    match service {
        Service::Ec2 | Service::Sts => error(403, "SignatureDoesNotMatch", why),
        _ => error(403, "InvalidSignatureException", why),
    }
}

fn unknown_key(service: Service) -> ServiceError {
    let message = "The security token included in the request is invalid.";
    match service {
        Service::Ec2 => {
            let message = "AWS was not able to validate the provided access credentials";
            error(401, "AuthFailure", message)
        }
        Service::Sts => error(403, "InvalidClientTokenId", message),
        Service::Lightsail => bad("UnrecognizedClientException", message),
        _ => error(403, "UnrecognizedClientException", message),
    }
}
