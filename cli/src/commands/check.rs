//! `flr check`: reads everything and lists what is damaged.

use super::Context;
use crate::args::Check;
use crate::exit::{Exit, Tally};
use crate::open::{Opened, Opener, hint_of, quoted};
use crate::output::{Failure, Outcome, fields};
use crate::progress::Bar;
use flr_recover::address::{Address, Locator};
use flr_recover::check::{
    Counts, Event, Finding, Options, Severity, THREAD_NAME, check_point, check_target,
};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};
use std::ffi::OsStr;
use std::rc::Rc;
use std::sync::Arc;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Check) -> Outcome {
    let remote = Rc::clone(&ctx.remote);
    let interrupt = remote.signals()?;
    let options = Options {
        second_reader: args.second_reader,
        cancel: Arc::clone(&interrupt.flag),
    };
    if args.second_reader {
        quiet_second_reader();
    }
    let mut opener = Opener::new(ctx);
    let addresses = opener.addresses(&args.addresses.addresses)?;
    let single = addresses.len() == 1;
    // Several addresses end as several items of any command do.
    let mut verdicts = Tally::default();
    for address in &addresses {
        // An object alone stands for its volumes, not for what its guest shows of them.
        let address = match &address.locator {
            Locator::None => Address {
                locator: Locator::volume(OsStr::new("")),
                ..address.clone()
            },
            _ => address.clone(),
        };
        let opened = match opener.open(&address, true, &mut ctx.out) {
            Ok(opened) => opened,
            Err(failure) if single => return Err(failure.into()),
            Err(failure) => {
                verdicts.failed(failure.exit);
                ctx.fail(&address.to_string(), &failure)?;
                continue;
            }
        };
        let counts = match check(ctx, &opened, &options) {
            Ok(counts) => counts,
            Err(stop) => {
                return match ctx.remote.signal() {
                    Some(exit) => Err(Failure::new(exit, "interrupted").into()),
                    None => Err(stop),
                };
            }
        };
        tell(ctx, &opened, &counts, args.second_reader)?;
        match exit_of(&counts) {
            Exit::Done => verdicts.done(),
            exit => verdicts.failed(exit),
        }
    }
    Ok(verdicts.exit())
}

/// A panic of the second reader is counted; its message would only look like one of ours.
fn quiet_second_reader() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some(THREAD_NAME) {
            before(info);
        }
    }));
}

fn check(ctx: &mut Context<'_>, opened: &Opened, options: &Options) -> Outcome<Counts> {
    let bar = Bar::new(ctx.global, 0, "checking");
    let verbose = ctx.global.verbose > 0;
    let mut printed: Outcome<()> = Ok(());
    let mut report = |event: Event<'_>| match event {
        Event::Advanced(bytes) => bar.add(bytes),
        Event::Found(finding) => {
            if printed.is_ok() {
                // What could not be read for the money is not damaged.
                printed = match ctx.remote.over_cost() {
                    Some(failure) => Err(failure.into()),
                    None => Ok(()),
                };
                if printed.is_ok() {
                    bar.above(|| printed = print(ctx, opened, finding, verbose));
                }
                if printed.is_err() {
                    // Nobody listens any more, or there is no more money.
                    options
                        .cancel
                        .store(true, std::sync::atomic::Ordering::Relaxed);
                }
            }
        }
    };
    let target = &opened.target;
    let whole = target.opened.volume.as_deref() == Some("") && target.resolved.path == b"/";
    let counts = match whole {
        true => check_point(&target.point, options, &mut report),
        false => check_target(target, options, &mut report),
    };
    bar.finish();
    printed?;
    let failure = |error: &flr_recover::Error| Failure::new(Exit::of(error), error.to_string());
    match (ctx.remote.over_cost(), counts) {
        (Some(over), _) => Err(over.into()),
        (None, counts) => counts.map_err(|error| failure(&error).into()),
    }
}

fn print(ctx: &mut Context<'_>, opened: &Opened, finding: &Finding, verbose: bool) -> Outcome<()> {
    let exit = match finding.severity {
        Severity::Remark | Severity::NotComparable => None,
        Severity::Unreadable => Some(Exit::Unsupported),
        Severity::Damaged => Some(Exit::Damaged),
        Severity::Mismatch => Some(Exit::Mismatch),
    };
    if exit.is_none() && !ctx.out.json && !verbose {
        // Remarks are for who asks for them; what is left out is counted in the last line.
        return Ok(());
    }
    let path = if finding.path.is_empty() {
        b"/"
    } else {
        finding.path.as_slice()
    };
    let address = opened.address_of(path).to_string();
    let hint = hint(&address, finding);
    if let Some(exit) = exit {
        ctx.tally.failed(exit);
        ctx.last = Some(Failure {
            exit,
            message: format!("{address}: {}", finding.detail),
            hint: hint.clone(),
            code: Some(finding.code.to_string()),
            resources: Vec::new(),
        });
    }
    if !ctx.out.json {
        let at = finding
            .at
            .map(|at| format!(" at {at:#x}"))
            .unwrap_or_default();
        return ctx.out.line(&format!(
            "{}: {}: {} ({}{at})",
            for_terminal(address.as_bytes()),
            finding.severity.word(),
            for_terminal(finding.detail.as_bytes()),
            finding.code,
        ));
    }
    let mut value = Map::new();
    value.insert("address".into(), address.into());
    value.insert("severity".into(), finding.severity.word().into());
    value.insert("code".into(), finding.code.as_str().into());
    if let Some(exit) = exit {
        value.insert("exit".into(), exit.code().into());
        value.insert("hint".into(), hint.into());
    }
    value.insert("message".into(), finding.detail.as_str().into());
    value.insert("at".into(), finding.at.map_or(Value::Null, Value::from));
    if let Some(range) = &finding.range {
        value.insert("range".into(), json!([range.start, range.end]));
    }
    let kind = if exit.is_some() { "error" } else { "status" };
    ctx.out.message(kind, &value)
}

/// The closing line of one address.
fn tell(
    ctx: &mut Context<'_>,
    opened: &Opened,
    counts: &Counts,
    second_reader: bool,
) -> Outcome<()> {
    let read = [
        counts.directories,
        counts.files,
        counts.links,
        counts.others,
    ];
    if exit_of(counts) == Exit::Done {
        for _ in 0..counts.filesystems {
            ctx.tally.done();
        }
    }
    if ctx.out.json {
        let mut value = fields(json!({
            "address": opened.address.to_string(), "action": "checked",
            "filesystems": counts.filesystems, "directories": counts.directories,
            "files": counts.files, "links": counts.links, "others": counts.others,
            "xattrs": counts.xattrs, "bytes": counts.bytes, "checksums": counts.checksums,
            "damaged": counts.damaged, "unreadable": counts.unreadable,
            "remarks": counts.remarks,
        }));
        if second_reader {
            value.insert("compared".into(), counts.compared.into());
            value.insert("mismatches".into(), counts.mismatches.into());
            value.insert("not_comparable".into(), json!(counts.not_comparable));
        }
        return ctx.out.message("status", &value);
    }
    let nodes = read.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let mut line = format!(
        "{}: {nodes} nodes, {} bytes, {} filesystems: {} damaged, {} unreadable",
        for_terminal(opened.address.to_string().as_bytes()),
        counts.bytes,
        counts.filesystems,
        counts.damaged,
        counts.unreadable,
    );
    if second_reader {
        line += &format!(
            "; second reader: {} agree, {} differ",
            counts.compared, counts.mismatches
        );
        for (reason, count) in &counts.not_comparable {
            line += &format!(", {count} not comparable ({reason})");
        }
    }
    ctx.out.line(&line)
}

/// The verdict on one address. A wrong byte outranks damage: it is what a second reader is asked about.
const fn exit_of(counts: &Counts) -> Exit {
    if counts.mismatches > 0 {
        Exit::Mismatch
    } else if counts.damaged > 0 {
        Exit::Damaged
    } else if counts.unreadable > 0 {
        Exit::Partial
    } else {
        Exit::Done
    }
}

/// What to try next about a finding.
fn hint(address: &str, finding: &Finding) -> Option<String> {
    let lost = finding.range.is_some() && finding.severity == Severity::Damaged;
    match hint_of(finding.code) {
        Some(hint) => Some(hint.to_owned()),
        None if lost => Some(format!(
            "to keep what can be read of it: flr cp --salvage {} DIRECTORY",
            quoted(address)
        )),
        None => None,
    }
}
