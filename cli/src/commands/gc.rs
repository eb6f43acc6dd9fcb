//! `flr gc`: deletes what was left behind.

use super::Context;
use crate::args::Gc;
use crate::commands::session::{
    self, Journal, Place, Reach, engine_failure, provider_failure, resource_fields,
};
use crate::output::{Failure, Outcome, Stop, fields};
use flr_provider::aws::NO_CREDENTIALS;
use flr_provider::clouds::{CLOUDS, Which, regions};
use flr_provider::config::Config;
use flr_provider::engine::{Cleanup, Duty, DutyState, Error, GcOptions};
use flr_provider::remote::block_on;
use flr_recover::shown::for_terminal;
use serde_json::{Value, json};

/// Runs `gc`.
pub(crate) fn run(ctx: &mut Context<'_>, args: &Gc) -> Outcome {
    let options = GcOptions {
        dry_run: args.dry_run,
        older_than: args.older_than,
    };
    let journal = Journal::open()?.map_or_else(Journal::empty, Ok)?;
    let named = Reach::of(&ctx.remote.config()?.effective(None));
    let journal = journal.taking(named.way.clone());
    let mut places = journal.scopes()?;
    // What is in the journal, or has a name, is looked at, or it is said why not.
    let mut wanted = places.clone();
    let mut unasked = Vec::new();
    for provider in CLOUDS {
        let sources = sources(ctx.remote.config()?, provider.name);
        for reach in std::iter::once(named.clone()).chain(sources) {
            match beyond(provider.name, &reach, args) {
                Ok(more) => {
                    if reach != Reach::default() {
                        wanted.extend(more.clone());
                    }
                    places.extend(more);
                }
                // Without credentials for it nobody has made anything there, as far as this user goes.
                Err(error) if reach == named && lacks_credentials(&error) => {
                    unasked.push((provider.name, error));
                }
                Err(error) => ctx.fail(provider.name, &provider_failure(&error))?,
            }
        }
    }
    for (name, error) in unasked {
        match places.is_empty() {
            true => ctx.fail(name, &provider_failure(&error))?,
            false => ctx.out.note(&format!("{name} was not looked at: {error}")),
        }
    }
    let mut cleanup = Cleanup::default();
    let mut duties = Vec::new();
    for place in places {
        let Place {
            provider, region, ..
        } = &place;
        // Whoever has no credentials, and asked for nothing that needs them, has nothing there.
        let silent = !wanted.contains(&place) && !args.all_regions;
        let done = match clean(&journal, &place, options, &mut cleanup, &mut duties) {
            Ok(done) => done,
            // A way that leads nowhere any more must not keep the others from being gone.
            Err(Stop::Failure(failure)) => {
                ctx.fail(&format!("{provider} {region}"), &failure)?;
                continue;
            }
            Err(stop) => return Err(stop),
        };
        match done {
            Ok(()) => {}
            Err(error) if silent && has_no_credentials(&error) => {
                let why = format!("{provider} {region} was not looked at: {error}");
                ctx.out.note(&why);
            }
            Err(error) => ctx.fail(&format!("{provider} {region}"), &engine_failure(&error))?,
        }
    }
    tell(ctx, &cleanup)?;
    for (duty, state) in &duties {
        remind(ctx, duty, state)?;
    }
    finish(ctx, &cleanup)
}

/// A line about what is owed, for as long as it is.
fn remind(ctx: &mut Context<'_>, duty: &Duty, state: &DutyState) -> Outcome<()> {
    let (word, why) = match state {
        DutyState::Settled => ("settled", None),
        DutyState::Owed => ("owed", None),
        DutyState::Due => ("due", None),
        DutyState::Unknown(why) => ("owed", Some(why.as_str())),
    };
    if ctx.out.json {
        let scope = &duty.scope;
        let mut map = fields(json!({
            "session": duty.session.to_string(), "op": duty.op.to_string(),
            "provider": scope.provider, "account": scope.account, "region": scope.region,
            "kind": duty.kind, "id": duty.id, "state": word,
            "reason": why.unwrap_or(&duty.what), "settle": duty.settle,
        }));
        if let Some(due) = duty.due {
            map.insert("due".into(), due.to_string().into());
        }
        return ctx.out.message("resource", &map);
    }
    let Duty {
        kind, id, scope, ..
    } = duty;
    let (what, settle) = (&duty.what, &duty.settle);
    let text = match (state, duty.due) {
        (DutyState::Settled, _) => format!("settled {kind} {id} ({scope}): it is gone"),
        (DutyState::Owed, Some(due)) => {
            format!("owed {kind} {id} ({scope}): {what}; from {due} on: {settle}")
        }
        (DutyState::Owed | DutyState::Due, _) => {
            format!("due {kind} {id} ({scope}): {what}; now: {settle}")
        }
        (DutyState::Unknown(why), _) => {
            format!("owed {kind} {id} ({scope}): {what}; not looked at: {why}")
        }
    };
    ctx.out.line(&for_terminal(text.as_bytes()))
}

/// The accounts and regions of the configuration's sources of a provider.
fn sources(config: &Config, provider: &str) -> Vec<Reach> {
    let of_it = config
        .sources()
        .filter(|source| source.kind.name() == provider);
    of_it
        .map(|source| Reach::of_source(source, &config.effective(Some(source))))
        .collect()
}

/// Where something may have been left that the journal does not know of.
fn beyond(provider: &str, reach: &Reach, args: &Gc) -> Result<Vec<Place>, flr_provider::Error> {
    let which = match (&reach.region, args.all_regions) {
        (_, true) => Which::All,
        (Some(region), false) => Which::One(region),
        (None, false) => Which::Configured,
    };
    let regions = regions(provider, &reach.way, which)?;
    let places = regions.into_iter().map(|region| Place {
        provider: provider.to_owned(),
        region,
        way: reach.way.clone(),
    });
    Ok(places.collect())
}

/// Cleans up one place. What was done before an error is in `cleanup`, and what is owed there in
/// `duties`.
fn clean(
    journal: &Journal,
    place: &Place,
    options: GcOptions,
    cleanup: &mut Cleanup,
    duties: &mut Vec<(Duty, DutyState)>,
) -> Outcome<Result<(), Error>> {
    let (engine, reachable) = journal.engine(place)?;
    let done = block_on(async {
        cleanup.add(engine.recover(options).await?);
        if reachable {
            cleanup.add(engine.reap(options).await?);
        }
        duties.extend(engine.look_after_duties(options.dry_run).await?);
        Ok(())
    });
    Ok(done)
}

fn has_no_credentials(error: &Error) -> bool {
    matches!(error, Error::Fault { fault, .. } if fault.is(NO_CREDENTIALS))
}

fn lacks_credentials(error: &flr_provider::Error) -> bool {
    matches!(error, flr_provider::Error::Remote { fault, .. } if fault.is(NO_CREDENTIALS))
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
