//! Which operation of which service a request is for.

use super::context::Context;
use super::error::json_answer;
use super::params::Params;
use super::service::Service;
use super::{ecs, hbr, metadata, sts};
use crate::stand_in::encoding::pairs;
use crate::stand_in::error::{Result, ServiceError, bad, error};
use crate::stand_in::{Request, Route};
use serde_json::Value;

fn parameters(request: &Request) -> Vec<(String, String)> {
    let mut all = pairs(&request.query);
    let kind = request.header("content-type").unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        all.extend(pairs(&String::from_utf8_lossy(&request.body)));
    }
    all
}

/// What a header says, or else a parameter.
fn said(request: &Request, all: &[(String, String)], header: &str, name: &str) -> Option<String> {
    let parameter = || Params(all).get(name).map(str::to_owned);
    request.header(header).or_else(parameter)
}

/// Service, operation and parameters.
pub(crate) fn route(request: &Request) -> Route<Service> {
    if request.path.starts_with("/latest/") {
        let operation = format!("{} {}", request.method, request.path);
        return (Service::Metadata, operation, Vec::new());
    }
    let all = parameters(request);
    let action = said(request, &all, "x-acs-action", "Action").unwrap_or_default();
    let version = said(request, &all, "x-acs-version", "Version").unwrap_or_default();
    // Of a version that there is not nobody knows whose it is.
    let service = Service::of_version(&version).unwrap_or(Service::Ecs);
    (service, action, all)
}

/// No such operation.
pub(crate) fn not_found() -> ServiceError {
    let message = "Specified api is not found, please check your url and method.";
    error(404, "InvalidAction.NotFound", message)
}

/// Does what was asked.
pub(crate) fn dispatch(context: &Context<'_>, request: &Request) -> Result {
    let service = context.call.service;
    if service == Service::Metadata {
        return metadata::answer(context, request);
    }
    if request.path != "/" || !["GET", "POST"].contains(&request.method.as_str()) {
        return Err(not_found());
    }
    let all = &context.call.parameters;
    let version = said(request, all, "x-acs-version", "Version").unwrap_or_default();
    if Service::of_version(&version).is_none() {
        let message = "Specified parameter Version is not valid.";
        return Err(bad("InvalidVersion", message));
    }
    let operation = &context.call.operation;
    if operation.is_empty() {
        let message = "Action is mandatory for this action.";
        return Err(bad("MissingAction", message));
    }
    let action = format!("{}:{operation}", service.name());
    if context.state().settings.denied.contains(&action) {
        let message = "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
        return Err(error(403, "Forbidden.RAM", message));
    }
    let params = Params(all);
    let mut body = match service {
        Service::Ecs => ecs::answer(context, &params),
        Service::Hbr => hbr::answer(context, &params),
        Service::Sts | Service::Metadata => sts::answer(context, &params),
    }?;
    body["RequestId"] = Value::String(context.request_id.clone());
    Ok(json_answer(200, &body, &context.request_id))
}
