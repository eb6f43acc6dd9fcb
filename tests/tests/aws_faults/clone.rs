//! Temporary volumes, from the question which instance this is to the last look: by processes of their own,
//! in the way that flr takes.

use crate::kinds::{Form, LAG, Site, kinds, site};
use crate::stage::{SNAPSHOT, Stage};
use crate::table::{Cell, Outcome, cells, run};
use flr_provider::FaultKind;
use flr_tests::victim::harness::Said;
use flr_tests::victim::stage::digest;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Where each kind of fault happens. What is waited for longest comes first.
const SITES: [Site; 13] = [
    site("DescribeInstances", 1),
    site("PUT /latest/api/token", 1),
    site("GET /latest/meta-data/instance-id", 1),
    site("GetCallerIdentity", 1),
    site("GetCallerIdentity", 3),
    site("CreateVolume", 1),
    site("DescribeVolumes", 1),
    site("DescribeVolumes", 5),
    site("AttachVolume", 1),
    site("ModifyInstanceAttribute", 1),
    site("CreateTags", 1),
    site("DetachVolume", 1),
    site("DeleteVolume", 1),
];

/// For each step, where the fault stays.
const LIMIT: Duration = Duration::from_millis(2500);

/// No cell takes longer, on a busy machine: five steps, or what finding out where this is may take.
const BOUND: Duration = Duration::from_secs(45);

fn command(stage: &Stage, cell: &Cell) -> Command {
    let mut command = stage.victim(&["use", "1", SNAPSHOT]);
    let window = LAG * 2;
    command
        .env("FLR_TEST_WINDOW_MS", window.as_millis().to_string())
        .env("FLR_TEST_CALL_MS", "1000");
    // Long enough for the first renewal to come about.
    let mut limit = LIMIT;
    if cell.site.operation == "CreateTags" {
        command.env("FLR_TEST_TTL", "6");
        limit *= 2;
    }
    if cell.form == Form::Always && cell.kind.always.is_some() {
        command.env("FLR_TEST_LIMIT_MS", limit.as_millis().to_string());
    }
    command
}

fn try_cell(cell: &Cell) -> Outcome {
    let Cell { site, kind, form } = cell;
    let stage = Stage::new();
    if site.operation == "CreateTags" {
        // Half of the promised time is over when it is ready.
        stage.fake.state().settings.create_time = Duration::from_millis(3100);
    }
    let hits = site.break_it(&stage.fake, &kind.fault, *form);
    let begun = Instant::now();
    let output = command(&stage, cell).output();
    let said = Said::of(&output.expect("a process"));
    let took = begun.elapsed();
    let mut wrong = Vec::new();
    if hits.load(Ordering::Relaxed) == 0 {
        wrong.push("the call was never made".to_owned());
    }
    if took > BOUND {
        wrong.push(format!("it took {took:?}"));
    }
    judge(cell, &stage, &said, &mut wrong);
    heal(&stage, &mut wrong);
    Outcome {
        word: word(&said),
        took,
        wrong,
    }
}

/// What remains is seen to by one clean-up, once the fault is over.
fn heal(stage: &Stage, wrong: &mut Vec<String>) {
    stage.fake.clear_rule();
    let said = stage.gc();
    if said.code != Some(0) {
        wrong.push(format!("the clean-up says: {said:?}"));
    }
    let left = stage.ours();
    if !left.is_empty() {
        wrong.push(format!("left after the clean-up: {left:?}"));
    }
    stage.assert_others("after the clean-up");
}

fn word(said: &Said) -> String {
    let left = match said.code {
        Some(0) => return "right".to_owned(),
        Some(1) => "",
        Some(20) => "right, left ",
        Some(21) => "left ",
        _ => return "?".to_owned(),
    };
    let kinds = ["Unknown", "Throttled", "Expired", "Quota", "Failed"];
    let found = kinds.into_iter().find(|kind| {
        said.out.contains(&format!("kind: {kind}")) || said.out.contains(&format!("({kind}"))
    });
    format!("{left}{}", found.unwrap_or("refused"))
}

fn judge(cell: &Cell, stage: &Stage, said: &Said, wrong: &mut Vec<String>) {
    let Cell { site, kind, form } = cell;
    let read = said.out.lines().next() == Some(digest(1).as_str());
    match said.code {
        Some(0 | 20) if !read => wrong.push(format!("other bytes: {said:?}")),
        Some(0 | 20 | 1 | 21) => {}
        _ => wrong.push(format!("expected another exit code: {said:?}")),
    }
    for id in stage.ours() {
        // Told as left, or as what may remain.
        if !said.out.contains(&id) || matches!(said.code, Some(0 | 1)) {
            wrong.push(format!("left without a word: {id} {said:?}"));
        }
    }
    let quota = kind.always == Some(FaultKind::Quota);
    if *form == Form::Once {
        // What is used up is not asked for again.
        if said.code != Some(0) && !quota {
            wrong.push(format!("not survived: {said:?}"));
        }
        return;
    }
    // A belt: that it is not there is only logged.
    let is_belt = site.operation == "ModifyInstanceAttribute";
    match (said.code, kind.always) {
        (Some(0), None) => {}
        (Some(0), Some(_)) if is_belt || !kind.before => {}
        (Some(0), Some(_)) => wrong.push("it went well, without the call".to_owned()),
        (_, None) => wrong.push(format!("a lag was not survived: {said:?}")),
        (_, Some(expected)) => {
            let of_metadata = site.operation.contains("/latest/");
            let tells = match of_metadata {
                true => said.out.contains("metadata"),
                false => said.out.contains(&format!("kind: {expected:?}")),
            };
            if !tells {
                wrong.push(format!("expected {expected:?}: {said:?}"));
            }
        }
    }
}

#[test]
fn a_fault_that_passes_is_survived() {
    let cells = cells(&SITES, Form::Once, |_| kinds(false));
    run("temporary volume, once", cells, 12, try_cell);
}

#[test]
fn a_fault_that_stays_is_told_and_leaves_nothing_without_a_word() {
    let cells = cells(&SITES, Form::Always, |_| kinds(false));
    run("temporary volume, always", cells, 20, try_cell);
}
