//! `flr cat`: content to standard output.

use super::Context;
use crate::args::Cat;
use crate::exit::Exit;
use crate::output::{Failure, Outcome, Output, Stop};
use flr_fs::ByteSource;
use flr_fs::bytes::{clamp_usize, len_u64};
use std::ops::Range;

/// Bytes read at once.
const PIECE_LEN: usize = 1 << 20;

/// Runs the command.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Cat) -> Outcome {
    let wanted = args.range.as_deref().map(parse).transpose()?;
    ctx.out.begin_content();
    ctx.for_each(&args.addresses.addresses, true, |ctx, opened| {
        let resolved = &opened.target.resolved;
        let address = opened.text_of(&resolved.path);
        let source = match opened.target.opened.view.open(resolved.node) {
            Ok(source) => source,
            Err(error) => return ctx.fail_content(&address, &error, "flr ls"),
        };
        let range = wanted
            .as_ref()
            .map_or(0..source.size(), |wanted| wanted.of(source.size()));
        match write(source.as_ref(), range, &mut ctx.out)? {
            Ok(()) => ctx.tally.done(),
            Err(error) => ctx.fail_with(&address, &error)?,
        }
        Ok(())
    })
}

/// Writes part of a source to standard output. The outer result is that of writing.
pub(crate) fn write(
    source: &dyn ByteSource,
    range: Range<u64>,
    out: &mut Output,
) -> Outcome<Result<(), flr_recover::Error>> {
    let len = clamp_usize(range.end.saturating_sub(range.start), PIECE_LEN);
    let mut buf = vec![0; len];
    let mut offset = range.start;
    while offset < range.end {
        let len = clamp_usize(range.end.saturating_sub(offset), PIECE_LEN);
        let piece = buf.get_mut(..len).unwrap_or_default();
        if let Err(error) = source.read_at(offset, piece) {
            out.flush()?;
            return Ok(Err(error.into()));
        }
        out.data(piece)?;
        offset = offset.saturating_add(len_u64(len));
    }
    out.flush()?;
    Ok(Ok(()))
}

/// Part of a file, whatever its size.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// From the first to the second byte, both included.
    Between(u64, u64),
    /// From this byte to the end.
    From(u64),
    /// This many bytes at the end.
    Last(u64),
}

impl Wanted {
    fn of(&self, size: u64) -> Range<u64> {
        match *self {
            Self::Between(first, last) => first.min(size)..last.saturating_add(1).min(size),
            Self::From(first) => first.min(size)..size,
            Self::Last(count) => size.saturating_sub(count)..size,
        }
    }
}

fn parse(text: &str) -> Result<Wanted, Stop> {
    let wanted = text.split_once('-').and_then(|(first, last)| {
        Some(match (first, last) {
            ("", last) => Wanted::Last(last.parse().ok()?),
            (first, "") => Wanted::From(first.parse().ok()?),
            (first, last) => {
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                if last < first {
                    return None;
                }
                Wanted::Between(first, last)
            }
        })
    });
    let usage = || {
        Failure::new(
            Exit::Usage,
            format!("--range {text}: expected A-B, A- or -N"),
        )
        .hint("--range 0-511 is the first 512 bytes")
    };
    wanted.ok_or_else(|| usage().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        for (text, range) in [
            ("0-9", 0..10),
            ("5-", 5..100),
            ("-7", 93..100),
            ("90-200", 90..100),
        ] {
            assert_eq!(parse(text).unwrap().of(100), range, "{text}");
        }
        assert_eq!(parse("200-300").unwrap().of(100), 100..100);
        for text in ["", "-", "9-1", "a-b", "5", "1-2-3"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
