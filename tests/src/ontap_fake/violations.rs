//! What our client must never do, whether it is allowed or not.

use super::config::Version;
use super::files::base;
use super::reading::Reading;
use super::route::Route;
use super::state::State;
use crate::stand_in::encoding::percent_decode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What names of things that we made begin with.
const PREFIX: &str = "flr_";
/// What comments of things that we made begin with.
const COMMENT: &str = "flr:session=";
/// The most that is read at once, in bytes.
const READ_MAX: u64 = 1 << 20;

/// Whether a volume is to be set back to a snapshot.
pub(crate) fn restores(reading: &Reading) -> bool {
    let has = |name: &str| name == "restore_to" || name.starts_with("restore_to.");
    let fields = super::query::leaves(&reading.body);
    let mut names = reading.parameters.iter().map(|(name, _)| name.as_str());
    names.any(has) || fields.iter().any(|(name, _)| has(name))
}

/// Notes what a request does that is forbidden.
pub(crate) fn check(state: &mut State, route: &Route, reading: &Reading) {
    let mut found = secrets(state, reading);
    found.extend(forbidden(state, route, reading));
    for what in found {
        state.violate(format!("{}: {what}", route.operation));
    }
}

/// Secrets in the address.
fn secrets(state: &State, reading: &Reading) -> Vec<String> {
    let target = reading.target();
    let plain = String::from_utf8_lossy(&percent_decode(&target, true)).into_owned();
    let mut found = Vec::new();
    for user in &state.users {
        let mut secrets = Vec::new();
        secrets.extend(user.token.clone());
        if let Some(password) = &user.password {
            secrets.push(STANDARD.encode(format!("{}:{password}", user.name)));
            secrets.push(password.clone());
        }
        let is_there = |secret: &String| target.contains(secret) || plain.contains(secret);
        if secrets.iter().any(is_there) {
            found.push(format!("a secret of {} is in the address", user.name));
        }
    }
    found
}

fn forbidden(state: &State, route: &Route, reading: &Reading) -> Vec<String> {
    match route.operation {
        "CreateIgroup" | "CreateLunMap" => {
            vec!["initiator groups and LUN maps are never made".to_owned()]
        }
        "DeleteIgroup" => {
            let group = state.igroups.get(route.id("uuid"));
            group.map_or_else(Vec::new, |group| named(&group.name))
        }
        "DeleteLunMap" => lun_named(state, route.id("lun")),
        "CreateSnapshot" | "PatchSnapshot" | "DeleteSnapshot" => {
            vec!["snapshots are not ours".to_owned()]
        }
        "Command" => vec!["a command of the CLI".to_owned()],
        "WriteLun" | "CreateFile" | "WriteFile" | "PatchFile" => {
            vec!["something is written".to_owned()]
        }
        "CreateLun" => create_lun(reading),
        "PatchLun" => patch_lun(state, route, reading),
        "DeleteLun" => lun_named(state, route.id("uuid")),
        "CreateVolume" => create_volume(reading),
        "PatchVolume" => {
            let mut found = volume_named(state, route);
            if restores(reading) {
                found.push("the volume is set back to a snapshot".to_owned());
            }
            found
        }
        "DeleteVolume" => delete_volume(state, route, reading),
        "DeleteFile" => delete_file(route, reading),
        "CloneFile" => clone_file(reading),
        "ReadLun" => too_much(reading, "data.size"),
        "ReadFile" => too_much(reading, "length"),
        _ => Vec::new(),
    }
}

fn named(name: &str) -> Vec<String> {
    match name.starts_with(PREFIX) {
        true => Vec::new(),
        false => vec![format!("the name {name:?} does not begin with {PREFIX}")],
    }
}

fn lun_named(state: &State, uuid: &str) -> Vec<String> {
    let lun = state.luns.get(uuid);
    lun.map_or_else(Vec::new, |lun| named(base(&lun.path)))
}

fn commented(comment: Option<&str>) -> Vec<String> {
    match comment.is_some_and(|comment| comment.starts_with(COMMENT)) {
        true => Vec::new(),
        false => vec![format!(
            "the comment {comment:?} does not begin with {COMMENT}"
        )],
    }
}

fn too_much(reading: &Reading, name: &str) -> Vec<String> {
    let asked = reading
        .parameter(name)
        .and_then(|text| text.parse::<u64>().ok());
    match asked.is_some_and(|asked| asked > READ_MAX) {
        true => vec![format!("{name} is more than 1 MiB")],
        false => Vec::new(),
    }
}

fn create_lun(reading: &Reading) -> Vec<String> {
    let mut found = named(base(reading.text("name").unwrap_or_default()));
    found.extend(commented(reading.text("comment")));
    let source = reading.text("clone.source.name");
    if !source.is_some_and(|source| source.contains("/.snapshot/")) {
        found.push("it is no clone out of a snapshot".to_owned());
    }
    found
}

fn patch_lun(state: &State, route: &Route, reading: &Reading) -> Vec<String> {
    let mut found = lun_named(state, route.id("uuid"));
    if reading.field("clone").is_some() || reading.field("clone.source.name").is_some() {
        found.push("a LUN is overwritten".to_owned());
    }
    found
}

fn create_volume(reading: &Reading) -> Vec<String> {
    let mut found = named(reading.text("name").unwrap_or_default());
    found.extend(commented(reading.text("comment")));
    if reading.flag("clone.is_flexclone") != Some(true) {
        found.push("it is no FlexClone volume".to_owned());
    }
    found
}

fn volume_named(state: &State, route: &Route) -> Vec<String> {
    let volume = state.volumes.get(route.id("uuid"));
    volume.map_or_else(Vec::new, |volume| named(&volume.name))
}

fn delete_volume(state: &State, route: &Route, reading: &Reading) -> Vec<String> {
    let mut found = volume_named(state, route);
    let can_be_forced = state.version >= Version(9, 12, 0);
    if can_be_forced && !reading.switch("force").unwrap_or_default() {
        found.push("without force it stays in the recovery queue".to_owned());
    }
    found
}

fn delete_file(route: &Route, reading: &Reading) -> Vec<String> {
    let mut found = named(base(route.id("path")));
    if reading.switch("recurse").unwrap_or_default() {
        found.push("a directory may be deleted".to_owned());
    }
    found
}

fn clone_file(reading: &Reading) -> Vec<String> {
    let to = reading.text("destination_path").unwrap_or_default();
    let mut found = named(base(to));
    if reading.flag("overwrite_destination") == Some(true) {
        found.push("a file may be overwritten".to_owned());
    }
    if to.split('/').any(|part| part == ".snapshot") {
        found.push("a snapshot is written to".to_owned());
    }
    let source = reading.text("source_path").unwrap_or_default();
    if !source.starts_with("./.snapshot/") {
        found.push("it is no clone out of a snapshot".to_owned());
    }
    if reading.flag("autodelete") != Some(true) {
        found.push("it would stay when the volume runs full".to_owned());
    }
    found
}
