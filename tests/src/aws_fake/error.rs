//! Errors in the envelopes of the services.

use super::service::Service;
use crate::stand_in::Answer;
use crate::stand_in::FakeFault;
use crate::stand_in::encoding::Xml;
use serde_json::json;

pub(crate) use crate::stand_in::error::{Result, ServiceError, bad, error};

/// An error as the service writes it.
pub(crate) fn answer(service: Service, error: &ServiceError, request_id: &str) -> Answer {
    let ServiceError {
        status,
        code,
        message,
        reason,
    } = error;
    match service {
        Service::Ebs => {
            let mut body = json!({"Message": message});
            if let Some(reason) = reason {
                body["Reason"] = json!(reason);
            }
            let body = body.to_string().into_bytes();
            Answer::new(*status, "application/json", body)
                .with("x-amzn-ErrorType", code)
                .with("x-amzn-RequestId", request_id)
        }
        Service::Lightsail => {
            let body = json!({"__type": code, "code": code, "message": message});
            let body = body.to_string().into_bytes();
            Answer::new(*status, "application/x-amz-json-1.1", body)
                .with("x-amzn-RequestId", request_id)
        }
        Service::Ec2 => {
            let mut xml = Xml::default();
            xml.inside("Response", |xml| {
                xml.inside("Errors", |xml| {
                    xml.inside("Error", |xml| {
                        xml.text("Code", code).text("Message", message);
                    });
                });
                xml.text("RequestID", request_id);
            });
            Answer::new(*status, "text/xml;charset=UTF-8", xml.finish())
        }
        Service::Sts => {
            let mut xml = Xml::default();
            let root = "ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";
            xml.inside(root, |xml| {
                xml.inside("Error", |xml| {
                    let kind = if *status < 500 { "Sender" } else { "Receiver" };
                    xml.text("Type", kind).text("Code", code);
                    xml.text("Message", message);
                });
                xml.text("RequestId", request_id);
            });
            Answer::new(*status, "text/xml", xml.finish())
        }
        Service::Metadata => {
            let body = format!("{status} - {code}\n").into_bytes();
            Answer::new(*status, "text/html", body)
        }
    }
}

/// A failure of the service itself.
pub(crate) fn internal(service: Service, status: u16) -> ServiceError {
    let code = match (service, status) {
        (Service::Ebs, 500) => "InternalServerException",
        (Service::Ec2, 500) => "InternalError",
        (Service::Sts, 500) => "InternalFailure",
        (Service::Lightsail, _) => "ServiceException",
        (Service::Ec2, 503) => "Unavailable",
        (_, 503) => "ServiceUnavailable",
        _ => "InternalFailure",
    };
    error(status, code, "An internal error has occurred")
}

/// Too many requests, for one thing or for the account.
pub(crate) fn throttled(service: Service, account: bool) -> ServiceError {
    let message = "Request rate has exceeded the limit.";
    match (service, account) {
        (Service::Ebs, true) => bad("ThrottlingException", message).because("ACCOUNT_THROTTLED"),
        (Service::Ebs, false) => {
            bad("RequestThrottledException", message).because("RESOURCE_LEVEL_THROTTLE")
        }
        (Service::Ec2, _) => error(503, "RequestLimitExceeded", "Request limit exceeded."),
        (Service::Sts, _) => bad("Throttling", message),
        (Service::Lightsail, _) => bad("ThrottlingException", message),
        (Service::Metadata, _) => error(503, "Service Unavailable", message),
    }
}

/// The session's token is too old.
pub(crate) fn expired_token(service: Service) -> ServiceError {
    let message = "The security token included in the request is expired";
    match service {
        Service::Ebs => error(403, "ExpiredTokenException", message),
        Service::Ec2 => bad("RequestExpired", "Request has expired."),
        Service::Sts => error(403, "ExpiredToken", message),
        Service::Lightsail => bad("ExpiredTokenException", message),
        Service::Metadata => error(401, "Unauthorized", message),
    }
}

/// The signature's time is too far off.
pub(crate) fn skewed(service: Service, said: &str, now: &str) -> ServiceError {
    let message = format!("Signature expired: {said} is not within 5 min. of {now}");
    match service {
        Service::Ebs => error(403, "InvalidSignatureException", message),
        Service::Ec2 => bad("RequestExpired", message),
        Service::Sts => error(403, "SignatureDoesNotMatch", message),
        Service::Lightsail => bad("InvalidSignatureException", message),
        Service::Metadata => error(401, "Unauthorized", message),
    }
}

fn quota(service: Service) -> ServiceError {
    match service {
        Service::Ec2 => bad("VolumeLimitExceeded", "Maximum number of volumes reached."),
        Service::Ebs => error(402, "ServiceQuotaExceededException", "A quota is reached.")
            .because("DEPENDENCY_SERVICE_QUOTA_EXCEEDED"),
        _ => bad("ServiceQuotaExceededException", "A quota is reached."),
    }
}

/// The error that a fault makes, if it makes one.
pub(crate) fn of_fault(fault: &FakeFault, service: Service, now: &str) -> Option<ServiceError> {
    match fault {
        FakeFault::Status(_, status) => Some(internal(service, *status)),
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
        FakeFault::Throttled => Some(throttled(service, false)),
        FakeFault::AccountThrottled => Some(throttled(service, true)),
        FakeFault::ExpiredToken => Some(expired_token(service)),
        FakeFault::ClockSkew(_) => Some(skewed(service, "the time of the request", now)),
        FakeFault::Quota => Some(quota(service)),
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
