//! `flr find`: files by name, size, time, kind and owner. What is printed are addresses, ready to be
//! given to the other commands.

use super::Context;
use crate::args::Find;
use crate::exit::Exit;
use crate::node::{self, Extras, name_of};
use crate::open::Opened;
use crate::output::{Failure, Outcome, Stop};
use crate::when;
use flr_fs::{FileKind, Metadata, Timestamp};
use flr_recover::View;
use flr_recover::shown::for_terminal;
use flr_recover::walk::{Next, Step, walk};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::bytes::{RegexSet, RegexSetBuilder};
use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Largest passwd file that is read, in bytes.
const PASSWD_LEN_MAX: u64 = 4 << 20;

/// What a file must be like. Different tests must all hold; of the same test given twice, one.
struct Tests {
    names: Option<GlobSet>,
    paths: Option<GlobSet>,
    regexes: Option<RegexSet>,
    sizes: Vec<(Ordering, u64)>,
    newer: Option<Timestamp>,
    older: Option<Timestamp>,
    kinds: Vec<FileKind>,
}

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Find) -> Outcome {
    let tests = Tests::new(ctx, args)?;
    ctx.for_each(&args.addresses.addresses, true, |ctx, opened| {
        search(ctx, args, &tests, opened)
    })
}

fn search(ctx: &mut Context<'_>, args: &Find, tests: &Tests, opened: &Opened) -> Outcome<()> {
    let resolved = &opened.target.resolved;
    let view = &opened.target.opened.view;
    let owner = args
        .owner
        .as_deref()
        .map(|owner| uid_of(view, owner))
        .transpose()?;
    let wanted = |path: &[u8], metadata: &Metadata| {
        owner.is_none_or(|uid| metadata.uid == uid) && tests.hold(path, metadata)
    };
    if wanted(&resolved.path, &resolved.metadata) {
        show(
            ctx,
            args,
            opened,
            &resolved.path,
            resolved.node,
            &resolved.metadata,
        )?;
    }
    if resolved.metadata.kind != FileKind::Directory || args.depth == Some(0) {
        return Ok(());
    }
    let base = if resolved.path == b"/" {
        &[][..]
    } else {
        resolved.path.as_slice()
    };
    let depth_max = args.depth.unwrap_or(usize::MAX);
    let mut stop = None;
    let walked = walk(view, resolved.node, None, &mut |step| {
        let (depth, outcome) = match step {
            Step::Leave { .. } => return Next::Continue,
            Step::Failed { path, error } => {
                let full = [base, path].concat();
                let address = opened.text_of(if full.is_empty() { b"/" } else { &full });
                (0, ctx.fail_with(&address, &error))
            }
            Step::Node {
                path,
                node,
                metadata,
            } => {
                let depth = path.iter().filter(|byte| **byte == b'/').count();
                let full = [base, path].concat();
                let outcome = if wanted(&full, &metadata) {
                    show(ctx, args, opened, &full, node, &metadata)
                } else {
                    Ok(())
                };
                (depth, outcome)
            }
        };
        match outcome {
            Ok(()) if depth >= depth_max => Next::Skip,
            Ok(()) => Next::Continue,
            Err(reason) => {
                stop = Some(reason);
                Next::Stop
            }
        }
    });
    if let Some(stop) = stop {
        return Err(stop);
    }
    walked.map_err(|error| Stop::Item(opened.explain(&error)))?;
    ctx.tally.reached();
    Ok(())
}

fn show(
    ctx: &mut Context<'_>,
    args: &Find,
    opened: &Opened,
    path: &[u8],
    node: flr_recover::ViewNode,
    metadata: &Metadata,
) -> Outcome<()> {
    ctx.tally.done();
    if ctx.out.json {
        let (map, errors) = node::json(opened, path, node, metadata, Extras::default());
        ctx.out.message("match", &map)?;
        for error in errors {
            ctx.fail_with(&opened.text_of(path), &error)?;
        }
        return Ok(());
    }
    let address = opened.address_of(path);
    if !args.null {
        return ctx.out.line(&address.to_string());
    }
    match address.to_os_string() {
        Ok(text) => ctx.out.null_terminated(text.as_bytes()),
        Err(arguments) => {
            let what = format!("{arguments}: no single address can name this");
            ctx.fail(&address.to_string(), &Failure::new(Exit::Usage, what))
        }
    }
}

impl Tests {
    fn new(ctx: &Context<'_>, args: &Find) -> Result<Self, Failure> {
        let time = |name: &str, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            when::parse(text, &ctx.zone).map(Some).ok_or_else(|| {
                usage(format!(
                    "--{name} {text}: expected a time such as 2026-11-18T03:00 or 3d"
                ))
            })
        };
        let regexes = RegexSetBuilder::new(&args.regex)
            .size_limit(1 << 20)
            .build();
        Ok(Self {
            names: globs(&[(&args.name, false), (&args.iname, true)], true)?,
            paths: globs(&[(&args.path, false)], false)?,
            regexes: match args.regex.is_empty() {
                true => None,
                false => Some(regexes.map_err(|error| usage(regex_text(&error, &args.regex)))?),
            },
            sizes: args
                .size
                .iter()
                .map(|text| size(text))
                .collect::<Result<_, _>>()?,
            newer: time("newer", &args.newer)?,
            older: time("older", &args.older)?,
            kinds: args
                .kinds
                .iter()
                .map(|text| kind(text))
                .collect::<Result<_, _>>()?,
        })
    }

    fn hold(&self, path: &[u8], metadata: &Metadata) -> bool {
        let os = OsStr::from_bytes;
        self.names
            .as_ref()
            .is_none_or(|names| names.is_match(os(name_of(path))))
            && self
                .paths
                .as_ref()
                .is_none_or(|paths| paths.is_match(os(path)))
            && self
                .regexes
                .as_ref()
                .is_none_or(|regexes| regexes.is_match(path))
            && self
                .sizes
                .iter()
                .all(|(order, size)| metadata.size.cmp(size) == *order)
            && self.newer.is_none_or(|time| metadata.mtime > time)
            && self.older.is_none_or(|time| metadata.mtime < time)
            && (self.kinds.is_empty() || self.kinds.contains(&metadata.kind))
    }
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn globs(sets: &[(&Vec<String>, bool)], names: bool) -> Result<Option<GlobSet>, Failure> {
    if sets.iter().all(|(patterns, _)| patterns.is_empty()) {
        return Ok(None);
    }
    let mut builder = GlobSetBuilder::new();
    for (patterns, insensitive) in sets {
        for pattern in *patterns {
            // In find(1) a star stands for slashes too; in a name there are none.
            let flag = match (names, insensitive) {
                (false, _) => "path",
                (true, false) => "name",
                (true, true) => "iname",
            };
            let glob = GlobBuilder::new(pattern)
                .case_insensitive(*insensitive)
                .literal_separator(names)
                .backslash_escape(true)
                .build();
            builder
                .add(glob.map_err(|error| usage(format!("--{flag} {pattern}: {}", error.kind())))?);
        }
    }
    builder
        .build()
        .map(Some)
        .map_err(|error| usage(error.to_string()))
}

/// The last line of the library's drawing says what is wrong.
fn regex_text(error: &regex::Error, patterns: &[String]) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    let why = last.strip_prefix("error: ").unwrap_or(last);
    format!("--regex {}: {why}", patterns.join(" --regex "))
}

fn size(text: &str) -> Result<(Ordering, u64), Failure> {
    let (order, number) = match text.split_at_checked(1) {
        Some(("+", rest)) => (Ordering::Greater, rest),
        Some(("-", rest)) => (Ordering::Less, rest),
        _ => (Ordering::Equal, text),
    };
    let (digits, unit) = match number.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => number.split_at_checked(end).unwrap_or((number, "")),
        None => (number, ""),
    };
    let shift = match unit {
        "" | "c" | "B" => Some(0),
        "k" | "K" | "KiB" => Some(10),
        "M" | "MiB" => Some(20),
        "G" | "GiB" => Some(30),
        "T" | "TiB" => Some(40),
        _ => None,
    };
    let size = shift
        .and_then(|shift| 1_u64.checked_shl(shift))
        .and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit));
    size.map(|size| (order, size)).ok_or_else(|| {
        usage(format!(
            "--size {text}: expected a number such as 10M, +1G or -4k"
        ))
    })
}

fn kind(text: &str) -> Result<FileKind, Failure> {
    Ok(match text {
        "f" | "file" => FileKind::File,
        "d" | "dir" => FileKind::Directory,
        "l" | "symlink" => FileKind::Symlink,
        "c" | "char" => FileKind::CharDevice,
        "b" | "block" => FileKind::BlockDevice,
        "p" | "fifo" => FileKind::Fifo,
        "s" | "socket" => FileKind::Socket,
        _ => {
            return Err(usage(format!(
                "--type {text}: expected one of f d l c b p s"
            )));
        }
    })
}

/// The number of a user, from the guest's own passwd if it is a name.
fn uid_of(view: &View, owner: &str) -> Result<u32, Failure> {
    if let Ok(uid) = owner.parse() {
        return Ok(uid);
    }
    let unknown = |why: String| {
        usage(format!("--owner {owner}: {why}")).hint("a number works without the guest's passwd")
    };
    let passwd = view
        .resolve(b"/etc/passwd", true)
        .and_then(|found| view.open(found.node));
    let source = passwd.map_err(|error| unknown(format!("the guest's passwd: {error}")))?;
    let len = flr_fs::bytes::clamp_usize(source.size().min(PASSWD_LEN_MAX), usize::MAX);
    let mut text = vec![0; len];
    source
        .read_at(0, &mut text)
        .map_err(|error| unknown(error.to_string()))?;
    let uid = text.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        let uid = std::str::from_utf8(fields.nth(1)?).ok()?;
        (name == owner.as_bytes())
            .then(|| uid.parse().ok())
            .flatten()
    });
    uid.ok_or_else(|| {
        unknown(format!(
            "the guest has no user {}",
            for_terminal(owner.as_bytes())
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("10").unwrap(), (Ordering::Equal, 10));
        assert_eq!(size("+1k").unwrap(), (Ordering::Greater, 1024));
        assert_eq!(size("-2M").unwrap(), (Ordering::Less, 2 << 20));
        for text in ["", "+", "1X", "99999999T", "k"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn stars_cross_slashes_in_paths_only() {
        let set = |text: &str, names| {
            globs(&[(&vec![text.to_owned()], false)], names)
                .unwrap()
                .unwrap()
        };
        assert!(set("*.conf", true).is_match("a.conf"));
        assert!(set("/etc/*.conf", false).is_match("/etc/a/b.conf"));
        assert!(globs(&[(&vec!["[".to_owned()], false)], true).is_err());
    }
}
