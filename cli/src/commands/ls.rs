//! `flr ls`: directories, one name a line.

use super::Context;
use crate::args::{Ls, SortBy};
use crate::color;
use crate::exit::Exit;
use crate::hash;
use crate::node::{self, Extras};
use crate::open::Opened;
use crate::output::{Failure, Outcome, Stop};
use flr_fs::{FileKind, Metadata};
use flr_recover::shown::for_terminal;
use flr_recover::walk::{Next, Step, walk};
use flr_recover::{Listing, View, ViewNode};

/// Columns before the name in a long listing.
const COLUMN_COUNT: usize = 6;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Ls) -> Outcome {
    if args.xattrs && !ctx.out.json {
        let what = "--xattrs is for --json";
        return Err(Failure::new(Exit::Usage, what)
            .hint("flr stat shows the extended attributes of one file")
            .into());
    }
    let several = args.addresses.addresses.len() > 1;
    let mut first = true;
    let mut after_directory = false;
    let follow = !args.long;
    ctx.for_each(&args.addresses.addresses, follow, |ctx, opened| {
        let resolved = &opened.target.resolved;
        if resolved.metadata.kind != FileKind::Directory {
            if std::mem::take(&mut after_directory) && !ctx.out.json && !args.null {
                ctx.out.line("")?;
            }
            first = false;
            let path = &resolved.path;
            let mut page = Page::new(args);
            return match show(
                ctx,
                args,
                opened,
                path,
                resolved.node,
                &resolved.metadata,
                &mut page,
            ) {
                Ok(()) => page.print(ctx, args),
                Err(stop) => Err(stop),
            };
        }
        if several && !ctx.out.json && !args.null {
            let gap = if first { "" } else { "\n" };
            first = false;
            after_directory = true;
            ctx.out
                .line(&format!("{gap}{}:", opened.text_of(&resolved.path)))?;
        }
        list(ctx, args, opened)
    })
}

/// Lists the directory that an address led to.
fn list(ctx: &mut Context<'_>, args: &Ls, opened: &Opened) -> Outcome<()> {
    let resolved = &opened.target.resolved;
    let view = &opened.target.opened.view;
    let all = args.all.then(|| view.with_hidden());
    let view = all.as_ref().unwrap_or(view);
    let base = if resolved.path == b"/" {
        &[][..]
    } else {
        resolved.path.as_slice()
    };
    let order = |view: &View, listing: &Listing| ordered(view, listing, args);
    let depth_max = match (args.depth, args.recursive) {
        (Some(depth), _) => depth,
        (None, true) => usize::MAX,
        (None, false) => 1,
    };
    let mut page = Page::new(args);
    let mut stop = None;
    let walked = walk(view, resolved.node, Some(&order), &mut |step| {
        let (below, outcome) = match step {
            Step::Leave { .. } => return Next::Continue,
            Step::Node {
                path,
                node,
                metadata,
            } => {
                let full = [base, path].concat();
                (
                    path.to_vec(),
                    show(ctx, args, opened, &full, node, &metadata, &mut page),
                )
            }
            Step::Failed { path, error } => {
                let full = [base, path].concat();
                let address = opened.text_of(if full.is_empty() { b"/" } else { &full });
                // Where the rows of a page are held back, they come before the message.
                let printed = page.print(ctx, args);
                (
                    path.to_vec(),
                    printed.and_then(|()| ctx.fail_with(&address, &error)),
                )
            }
        };
        if let Err(reason) = outcome {
            stop = Some(reason);
            return Next::Stop;
        }
        let depth = below.iter().filter(|byte| **byte == b'/').count();
        if depth >= depth_max {
            Next::Skip
        } else {
            Next::Continue
        }
    });
    if let Some(stop) = stop {
        return Err(stop);
    }
    page.print(ctx, args)?;
    walked.map_err(|error| Stop::Item(opened.explain(&error)))?;
    ctx.tally.reached();
    Ok(())
}

/// Prints one node, or holds its row back until the page is known to be complete.
fn show(
    ctx: &mut Context<'_>,
    args: &Ls,
    opened: &Opened,
    path: &[u8],
    node: ViewNode,
    metadata: &Metadata,
    page: &mut Page,
) -> Outcome<()> {
    ctx.tally.done();
    if ctx.out.json {
        let extras = Extras {
            xattrs: args.xattrs,
            streams: false,
            hash: args.hash,
        };
        let (map, errors) = node::json(opened, path, node, metadata, extras);
        ctx.out.message("node", &map)?;
        for error in errors {
            let address = opened.text_of(path);
            ctx.fail_with(&address, &error)?;
        }
        return Ok(());
    }
    let start = &opened.target.resolved.path;
    let name = if is_deep(args) {
        let below = path.strip_prefix(start.as_slice()).unwrap_or(path);
        below.strip_prefix(b"/").unwrap_or(below)
    } else {
        node::name_of(path)
    };
    let name = if name.is_empty() {
        node::name_of(path)
    } else {
        name
    };
    let digest = match digest(ctx, args, opened, path, node, metadata)? {
        Some(digest) => digest,
        None => return Ok(()),
    };
    if args.null && !args.long {
        return ctx.out.null_terminated(&[digest.as_bytes(), name].concat());
    }
    let shown = if args.null {
        String::from_utf8_lossy(name).into_owned()
    } else {
        color::name(&for_terminal(name), metadata, ctx.out.color)
    };
    let mut text = digest + &shown;
    if !args.long {
        return ctx.out.line(&text);
    }
    if metadata.kind == FileKind::Symlink {
        match opened.target.opened.view.read_link(node) {
            Ok(target) => text = format!("{text} -> {}", for_terminal(&target)),
            Err(error) => {
                let address = opened.text_of(path);
                ctx.fail_with(&address, &error)?;
            }
        }
    }
    page.rows.push((node::columns(metadata, &ctx.zone), text));
    if page.rows.len() >= page.rows_max {
        page.print(ctx, args)?;
    }
    Ok(())
}

/// The hash column of a node, which is empty unless asked for. `None`: there is none, as told.
fn digest(
    ctx: &mut Context<'_>,
    args: &Ls,
    opened: &Opened,
    path: &[u8],
    node: ViewNode,
    metadata: &Metadata,
) -> Outcome<Option<String>> {
    let Some(algorithm) = args.hash else {
        return Ok(Some(String::new()));
    };
    if metadata.kind != FileKind::File {
        return Ok(Some(format!("{:1$}  ", "-", hash::hex_len(algorithm))));
    }
    let source = opened.target.opened.view.open(node);
    match source.and_then(|source| hash::of(source.as_ref(), algorithm, &mut |_| {})) {
        Ok(digest) => Ok(Some(digest + "  ")),
        Err(error) => {
            ctx.fail_with(&opened.text_of(path), &error)?;
            Ok(None)
        }
    }
}

const fn is_deep(args: &Ls) -> bool {
    args.recursive || args.depth.is_some()
}

/// Rows of a long listing, held back so that their columns line up.
struct Page {
    rows: Vec<([String; COLUMN_COUNT], String)>,
    rows_max: usize,
}

impl Page {
    fn new(args: &Ls) -> Self {
        // A recursive listing has no natural pages; it is to flow.
        Self {
            rows: Vec::new(),
            rows_max: if is_deep(args) { 256 } else { 65_536 },
        }
    }

    fn print(&mut self, ctx: &mut Context<'_>, args: &Ls) -> Outcome<()> {
        let mut widths = [0_usize; COLUMN_COUNT];
        for (columns, _) in &self.rows {
            for (width, column) in widths.iter_mut().zip(columns) {
                *width = (*width).max(column.len());
            }
        }
        for (columns, name) in self.rows.drain(..) {
            let [mode, nlink, uid, gid, size, time] = columns;
            let [_, n, u, g, s, _] = widths;
            let line = format!("{mode} {nlink:>n$} {uid:>u$} {gid:>g$} {size:>s$} {time} {name}");
            if args.null {
                ctx.out.null_terminated(line.as_bytes())?;
            } else {
                ctx.out.line(&line)?;
            }
        }
        Ok(())
    }
}

/// The order in which a directory's entries are shown.
fn ordered(view: &View, listing: &Listing, args: &Ls) -> Vec<usize> {
    let name = |index: &usize| {
        listing
            .get(*index)
            .map(|entry| entry.name)
            .unwrap_or_default()
    };
    let metadata = |index: &usize| {
        // An entry that cannot be read has no size; its error is told when its turn comes.
        listing
            .get(*index)
            .and_then(|entry| view.metadata(entry.node).ok())
    };
    let mut order: Vec<usize> = (0..listing.len()).collect();
    match args.sort {
        SortBy::Name => order.sort_by(|a, b| name(a).cmp(name(b))),
        SortBy::Size => order.sort_by_cached_key(|index| {
            let size = metadata(index).map_or(0, |metadata| metadata.size);
            (std::cmp::Reverse(size), name(index).to_vec())
        }),
        SortBy::Time => order.sort_by_cached_key(|index| {
            let time = metadata(index).map(|metadata| metadata.mtime);
            (std::cmp::Reverse(time), name(index).to_vec())
        }),
    }
    if args.reverse {
        order.reverse();
    }
    order
}
