//! Attaching a resource, and renewing the promise to be done with it.

use super::cloud::{AttachCall, Attachment, TagCall};
use super::engine::Engine;
use super::error::Error;
use super::fault::{Fault, FaultKind};
use super::id::OpId;
use super::journal::Entry;
use super::record::State;
use super::session::Session;
use super::tags::EXPIRES;
use super::time::UnixTime;
use std::time::Duration;

impl Session {
    /// Attaches the resource of an operation to `target`, which is in the journal before the call, and
    /// waits until it is attached.
    ///
    /// # Errors
    /// The provider refuses, it takes too long, the journal fails, a signal comes.
    pub async fn attach(&mut self, op: OpId, target: &str) -> Result<(), Error> {
        let index = self.index(op)?;
        let engine = self.engine.clone();
        let entry = self.entries.get_mut(index);
        let entry = entry.ok_or(Error::Misuse("the session has no such operation"))?;
        let id = entry.record().id.clone();
        let id = id.ok_or(Error::Misuse("it was not made"))?;
        if engine.now() >= entry.record().expires {
            let expired = entry.record().expires;
            return Err(Error::LeaseLost { expired });
        }
        let goal = Some(target.to_owned());
        let journal = engine.journal();
        journal
            .change(entry, false, |record| record.target = goal)
            .await?;
        let kind = entry.record().kind.clone();
        let doing = format!("attach {kind} {id} to {target}");
        let mut backoff = engine.backoff(engine.settings().attach_limit);
        let (kind, id) = (kind.as_str(), id.as_str());
        let call = AttachCall { kind, id, target };
        let mut attaching_since = None;
        loop {
            engine.go_on()?;
            let seen = engine.call(engine.cloud().describe(kind, id)).await;
            let last = match seen.map(|seen| seen.map(|seen| seen.attachment)) {
                Ok(Some(Attachment::Attached(to))) if to == target => return Ok(()),
                Ok(Some(Attachment::Attaching(to))) if to == target => {
                    let now = engine.clock().since_boot();
                    let since = *attaching_since.get_or_insert(now);
                    if now.saturating_sub(since) < engine.settings().stuck_after {
                        None
                    } else {
                        attaching_since = None;
                        engine.call(engine.cloud().detach(call)).await.err()
                    }
                }
                // Being detached, not shown yet, free: only the provider's refusal tells.
                Ok(_) => {
                    attaching_since = None;
                    engine.call(engine.cloud().attach(call)).await.err()
                }
                Err(fault) => Some(fault),
            };
            if let Some(fault) = &last
                && !(fault.is_temporary() || fault.kind == FaultKind::Exists)
            {
                let fault = fault.clone();
                return Err(Error::Fault { doing, fault });
            }
            if !backoff
                .wait_at_least(engine.settings().look_gap, last.as_ref())
                .await
            {
                return Err(Error::Deadline { doing, last });
            }
        }
    }

    /// Whether it is time to [`renew`](Self::renew): half of the promised time is over.
    #[must_use]
    pub fn wants_renewal(&self) -> bool {
        let half = half(self.engine.settings().ttl);
        self.engine.now().plus(half) >= self.record.expires
    }

    /// Promises to be done by a later time: in the tags of everything that was made, so that other
    /// hosts see it, then in the journal. Returns until when.
    ///
    /// # Errors
    /// The session expired so long ago that others may be deleting its resources already; the tags or
    /// the journal cannot be written.
    pub async fn renew(&mut self) -> Result<UnixTime, Error> {
        let engine = self.engine.clone();
        let now = engine.now();
        let expired = self.record.expires;
        // Half of the grace: a reaper reads tags that are as old as reads may lag behind.
        if now >= expired.plus(half(engine.settings().grace)) {
            return Err(Error::LeaseLost { expired });
        }
        let expires = now.plus(engine.settings().ttl);
        for entry in &mut self.entries {
            // A call that may be repeated must be repeated with the same tags.
            match entry.record().state {
                State::Created | State::Ready => extend(&engine, entry, expires).await?,
                State::Intent => {}
                State::Creating | State::Releasing | State::Gone => continue,
            }
            let journal = engine.journal();
            journal
                .change(entry, true, |record| record.expires = expires)
                .await?;
        }
        self.record.expires = expires;
        engine.store().set_session(&self.record).await?;
        Ok(expires)
    }
}

fn half(duration: Duration) -> Duration {
    duration.checked_div(2).unwrap_or_default()
}

/// Writes a new expiry to a resource, where tags can be changed.
pub(super) async fn extend(engine: &Engine, entry: &Entry, expires: UnixTime) -> Result<(), Error> {
    let record = entry.record();
    if !engine.cloud().kind(&record.kind).taggable {
        return Ok(());
    }
    let Some(id) = record.id.as_deref() else {
        return Ok(());
    };
    let tags = [(EXPIRES, expires.to_string())];
    let doing = format!("renew {} {id}", record.kind);
    set_tags(engine, &record.kind, id, &tags)
        .await
        .map_err(|last| match last {
            Some(fault) if !fault.is_temporary() => Error::Fault { doing, fault },
            last => Error::Deadline { doing, last },
        })
}

/// Sets tags, repeated until it is known that they are set.
pub(super) async fn set_tags(
    engine: &Engine,
    kind: &str,
    id: &str,
    tags: &[(&'static str, String)],
) -> Result<(), Option<Fault>> {
    let mut backoff = engine.backoff(engine.settings().attach_limit);
    loop {
        let call = TagCall { kind, id, tags };
        match engine.call(engine.cloud().tag(call)).await {
            Ok(()) => return Ok(()),
            Err(fault) if !fault.is_temporary() => return Err(Some(fault)),
            Err(fault) => {
                if !backoff.wait(Some(&fault)).await {
                    return Err(Some(fault));
                }
            }
        }
    }
}
