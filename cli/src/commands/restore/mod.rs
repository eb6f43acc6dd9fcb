//! `flr restore`: files and directories back to where they belong, with all they have, verified.

mod job;
mod manifest;
mod owners;
mod plan;
mod record;
mod results;

use super::cost::Planned;
use super::cp::{asked_name, totals};
use super::{Context, ends_in_slash};
use crate::args_restore::Restore;
use crate::copying::{Events, Line, Telling, drive};
use crate::exit::Exit;
use crate::open::{Opened, Opener, describe};
use crate::output::{Failure, Outcome, Stop};
use crate::progress::Bar;
use flr_fs::FileKind;
use flr_recover::address::Address;
use flr_recover::copy::{Copier, CopyOptions, CopyReport, DestinationDir, LinkTable};
use flr_recover::shown::for_terminal;
use job::Job;
pub(crate) use owners::by_number;
use record::Record;
use results::Results;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Restore) -> Outcome {
    let (jobs, results) = match &args.manifest {
        Some(path) => {
            if ctx.global.from.is_some() || ctx.global.files_from0.is_some() {
                let what = "a manifest names itself what it restores";
                return Err(Failure::new(Exit::Usage, what)
                    .hint("flr restore -f FILE")
                    .into());
            }
            let manifest = manifest::read(path)?;
            let results = args.results.clone().unwrap_or(manifest.results);
            (manifest.jobs, Some(results))
        }
        None => (vec![Job::of(args)?], args.results.clone()),
    };
    // What makes no sense is said before anything is read.
    for job in &jobs {
        job.options()?;
    }
    let run = Run {
        scripted: args.manifest.is_some(),
        resume: args.resume || args.manifest.is_some(),
    };
    if args.dry_run {
        return plan::run(ctx, &run, &jobs);
    }
    let folder = match &results {
        Some(path) => Some(results::folder(path)?),
        None => None,
    };
    let mut results = match &folder {
        Some(folder) => Some(Results::begin(folder)?),
        None => None,
    };
    let report = run.all(ctx, &jobs, &mut results)?;
    let exit = finish(ctx, &report, &jobs)?;
    if let Some(mut results) = results
        && !matches!(exit, Exit::Interrupted | Exit::Terminated)
        && report.stopped.is_none()
    {
        results.line("summary", &ctx.summary_fields(exit))?;
        results.commit()?;
    }
    Ok(exit)
}

/// What holds for all jobs.
struct Run {
    /// The jobs stand in a manifest.
    scripted: bool,
    /// What stands in the destination is read, and kept if it is right.
    resume: bool,
}

/// An address that was opened.
struct Source {
    address: Address,
    opened: Opened,
    slash: bool,
}

/// Where one source goes.
enum Place {
    /// Into a directory, under this name.
    Named(OsString),
    /// Its contents into a directory, which stands for itself.
    Onto,
    /// To its own path below a directory.
    OwnPath,
}

impl Run {
    fn all(
        &self,
        ctx: &mut Context<'_>,
        jobs: &[Job],
        results: &mut Option<Results<'_>>,
    ) -> Outcome<CopyReport> {
        let mut all = CopyReport::default();
        for job in jobs {
            match self.job(ctx, job, results) {
                Ok(report) => all.add(report),
                // Of several jobs the others go on.
                Err(Stop::Failure(failure) | Stop::Item(failure)) if jobs.len() > 1 => {
                    let what = format!("job {}", job.name);
                    if let Some(results) = results {
                        let fields = crate::output::error_fields(&what, &failure);
                        results.line("error", &fields)?;
                    }
                    ctx.fail(&what, &named(&what, failure))?;
                }
                Err(stop) => return Err(stop),
            }
            if all.cancelled || all.stopped.is_some() {
                break;
            }
        }
        Ok(all)
    }

    /// Everything that a job names, opened; what cannot be is told, and is the job's failure if it is all.
    fn sources<'a>(&self, ctx: &mut Context<'a>, job: &Job) -> Outcome<(Opener<'a>, Vec<Source>)> {
        let mut opener = Opener::new(ctx);
        let addresses: Vec<Address> = match self.scripted {
            true => {
                let parsed = job.from.iter().map(|text| opener.parse(text));
                parsed.collect::<Result<_, _>>()?
            }
            false => opener.addresses(&job.from)?,
        };
        let single = addresses.len() == 1;
        let mut sources = Vec::new();
        // Of the jobs before this one what was read has been counted.
        let mut planned = Planned::default();
        for address in &addresses {
            let slash = ends_in_slash(address);
            match opener.open(address, slash, &mut ctx.out) {
                Ok(opened) => {
                    let source = Source {
                        address: address.clone(),
                        opened,
                        slash,
                    };
                    plan::add_cost(&mut planned, &opener, job, &source)?;
                    sources.push(source);
                }
                Err(failure) if single => return Err(failure.into()),
                Err(failure) => ctx.fail(&address.to_string(), &failure)?,
            }
        }
        Ok((opener, sources))
    }

    fn job(
        &self,
        ctx: &mut Context<'_>,
        job: &Job,
        results: &mut Option<Results<'_>>,
    ) -> Outcome<CopyReport> {
        let (_, sources) = self.sources(ctx, job)?;
        let [first, others @ ..] = sources.as_slice() else {
            return Ok(CopyReport::default());
        };
        let mut options = job.options()?;
        let view = |source: &Source| Arc::clone(&source.opened.target.opened.view);
        let owners: Vec<_> = sources
            .iter()
            .map(|source| {
                let mut warn = |text: &str| ctx.out.warn(text);
                owners::owners(job, &view(source), &mut warn).map(Arc::new)
            })
            .collect::<Result<_, _>>()?;
        options.expected = expected(job, first)?;
        let alone = others.is_empty() && matches!(first.place(job), Place::Onto);
        let destination = destination(job, alone)?;
        let mut record = Record::open(ctx, job, self.resume)?;
        if self.resume {
            options.resume = Some(record.known());
        }
        let total = (sources.iter())
            .map(|source| super::cp::total_of(&source.opened))
            .sum::<Option<u64>>();
        let bar = Bar::new(ctx.global, total.unwrap_or(0), "restoring");
        let mut report = CopyReport::default();
        let links = Arc::default();
        for (source, owners) in sources.iter().zip(owners) {
            options.owners = owners;
            let (how, parts) = ((&options, &links), (&mut record, &mut *results));
            report.add(one(ctx, job, source, how, &destination, &bar, parts)?);
            if report.cancelled || report.stopped.is_some() {
                break;
            }
        }
        bar.finish();
        record.close(report.is_complete() && !self.scripted)?;
        Ok(report)
    }
}

/// The directory that is restored to, made if it is missing. `alone`: it is one directory of the image
/// itself, and gets the attributes of that if it is made.
fn destination(job: &Job, alone: bool) -> Result<DestinationDir, Failure> {
    let opened = match alone {
        true => DestinationDir::create_all(&job.to, true),
        // What comes later would find what came before.
        false => {
            DestinationDir::create_all(&job.to, false).and_then(|_| DestinationDir::open(&job.to))
        }
    };
    opened.map_err(|error| {
        let failure = describe(&error, &for_terminal(job.to.as_os_str().as_bytes()));
        match (job.to.exists(), job.to.is_dir()) {
            (true, false) => failure.hint("name a directory, or another place"),
            (false, _) if job.to.is_symlink() => failure.hint(
                "it is a link that leads nowhere: make what it leads to, or name another place",
            ),
            _ => failure,
        }
    })
}

/// Restores one source; what is told of it is written down, and printed if that is wanted.
fn one(
    ctx: &mut Context<'_>,
    job: &Job,
    source: &Source,
    how: (&CopyOptions, &Arc<LinkTable>),
    destination: &DestinationDir,
    bar: &Bar,
    (record, results): (&mut Record, &mut Option<Results<'_>>),
) -> Outcome<CopyReport> {
    let remote = Rc::clone(&ctx.remote);
    let cancel: &AtomicBool = &remote.signals()?.flag;
    let written = results.is_some();
    let telling = Telling {
        bar,
        lines: ctx.out.json || written,
        written,
        contents: true,
        json: ctx.out.json,
        quiet: ctx.global.quiet,
        go_on: "make room, then run the same again with --resume to go on where it ended",
    };
    let mut take = |ctx: &mut Context<'_>, line: Line| {
        record.add(&line)?;
        if let Some(results) = results {
            results.line(line.message_type, &line.fields)?;
            if let Some(content) = &line.content {
                results.sum(content)?;
            }
        }
        // Remarks have been made already, on standard error.
        match ctx.out.json && line.message_type != "status" {
            true => ctx.out.message(line.message_type, &line.fields),
            false => Ok(()),
        }
    };
    let (opened, place) = (&source.opened, source.place(job));
    drive(ctx, opened, telling, cancel, &mut take, |events| {
        copy(events, how, cancel, opened, &place, destination)
    })
}

impl Source {
    fn place(&self, job: &Job) -> Place {
        let resolved = &self.opened.target.resolved;
        if job.in_place {
            return Place::OwnPath;
        }
        let is_dir = resolved.metadata.kind == FileKind::Directory;
        if is_dir && (self.slash || resolved.path == b"/") {
            return Place::Onto;
        }
        Place::Named(
            asked_name(&self.opened).unwrap_or_else(|| {
                OsStr::from_bytes(crate::node::name_of(&resolved.path)).to_owned()
            }),
        )
    }
}

fn copy(
    events: &Events<'_>,
    (options, links): (&CopyOptions, &Arc<LinkTable>),
    cancel: &AtomicBool,
    opened: &Opened,
    place: &Place,
    destination: &DestinationDir,
) -> CopyReport {
    let view = &opened.target.opened.view;
    let resolved = &opened.target.resolved;
    let copier = Copier::new(options.clone(), events, cancel).with_links(links);
    match place {
        Place::Named(name) => copier.copy_as(view, resolved, destination, name),
        Place::Onto => copier.copy_onto(view, resolved, destination),
        Place::OwnPath => copier.copy_in_place(view, resolved, destination),
    }
}

fn expected(job: &Job, source: &Source) -> Result<Option<flr_recover::copy::Digest>, Failure> {
    let is_file = source.opened.target.resolved.metadata.kind == FileKind::File;
    if job.sha256.is_some() && !is_file {
        let what = format!(
            "job {}: sha256 is about one file, and this is none",
            job.name
        );
        return Err(Failure::new(Exit::Usage, what).hint("flr hash has the hashes of a directory"));
    }
    Ok(job.sha256)
}

/// What is said at the end, and the exit code.
fn finish(ctx: &mut Context<'_>, report: &CopyReport, jobs: &[Job]) -> Outcome {
    let made = (report.files.saturating_add(report.links)).saturating_add(report.specials);
    let there = made
        .saturating_add(report.dirs)
        .saturating_add(report.verified);
    ctx.tally.add(there, report.failed);
    ctx.totals = totals(report);
    for (key, value) in [
        ("conflicts", report.conflicts),
        ("verified", report.verified),
        ("mismatched", report.mismatched),
    ] {
        ctx.totals.insert(key.into(), value.into());
    }
    if let Some(signal) = ctx.remote.signal() {
        let n = report.files;
        let text = format!("interrupted: {n} files were restored, no part of another one is left");
        ctx.out.warn(&text);
        ctx.out.note("to go on: the same command with --resume");
        return Ok(signal);
    }
    // Told already where it happened.
    if let Some(error) = &report.stopped {
        ctx.out
            .warn("the rest was not tried: the destination takes no more");
        return Ok(Exit::of(error));
    }
    if report.mismatched > 0 {
        return Ok(Exit::Mismatch);
    }
    let exit = match &report.first_error {
        _ if report.is_complete() => ctx.tally.exit(),
        // A single file that failed is that failure; anything more is a restore with parts missing.
        Some(error) if there == 0 && report.failed == 1 && ctx.tally.failures() == 1 => {
            Exit::of(error)
        }
        _ => Exit::Partial,
    };
    if exit == Exit::Done {
        say_done(ctx, report, jobs);
    }
    Ok(exit)
}

fn say_done(ctx: &mut Context<'_>, report: &CopyReport, jobs: &[Job]) {
    let size = indicatif::HumanBytes(report.bytes);
    let count = |n: u64, one: &str, more: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {more}"),
    };
    let files = count(report.files, "file", "files");
    let dirs = count(report.dirs, "directory", "directories");
    let mut text = format!("{files} and {dirs} restored, {size}");
    if let [only] = jobs {
        let to = for_terminal(only.to.as_os_str().as_bytes());
        text.push_str(&format!(", to {to}"));
    }
    if report.verified > 0 {
        let there = count(report.verified, "file was", "files were");
        text.push_str(&format!("; {there} there already and right"));
    }
    let left = report.kept.saturating_sub(report.verified);
    if left > 0 {
        let left = count(left, "entry was", "entries were");
        text.push_str(&format!("; {left} left as found"));
    }
    ctx.out.note(&text);
}

/// The failure of a job of several, with what it is called.
fn named(job: &str, failure: Failure) -> Failure {
    Failure {
        message: format!("{job}: {}", failure.message),
        ..failure
    }
}
