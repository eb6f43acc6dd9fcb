//! The plugin that takes snapshots of an instance's disks while its filesystems or applications hold still.
//!
//! Source: "Create application-consistent snapshots" of Alibaba Cloud's documentation of ECS.

use super::context::Context;
use super::ecs::take_group;
use super::model::{Instance, Tags};
use super::state::State;
use std::collections::BTreeMap;

const MANAGER: &str = "acs-plugin-manager";
const KNOWN: [&str; 12] = [
    "RamRoleName",
    "EnableFsFreeze",
    "EnableWriters",
    "TimeoutInSeconds",
    "PreScriptPath",
    "PostScriptPath",
    "ExcludeDiskId",
    "Name",
    "Description",
    "InstantAccess",
    "InstantAccessRetentionDays",
    "InstantAccessRentationDays",
];

/// How a script has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i64,
    pub(super) output: String,
}

impl Ended {
    pub(super) fn new(code: i64, output: impl Into<String>) -> Self {
        let output = output.into();
        Self { code, output }
    }
}

/// Words of a line, as a shell has them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Parameters of the plugin: `-Name=value,-Name=value`.
fn parse(text: &str) -> Option<BTreeMap<String, String>> {
    let rest = text.strip_prefix('-')?;
    let parts = rest.split(",-");
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let is_known = KNOWN.contains(&name);
        is_known.then(|| (name.to_owned(), value.trim_matches('"').to_owned()))
    };
    parts.map(parameter).collect()
}

/// Plugin and parameters of a command line.
fn command(content: &str) -> Option<(String, String)> {
    let line = content.lines().find(|line| line.contains(MANAGER))?;
    let words = words(line.trim());
    let mut words = words.iter();
    words.next().filter(|word| word.ends_with(MANAGER))?;
    let (mut plugin, mut params, mut exec) = (None, None, false);
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        match name {
            "--exec" | "-e" => exec = true,
            "--plugin" | "-P" => plugin = value.or_else(|| words.next().cloned()),
            "--params" | "-p" => params = value.or_else(|| words.next().cloned()),
            _ => return None,
        }
    }
    exec.then_some((plugin?, params.unwrap_or_default()))
}

/// Runs a script, of which only the plugin is known.
pub(super) fn run(
    state: &mut State,
    context: &Context<'_>,
    instance: &Instance,
    kind: &str,
    content: &str,
) -> Ended {
    let Some((plugin, params)) = command(content) else {
        return Ended::new(127, "command not found");
    };
    let is_windows = instance.os == "windows";
    let own = match is_windows {
        true => "app-snapshot-plugin-win",
        false => "app-snapshot-plugin",
    };
    if plugin != own || is_windows != (kind != "RunShellScript") {
        return Ended::new(1, format!("Could not found package [{plugin}]"));
    }
    let Some(params) = parse(&params) else {
        return failed(2);
    };
    // What has been asked for comes before everything that the plugin would say.
    let wanted = state.settings.assistant.exit_code;
    if let Some(code @ (1..=4 | 9 | 11 | 13 | 14 | 16)) = wanted {
        return failed(code);
    }
    let role = params.get("RamRoleName").map(String::as_str);
    if instance.role.is_none() || role != instance.role.as_deref() {
        return failed(13);
    }
    if !instance.role_allows {
        return failed(3);
    }
    let get = |name: &str| params.get(name).map_or("", String::as_str);
    let excluded: Vec<_> = get("ExcludeDiskId").split(',').map(str::to_owned).collect();
    let tags = match wanted {
        Some(8) => Tags::new(),
        _ => tags(instance, &params),
    };
    let taken = take_group(
        state,
        context,
        &instance.id,
        get("Name"),
        &excluded,
        tags.clone(),
    );
    let group = match (taken, wanted) {
        (Err(code), _) => return failed(code),
        (Ok(_), Some(code)) if code != 0 => return failed(code),
        (Ok(group), _) => group,
    };
    let said = tags.keys().next().map_or("none", String::as_str);
    let output = format!("[snapshotgroup=\"{group}\"][message=\"create success: {said}\"]\n");
    Ended::new(0, output)
}

/// How consistent the snapshots are. Scripts that are not there make them less so, and nobody says it.
fn tags(instance: &Instance, params: &BTreeMap<String, String>) -> Tags {
    let is_true = |name: &str| {
        let value = params.get(name);
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    let has = |name: &str| {
        let path = params.get(name);
        path.is_some_and(|path| instance.scripts.contains(path))
    };
    let is_app = match instance.os.as_str() {
        "windows" => is_true("EnableWriters"),
        _ => has("PreScriptPath") && has("PostScriptPath"),
    };
    let tag = match (is_app, is_true("EnableFsFreeze")) {
        (true, _) => "APPConsistent",
        (false, true) => "FsConsistent",
        (false, false) => return Tags::new(),
    };
    Tags::from([(tag.to_owned(), "True".to_owned())])
}

fn failed(code: i64) -> Ended {
    let what = match code {
        1 => "a precondition is not met",
        2 => "the parameters are not valid",
        3 => "no ESSD, or the role may not",
        4 => "the group could not be created",
        5 => "the group is in a bad state",
        6 => "the group took too long",
        7 => "a snapshot is in a bad state",
        8 => "the tags could not be set",
        9 => "the script before the freeze failed",
        10 => "the script after the thaw failed",
        11 => "freezing failed",
        12 => "thawing failed",
        13 => "the instance has no such role",
        14 => "the quota of snapshots is reached",
        15 => "the snapshots are in a bad state",
        16 => "the previous snapshot is in progress",
        _ => "an unknown error",
    };
    Ended::new(code, format!("[error=\"{what}\"]\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_read() {
        let line = r#"acs-plugin-manager --exec --plugin app-snapshot-plugin --params=-RamRoleName="R",-EnableFsFreeze=true,-TimeoutInSeconds=30,-PreScriptPath="/tmp/pre.sh",-ExcludeDiskId="d-1,d-2",-Name="N""#;
        let (plugin, params) = command(line).expect("a command");
        assert_eq!(plugin, "app-snapshot-plugin");
        let params = parse(&params).expect("parameters");
        assert_eq!(params["RamRoleName"], "R");
        assert_eq!(params["ExcludeDiskId"], "d-1,d-2");
        assert_eq!(params["Name"], "N");
        assert_eq!(command("rm -rf /"), None);
        assert_eq!(command("acs-plugin-manager --list"), None);
        assert_eq!(parse("-Unknown=1"), None);
    }
}
