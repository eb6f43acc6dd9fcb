//! `flr cp`: files and directories out of a view into a directory of the host.

use super::{Context, ends_in_slash};
use crate::args::{Cp, OverwriteMode};
use crate::exit::Exit;
use crate::open::{Opened, Opener, describe};
use crate::output::{Failure, Outcome};
use crate::progress::Bar;
use crate::signals::Interrupt;
use flr_fs::FileKind;
use flr_recover::copy::{
    Copier, CopyEvents, CopyOptions, CopyReport, DestinationDir, Item, KeepReason, Overwrite,
    SkipReason, Warning,
};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Cp) -> Outcome {
    let usage = || {
        Failure::new(Exit::Usage, "cp needs what to copy and where to")
            .hint("flr cp disk.img:/etc/fstab .")
    };
    let (dest, sources) = args.operands.split_last().ok_or_else(usage)?;
    let mut opener = Opener::new(ctx.global);
    let listed = ctx.global.files_from0.is_some() || !ctx.global.path_b64.is_empty();
    if sources.is_empty() && !listed && ctx.global.from.is_none() {
        return Err(usage().into());
    }
    let addresses = opener.addresses(sources)?;
    let follow_last = !args.archive;
    let single = addresses.len() == 1;
    let mut sources = Vec::new();
    for address in &addresses {
        match opener.open(address, follow_last || ends_in_slash(address), &mut ctx.out) {
            Ok(opened) => sources.push((opened, ends_in_slash(address))),
            Err(failure) if single => return Err(failure.into()),
            Err(failure) => ctx.fail(&address.to_string(), &failure)?,
        }
    }
    if dest == "-" {
        return to_stdout(ctx, &sources);
    }
    to_directory(ctx, args, &sources, Path::new(dest), single)
}

fn to_stdout(ctx: &mut Context<'_>, sources: &[(Opened, bool)]) -> Outcome {
    for (opened, _) in sources {
        let resolved = &opened.target.resolved;
        let address = opened.text_of(&resolved.path);
        let source = match opened.target.opened.view.open(resolved.node) {
            Ok(source) => source,
            Err(error) => {
                ctx.fail_with(&address, &error)?;
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
    args: &Cp,
    sources: &[(Opened, bool)],
    dest: &Path,
    single: bool,
) -> Outcome {
    let options = options(args);
    let interrupt = Interrupt::install()?;
    let total = sources
        .iter()
        .map(|(opened, _)| total_of(opened))
        .sum::<Option<u64>>();
    let bar = Bar::new(ctx.global, total.unwrap_or(0), "copying");
    let mut report = CopyReport::default();
    for (opened, slash) in sources {
        let place = place(opened, *slash, dest, single)?;
        let events = Events::new(opened, &bar, ctx.out.json, ctx.global.quiet);
        let view = &opened.target.opened.view;
        let resolved = &opened.target.resolved;
        let copier = Copier::new(options.clone(), &events, &interrupt.flag);
        let copied = match &place {
            Place::Named(dir, name) => copier.copy_as(view, resolved, dir, name),
            Place::Contents(dir) => copier.copy_contents(view, resolved, dir),
        };
        for (message_type, value) in events.into_lines() {
            ctx.out.message(message_type, &value)?;
        }
        report.add(copied);
    }
    bar.finish();
    finish(ctx, &report, &interrupt)
}

fn options(args: &Cp) -> CopyOptions {
    let base = if args.archive {
        CopyOptions::archive()
    } else {
        CopyOptions::plain()
    };
    CopyOptions {
        overwrite: match args.overwrite {
            OverwriteMode::Never => Overwrite::Never,
            OverwriteMode::IfChanged => Overwrite::IfChanged,
            OverwriteMode::IfNewer => Overwrite::IfNewer,
            OverwriteMode::Always => Overwrite::Always,
        },
        devices: args.devices,
        set_id: args.setid,
        sparse: args.sparse,
        salvage: args.salvage,
        ..base
    }
}

/// Bytes to copy, if that is known without a walk.
fn total_of(opened: &Opened) -> Option<u64> {
    let metadata = &opened.target.resolved.metadata;
    (metadata.kind == FileKind::File).then_some(metadata.size)
}

/// Rsync's rule: a directory with a slash behind it stands for its contents. A single file goes to the
/// name given, if that is no directory.
fn place(opened: &Opened, slash: bool, dest: &Path, single: bool) -> Result<Place, Failure> {
    let failed = |error| describe(&error, &dest.display().to_string());
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
        let what = format!(
            "{}: several files need a directory to go to",
            dest.display()
        );
        let hint = format!("mkdir -p {}", dest.display());
        return Err(Failure::new(Exit::Usage, what).hint(hint));
    }
    let parent = match dest.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let Some(name) = dest.file_name() else {
        let what = format!("{}: no name to copy to", dest.display());
        return Err(Failure::new(Exit::Usage, what));
    };
    let dir = DestinationDir::open(&parent).map_err(|error| {
        let hint = format!("mkdir -p {}", parent.display());
        failed(error).hint(hint)
    })?;
    Ok(Place::Named(dir, name.to_owned()))
}

/// The last component of the path in the address.
fn asked_name(opened: &Opened) -> Option<OsString> {
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
    for _ in 0..report
        .files
        .saturating_add(report.dirs)
        .saturating_add(report.links)
    {
        ctx.tally.done();
    }
    if let Some(signal) = interrupt.signal() {
        return Ok(signal);
    }
    if let Some(error) = &report.stopped {
        return Err(describe(error, "cp").into());
    }
    if ctx.tally.failures() > 0 {
        ctx.tally.failed(Exit::Partial);
    }
    let made = report
        .files
        .saturating_add(report.links)
        .saturating_add(report.specials);
    let exit = match &report.first_error {
        _ if report.is_complete() => ctx.tally.exit(),
        // A single file that failed is that failure; anything more is a copy with parts missing.
        Some(error) if made == 0 && report.failed == 1 && report.dirs == 0 => Exit::of(error),
        _ => Exit::Partial,
    };
    if ctx.out.json {
        let value = json!({
            "files": report.files, "dirs": report.dirs, "links": report.links, "bytes": report.bytes,
            "bytes_written": report.bytes_written, "kept": report.kept, "skipped": report.skipped,
            "failed": report.failed, "warnings": report.warnings, "salvaged": report.salvaged,
            "bytes_unreadable": report.bytes_unreadable,
        });
        ctx.out.message("status", &value)?;
    }
    Ok(exit)
}

/// Prints what happens while it happens; JSON lines are kept for the end, since several threads tell.
struct Events<'a> {
    opened: &'a Opened,
    bar: &'a Bar,
    json: bool,
    quiet: bool,
    lines: Mutex<Vec<(&'static str, Map<String, Value>)>>,
}

impl<'a> Events<'a> {
    fn new(opened: &'a Opened, bar: &'a Bar, json: bool, quiet: bool) -> Self {
        Self {
            opened,
            bar,
            json,
            quiet,
            lines: Mutex::default(),
        }
    }

    fn into_lines(self) -> Vec<(&'static str, Map<String, Value>)> {
        self.lines
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn map(&self, item: &Item) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("address".into(), self.opened.text_of(&item.source).into());
        map.insert(
            "path".into(),
            String::from_utf8_lossy(&item.source).into_owned().into(),
        );
        map.insert(
            "destination".into(),
            item.destination.display().to_string().into(),
        );
        map
    }

    fn push(&self, message_type: &'static str, map: Map<String, Value>) {
        let mut lines = self
            .lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.push((message_type, map));
    }

    fn say(&self, text: &str) {
        self.bar.above(|| {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }

    fn warn(&self, item: &Item, code: &str, text: String) {
        if self.json {
            let mut map = self.map(item);
            map.insert("code".into(), code.into());
            map.insert("message".into(), text.into());
            self.push("skipped", map);
        } else if !self.quiet {
            self.say(&format!(
                "warning: {}: {text}",
                self.opened.text_of(&item.source)
            ));
        }
    }
}

impl CopyEvents for Events<'_> {
    fn advanced(&self, _item: &Item, bytes: u64) {
        self.bar.add(bytes);
    }

    fn finished(&self, item: &Item) {
        if self.json {
            let mut map = self.map(item);
            map.insert("type".into(), item.kind.map(FileKind::word).into());
            map.insert("size".into(), item.size.into());
            self.push("restored", map);
        }
    }

    fn kept(&self, item: &Item, reason: KeepReason) {
        let (code, text) = match reason {
            KeepReason::Exists => ("exists", "exists and is left as it is"),
            KeepReason::Unchanged => ("unchanged", "has the same size and time"),
            KeepReason::NotOlder => ("not-older", "is as new or newer"),
        };
        if self.json {
            self.warn(item, code, text.to_owned());
        } else if !self.quiet && reason == KeepReason::Exists {
            self.say(&format!("note: {}: {text}", item.destination.display()));
        }
    }

    fn skipped(&self, item: &Item, reason: SkipReason) {
        let (code, text) = match reason {
            SkipReason::Special => ("special", "a device or FIFO, not made without --devices"),
            SkipReason::Socket => ("socket", "a socket, not made"),
        };
        self.warn(item, code, text.to_owned());
    }

    fn warning(&self, item: &Item, warning: &Warning) {
        let (code, text) = match warning {
            Warning::Owner(error) => (
                "owner",
                format!("owners are not kept, which takes root: {error}"),
            ),
            Warning::Mode(error) => ("mode", format!("the mode is not kept: {error}")),
            Warning::Times(error) => ("times", format!("the times are not kept: {error}")),
            Warning::Xattr { name, source } => (
                "xattr",
                format!("{} is not kept: {source}", for_terminal(name)),
            ),
            Warning::XattrUnreadable { name, error } => match name {
                Some(name) => (
                    "xattr-unreadable",
                    format!("{}: {error}", for_terminal(name)),
                ),
                None => (
                    "xattr-unreadable",
                    format!("its extended attributes: {error}"),
                ),
            },
            Warning::SetIdStripped(bits) => (
                "setid",
                format!("set-id bits {bits:04o} are not kept without --setid"),
            ),
            Warning::CapabilitiesStripped => (
                "capabilities",
                "file capabilities are not kept without --setid".to_owned(),
            ),
            Warning::NameShortened(name) => (
                "name",
                format!("the name is too long here: {}", for_terminal(name)),
            ),
            Warning::LinkCopied(error) => (
                "link",
                format!("copied once more instead of a hard link: {error}"),
            ),
        };
        self.warn(item, code, text);
    }

    fn unreadable(&self, item: &Item, range: Range<u64>, error: &flr_recover::Error) {
        if self.json {
            let mut map = self.map(item);
            map.insert("code".into(), "unreadable".into());
            map.insert("start".into(), range.start.into());
            map.insert("end".into(), range.end.into());
            map.insert("message".into(), error.to_string().into());
            return self.push("error", map);
        }
        let what = self.opened.text_of(&item.source);
        self.say(&format!(
            "flr: {what}: bytes {} to {} are a hole in the copy: {error}",
            range.start, range.end
        ));
    }

    fn failed(&self, item: &Item, error: &flr_recover::Error) {
        let failure = describe(error, &self.opened.text_of(&item.source));
        if self.json {
            let mut map = self.map(item);
            let code = failure.code.unwrap_or_else(|| "error".to_owned());
            map.insert("code".into(), code.into());
            map.insert("exit".into(), failure.exit.code().into());
            map.insert("message".into(), failure.message.into());
            return self.push("error", map);
        }
        self.say(&format!("flr: {}", failure.message));
    }
}
