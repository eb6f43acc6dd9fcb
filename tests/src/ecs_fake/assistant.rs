//! Cloud Assistant: commands on instances, of which the plugin for consistent snapshots is one.

use super::context::{Context, time};
use super::error::missing;
use super::params::Params;
use super::plugin::{self, Ended};
use super::state::State;
use crate::stand_in::clock::ms;
use crate::stand_in::error::{Result, bad, error};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const CONTENT_MAX: usize = 24 * 1024;
const INSTANCES_MAX: usize = 100;

/// A command that was run on an instance.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `t-…`
    pub id: String,
    /// `c-…`
    pub command_id: String,
    /// Account.
    pub owner: String,
    /// The instance.
    pub instance_id: String,
    /// The script.
    pub content: String,
    /// When it was started, in milliseconds since 1970.
    pub started: i64,
    /// When it ends.
    pub ends: i64,
    /// Whether it is stopped then, because it took too long.
    pub is_late: bool,
    /// How it ends.
    pub exit_code: i64,
    /// What it says.
    pub output: String,
    /// Why it could not be run at all.
    pub error: Option<String>,
}

fn decoded(params: &Params<'_>) -> Result<String> {
    let content = params.need("CommandContent")?;
    if content.len() > CONTENT_MAX {
        let message = "The length of the command exceeds the limit.";
        return Err(bad("InvalidParameter.CommandContent", message));
    }
    let encoding = params.get("ContentEncoding").unwrap_or("PlainText");
    if !encoding.eq_ignore_ascii_case("Base64") {
        return Ok(content.to_owned());
    }
    let decoded = STANDARD.decode(content).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.ok_or_else(|| {
        let message = "The specified parameter CommandContent is not valid.";
        bad("InvalidParameter.CommandContent", message)
    })
}

pub(super) fn run(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let mut state = context.state();
    super::ecs::region(&state, params)?;
    let kind = params.need("Type")?;
    if !["RunShellScript", "RunBatScript", "RunPowerShellScript"].contains(&kind) {
        let message = "The specified parameter Type is not valid.";
        return Err(bad("InvalidParameter.Type", message));
    }
    let content = decoded(params)?;
    let instances = params.list("InstanceId");
    if instances.is_empty() {
        return Err(missing("InstanceId"));
    }
    if instances.len() > INSTANCES_MAX {
        let message = "The number of instances exceeds the limit.";
        return Err(bad("NumberExceed.InstanceIds", message));
    }
    let account = &context.caller.account;
    let is_there = |id: &&str| {
        let instance = state.instances.get(*id);
        instance.is_some_and(|instance| instance.owner == *account)
    };
    if !instances.iter().all(is_there) {
        let message = "The specified instances do not exist.";
        return Err(error(404, "InvalidInstance.NotFound", message));
    }
    if params.get("RepeatMode") == Some("DryRun") {
        return Ok(json!({}));
    }
    if let Some(made) = super::ecs::made_before(&state, context, params)? {
        let (invoke, command) = made.split_once(' ').unwrap_or((&made, ""));
        return Ok(json!({ "InvokeId": invoke, "CommandId": command }));
    }
    let timeout = params.number("Timeout")?.unwrap_or(60);
    let timeout = i64::try_from(timeout).unwrap_or(i64::MAX / 2000) * 1000;
    let (invoke, command) = (state.id("t"), state.id("c"));
    for instance in instances {
        let invocation = start(&mut state, context, instance, kind, &content, timeout);
        state.invocations.push(Invocation {
            id: invoke.clone(),
            command_id: command.clone(),
            ..invocation
        });
    }
    let made = format!("{invoke} {command}");
    super::ecs::remember(&mut state, context, params, &made);
    Ok(json!({ "InvokeId": invoke, "CommandId": command }))
}

/// Runs a script, as far as it is known. What it does it does at once; that it has is known later.
fn start(
    state: &mut State,
    context: &Context<'_>,
    instance: &str,
    kind: &str,
    content: &str,
    timeout: i64,
) -> Invocation {
    let rule = state.settings.assistant.clone();
    let known = state.instances.get(instance).cloned().expect("it is there");
    let takes = ms(rule.run_time);
    let error = match (known.status.as_str(), known.assistant) {
        ("Running", true) => None,
        ("Running", false) => Some("ClientNotRunning"),
        _ => Some("InstanceNotRunning"),
    };
    let ended = match error {
        Some(_) => Ended::new(0, String::new()),
        None => plugin::run(state, context, &known, kind, content),
    };
    Invocation {
        id: String::new(),
        command_id: String::new(),
        owner: context.caller.account.clone(),
        instance_id: instance.to_owned(),
        content: content.to_owned(),
        started: context.now,
        ends: context.now + takes.min(timeout),
        is_late: takes > timeout,
        exit_code: ended.code,
        output: rule.output.unwrap_or(ended.output),
        error: error.map(str::to_owned),
    }
}

/// What is said of an invocation at a time: of the whole, and of this one.
fn statuses(invocation: &Invocation, now: i64) -> (&'static str, &'static str) {
    match invocation {
        Invocation { error: Some(_), .. } => ("Failed", "Failed"),
        running if now < running.ends => ("Running", "Running"),
        Invocation { is_late: true, .. } => ("Failed", "Timeout"),
        Invocation { exit_code: 0, .. } => ("Finished", "Success"),
        _ => ("Finished", "Failed"),
    }
}

pub(super) fn results(context: &Context<'_>, params: &Params<'_>) -> Result<Value> {
    let state = context.state();
    super::ecs::region(&state, params)?;
    let at = context.seen(&state);
    let is = |name: &str, value: &str| params.get(name).is_none_or(|wanted| wanted == value);
    let found = state.invocations.iter().filter(|one| {
        one.owner == context.caller.account
            && one.started <= at
            && is("InvokeId", &one.id)
            && is("InstanceId", &one.instance_id)
            && is("CommandId", &one.command_id)
            && is("InvokeRecordStatus", statuses(one, at).0)
    });
    let is_plain = params.get("ContentEncoding") == Some("PlainText");
    let found: Vec<_> = found.map(|one| write(one, at, is_plain)).collect();
    Ok(json!({ "Invocation": {
        "PageNumber": 1,
        "PageSize": 10,
        "TotalCount": found.len(),
        "NextToken": "",
        "InvocationResults": { "InvocationResult": found },
    } }))
}

fn write(one: &Invocation, at: i64, is_plain: bool) -> Value {
    let (record, status) = statuses(one, at);
    let is_over = record != "Running";
    let output = if is_over { one.output.as_str() } else { "" };
    let output = match is_plain {
        true => output.to_owned(),
        false => STANDARD.encode(output),
    };
    let code = one.error.as_deref().unwrap_or_default();
    json!({
        "InvokeId": one.id,
        "CommandId": one.command_id,
        "InstanceId": one.instance_id,
        "InvokeRecordStatus": record,
        "InvocationStatus": status,
        "StartTime": time(one.started, false),
        "FinishedTime": if is_over { time(one.ends, false) } else { String::new() },
        "StopTime": "",
        "Repeats": u8::from(is_over),
        "ExitCode": if is_over { one.exit_code } else { 0 },
        "Dropped": 0,
        "Output": output,
        "ErrorCode": code,
        "ErrorInfo": code,
        "Username": "root",
        "Tags": { "Tag": [] },
    })
}
