//! Who calls: the signature of a request, checked as the services do.

use super::acs3::{Authorization, sign, string_to_sign};
use super::state::State;
use crate::stand_in::clock::parse_iso;
use crate::stand_in::encoding::hex;
use crate::stand_in::error::{Result, bad, error};
use crate::stand_in::hash::sha256;
use crate::stand_in::{Caller, Request, Times};

/// How far the time of a signature may be off, in milliseconds.
const SKEW_MAX_MS: i64 = 15 * 60 * 1000;

/// Who has signed a request.
pub(crate) fn verify(state: &mut State, request: &Request, times: Times) -> Result<Caller> {
    watch_secrets(state, request);
    let header = request.header("authorization");
    let header = header.ok_or_else(|| {
        let message = "AccessKeyId is mandatory for this action.";
        bad("MissingAccessKeyId", message)
    })?;
    let authorization = Authorization::parse(&header).ok_or_else(|| {
        let message = "The request signature does not conform to Aliyun standards.";
        bad("IncompleteSignature", message)
    })?;
    let key = state.keys.iter().find(|key| key.id == authorization.key);
    let key = key.cloned().ok_or_else(|| {
        let message = "Specified access key is not found.";
        error(404, "InvalidAccessKeyId.NotFound", message)
    })?;
    check_signature(request, &authorization, &key.secret)?;
    let date = request.header("x-acs-date").unwrap_or_default();
    let at = parse_iso(&date).ok_or_else(|| {
        let message = "Specified time stamp or date value is not well formatted.";
        bad("InvalidTimeStamp.Format", message)
    })?;
    if (at - times.wire).abs() > SKEW_MAX_MS {
        return Err(expired_time());
    }
    let nonce = request.header("x-acs-signature-nonce").unwrap_or_default();
    if nonce.is_empty() {
        let message = "SignatureNonce is mandatory for this action.";
        return Err(bad("MissingSignatureNonce", message));
    }
    if !state.nonces.insert((key.id.clone(), nonce.clone())) {
        state.violation(0, format!("the nonce {nonce} was used twice"));
        let message = "Specified signature nonce was used already.";
        return Err(bad("SignatureNonceUsed", message));
    }
    let token = request.header("x-acs-security-token");
    match (&key.token, token) {
        (Some(known), Some(given)) if *known == given => {}
        (None, None) => {}
        (Some(_), None) => {
            let message = "SecurityToken is mandatory for this action.";
            return Err(bad("MissingSecurityToken", message));
        }
        _ => {
            let message = "Specified SecurityToken mismatch with the AccessKey.";
            return Err(bad("InvalidSecurityToken.MismatchWithAccessKey", message));
        }
    }
    if key.expires.is_some_and(|expires| expires <= times.model) {
        return Err(expired_token());
    }
    Ok(Caller {
        arn: key.arn("acs:ram"),
        account: key.account,
        region: String::new(),
    })
}

fn check_signature(request: &Request, authorization: &Authorization, secret: &str) -> Result<()> {
    let wrong = |why: &str| {
        let message = format!("Specified signature does not match our calculation. {why}");
        bad("SignatureDoesNotMatch", message)
    };
    let signed = &authorization.signed_headers;
    for (name, _) in &request.headers {
        let must_be_signed = name == "host" || name == "content-type" || name.starts_with("x-acs-");
        if must_be_signed && !signed.contains(name) {
            return Err(wrong(&format!("the header {name} is not signed")));
        }
    }
    for name in ["host", "x-acs-action", "x-acs-version", "x-acs-date"] {
        if !signed.iter().any(|known| known == name) {
            return Err(wrong(&format!("the header {name} is not there")));
        }
    }
    if !signed.is_sorted() {
        return Err(wrong("SignedHeaders are not in order"));
    }
    let payload = request.header("x-acs-content-sha256").unwrap_or_default();
    if payload != hex(&sha256(&request.body)) {
        return Err(wrong("x-acs-content-sha256 is not that of the body"));
    }
    let to_sign = string_to_sign(request, signed, &payload);
    let to_sign = to_sign.ok_or_else(|| wrong("a signed header is missing"))?;
    if sign(secret, &to_sign) != authorization.signature {
        let to_sign = to_sign.replace('\n', "\\n");
        return Err(wrong(&format!("server string to sign is:{to_sign}")));
    }
    Ok(())
}

/// Secrets belong into headers, or nowhere.
pub(crate) fn watch_secrets(state: &mut State, request: &Request) {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let parameters: Vec<_> = [request.query.as_str(), &body]
        .into_iter()
        .flat_map(crate::stand_in::encoding::pairs)
        .collect();
    let secrets: Vec<_> = state
        .keys
        .iter()
        .flat_map(|key| [Some(key.secret.clone()), key.token.clone()])
        .flatten()
        .collect();
    for (name, value) in parameters {
        let is_secret = secrets.iter().any(|secret| value.contains(secret));
        if is_secret || name == "SecurityToken" {
            state.violation(0, format!("the parameter {name} holds a secret"));
        }
    }
    // Of a body it is no more than what the service wants; addresses are written down on the way.
    if request.query.contains("OIDCToken=") {
        state.violation(0, "the address holds a token");
    }
}

/// The session's token is too old.
pub(crate) fn expired_token() -> crate::stand_in::ServiceError {
    let message = "Specified SecurityToken is expired.";
    bad("InvalidSecurityToken.Expired", message)
}

/// The signature's time is too far off.
pub(crate) fn expired_time() -> crate::stand_in::ServiceError {
    let message = "Specified time stamp or date value is expired.";
    bad("InvalidTimeStamp.Expired", message)
}
