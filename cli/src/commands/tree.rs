//! `flr tree`: a directory and what is below it, as a drawing.

use super::Context;
use crate::args::Tree;
use crate::color;
use crate::node::{self, Extras, name_of};
use crate::open::Opened;
use crate::output::{Outcome, Stop};
use flr_fs::{FileKind, Metadata};
use flr_recover::shown::for_terminal;
use flr_recover::walk::{Next, Step, walk};
use flr_recover::{Listing, View, ViewNode};

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Tree) -> Outcome {
    ctx.for_each(&args.addresses.addresses, true, |ctx, opened| {
        draw(ctx, args, opened)
    })
}

fn draw(ctx: &mut Context<'_>, args: &Tree, opened: &Opened) -> Outcome<()> {
    let resolved = &opened.target.resolved;
    let view = &opened.target.opened.view;
    let all = args.all.then(|| view.with_hidden());
    let view = all.as_ref().unwrap_or(view);
    let base = if resolved.path == b"/" {
        &[][..]
    } else {
        resolved.path.as_slice()
    };
    if !ctx.out.json {
        ctx.out.line(&opened.text_of(&resolved.path))?;
    }
    if resolved.metadata.kind != FileKind::Directory {
        ctx.tally.done();
        return Ok(());
    }
    let order = |_: &View, listing: &Listing| by_name(listing);
    let depth_max = args.depth.unwrap_or(usize::MAX);
    let (mut dirs, mut files) = (0_u64, 0_u64);
    // Whether the directory at each level has more entries to come is known from its listing.
    let mut left: Vec<usize> = vec![
        view.listing(resolved.node)
            .map_or(0, |listing| listing.len()),
    ];
    let mut stop = None;
    let walked = walk(view, resolved.node, Some(&order), &mut |step| {
        let outcome = match step {
            Step::Leave { .. } => {
                left.pop();
                return Next::Continue;
            }
            Step::Failed { path, error } => {
                let depth = path.iter().filter(|byte| **byte == b'/').count();
                // An entry that failed was counted in its directory's listing.
                if let Some(left) = left.get_mut(depth.saturating_sub(1)) {
                    *left = left.saturating_sub(usize::from(depth > 0));
                }
                left.truncate(depth.max(1));
                let full = [base, path].concat();
                let address = opened.text_of(if full.is_empty() { b"/" } else { &full });
                ctx.fail_with(&address, &error)
            }
            Step::Node {
                path,
                node,
                metadata,
            } => {
                let depth = path.iter().filter(|byte| **byte == b'/').count();
                left.truncate(depth);
                if let Some(left) = left.last_mut() {
                    *left = left.saturating_sub(1);
                }
                let is_dir = metadata.kind == FileKind::Directory;
                let count = if is_dir { &mut dirs } else { &mut files };
                *count = count.saturating_add(1);
                ctx.tally.done();
                let full = [base, path].concat();
                let printed = show(ctx, opened, &full, node, &metadata, &branches(&left));
                if is_dir && depth < depth_max && printed.is_ok() {
                    left.push(view.listing(node).map_or(0, |listing| listing.len()));
                } else if printed.is_ok() {
                    return Next::Skip;
                }
                printed
            }
        };
        match outcome {
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
    if !ctx.out.json {
        ctx.out
            .line(&format!("\n{dirs} directories, {files} files"))?;
    }
    Ok(())
}

/// Prints one node. A link whose target cannot be read is shown without it, and told.
fn show(
    ctx: &mut Context<'_>,
    opened: &Opened,
    path: &[u8],
    node: ViewNode,
    metadata: &Metadata,
    branches: &str,
) -> Outcome<()> {
    let mut errors = Vec::new();
    if ctx.out.json {
        let (map, unread) = node::json(opened, path, node, metadata, Extras::default());
        ctx.out.message("node", &map)?;
        errors = unread;
    } else {
        let mut line = branches.to_owned();
        line += &color::name(&for_terminal(name_of(path)), metadata, ctx.out.color);
        if metadata.kind == FileKind::Symlink {
            match opened.target.opened.view.read_link(node) {
                Ok(target) => line += &format!(" -> {}", for_terminal(&target)),
                Err(error) => errors.push(error),
            }
        }
        ctx.out.line(&line)?;
    }
    for error in errors {
        ctx.fail_with(&opened.text_of(path), &error)?;
    }
    Ok(())
}

fn branches(left: &[usize]) -> String {
    let Some((last, above)) = left.split_last() else {
        return String::new();
    };
    let mut line: String = above
        .iter()
        .map(|left| if *left > 0 { "│   " } else { "    " })
        .collect();
    line += if *last > 0 {
        "├── "
    } else {
        "└── "
    };
    line
}

fn by_name(listing: &Listing) -> Vec<usize> {
    let name = |index: &usize| {
        listing
            .get(*index)
            .map(|entry| entry.name)
            .unwrap_or_default()
    };
    let mut order: Vec<usize> = (0..listing.len()).collect();
    order.sort_by(|a, b| name(a).cmp(name(b)));
    order
}
