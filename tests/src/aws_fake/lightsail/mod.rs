//! Lightsail: machines and disks, their snapshots, and the way out of it into EC2.

mod changes;
mod export;
mod get;
mod model;

pub(crate) use export::settle;
pub use model::{
    AutoSnapshot, Lightsail, LightsailDisk, LightsailRecord, LightsailResource, LightsailSnapshot,
};

use super::context::Context;
use super::error::{Result, bad};
use crate::stand_in::Answer;
use serde_json::{Map, Value, json};

/// The body of a call.
type Input = Map<String, Value>;

pub(crate) fn answer(context: &Context<'_>, body: &[u8]) -> Result {
    let name = context.call.operation.as_str();
    if context
        .state()
        .settings
        .denied
        .contains(&format!("lightsail:{name}"))
    {
        let message = format!("{} may not perform: lightsail:{name}", context.caller.arn);
        return Err(bad("AccessDeniedException", message));
    }
    let Ok(Value::Object(input)) = serde_json::from_slice(body) else {
        return Err(bad("SerializationException", "the body is no JSON object"));
    };
    let output = match name {
        "GetInstances" => get::instances(context, &input),
        "GetDisks" => get::disks(context, &input),
        "GetInstanceSnapshots" => get::snapshots(context, &input, true),
        "GetDiskSnapshots" => get::snapshots(context, &input, false),
        "GetAutoSnapshots" => get::auto_snapshots(context, &input),
        "GetOperation" => get::operation(context, &input),
        "GetExportSnapshotRecords" => get::records(context, &input),
        "CopySnapshot" => changes::copy(context, &input),
        "DeleteInstanceSnapshot" => changes::delete(context, &input, true),
        "DeleteDiskSnapshot" => changes::delete(context, &input, false),
        "TagResource" => changes::tag(context, &input),
        "ExportSnapshot" => export::export(context, &input),
        _ => Err(bad("UnknownOperationException", name)),
    }?;
    let body = output.to_string().into_bytes();
    let answer = Answer::new(200, "application/x-amz-json-1.1", body);
    Ok(answer.with("x-amzn-RequestId", &context.request_id))
}

/// A text that has to be given.
fn need<'a>(input: &'a Input, name: &str) -> Result<&'a str> {
    let value = input.get(name).and_then(Value::as_str);
    let value = value.filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        bad(
            "InvalidInputException",
            format!("Input parameter {name} is required"),
        )
    })
}

/// A name as Lightsail wants it, of something new: `\w[\w\-]*\w`.
fn new_name<'a>(input: &'a Input, name: &str) -> Result<&'a str> {
    let value = need(input, name)?;
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let is_right = value.len() >= 2
        && value.chars().all(|letter| is_word(letter) || letter == '-')
        && value.starts_with(is_word)
        && value.ends_with(is_word);
    match is_right {
        true => Ok(value),
        false => Err(bad(
            "InvalidInputException",
            format!("Input name is invalid: {value}"),
        )),
    }
}

fn operations(operations: Vec<Value>) -> Value {
    json!({"operations": operations})
}
