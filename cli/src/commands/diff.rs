//! `flr diff`: what changed from one tree to another.

use super::{Context, volumes::size_text};
use crate::args_trees::Diff;
use crate::exit::Exit;
use crate::node::put_bytes;
use crate::open::{Opened, Opener, describe};
use crate::output::{Failure, Outcome, Stop, fields};
use crate::when;
use flr_recover::address::Address;
use flr_recover::diff::{
    Change, Content, DiffOptions, Difference, Effort, Half, Kept, Side, Step, diff,
};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

/// How many changes there are of each kind.
#[derive(Default)]
struct Counts {
    same: u64,
    changes: [(u64, Option<Change>); 6],
}

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Diff) -> Outcome {
    let mut opener = Opener::new(ctx);
    let addresses = opener.addresses(&args.addresses)?;
    let [before, after] = addresses.as_slice() else {
        let what = "diff takes two addresses, the older one first";
        let hint = "flr diff vol-…@yesterday:/etc vol-…:/etc";
        return Err(Failure::new(Exit::Usage, what).hint(hint).into());
    };
    let before = open(ctx, &mut opener, before)?;
    let after = open(ctx, &mut opener, after)?;
    let kept = match args.checksum {
        true => Kept::default(),
        false => opener.kept(&before.address, &after.address)?,
    };
    let options = DiffOptions {
        content: match args.checksum {
            true => Content::Always,
            false => Content::Quick,
        },
        renames: args.renames,
    };
    let cancel = ctx.remote.raised();
    let mut counts = Counts::default();
    let mut stopped = None;
    let compared = {
        let tree = |opened: &Opened| {
            let target = opened.target.clone();
            (target.opened.view, target.resolved)
        };
        let ((old_view, old), (new_view, new)) = (tree(&before), tree(&after));
        let mut visit = |step| match tell(ctx, &before, &after, &mut counts, step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(stop) => {
                stopped = Some(stop);
                ControlFlow::Break(())
            }
        };
        diff(
            (&*old_view, &old),
            (&*new_view, &new),
            options,
            &kept,
            &cancel,
            &mut visit,
        )
    };
    if let Some(stop) = stopped {
        return Err(stop);
    }
    let effort = compared.map_err(|error| Stop::from(before.explain(&error)))?;
    ctx.totals = counts.json(effort);
    if opener.catalog_of(&after.address).is_some() && !ctx.out.json {
        ctx.out.note(&counts.words(effort));
    }
    Ok(ctx.tally.exit())
}

fn open(
    ctx: &mut Context<'_>,
    opener: &mut Opener<'_>,
    address: &Address,
) -> Result<Opened, Failure> {
    opener.open(address, true, &mut ctx.out)
}

impl Counts {
    fn add(&mut self, change: Change) {
        for (count, kind) in &mut self.changes {
            if kind.is_none_or(|kind| kind == change) {
                *kind = Some(change);
                *count = count.saturating_add(1);
                return;
            }
        }
    }

    /// What was found and what it took, in a line.
    fn words(&self, effort: Effort) -> String {
        let changes = self.changes.iter().map(|(count, _)| count);
        let changes: u64 = changes.sum();
        let read = size_text(effort.read_bytes);
        let kept = match effort.kept_bytes {
            0 => String::new(),
            bytes => format!(
                ", {} was not, since the blocks that it lies in did not change",
                size_text(bytes)
            ),
        };
        format!(
            "{changes} differ, {} are the same; {read} of content was read{kept}",
            self.same
        )
    }

    fn json(&self, effort: Effort) -> Map<String, Value> {
        let mut map = fields(json!({
            "same": self.same, "added": 0, "removed": 0, "content": 0, "metadata": 0, "type": 0,
            "renamed": 0, "bytes_read": effort.read_bytes, "bytes_unchanged": effort.kept_bytes,
        }));
        for (count, kind) in self.changes {
            if let Some(kind) = kind {
                map.insert(kind.word().to_owned(), count.into());
            }
        }
        map
    }
}

fn tell(
    ctx: &mut Context<'_>,
    before: &Opened,
    after: &Opened,
    counts: &mut Counts,
    step: Step,
) -> Outcome<()> {
    ctx.tally.reached();
    match step {
        Step::Same => {
            counts.same = counts.same.saturating_add(1);
            ctx.tally.done();
            Ok(())
        }
        Step::Different(difference) => {
            counts.add(difference.change);
            ctx.tally.done();
            match ctx.out.json {
                true => {
                    let map = diff_json(before, after, &difference);
                    ctx.out.message("diff", &map)
                }
                false => ctx.out.line(&line(&difference)),
            }
        }
        Step::Failed { path, side, error } => {
            let opened = match side {
                Side::Before => before,
                Side::After => after,
            };
            let what = opened.text_of(&path_of(opened, &path));
            // Whatever comes after it would cost more still.
            if let Some(failure) = ctx.remote.over_cost() {
                return Err(failure.into());
            }
            ctx.fail(&what, &describe(&error, &what))
        }
    }
}

/// The path in the view of what lies at `path` below the address.
fn path_of(opened: &Opened, path: &[u8]) -> Vec<u8> {
    let start = &opened.target.resolved.path;
    match path {
        [] => start.clone(),
        path => [start.strip_suffix(b"/").unwrap_or(start), path].concat(),
    }
}

/// What stands for the address itself.
fn or_itself(path: &[u8]) -> &[u8] {
    match path {
        [] => b"/",
        path => path,
    }
}

fn line(difference: &Difference) -> String {
    let letter = match difference.change {
        Change::Added => 'A',
        Change::Removed => 'D',
        Change::Content => 'M',
        Change::Metadata => 'm',
        Change::Type => 'T',
        Change::Renamed => 'R',
    };
    let shown = |half: &Half| for_terminal(or_itself(&half.path));
    let (old, new) = (difference.before.as_ref(), difference.after.as_ref());
    let path = new.or(old).map(shown).unwrap_or_default();
    let of_fields = difference.fields.join(",");
    match (difference.change, old, new) {
        (Change::Renamed, Some(old), _) => format!("{letter}\t{}\t{path}", shown(old)),
        (Change::Type, Some(old), Some(new)) => {
            let (old, new) = (old.metadata.kind.word(), new.metadata.kind.word());
            format!("{letter}\t{path}\t{old} to {new}")
        }
        (Change::Metadata, _, _) => format!("{letter}\t{path}\t{of_fields}"),
        _ => format!("{letter}\t{path}"),
    }
}

fn diff_json(before: &Opened, after: &Opened, difference: &Difference) -> Map<String, Value> {
    let mut map = Map::new();
    let halves = [
        ("before", before, &difference.before),
        ("after", after, &difference.after),
    ];
    let newest = difference.after.as_ref().or(difference.before.as_ref());
    if let Some(half) = newest {
        put_bytes(&mut map, "path", or_itself(&half.path));
    }
    map.insert("change".into(), difference.change.word().into());
    if let Some(half) = newest {
        map.insert("type".into(), half.metadata.kind.word().into());
    }
    map.insert("fields".into(), difference.fields.clone().into());
    for (key, opened, half) in halves {
        if let Some(half) = half {
            map.insert(key.to_owned(), half_json(opened, half).into());
        }
    }
    map
}

fn half_json(opened: &Opened, half: &Half) -> Map<String, Value> {
    let mut map = Map::new();
    let path = path_of(opened, &half.path);
    match opened.address_of(&path).to_os_string() {
        Ok(address) => put_bytes(&mut map, "address", address.as_bytes()),
        Err(arguments) => {
            map.insert("address".into(), arguments.to_string().into());
        }
    }
    put_bytes(&mut map, "path", &path);
    let metadata = &half.metadata;
    map.append(&mut fields(json!({
        "type": metadata.kind.word(), "size": metadata.size,
        "mode": format!("{:04o}", metadata.mode), "uid": metadata.uid, "gid": metadata.gid,
        "inode": metadata.inode.to_string(), "mtime": when::rfc3339(metadata.mtime),
        "ctime": when::rfc3339(metadata.ctime),
    })));
    map
}
