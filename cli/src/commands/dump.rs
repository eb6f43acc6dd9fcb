//! `flr dump`: a tree as an archive on standard output.

use super::cp::asked_name;
use super::restore::by_number;
use super::{Context, ends_in_slash};
use crate::args_trees::{ArchiveForm, Dump};
use crate::exit::Exit;
use crate::node::{name_of, put_bytes};
use crate::open::{Opened, Opener, describe, quoted};
use crate::output::{Failure, Outcome, Output, Stop, error_fields, fields, json_line};
use crate::progress::Bar;
use flr_fs::FileKind;
use flr_recover::Error;
use flr_recover::archive::{
    ArchiveOptions, ArchiveReport, Event, Format, Item, Lack, LeftOut, archive,
};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Dump) -> Outcome {
    let mut opener = Opener::new(ctx);
    let addresses = opener.addresses(&args.addresses)?;
    let [address] = addresses.as_slice() else {
        let what = "dump takes one address: an archive holds one tree";
        let hint = "name the directory above, or run it once for each";
        return Err(Failure::new(Exit::Usage, what).hint(hint).into());
    };
    if io::stdout().is_terminal() {
        let what = "standard output is a terminal, which shows no archive";
        let shown = quoted(&address.to_string());
        let hint = format!("flr dump {shown} | tar -tvf -");
        return Err(Failure::new(Exit::Usage, what).hint(hint).into());
    }
    ctx.out.begin_content();
    let opened = opener.open(address, ends_in_slash(address), &mut ctx.out)?;
    let resolved = &opened.target.resolved;
    let is_dir = resolved.metadata.kind == FileKind::Directory;
    let total = if is_dir { 0 } else { resolved.metadata.size };
    super::cost::Planned::default().add(&opener, address, total)?;
    let name = match is_dir && (ends_in_slash(address) || resolved.path == b"/") {
        true => None,
        false => Some(
            asked_name(&opened)
                .map_or_else(|| name_of(&resolved.path).to_vec(), OsString::into_vec),
        ),
    };
    let options = ArchiveOptions {
        format: match args.format {
            ArchiveForm::Tar => Format::Tar,
            ArchiveForm::TarZst => Format::TarZstd,
            ArchiveForm::TarGz => Format::TarGzip,
            ArchiveForm::Zip => Format::Zip,
        },
        salvage: args.salvage,
    };
    write(ctx, &opened, name.as_deref(), options, total)
}

fn write(
    ctx: &mut Context<'_>,
    opened: &Opened,
    name: Option<&[u8]>,
    options: ArchiveOptions,
    total: u64,
) -> Outcome {
    let cancel = ctx.remote.raised();
    let bar = Bar::new(ctx.global, total, "archiving");
    let out = RefCell::new(&mut ctx.out);
    let mut teller = Teller {
        opened,
        bar: &bar,
        out: &out,
        quiet: ctx.global.quiet,
        ended: None,
    };
    let target = &opened.target;
    let written = archive(
        &target.opened.view,
        &target.resolved,
        name,
        options,
        &mut Stream(&out),
        &mut |event| teller.tell(&event),
        &cancel,
    );
    bar.finish();
    let ended = teller.ended.take();
    match written {
        Ok(report) => Ok(finish(ctx, &report)),
        Err(error) => Err(stop(opened, &error, ended)),
    }
}

/// Why the archive has no end.
fn stop(opened: &Opened, error: &Error, ended: Option<String>) -> Stop {
    if let Error::Write { source, .. } = error {
        return match source.kind() {
            ErrorKind::BrokenPipe => Stop::BrokenPipe,
            _ => Failure::new(Exit::Failed, format!("standard output: {source}")).into(),
        };
    }
    match ended {
        Some(what) => {
            let mut failure = describe(error, &what);
            failure.message += "; the archive ends in the middle of this file";
            failure
                .hint("--salvage goes on with zeros in place of what cannot be read")
                .into()
        }
        None => opened.explain(error).into(),
    }
}

fn finish(ctx: &mut Context<'_>, report: &ArchiveReport) -> Exit {
    let failed = report.failed.saturating_add(report.salvaged);
    ctx.tally.add(report.entries(), failed);
    ctx.totals = fields(json!({
        "files": report.files, "dirs": report.dirs, "links": report.links,
        "hard_links": report.hard_links, "specials": report.specials, "bytes": report.bytes,
        "skipped": report.left_out, "warnings": report.lacks, "salvaged": report.salvaged,
        "bytes_unreadable": report.bytes_unreadable,
    }));
    match &report.first_error {
        _ if report.is_complete() => Exit::Done,
        // A single file that failed is that failure; anything more is an archive with parts missing.
        Some(error) if report.entries() == 0 && report.failed == 1 => Exit::of(error),
        _ => Exit::Partial,
    }
}

/// Standard output as a writer.
struct Stream<'a, 'o>(&'a RefCell<&'o mut Output>);

impl Write for Stream<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().stream().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().stream().flush()
    }
}

/// Tells what happens while it happens, on standard error.
struct Teller<'a, 'o> {
    opened: &'a Opened,
    bar: &'a Bar,
    out: &'a RefCell<&'o mut Output>,
    quiet: bool,
    /// The address of the file in which the archive ended.
    ended: Option<String>,
}

impl Teller<'_, '_> {
    fn tell(&mut self, event: &Event<'_>) {
        match event {
            Event::Unnamed(path, error) => {
                let text = by_number(path, error);
                self.bar.above(|| self.out.borrow_mut().warn(&text));
            }
            Event::Advanced(bytes) => self.bar.add(*bytes),
            Event::Finished(_) => {}
            Event::LeftOut(item, why) => self.left_out(item, *why),
            Event::Lacks(item, lack) => self.lacks(item, lack),
            Event::Unreadable(item, range, error) => {
                let what = self.opened.text_of(&item.source);
                let mut failure = describe(error, &what);
                let (start, end) = (range.start, range.end);
                failure.message =
                    format!("{what}: bytes {start} to {end} are zeros in the archive: {error}");
                let mut map = self.map(item);
                failure.code = Some("unreadable".to_owned());
                map.append(&mut error_fields(&what, &failure));
                map.insert("start".into(), start.into());
                map.insert("end".into(), end.into());
                self.error(&failure, map);
            }
            Event::Failed(item, error) => {
                let what = self.opened.text_of(&item.source);
                let failure = describe(error, &what);
                let mut map = self.map(item);
                map.append(&mut error_fields(&what, &failure));
                self.error(&failure, map);
            }
            Event::Ended(item, _) => self.ended = Some(self.opened.text_of(&item.source)),
        }
    }

    fn map(&self, item: &Item) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("address".into(), self.opened.text_of(&item.source).into());
        put_bytes(&mut map, "path", &item.source);
        put_bytes(&mut map, "destination", &item.name);
        map
    }

    /// An item that is not as it should be.
    fn error(&self, failure: &Failure, map: Map<String, Value>) {
        self.bar.above(|| {
            let mut out = self.out.borrow_mut();
            match out.json {
                true => out.talk_line(&json_line("error", &map)),
                false => out.failed(failure),
            }
        });
    }

    fn left_out(&self, item: &Item, why: LeftOut) {
        let (code, text) = match why {
            LeftOut::Socket => ("socket", "a socket, which archives have no place for"),
            LeftOut::Special => ("special", "a device or FIFO, which zip has no place for"),
            LeftOut::Name => ("name", "its name is longer than zip has room for"),
        };
        let mut map = self.map(item);
        map.insert("code".into(), code.into());
        map.insert("message".into(), text.into());
        self.bar.above(|| {
            let mut out = self.out.borrow_mut();
            match out.json {
                true => out.talk_line(&json_line("skipped", &map)),
                false => out.warn(&format!("{}: {text}", self.opened.text_of(&item.source))),
            }
        });
    }

    fn lacks(&self, item: &Item, lack: &Lack<'_>) {
        if self.quiet {
            return;
        }
        let (code, text) = match lack {
            Lack::XattrUnreadable { name, error } => {
                let name = name.map_or_else(|| "its extended attributes".to_owned(), for_terminal);
                ("xattr-unreadable", format!("{name}: {error}"))
            }
            Lack::Xattr { name, why } => {
                let name = for_terminal(name);
                ("xattr", format!("{name} is not in the archive: {why}"))
            }
        };
        let mut map = self.map(item);
        map.insert("level".into(), "warning".into());
        map.insert("code".into(), code.into());
        map.insert("message".into(), text.clone().into());
        self.bar.above(|| {
            let mut out = self.out.borrow_mut();
            match out.json {
                true => out.talk_line(&json_line("status", &map)),
                false => out.warn(&format!("{}: {text}", self.opened.text_of(&item.source))),
            }
        });
    }
}
