//! `flr gc`: deletes what was left behind.

use super::Context;
use crate::args::Gc;
use crate::commands::session::{self, Journal, engine_failure, resource_fields};
use crate::output::{Failure, Outcome};
use flr_provider::clouds::CLOUDS;
use flr_provider::engine::{Cleanup, Engine, GcOptions, block_on};
use serde_json::Value;

/// Runs `gc`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Gc) -> Outcome {
    let options = GcOptions {
        dry_run: args.dry_run,
        older_than: args.older_than,
    };
    let mut cleanup = Cleanup::default();
    if let Some(journal) = Journal::open()? {
        for scope in journal.scopes()? {
            let engine = journal.engine(&scope)?;
            cleanup.add(clean(&engine, scope.reachable, options)?);
        }
    }
    if CLOUDS.is_empty() {
        let all = if args.all_regions {
            ", whatever the region"
        } else {
            ""
        };
        ctx.out.note(&format!(
            "no provider that makes anything is built in: only the journal was looked at{all}"
        ));
    }
    tell(ctx, &cleanup)?;
    finish(ctx, &cleanup)
}

fn clean(engine: &Engine, reachable: bool, options: GcOptions) -> Outcome<Cleanup> {
    let cleaned = match reachable {
        true => block_on(engine.gc(options)),
        false => block_on(engine.recover(options)),
    };
    cleaned.map_err(|error| engine_failure(&error).into())
}

/// One line for each resource, each of which is counted.
pub(crate) fn tell(ctx: &mut Context<'_>, cleanup: &Cleanup) -> Outcome<()> {
    for _ in cleanup.gone.iter().chain(&cleanup.planned) {
        ctx.tally.done();
    }
    lines(ctx, cleanup)?;
    for live in &cleanup.live {
        let (id, owner) = (live.id, &live.owner);
        ctx.out.note(&format!("session {id} is in use by {owner}"));
    }
    Ok(())
}

/// One line for each resource.
pub(crate) fn lines(ctx: &mut Context<'_>, cleanup: &Cleanup) -> Outcome<()> {
    for item in &cleanup.gone {
        let name = session::named(item);
        session::resource_line(ctx, item, "gone", None, None, &format!("gone {name}"))?;
    }
    for item in &cleanup.planned {
        let text = format!("would delete {}", session::named(item));
        session::resource_line(ctx, item, "planned", None, None, &text)?;
    }
    for (item, expires) in &cleanup.kept {
        let text = format!("kept {} until {expires}", session::named(item));
        session::resource_line(ctx, item, "kept", Some(*expires), None, &text)?;
    }
    for (item, why) in &cleanup.left {
        let (why, name) = (why.to_string(), session::named(item));
        let text = format!("remains {name}: {why}");
        session::resource_line(ctx, item, "left", None, Some(&why), &text)?;
    }
    Ok(())
}

/// What remains decides how it ends.
pub(crate) fn finish(ctx: &mut Context<'_>, cleanup: &Cleanup) -> Outcome {
    if cleanup.is_clean() {
        return Ok(ctx.tally.exit());
    }
    let ids: Vec<_> = cleanup
        .left
        .iter()
        .map(|(item, _)| session::named(item))
        .collect();
    let message = match ids.as_slice() {
        [one] => format!("a temporary resource may remain: {one}"),
        several => format!("{} temporary resources may remain", several.len()),
    };
    let exit = ctx.tally.exit().with_leftovers();
    let mut failure = Failure::new(exit, message).hint("settle that, then run flr gc");
    failure.resources = resources(cleanup);
    Err(failure.into())
}

/// What remains, as `exit_error` tells it.
pub(crate) fn resources(cleanup: &Cleanup) -> Vec<Value> {
    let left = cleanup.left.iter().map(|(item, why)| {
        let why = why.to_string();
        Value::Object(resource_fields(item, "left", None, Some(&why)))
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use crate::exit::Exit;

    #[test]
    fn what_remains_has_codes_of_its_own() {
        assert_eq!(Exit::Done.with_leftovers().code(), 20);
        assert_eq!(Exit::Partial.with_leftovers().code(), 21);
    }
}
