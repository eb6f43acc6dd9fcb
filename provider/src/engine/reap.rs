//! What carries our tags and was left behind, from any host and without a journal.
//!
//! Something is deleted only if all of its tags are ours and well formed, its expiry and the grace have
//! passed by the provider's clock, it is attached to nothing, and it was marked some time ago by an
//! earlier run, after it had expired: whoever still needs it has had that long to renew it. What cannot be
//! marked, because its provider has no tags that change, goes without.

use super::attach::set_tags;
use super::cloud::{DeleteCall, Phase, Seen};
use super::engine::Engine;
use super::error::Error;
use super::outcome::{Cleanup, Item, Why};
use super::recover::GcOptions;
use super::release::{check_account, permanent};
use super::rules::Rule;
use super::tags::{MARKED, SESSION, Tags};
use super::time::UnixTime;
use std::time::Duration;

/// What is to be done about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is not ours, or not due.
    Leave,
    /// It is due and cannot go.
    Blocked(Why),
    /// It is due; the mark comes first.
    Mark,
    /// It is due, and its mark is old enough.
    Delete,
}

/// Marks, or deletes, what is due.
pub(super) async fn reap(engine: &Engine, options: GcOptions) -> Result<Cleanup, Error> {
    let account = engine.identity().await?.account;
    let listed = list(engine).await?;
    let mut cleanup = Cleanup::default();
    for seen in listed {
        let Some(item) = item_of(engine, &account, &seen) else {
            continue;
        };
        if is_in_journal(engine, &item).await? {
            continue;
        }
        match verdict(engine, &seen, options) {
            Verdict::Leave => {}
            Verdict::Blocked(why) => cleanup.left.push((item, why)),
            Verdict::Mark | Verdict::Delete if options.dry_run => cleanup.planned.push(item),
            Verdict::Mark => {
                let why = mark(engine, &seen, &account).await;
                cleanup.left.push((item, why));
            }
            Verdict::Delete => match delete(engine, &seen, &account, options).await {
                Ok(()) => cleanup.gone.push(item),
                Err(why) => cleanup.left.push((item, why)),
            },
        }
    }
    Ok(cleanup)
}

async fn list(engine: &Engine) -> Result<Vec<Seen>, Error> {
    let mut backoff = engine.backoff(engine.settings().attach_limit);
    let doing = || "list what was left behind".to_owned();
    loop {
        match engine.call(engine.cloud().list()).await {
            Ok(listed) => return Ok(listed),
            Err(fault) if fault.is_temporary() => {
                if !backoff.wait(Some(&fault)).await {
                    let (doing, last) = (doing(), Some(fault));
                    return Err(Error::Deadline { doing, last });
                }
            }
            Err(fault) => {
                let doing = doing();
                return Err(Error::Fault { doing, fault });
            }
        }
    }
}

/// The resource under our names. `None`: it is somebody else's.
fn item_of(engine: &Engine, account: &str, seen: &Seen) -> Option<Item> {
    let (session, op) = match Tags::read(&seen.tags) {
        Some(tags) => (tags.session, tags.op),
        None if engine.shared.rules.hold(Rule::Reaper) => return None,
        // This is what happens to others' resources if one tag were enough.
        None => {
            seen.tags.get(SESSION)?;
            let zero = "0".repeat(32);
            (zero.parse().ok()?, zero.parse().ok()?)
        }
    };
    Some(Item {
        scope: engine.scope(account),
        session,
        op,
        kind: seen.kind.clone(),
        id: Some(seen.id.clone()),
    })
}

/// Whether the journal of this host has it among what is still open: then that decides.
async fn is_in_journal(engine: &Engine, item: &Item) -> Result<bool, Error> {
    let found = engine.store().record(item.op).await?;
    Ok(found.is_some_and(|(session, _)| !session.closed))
}

fn verdict(engine: &Engine, seen: &Seen, options: GcOptions) -> Verdict {
    if !engine.shared.rules.hold(Rule::Reaper) {
        return Verdict::Delete;
    }
    let Some(tags) = Tags::read(&seen.tags) else {
        return Verdict::Leave;
    };
    let grace = options.older_than.unwrap_or(engine.settings().grace);
    let now = engine.now();
    if now < tags.expires.plus(grace) || seen.phase == Phase::Deleting {
        return Verdict::Leave;
    }
    if let Some(target) = seen.attachment.target() {
        let target = target.to_owned();
        return Verdict::Blocked(Why::Attached { target });
    }
    if !engine.cloud().kind(&seen.kind).taggable {
        return Verdict::Delete;
    }
    match tags.marked {
        // One from before the last renewal is void, one from the future somebody's mistake.
        Some(marked) if marked >= tags.expires && marked <= now => {
            match now.since(marked) >= engine.settings().mark_delay {
                true => Verdict::Delete,
                false => Verdict::Blocked(Why::Marked { since: marked }),
            }
        }
        _ => Verdict::Mark,
    }
}

async fn mark(engine: &Engine, seen: &Seen, account: &str) -> Why {
    if let Err(why) = check_account(engine, account).await {
        return why;
    }
    let since = engine.now();
    let tags = [(MARKED, since.to_string())];
    match set_tags(engine, &seen.kind, &seen.id, &tags).await {
        Ok(()) => Why::Marked { since },
        Err(Some(fault)) if !fault.is_temporary() => Why::Refused(fault),
        Err(last) => Why::Deadline(last),
    }
}

/// Deletes what is due, looking at it anew before each call.
async fn delete(
    engine: &Engine,
    listed: &Seen,
    account: &str,
    options: GcOptions,
) -> Result<(), Why> {
    let mut backoff = engine.backoff(engine.settings().release_limit);
    let mut absent_since: Option<Duration> = None;
    let expires = Tags::read(&listed.tags).map(|tags| tags.expires);
    loop {
        check_account(engine, account).await?;
        let (kind, id) = (listed.kind.as_str(), listed.id.as_str());
        let last = match engine.call(engine.cloud().describe(kind, id)).await {
            Ok(None) => {
                let now = engine.clock().since_boot();
                let since = *absent_since.get_or_insert(now);
                // It was shown, and has expired, so it is no news to any reader.
                if now.saturating_sub(since) >= engine.settings().gone_gap {
                    return Ok(());
                }
                None
            }
            Ok(Some(seen)) => {
                absent_since = None;
                match still_due(engine, &seen, expires, options)? {
                    true => {
                        let call = DeleteCall { kind, id };
                        permanent(engine.call(engine.cloud().delete(call)).await)?
                    }
                    false => None,
                }
            }
            Err(fault) if fault.is_temporary() => Some(fault),
            Err(fault) => return Err(Why::Refused(fault)),
        };
        let gap = engine.settings().gone_gap;
        if !backoff.wait_at_least(gap, last.as_ref()).await {
            return Err(Why::Deadline(last));
        }
    }
}

/// Whether it may be deleted as it is now. `false`: it is on its way.
fn still_due(
    engine: &Engine,
    seen: &Seen,
    expires: Option<UnixTime>,
    options: GcOptions,
) -> Result<bool, Why> {
    if seen.phase == Phase::Deleting {
        return Ok(false);
    }
    let renewed = Tags::read(&seen.tags).map(|tags| tags.expires) != expires;
    match verdict(engine, seen, options) {
        _ if renewed => Err(Why::Renewed),
        Verdict::Delete => Ok(true),
        Verdict::Blocked(why) => Err(why),
        Verdict::Leave | Verdict::Mark => Err(Why::Renewed),
    }
}
