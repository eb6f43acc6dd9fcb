//! `flr restore -n`: what would be done, and what it would cost.

use super::job::Job;
use super::{Place, Run, Source, named};
use crate::commands::{Context, cost};
use crate::exit::Exit;
use crate::node::put_bytes;
use crate::open::{Opener, describe};
use crate::output::{Failure, Outcome, Stop};
use flr_recover::Error;
use flr_recover::copy::{
    CopyOptions, DestinationDir, Item, KeepReason, LinkTable, Plan, Planned, SkipReason,
};
use flr_recover::shown::for_terminal;
use serde_json::Map;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Shows what the jobs would do.
pub(super) fn run(ctx: &mut Context<'_>, run: &Run, jobs: &[Job]) -> Outcome {
    let mut sum = Plan::default();
    let mut planned: usize = 0;
    for job in jobs {
        match of_job(ctx, run, job) {
            Ok(plan) => {
                sum.add(plan);
                planned = planned.saturating_add(1);
            }
            // As when it is done: of several jobs the others go on.
            Err(Stop::Failure(failure) | Stop::Item(failure)) if jobs.len() > 1 => {
                let what = format!("job {}", job.name);
                ctx.fail(&what, &named(&what, failure))?;
            }
            Err(stop) => return Err(stop),
        }
    }
    for (key, value) in [
        ("files", sum.files),
        ("dirs", sum.dirs),
        ("links", sum.links),
        ("specials", sum.specials),
        ("bytes", sum.bytes),
        ("replaced", sum.replaced),
        ("kept", sum.kept),
        ("conflicts", sum.conflicts),
        ("skipped", sum.skipped),
    ] {
        ctx.totals.insert(key.into(), value.into());
    }
    ctx.tally.add(0, sum.failed);
    let in_part = planned > 0 && planned < jobs.len();
    Ok(if sum.failed > 0 || in_part {
        Exit::Partial
    } else {
        ctx.tally.exit()
    })
}

/// Shows what one job would do.
fn of_job(ctx: &mut Context<'_>, run: &Run, job: &Job) -> Outcome<Plan> {
    let mut sum = Plan::default();
    let options = job.options()?;
    let (opener, sources) = run.sources(ctx, job)?;
    let links = LinkTable::default();
    for source in sources {
        let mut told = Vec::new();
        let plan = plan_of(job, &source, &options, &links, &mut |item, planned| {
            told.push((item.clone(), planned));
        });
        for (item, planned) in told {
            tell(ctx, &source, &item, planned)?;
        }
        sum.add(plan);
        if !ctx.out.json
            && let Some(text) = cost::words(&opener, &source.address, plan.bytes)?
        {
            ctx.out.line(&text)?;
        }
    }
    if !ctx.out.json {
        summary_of(ctx, job, &sum)?;
    }
    Ok(sum)
}

fn plan_of(
    job: &Job,
    source: &Source,
    options: &CopyOptions,
    links: &LinkTable,
    visit: &mut dyn FnMut(&Item, Result<Planned, Error>),
) -> Plan {
    let view = &source.opened.target.opened.view;
    let resolved = &source.opened.target.resolved;
    let top = DestinationDir::open(&job.to).ok();
    let last = || OsStr::from_bytes(crate::node::name_of(&resolved.path)).to_owned();
    let (name, below): (Option<OsString>, &[u8]) = match source.place(job) {
        Place::Named(name) => (Some(name), b""),
        Place::Onto => (None, b""),
        Place::OwnPath if resolved.path == b"/" => (None, b""),
        Place::OwnPath => {
            let slash = resolved.path.iter().rposition(|byte| *byte == b'/');
            let above = slash.and_then(|slash| resolved.path.get(..slash));
            (Some(last()), above.unwrap_or_default())
        }
    };
    let relative = below.strip_prefix(b"/").unwrap_or(below);
    let path = job.to.join(OsStr::from_bytes(relative));
    let directory = top.as_ref().and_then(|top| top.below(below));
    let place: (Option<&DestinationDir>, &Path) = (directory.as_ref(), &path);
    Plan::make(
        view,
        resolved,
        name.as_deref(),
        place,
        options,
        links,
        visit,
    )
}

/// One entry that is not simply new.
fn tell(
    ctx: &mut Context<'_>,
    source: &Source,
    item: &Item,
    planned: Result<Planned, Error>,
) -> Outcome<()> {
    let address = source.opened.text_of(&item.source);
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) => {
            let failure = describe(&error, &address);
            return ctx.out.item_failed(&address, &failure);
        }
    };
    let (code, text) = match planned {
        Planned::Create => return Ok(()),
        Planned::Replace => ("replace", "would be replaced"),
        Planned::InTheWay => ("in-the-way", "is in the way and stays: this would fail"),
        Planned::Keep(KeepReason::Differs) => ("differs", "is another one and would stay"),
        Planned::Keep(KeepReason::Exists) => ("exists", "would stay"),
        Planned::Keep(KeepReason::NotOlder) => ("not-older", "is as new or newer and would stay"),
        Planned::Keep(KeepReason::Unchanged | KeepReason::Verified(_)) => {
            ("unchanged", "has the same size and time and would stay")
        }
        Planned::Skip(SkipReason::Special) => (
            "special",
            "a device or FIFO would not be made without --devices",
        ),
        Planned::Skip(SkipReason::Socket) => ("socket", "a socket would not be made"),
    };
    let destination = item.destination.as_os_str().as_bytes();
    if !ctx.out.json {
        if code == "unchanged" {
            return Ok(());
        }
        return ctx
            .out
            .line(&format!("{}: {text}", for_terminal(destination)));
    }
    let mut map = Map::new();
    map.insert("action".into(), "plan".into());
    map.insert("code".into(), code.into());
    map.insert("message".into(), text.into());
    map.insert("address".into(), address.into());
    put_bytes(&mut map, "path", &item.source);
    put_bytes(&mut map, "destination", destination);
    ctx.out.message("status", &map)
}

fn summary_of(ctx: &mut Context<'_>, job: &Job, plan: &Plan) -> Outcome<()> {
    let to = for_terminal(job.to.as_os_str().as_bytes());
    let size = indicatif::HumanBytes(plan.bytes);
    let name = match job.name.is_empty() {
        true => String::new(),
        false => format!("job {}: ", job.name),
    };
    ctx.out.line(&format!(
        "{name}to {to}: {} files ({size}), {} directories, {} links, {} special files",
        plan.files, plan.dirs, plan.links, plan.specials
    ))?;
    ctx.out.line(&format!(
        "  {} replaced, {} conflicts, {} kept, {} skipped",
        plan.replaced, plan.conflicts, plan.kept, plan.skipped
    ))?;
    let free = DestinationDir::open(&job.to)
        .ok()
        .and_then(|it| it.bytes_free());
    match free {
        Some(free) if free < plan.bytes => {
            let free = indicatif::HumanBytes(free);
            ctx.out.warn(&format!("only {free} are free in {to}"));
        }
        _ => {}
    }
    Ok(())
}

/// Adds what a source costs to what is planned; asked before content is read.
pub(super) fn add_cost(
    planned: &mut cost::Planned,
    opener: &Opener<'_>,
    job: &Job,
    source: &Source,
) -> Result<(), Failure> {
    let address = &source.address;
    if opener.catalog_of(address).is_none() || opener.how(address)?.max_cost.is_none() {
        return Ok(());
    }
    let options = job.options()?;
    let plan = plan_of(job, source, &options, &LinkTable::default(), &mut |_, _| {});
    planned.add(opener, address, plan.bytes)
}
