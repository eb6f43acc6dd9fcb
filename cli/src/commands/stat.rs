//! `flr stat`: everything that is known of a file.

use super::Context;
use crate::args::Addresses;
use crate::node::{self, Beside, Extras, mode_text, owner_text};
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
    let kind = resolved.metadata.kind;
    let (beside, mut errors) = Beside::read(opened, resolved.node, kind, extras);
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
        let mut map = node::json_of(opened, &resolved.path, &resolved.metadata, &beside);
        if kind == FileKind::File {
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
        print(ctx, opened, &beside, &particulars, &extents, more)?;
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
    beside: &Beside,
    particulars: &[Particular],
    extents: &[Extent],
    more: bool,
) -> Outcome<()> {
    let resolved = &opened.target.resolved;
    let metadata = &resolved.metadata;
    let mut lines = vec![format!("   File: {}", opened.text_of(&resolved.path))];
    if let Some(target) = &beside.target {
        lines.push(format!(" Target: {}", for_terminal(target)));
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
        let (label, text) = (label(one.name), for_terminal(&one.text));
        lines.push(format!("{label:>7}: {text}"));
    }
    for (name, value) in beside.xattrs.iter().flatten() {
        let (name, text) = (for_terminal(name.as_bytes()), for_terminal(value));
        lines.push(format!("  Xattr: {name} = {text}"));
    }
    for stream in &beside.streams {
        let name = for_terminal(&stream.name);
        lines.push(format!(" Stream: {name} ({} bytes)", stream.size));
    }
    lines.extend(extent_lines(extents, more));
    for line in lines {
        ctx.out.line(&line)?;
    }
    Ok(())
}

/// A particular's name as the other labels are written: `owner_sid` is `Owner SID`.
fn label(name: &str) -> String {
    const ACRONYMS: &[&str] = &["sid", "id", "dos"];
    let words = name.split('_').enumerate().map(|(index, word)| {
        let mut word = word.to_owned();
        if ACRONYMS.contains(&word.as_str()) {
            word.make_ascii_uppercase();
        } else if index == 0
            && let Some(first) = word.get_mut(..1)
        {
            first.make_ascii_uppercase();
        }
        word
    });
    words.collect::<Vec<_>>().join(" ")
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
