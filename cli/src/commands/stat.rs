//! `flr stat`: everything that is known of a file.

use super::Context;
use crate::args::Addresses;
use crate::node::{self, Extras, mode_text, owner_text};
use crate::open::Opened;
use crate::output::Outcome;
use crate::when;
use flr_fs::{FileKind, Particular, SegmentKind};
use flr_recover::shown::for_terminal;
use serde_json::{Map, Value, json};

/// Extents that are listed. A file in more pieces says how many more there are.
const EXTENT_COUNT_MAX: usize = 10_000;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Addresses) -> Outcome {
    ctx.for_each(&args.addresses, false, show)
}

/// One stretch of content.
struct Extent {
    offset: u64,
    len: u64,
    kind: SegmentKind,
}

fn show(ctx: &mut Context<'_>, opened: &Opened) -> Outcome<()> {
    let resolved = &opened.target.resolved;
    let extras = Extras {
        xattrs: true,
        streams: true,
        hash: None,
    };
    let (mut map, mut errors) = node::json(
        opened,
        &resolved.path,
        resolved.node,
        &resolved.metadata,
        extras,
    );
    let (extents, more) = match extents(opened) {
        Ok(found) => found,
        Err(error) => {
            errors.push(error);
            (Vec::new(), true)
        }
    };
    let particulars = match opened.target.opened.view.particulars(resolved.node) {
        Ok(particulars) => particulars,
        Err(error) => {
            errors.push(error);
            Vec::new()
        }
    };
    ctx.tally.done();
    if ctx.out.json {
        if resolved.metadata.kind == FileKind::File {
            map.insert("extents".into(), extents.iter().map(extent_json).collect());
            map.insert("extents_complete".into(), (!more).into());
        }
        map.insert("blocks".into(), resolved.metadata.blocks.into());
        map.insert("generation".into(), resolved.metadata.generation.into());
        map.insert("project".into(), resolved.metadata.project.into());
        if !particulars.is_empty() {
            let mut object = Map::new();
            for one in &particulars {
                node::put_bytes(&mut object, one.name, &one.text);
            }
            map.insert("particulars".into(), object.into());
        }
        ctx.out.message("node", &map)?;
    } else {
        print(ctx, opened, &particulars, &extents, more)?;
    }
    for error in errors {
        let address = opened.text_of(&resolved.path);
        ctx.fail_with(&address, &error)?;
    }
    Ok(())
}

fn extents(opened: &Opened) -> Result<(Vec<Extent>, bool), flr_recover::Error> {
    let resolved = &opened.target.resolved;
    let mut extents = Vec::new();
    if resolved.metadata.kind != FileKind::File {
        return Ok((extents, false));
    }
    let source = opened.target.opened.view.open(resolved.node)?;
    let mut offset = 0;
    while offset < source.size() {
        if extents.len() == EXTENT_COUNT_MAX {
            return Ok((extents, true));
        }
        let segment = source.segment_at(offset..source.size())?;
        extents.push(Extent {
            offset,
            len: segment.len,
            kind: segment.kind,
        });
        offset = offset.saturating_add(segment.len);
    }
    Ok((extents, false))
}

fn words(kind: SegmentKind) -> (&'static str, Option<u64>) {
    match kind {
        SegmentKind::Stored(location) => ("stored", Some(location.offset)),
        SegmentKind::Opaque => ("inside", None),
        SegmentKind::Unwritten => ("unwritten", None),
        SegmentKind::Hole => ("hole", None),
        SegmentKind::Missing(_) => ("missing", None),
    }
}

fn extent_json(extent: &Extent) -> Value {
    let (kind, at) = words(extent.kind);
    json!({"offset": extent.offset, "len": extent.len, "kind": kind, "at": at})
}

fn print(
    ctx: &mut Context<'_>,
    opened: &Opened,
    particulars: &[Particular],
    extents: &[Extent],
    more: bool,
) -> Outcome<()> {
    let resolved = &opened.target.resolved;
    let view = &opened.target.opened.view;
    let metadata = &resolved.metadata;
    let mut lines = vec![format!("   File: {}", opened.text_of(&resolved.path))];
    if let (FileKind::Symlink, Ok(target)) = (metadata.kind, view.read_link(resolved.node)) {
        lines.push(format!(" Target: {}", for_terminal(&target)));
    }
    lines.push(format!(
        "   Size: {}  Blocks: {}  Type: {}",
        metadata.size,
        metadata.blocks,
        metadata.kind.word()
    ));
    if let Some(rdev) = metadata.rdev {
        lines.push(format!(" Device: {}:{}", rdev.major, rdev.minor));
    }
    lines.push(format!(
        "  Inode: {}  Links: {}",
        metadata.inode, metadata.nlink
    ));
    lines.push(format!(
        " Access: {:04o} {}  Uid: {}  Gid: {}",
        metadata.mode,
        mode_text(metadata.kind, metadata.mode),
        owner_text(metadata.uid),
        owner_text(metadata.gid)
    ));
    for (name, time) in [
        ("Access", Some(metadata.atime)),
        ("Modify", Some(metadata.mtime)),
        ("Change", Some(metadata.ctime)),
        (" Birth", metadata.btime),
    ] {
        let text = time.map_or_else(|| "-".to_owned(), |time| when::long(time, &ctx.zone));
        lines.push(format!(" {name}: {text}"));
    }
    let flags: Vec<_> = metadata.flags.words().collect();
    if !flags.is_empty() {
        lines.push(format!("  Flags: {}", flags.join(" ")));
    }
    for one in particulars {
        lines.push(format!("{:>7}: {}", one.name, for_terminal(&one.text)));
    }
    for name in view.xattr_names(resolved.node).unwrap_or_default() {
        if let Ok(Some(value)) = view.xattr(resolved.node, &name) {
            let text = for_terminal(&value);
            lines.push(format!(
                "  Xattr: {} = {text}",
                for_terminal(name.as_bytes())
            ));
        }
    }
    for stream in view.streams(resolved.node).unwrap_or_default() {
        let name = for_terminal(&stream.name);
        lines.push(format!(" Stream: {name} ({} bytes)", stream.size));
    }
    lines.extend(extent_lines(extents, more));
    for line in lines {
        ctx.out.line(&line)?;
    }
    Ok(())
}

fn extent_lines(extents: &[Extent], more: bool) -> Vec<String> {
    let line = |extent: &Extent| {
        let (kind, at) = words(extent.kind);
        let at = at.map(|at| format!(" at {at:#x}")).unwrap_or_default();
        format!(" Extent: {:#x}+{:#x} {kind}{at}", extent.offset, extent.len)
    };
    let mut lines: Vec<_> = extents.iter().map(line).collect();
    if more && !extents.is_empty() {
        lines.push(format!(" Extent: … (more than {EXTENT_COUNT_MAX})"));
    }
    lines
}
