//! Errors in the envelope of the services.

use super::identity::{expired_time, expired_token};
use super::service::Service;
use crate::stand_in::error::{bad, error};
use crate::stand_in::{Answer, FakeFault, ServiceError};
use serde_json::json;

/// An error as the service writes it. The reason of a throttled one is how long to wait, in milliseconds.
pub(crate) fn answer(service: Service, error: &ServiceError, request_id: &str) -> Answer {
    let ServiceError {
        status,
        code,
        message,
        reason,
    } = error;
    if service == Service::Metadata {
        let body = format!("{status} - {code}\n").into_bytes();
        return Answer::new(*status, "text/html", body);
    }
    let host = format!("{}.aliyuncs.com", service.name());
    let recommend = format!(
        "https://api.aliyun.com/troubleshoot?q={code}&product={}",
        service.name()
    );
    let body = json!({
        "RequestId": request_id,
        "HostId": host,
        "Code": code,
        "Message": message,
        "Recommend": recommend,
    });
    let answer = json_answer(*status, &body, request_id);
    match reason {
        Some(wait) => answer.with("x-acs-retry-after", wait),
        None => answer,
    }
}

/// Any answer in JSON.
pub(crate) fn json_answer(status: u16, body: &serde_json::Value, request_id: &str) -> Answer {
    let body = body.to_string().into_bytes();
    Answer::new(status, "application/json;charset=utf-8", body).with("x-acs-request-id", request_id)
}

/// Too many requests, of one operation or of the account.
pub(crate) fn throttled(account: bool) -> ServiceError {
    match account {
        true => bad(
            "Throttling.User",
            "Request was denied due to user flow control.",
        ),
        false => bad(
            "Throttling.Api",
            "Request was denied due to api flow control.",
        ),
    }
}

/// A parameter is missing.
pub(crate) fn missing(name: &str) -> ServiceError {
    let message = format!(
        "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
    );
    bad("MissingParameter", message)
}

/// The error that a fault makes, if it makes one.
pub(crate) fn of_fault(fault: &FakeFault) -> Option<ServiceError> {
    match fault {
        FakeFault::Status(_, status) => {
            let code = match status {
                503 => "ServiceUnavailable",
                _ => "InternalError",
            };
            let message = "The request processing has failed due to some unknown error.";
            Some(error(*status, code, message))
        }
        FakeFault::Error {
            status,
            code,
            reason,
            ..
        } => {
            let mut error = error(*status, code, "An error that was asked for");
            error.reason.clone_from(reason);
            Some(error)
        }
        FakeFault::Throttled => Some(throttled(false)),
        FakeFault::AccountThrottled => Some(throttled(true)),
        FakeFault::ExpiredToken => Some(expired_token()),
        FakeFault::ClockSkew(_) => Some(expired_time()),
        FakeFault::Quota => Some(quota()),
        FakeFault::NoAnswer(_)
        | FakeFault::HalfClosed(_)
        | FakeFault::Reset(..)
        | FakeFault::SlowBody(_)
        | FakeFault::TruncatedBody(_)
        | FakeFault::FlippedByte(_)
        | FakeFault::Stale(_)
        | FakeFault::Delayed(_) => None,
    }
}

/// No more disks.
pub(crate) fn quota() -> ServiceError {
    let message = "Living postPaid disks quota exceeded.";
    error(403, "QuotaExceed.PostPaidDisk", message)
}
