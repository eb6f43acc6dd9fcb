//! How a command ends: what it has made for a while is deleted first, and what remains is said.

use crate::commands::{Context, gc, session};
use crate::exit::Exit;
use crate::output::{Failure, Outcome, Stop, say};
use flr_provider::engine::Cleanup;
use flr_provider::remote::settle;
use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// For the disk cache to write what was fetched: a command that ends is not to wait longer.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// After so long without a word people think that it hangs.
const WORDLESS_LIMIT: Duration = Duration::from_secs(3);

/// Deletes what the command has made, and has what remains decide how it ends.
pub(crate) fn clean_up(ctx: &mut Context<'_>, outcome: Outcome) -> Outcome {
    if ctx.remote.signal().is_none() {
        settle(SETTLE_LIMIT);
    }
    let outcome = match (outcome, ctx.remote.signal()) {
        // What remains is told whatever came after.
        (Err(Stop::Failure(failure) | Stop::Item(failure)), Some(_))
            if !failure.resources.is_empty() =>
        {
            Err(failure.into())
        }
        // What was cut off by a signal is no failure of its own.
        (Ok(_) | Err(Stop::Failure(_) | Stop::Item(_)), Some(exit)) => {
            Err(Failure::new(exit, "interrupted").into())
        }
        (outcome, _) => outcome,
    };
    let Some(cleanup) = close(ctx) else {
        return outcome;
    };
    let told = tell(ctx, &cleanup);
    if cleanup.is_clean() {
        return told.and(outcome);
    }
    // Who reads our output may have gone; that something remains is still the result.
    let failure = match outcome {
        Ok(exit) => leftover(exit, None),
        Err(Stop::Failure(failure) | Stop::Item(failure)) => leftover(failure.exit, Some(failure)),
        Err(Stop::BrokenPipe) => leftover(Exit::Done, None),
    };
    Err(Failure {
        resources: gc::resources(&cleanup),
        ..failure
    }
    .into())
}

/// Deletes what the command has made. People who wait for that are told what for.
fn close(ctx: &Context<'_>) -> Option<Cleanup> {
    let silent = ctx.global.quiet || ctx.out.json || !std::io::stderr().is_terminal();
    if silent || ctx.remote.sessions().is_empty() {
        return ctx.remote.close();
    }
    let leave = match ctx.remote.signal() {
        Some(_) => "Ctrl-C again leaves",
        None => "Ctrl-C twice leaves",
    };
    let text = format!(
        "note: what was made is deleted, and looked for until it is gone; {leave} that to flr gc"
    );
    told_if_long(WORDLESS_LIMIT, || say(&text), || ctx.remote.close())
}

/// Does something, and `tell`s about it if it takes longer than `limit`.
fn told_if_long<T>(limit: Duration, tell: impl FnOnce() + Send, act: impl FnOnce() -> T) -> T {
    let (ended, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                tell();
            }
        });
        let result = act();
        drop(ended);
        result
    })
}

/// The end of a command after which something may remain.
fn leftover(exit: Exit, failure: Option<Failure>) -> Failure {
    let exit = exit.with_leftovers();
    let what = "temporary resources may remain";
    match failure {
        Some(failure) => Failure {
            exit,
            message: format!("{}; {what}", failure.message),
            ..failure
        }
        .hint("run flr gc"),
        None => Failure::new(exit, what).hint("run flr gc"),
    }
}

fn tell(ctx: &mut Context<'_>, cleanup: &Cleanup) -> Outcome<()> {
    for item in &cleanup.gone {
        tracing::info!(resource = %item, "deleted");
    }
    if ctx.out.json {
        return gc::lines(ctx, cleanup);
    }
    for (item, expires) in &cleanup.kept {
        let name = session::named(item);
        let close = format!("flr session close {}", item.session);
        ctx.out.note(&format!(
            "kept {name} until {expires}; to delete it: {close}"
        ));
    }
    for (item, why) in &cleanup.left {
        let name = session::named(item);
        ctx.out.warn(&format!("remains: {name}: {why}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn only_what_takes_long_is_told() {
        let told = AtomicBool::new(false);
        let tell = || told.store(true, Ordering::Relaxed);
        assert_eq!(told_if_long(Duration::from_secs(600), tell, || 1), 1);
        assert!(!told.load(Ordering::Relaxed));
        let wait = || {
            while !told.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
        };
        told_if_long(Duration::from_millis(1), tell, wait);
        assert!(told.load(Ordering::Relaxed));
    }
}
