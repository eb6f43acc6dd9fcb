//! `flr cp`: files and directories out of a view into a directory of the host.

use super::{Context, ends_in_slash};
use crate::args::{Cp, OverwriteMode};
use crate::copying::{Line, Telling, drive};
use crate::exit::Exit;
use crate::open::{Opened, Opener, describe, quoted};
use crate::output::{Failure, Outcome, fields};
use crate::progress::Bar;
use crate::signals::Interrupt;
use flr_fs::FileKind;
use flr_recover::copy::{Copier, CopyOptions, CopyReport, DestinationDir, LinkTable, Overwrite};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Cp) -> Outcome {
    copy(ctx, &args.operands, !args.archive, &options(args))
}

/// Copies what the operands name, but for the last one, to what that names. `follow_last`: a link that is named
/// stands for what it leads to.
pub(crate) fn copy(
    ctx: &mut Context<'_>,
    operands: &[OsString],
    follow_last: bool,
    options: &CopyOptions,
) -> Outcome {
    let usage = || {
        Failure::new(Exit::Usage, "cp needs what to copy and where to")
            .hint("flr cp disk.img:/etc/fstab .")
    };
    let (dest, sources) = operands.split_last().ok_or_else(usage)?;
    let mut opener = Opener::new(ctx);
    let listed = ctx.global.files_from0.is_some() || !ctx.global.path_b64.is_empty();
    if sources.is_empty() && !listed && ctx.global.from.is_none() {
        return Err(usage().into());
    }
    let addresses = opener.addresses(sources)?;
    if dest == "-" {
        ctx.out.begin_content();
    }
    let single = addresses.len() == 1;
    let mut sources = Vec::new();
    let mut planned = super::cost::Planned::default();
    for address in &addresses {
        match opener.open(address, follow_last || ends_in_slash(address), &mut ctx.out) {
            Ok(opened) => {
                planned.add(&opener, address, total_of(&opened).unwrap_or(0))?;
                sources.push((opened, ends_in_slash(address)));
            }
            Err(failure) if single => return Err(failure.into()),
            Err(failure) => ctx.fail(&address.to_string(), &failure)?,
        }
    }
    if dest == "-" {
        return to_stdout(ctx, &sources);
    }
    if sources.is_empty() {
        return Ok(ctx.tally.exit());
    }
    to_directory(ctx, options, &sources, Path::new(dest), single)
}

fn to_stdout(ctx: &mut Context<'_>, sources: &[(Opened, bool)]) -> Outcome {
    for (opened, _) in sources {
        let resolved = &opened.target.resolved;
        let address = opened.text_of(&resolved.path);
        let source = match opened.target.opened.view.open(resolved.node) {
            Ok(source) => source,
            Err(error) => {
                ctx.fail_content(&address, &error, "flr cp - takes files only; flr ls")?;
                continue;
            }
        };
        match super::cat::write(source.as_ref(), 0..source.size(), &mut ctx.out)? {
            Ok(()) => ctx.tally.done(),
            Err(error) => ctx.fail_with(&address, &error)?,
        }
    }
    Ok(ctx.tally.exit())
}

/// Where one source goes.
enum Place {
    /// Into a directory, under this name.
    Named(DestinationDir, OsString),
    /// Its contents into a directory.
    Contents(DestinationDir),
}

fn to_directory(
    ctx: &mut Context<'_>,
    options: &CopyOptions,
    sources: &[(Opened, bool)],
    dest: &Path,
    single: bool,
) -> Outcome {
    let remote = Rc::clone(&ctx.remote);
    let interrupt = remote.signals()?;
    let total = sources
        .iter()
        .map(|(opened, _)| total_of(opened))
        .sum::<Option<u64>>();
    let bar = Bar::new(ctx.global, total.unwrap_or(0), "copying");
    let mut report = CopyReport::default();
    let links = Arc::default();
    for (opened, slash) in sources {
        let place = place(opened, *slash, dest, single)?;
        let how = (options, &links);
        report.add(one(ctx, opened, &place, how, &bar, &interrupt.flag)?);
    }
    bar.finish();
    finish(ctx, &report, interrupt)
}

fn one(
    ctx: &mut Context<'_>,
    opened: &Opened,
    place: &Place,
    (options, links): (&CopyOptions, &Arc<LinkTable>),
    bar: &Bar,
    // Raised by a signal, or when nobody takes the lines any more.
    cancel: &AtomicBool,
) -> Outcome<CopyReport> {
    let telling = Telling {
        bar,
        lines: ctx.out.json,
        written: false,
        contents: false,
        json: ctx.out.json,
        quiet: ctx.global.quiet,
        go_on: "make room, then run the same again with --overwrite if-changed to go on where it ended",
    };
    let mut print =
        |ctx: &mut Context<'_>, line: Line| ctx.out.message(line.message_type, &line.fields);
    drive(ctx, opened, telling, cancel, &mut print, |events| {
        let view = &opened.target.opened.view;
        let resolved = &opened.target.resolved;
        let copier = Copier::new(options.clone(), events, cancel).with_links(links);
        match place {
            Place::Named(dir, name) => copier.copy_as(view, resolved, dir, name),
            Place::Contents(dir) => copier.copy_contents(view, resolved, dir),
        }
    })
}

fn options(args: &Cp) -> CopyOptions {
    let base = if args.archive {
        CopyOptions::archive()
    } else {
        CopyOptions::plain()
    };
    CopyOptions {
        overwrite: overwrite(args.overwrite),
        devices: args.devices,
        set_id: args.setid,
        sparse: args.sparse,
        salvage: args.salvage,
        ..base
    }
}

pub(crate) const fn overwrite(mode: OverwriteMode) -> Overwrite {
    match mode {
        OverwriteMode::Never => Overwrite::Never,
        OverwriteMode::IfChanged => Overwrite::IfChanged,
        OverwriteMode::IfNewer => Overwrite::IfNewer,
        OverwriteMode::Always => Overwrite::Always,
    }
}

/// Bytes to copy, if that is known without a walk.
pub(crate) fn total_of(opened: &Opened) -> Option<u64> {
    let metadata = &opened.target.resolved.metadata;
    (metadata.kind == FileKind::File).then_some(metadata.size)
}

/// Rsync's rule: a directory with a slash behind it stands for its contents. A single file goes to the
/// name given, if that is no directory.
fn place(opened: &Opened, slash: bool, dest: &Path, single: bool) -> Result<Place, Failure> {
    let shown = for_terminal(dest.as_os_str().as_bytes());
    let failed = |error| {
        let failure = describe(&error, &shown);
        let above = dest.parent().unwrap_or(dest);
        if dest.is_file() {
            failure.hint("name a directory, or another place")
        } else if above.as_os_str().is_empty() || above.is_dir() {
            failure
        } else {
            failure.hint(format!("mkdir -p {}", quoted(&shown)))
        }
    };
    let resolved = &opened.target.resolved;
    let is_dir = resolved.metadata.kind == FileKind::Directory;
    let dest_is_dir = dest.is_dir();
    if is_dir && (slash || resolved.path == b"/") {
        let dir = if dest_is_dir {
            DestinationDir::open(dest)
        } else {
            DestinationDir::create(dest)
        };
        return Ok(Place::Contents(dir.map_err(failed)?));
    }
    // The name that was asked for, not the one a link led to.
    let name = asked_name(opened)
        .unwrap_or_else(|| OsStr::from_bytes(crate::node::name_of(&resolved.path)).to_owned());
    if dest_is_dir {
        return Ok(Place::Named(
            DestinationDir::open(dest).map_err(failed)?,
            name,
        ));
    }
    let wants_dir = dest.as_os_str().as_bytes().ends_with(b"/");
    if is_dir || !single || wants_dir {
        if is_dir || wants_dir {
            let dir = DestinationDir::create(dest).map_err(failed)?;
            return Ok(Place::Named(dir, name));
        }
        let what = format!("{shown}: several files need a directory to go to");
        let hint = format!("mkdir -p {}", quoted(&shown));
        return Err(Failure::new(Exit::Usage, what).hint(hint));
    }
    if is_stream(dest) {
        let what = format!("{shown}: a device, FIFO or socket, which no file replaces");
        let from = quoted(&opened.text_of(&resolved.path));
        let hint = format!("to write into it: flr cat {from} > {}", quoted(&shown));
        return Err(Failure::new(Exit::Usage, what).hint(hint));
    }
    let parent = match dest.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let Some(name) = dest.file_name() else {
        let what = format!("{}: no name to copy to", quoted(&shown));
        return Err(Failure::new(Exit::Usage, what));
    };
    let dir = DestinationDir::open(&parent).map_err(|error| {
        let parent = for_terminal(parent.as_os_str().as_bytes());
        failed(error).hint(format!("mkdir -p {}", quoted(&parent)))
    })?;
    Ok(Place::Named(dir, name.to_owned()))
}

/// Whether something stands there that takes bytes and is no file.
fn is_stream(dest: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    dest.metadata().is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket()
    })
}

/// The last component of the path in the address.
pub(crate) fn asked_name(opened: &Opened) -> Option<OsString> {
    let (_, path) = opened.address.locator.last()?;
    let bytes = path.as_bytes();
    let end = bytes
        .iter()
        .rposition(|byte| *byte != b'/')?
        .checked_add(1)?;
    let name = crate::node::name_of(bytes.get(..end)?);
    (!matches!(name, b"" | b"." | b".." | b"/")).then(|| OsStr::from_bytes(name).to_owned())
}

fn finish(ctx: &mut Context<'_>, report: &CopyReport, interrupt: &Interrupt) -> Outcome {
    let made = report
        .files
        .saturating_add(report.links)
        .saturating_add(report.specials);
    ctx.tally
        .add(made.saturating_add(report.dirs), report.failed);
    ctx.totals = totals(report);
    if let Some(signal) = interrupt.signal() {
        let n = report.files;
        let text = format!("interrupted: {n} files were copied, no part of another one is left");
        ctx.out.warn(&text);
        return Ok(signal);
    }
    // Told already where it happened.
    if let Some(error) = &report.stopped {
        if made > 0 {
            ctx.out
                .warn("the rest was not tried: the destination takes no more");
        }
        return Ok(Exit::of(error));
    }
    let exit = match &report.first_error {
        _ if report.is_complete() => ctx.tally.exit(),
        // A single file that failed is that failure; anything more is a copy with parts missing.
        Some(error) if made == 0 && report.failed == 1 && report.dirs == 0 => Exit::of(error),
        _ => Exit::Partial,
    };
    Ok(exit)
}

/// What the summary says of a copy.
pub(crate) fn totals(report: &CopyReport) -> Map<String, Value> {
    fields(json!({
        "files": report.files, "dirs": report.dirs, "links": report.links,
        "hard_links": report.hard_links, "specials": report.specials, "bytes": report.bytes,
        "bytes_written": report.bytes_written, "kept": report.kept, "skipped": report.skipped,
        "warnings": report.warnings, "salvaged": report.salvaged,
        "bytes_unreadable": report.bytes_unreadable,
    }))
}
