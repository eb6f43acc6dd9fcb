//! Exports of Lightsail: by processes of their own, as flr makes them.

use crate::kinds::{Form, Site, kinds, site};
use crate::table::{Cell, Outcome, cells, run};
use flr_provider::FaultKind;
use flr_tests::aws_fake::{
    BLOCK_LEN, Blocks, Config, Fake, LightsailDisk, LightsailResource, LightsailSnapshot, Snapshot,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Where each kind of fault happens. Those that are waited for longest come first.
const SITES: [Site; 13] = [
    site("GetInstanceSnapshots", 1),
    site("ListSnapshotBlocks", 1),
    site("GetCallerIdentity", 1),
    site("CopySnapshot", 1),
    site("GetInstanceSnapshots", 4),
    site("ExportSnapshot", 1),
    site("GetExportSnapshotRecords", 1),
    site("DescribeImages", 1),
    site("DescribeSnapshots", 1),
    site("CreateTags", 1),
    site("DeregisterImage", 1),
    site("DeleteSnapshot", 1),
    site("DeleteInstanceSnapshot", 1),
];

/// For each step, where the fault stays.
const LIMIT: Duration = Duration::from_millis(2500);
const BOUND: Duration = Duration::from_secs(60);
const OTHERS: &str = "snap-0aaaaaaaaaaaaaaaa";

fn image() -> Vec<u8> {
    let mut image = vec![0; 4 * BLOCK_LEN];
    for (at, byte) in image.iter_mut().enumerate() {
        *byte = u8::try_from(at / 7 % 251).expect("small");
    }
    image
}

fn world() -> Fake {
    let fake = Fake::start(Config::default());
    let mut state = fake.state();
    let disk = LightsailDisk::system("web", Blocks::from_bytes(image()));
    state
        .lightsail
        .instances
        .push(LightsailResource::new("web", 1));
    let snapshot = LightsailSnapshot::new("web-1", "web", true, vec![disk]);
    state.lightsail.snapshots.push(snapshot);
    let mut others = Snapshot::new(OTHERS, Blocks::from_bytes(image()));
    others.tags.insert("flr:session".into(), "prod".into());
    state.tables.add_snapshot(others);
    drop(state);
    fake
}

/// Names and ids of everything that there is.
fn things(fake: &Fake) -> BTreeSet<String> {
    let state = fake.state();
    let copies = state.lightsail.snapshots.iter();
    let copies = copies.map(|copy| copy.resource.name.clone());
    let snapshots = state.tables.snapshots.keys().cloned();
    let images = state.tables.images.keys().cloned();
    copies.chain(snapshots).chain(images).collect()
}

fn victim(fake: &Fake, place: &Path, args: &[&str], in_haste: bool) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lightsail-victim"));
    command
        .args(args)
        .env_clear()
        .envs(fake.environment())
        .env("HOME", place)
        .env("XDG_STATE_HOME", place)
        .stdin(Stdio::null());
    if in_haste {
        command.env("FLR_TEST_LIMIT_MS", LIMIT.as_millis().to_string());
    }
    Said::of(&command.output().expect("a process"))
}

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    /// Both, one after the other.
    out: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout) + &text(&output.stderr),
        }
    }
}

fn try_cell(cell: &Cell) -> Outcome {
    let Cell { site, kind, form } = cell;
    let fake = world();
    let before = things(&fake);
    let place = tempfile::tempdir().expect("a folder");
    let hits = site.break_it(&fake, &kind.fault, *form);
    let begun = Instant::now();
    let args = ["open", "web-1", "300000", "900000"];
    let in_haste = *form == Form::Always && kind.always.is_some();
    let said = victim(&fake, place.path(), &args, in_haste);
    let took = begun.elapsed();
    let mut wrong = Vec::new();
    if hits.load(Ordering::Relaxed) == 0 {
        wrong.push("the call was never made".to_owned());
    }
    if took > BOUND {
        wrong.push(format!("it took {took:?}"));
    }
    let left: Vec<_> = things(&fake).difference(&before).cloned().collect();
    if !left.is_empty() && matches!(said.code, Some(0 | 1)) {
        wrong.push(format!("left without a word: {left:?} {said:?}"));
    }
    judge(cell, &said, &mut wrong);
    fake.clear_rule();
    let cleanup = victim(&fake, place.path(), &["gc"], false);
    let after = things(&fake);
    if cleanup.code != Some(0) || after != before {
        wrong.push(format!(
            "{after:?} after the clean-up: {cleanup:?}; before: {said:?}"
        ));
    }
    let word = word(&said);
    Outcome { word, took, wrong }
}

fn word(said: &Said) -> String {
    let left = match said.code {
        Some(0) => return "right".to_owned(),
        Some(1) => "",
        Some(20) => "right, left ",
        Some(21) => "left ",
        _ => return "?".to_owned(),
    };
    let kinds = [
        "Unknown",
        "Throttled",
        "Expired",
        "Quota",
        "Failed",
        "Deadline",
    ];
    let found = kinds.into_iter().find(|kind| {
        said.out.contains(&format!("kind: {kind}")) || said.out.contains(&format!("{kind} {{"))
    });
    format!("{left}{}", found.unwrap_or("refused"))
}

fn judge(cell: &Cell, said: &Said, wrong: &mut Vec<String>) {
    let Cell { kind, form, .. } = cell;
    let sum = Sha256::digest(&image()[300_000..1_200_000]);
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    let read = said.out.contains(&sum);
    match said.code {
        Some(0 | 20) if !read => wrong.push(format!("other bytes: {said:?}")),
        Some(0 | 20 | 1 | 21) => {}
        _ => wrong.push(format!("expected another exit code: {said:?}")),
    }
    let quota = kind.always == Some(FaultKind::Quota);
    let must_go_well = match form {
        Form::Once => !quota,
        Form::Always => kind.always.is_none(),
    };
    if must_go_well && said.code != Some(0) {
        wrong.push(format!("not survived: {said:?}"));
    }
    if *form == Form::Always && kind.before && said.code == Some(0) {
        wrong.push("it went well, without the call".to_owned());
    }
}

#[test]
fn a_fault_that_passes_is_survived() {
    let cells = cells(&SITES, Form::Once, |_| kinds(false));
    run("Lightsail, once", cells, 12, try_cell);
}

#[test]
fn a_fault_that_stays_is_told_and_leaves_nothing_without_a_word() {
    let cells = cells(&SITES, Form::Always, |_| kinds(false));
    run("Lightsail, always", cells, 40, try_cell);
}
