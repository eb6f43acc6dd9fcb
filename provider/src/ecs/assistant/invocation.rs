//! Commands that Cloud Assistant runs inside of an instance.

use super::command::System;
use crate::account::answer::senseless;
use crate::account::text::tame;
use crate::ecs::client::{Client, Params, Service};
use crate::ecs::fields::{text, word};
use crate::fault::Fault;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;
use std::time::Duration;

/// Longest output that is shown.
const SHOWN_MAX: usize = 400;

/// Starts a command and gives the id of its invocation. With the same token it is started once, however
/// often it is asked for.
pub(super) async fn run(
    client: &Client,
    (instance, system): (&str, System),
    line: &str,
    limit: Duration,
    token: &str,
) -> Result<String, Fault> {
    const ACTION: &str = "RunCommand";
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(deserialize_with = "word")]
        invoke_id: String,
    }
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let params: Params = vec![
        pair("RegionId", client.region()),
        pair("Name", "flr-snapshot"),
        pair("Type", system.script()),
        pair("CommandContent", line),
        pair("ContentEncoding", "PlainText"),
        pair("InstanceId.1", instance),
        pair("Timeout", &limit.as_secs().to_string()),
        pair("ClientToken", token),
    ];
    let Answer { invoke_id } = client.call(Service::Ecs, ACTION, &params).await?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match invoke_id.len() <= 64 && invoke_id.bytes().all(plain) {
        true => Ok(invoke_id),
        false => Err(senseless(ACTION, "the id is none of an invocation")),
    }
}

/// How an invocation goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It is not over.
    Running,
    /// It has ended by itself, with a code, and said something.
    Ended(i64, String),
    /// It was ended in the middle, and why: a timeout, a stop.
    Cut(String),
    /// It was never run, and why.
    NotRun(String),
}

/// What is known of an invocation on an instance; nothing if it is not shown yet.
pub(super) async fn result(
    client: &Client,
    invocation: &str,
    instance: &str,
) -> Result<Option<Progress>, Fault> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let params: Params = vec![
        pair("RegionId", client.region()),
        pair("InvokeId", invocation),
        pair("InstanceId", instance),
        pair("ContentEncoding", "PlainText"),
    ];
    let answer: Answer = client
        .call(Service::Ecs, "DescribeInvocationResults", &params)
        .await?;
    let mut results = answer.invocation.results.results.into_iter();
    let found = results.find(|one| one.invoke_id == invocation && one.instance_id == instance);
    Ok(found.map(Outcome::progress))
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    invocation: Invocation,
}

#[derive(Debug, serde::Deserialize)]
struct Invocation {
    #[serde(rename = "InvocationResults")]
    results: Results,
}

#[derive(Debug, serde::Deserialize)]
struct Results {
    #[serde(rename = "InvocationResult")]
    results: Vec<Outcome>,
}

/// One instance's part of an invocation.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    #[serde(deserialize_with = "word")]
    invoke_id: String,
    #[serde(deserialize_with = "word")]
    instance_id: String,
    #[serde(default, deserialize_with = "text")]
    invoke_record_status: Option<String>,
    #[serde(default, deserialize_with = "text")]
    invocation_status: Option<String>,
    #[serde(default, deserialize_with = "code")]
    exit_code: Option<i64>,
    #[serde(default, deserialize_with = "text")]
    output: Option<String>,
    #[serde(default, deserialize_with = "text")]
    error_code: Option<String>,
    #[serde(default, deserialize_with = "text")]
    error_info: Option<String>,
}

impl Outcome {
    fn progress(self) -> Progress {
        let status = self.invocation_status.as_deref().unwrap_or_default();
        let record = self.invoke_record_status.as_deref().unwrap_or_default();
        let why = || {
            let code = self.error_code.as_deref().unwrap_or(status);
            let info = self.error_info.as_deref().filter(|info| *info != code);
            let info = info.map(|info| format!(" ({})", tame(info, &[])));
            format!("{}{}", tame(code, &[]), info.unwrap_or_default())
        };
        match status {
            "Pending" | "Scheduled" | "Running" | "Stopping" => Progress::Running,
            "Timeout" | "Cancelled" | "Terminated" | "Stopped" => Progress::Cut(why()),
            "Invalid" | "Aborted" | "Error" | "Undelivered" => Progress::NotRun(why()),
            "Success" => {
                // Whatever else is said: it has ended, and this is how.
                Progress::Ended(self.exit_code.unwrap_or(0), self.output.unwrap_or_default())
            }
            _ if record == "Running" => Progress::Running,
            _ if self.error_code.is_some() && self.exit_code.unwrap_or(0) == 0 => {
                Progress::NotRun(why())
            }
            _ => {
                let failed = |code: i64| if code == 0 { 255 } else { code };
                let code = self.exit_code.map_or(255, failed);
                Progress::Ended(code, self.output.unwrap_or_default())
            }
        }
    }
}

/// A number, or a number as text; it may be negative.
fn code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let wrong = |value: &Value| D::Error::custom(format!("expected a number, found {value}"));
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        value => {
            let number = match &value {
                Value::String(text) => text.trim().parse().ok(),
                value => value.as_i64(),
            };
            number.map(Some).ok_or_else(|| wrong(&value))
        }
    }
}

/// The end of an output, for people.
pub(super) fn shown(output: &str) -> String {
    let all = output.trim();
    let skip = all.chars().count().saturating_sub(SHOWN_MAX);
    let end: String = all.chars().skip(skip).collect();
    tame(&end, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(fields: &str) -> Progress {
        let json = format!(r#"{{"InvokeId":"t-1","InstanceId":"i-1",{fields}}}"#);
        serde_json::from_str::<Outcome>(&json).unwrap().progress()
    }

    #[test]
    fn how_invocations_go() {
        for (fields, expected) in [
            (
                r#""InvokeRecordStatus":"Running","InvocationStatus":"Pending","ExitCode":0"#,
                Progress::Running,
            ),
            (
                r#""InvokeRecordStatus":"Running","InvocationStatus":"OfLaterTimes""#,
                Progress::Running,
            ),
            (
                r#""InvokeRecordStatus":"Finished","InvocationStatus":"Success","ExitCode":0,"Output":"x""#,
                Progress::Ended(0, "x".into()),
            ),
            (
                r#""InvokeRecordStatus":"Finished","InvocationStatus":"Failed","ExitCode":"12""#,
                Progress::Ended(12, String::new()),
            ),
            (
                r#""InvokeRecordStatus":"Failed","InvocationStatus":"Failed","ExitCode":0,"ErrorCode":"ClientNotRunning","ErrorInfo":"the agent"#,
                Progress::NotRun("ClientNotRunning (the agent)".into()),
            ),
            (
                r#""InvokeRecordStatus":"Failed","InvocationStatus":"Failed","ExitCode":0"#,
                Progress::Ended(255, String::new()),
            ),
            (
                r#""InvokeRecordStatus":"Failed","InvocationStatus":"Invalid","ErrorCode":"X""#,
                Progress::NotRun("X".into()),
            ),
            (
                r#""InvokeRecordStatus":"Failed","InvocationStatus":"Timeout","ExitCode":null"#,
                Progress::Cut("Timeout".into()),
            ),
            (
                r#""InvokeRecordStatus":"Stopped","InvocationStatus":"Terminated""#,
                Progress::Cut("Terminated".into()),
            ),
        ] {
            let closed = match fields.matches('"').count().is_multiple_of(2) {
                true => fields.to_owned(),
                false => format!("{fields}\""),
            };
            assert_eq!(progress(&closed), expected, "{fields}");
        }
    }

    #[test]
    fn output_is_shown_by_its_end_and_tame() {
        let long = format!("{}end\u{1b}[2J", "x".repeat(1000));
        let shown = shown(&long);
        assert!(
            shown.contains("end") && shown.len() <= 2 * SHOWN_MAX,
            "{shown}"
        );
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
