//! The lines that changed from one version to another.

use super::Version;
use crate::commands::Context;
use crate::exit::Exit;
use crate::open::{Opener, describe, quoted};
use crate::output::{Failure, Outcome};
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_recover::shown::for_terminal;
use similar::TextDiff;
use std::io::IsTerminal;
use std::time::Duration;

/// Largest text that is compared, in bytes: both are held in memory.
const TEXT_BYTES_MAX: u64 = 16 << 20;

/// Bytes in which a NUL means that it is no text, as in git.
const PROBE_LEN: usize = 8000;

/// How long the shortest way is looked for; a longer one is right as well.
const SEARCH_TIME: Duration = Duration::from_secs(2);

/// Lines around those that changed.
const CONTEXT_LINES: usize = 3;

/// Prints what changed, as `diff -u` does.
pub(super) fn diff(ctx: &mut Context<'_>, one: &Version, other: &Version) -> Outcome<()> {
    ctx.out.begin_content();
    let old = text(ctx, one)?;
    let new = text(ctx, other)?;
    let diff = TextDiff::configure()
        .timeout(SEARCH_TIME)
        .diff_lines(old.as_slice(), new.as_slice());
    let mut unified = diff.unified_diff();
    unified.context_radius(CONTEXT_LINES);
    unified.header(&header(ctx, one), &header(ctx, other));
    let mut printed = Vec::new();
    (unified.to_writer(&mut printed))
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    if !std::io::stdout().is_terminal() {
        return ctx.out.data(&printed);
    }
    for line in printed.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let cells = line.split(|byte| *byte == b'\t').map(for_terminal);
        ctx.out.line(&cells.collect::<Vec<_>>().join("\t"))?;
    }
    Ok(())
}

fn header(ctx: &Context<'_>, version: &Version) -> String {
    let time = crate::when::long(version.metadata.mtime, &ctx.zone);
    format!("{}\t{time}", version.address)
}

fn text(ctx: &mut Context<'_>, version: &Version) -> Result<Vec<u8>, Failure> {
    let mut opener = Opener::new(ctx);
    let known = version.places.last().and_then(|place| place.known.as_ref());
    if let Some(known) = known {
        opener = opener.knowing(&version.address.object, known);
    }
    let opened = opener.open(&version.address, true, &mut ctx.out)?;
    let what = opened.text_of(&opened.target.resolved.path);
    let failed = |error: flr_recover::Error| describe(&error, &what);
    let source = (opened.target.opened.view)
        .open(opened.target.resolved.node)
        .map_err(failed)?;
    let refused = |why: &str| {
        let hint = format!("flr cp {} DEST copies it", quoted(&what));
        Failure::new(Exit::Usage, format!("{what}: {why}")).hint(hint)
    };
    if source.size() > TEXT_BYTES_MAX {
        return Err(refused(
            "larger than the 16 MiB that are compared line by line",
        ));
    }
    let mut text = vec![0; clamp_usize(source.size(), usize::MAX)];
    debug_assert_eq!(len_u64(text.len()), source.size());
    (source.read_at(0, &mut text)).map_err(|error| failed(error.into()))?;
    if text.iter().take(PROBE_LEN).any(|byte| *byte == 0) {
        return Err(refused("no text, so it has no lines to compare"));
    }
    // What was made for this point goes before the next is opened.
    drop(source);
    drop(opened);
    drop(opener);
    ctx.remote.release();
    Ok(text)
}
