//! Which operation of which service a request is for.

use super::context::Context;
use super::error::Result;
use super::service::{Call, Service};
use super::{ebs, ec2, lightsail, metadata, sts};
use crate::stand_in::Request;
use crate::stand_in::encoding::pairs;
use serde_json::Value;

/// The version of the API of EC2.
const EC2_VERSION: &str = "2016-11-15";

/// Service, operation and parameters.
pub(crate) fn route(request: &Request) -> (Service, String, Vec<(String, String)>) {
    if request.path.starts_with("/latest/") {
        let operation = format!("{} {}", request.method, request.path);
        return (Service::Metadata, operation, Vec::new());
    }
    if request.path.starts_with("/snapshots") {
        return ebs_call(request);
    }
    if let Some(target) = request.header("x-amz-target") {
        let operation = target.strip_prefix("Lightsail_20161128.");
        let operation = operation.unwrap_or("Unknown").to_owned();
        return (
            Service::Lightsail,
            operation,
            json_parameters(&request.body),
        );
    }
    let form = pairs(&String::from_utf8_lossy(&request.body));
    let field = |name: &str| {
        let field = form.iter().find(|(known, _)| known == name);
        field.map(|(_, value)| value.clone())
    };
    let operation = field("Action").unwrap_or_default();
    let service = match field("Version").as_deref() {
        Some(EC2_VERSION) => Service::Ec2,
        _ => Service::Sts,
    };
    (service, operation, form)
}

fn ebs_call(request: &Request) -> (Service, String, Vec<(String, String)>) {
    let parts: Vec<_> = request.path.split('/').skip(1).collect();
    let (operation, ids) = match (request.method.as_str(), &parts[..]) {
        ("GET", ["snapshots", id, "blocks"]) => ("ListSnapshotBlocks", vec![("snapshotId", *id)]),
        ("GET", ["snapshots", id, "blocks", index]) => {
            let ids = vec![("snapshotId", *id), ("blockIndex", *index)];
            ("GetSnapshotBlock", ids)
        }
        ("GET", ["snapshots", id, "changedblocks"]) => {
            ("ListChangedBlocks", vec![("secondSnapshotId", *id)])
        }
        _ => ("Unknown", Vec::new()),
    };
    let mut parameters: Vec<_> = ids
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    parameters.extend(pairs(&request.query));
    (Service::Ebs, operation.to_owned(), parameters)
}

fn json_parameters(body: &[u8]) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    fields
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect()
}

/// Does what was asked.
pub(crate) fn dispatch(context: &Context<'_>, call: &Call, request: &Request) -> Result {
    match call.service {
        Service::Ebs => ebs::answer(context),
        Service::Ec2 => ec2::answer(context),
        Service::Sts => sts::answer(&call.operation, &context.caller, &context.request_id),
        Service::Lightsail => lightsail::answer(context, &request.body),
        Service::Metadata => metadata::answer(context, request),
    }
}
