//! Deleting a resource: detach, delete, and look until it is gone.
//!
//! What a provider says of a delete is not believed either way; gone is what two looks did not find,
//! at a time when reads cannot lag behind the making any more. The account is checked before the first
//! call, and again before "gone" is said: with the credentials of another account nothing is found,
//! and nothing would have been deleted.
//!
//! Some providers show nothing of what is being deleted, so that a look that finds nothing may be one that
//! lags behind. Where such a provider can be asked on the path of writes ([`Cloud::is_there`]), a resource
//! is gone as soon as both paths say so.
//!
//! [`Cloud::is_there`]: super::cloud::Cloud::is_there

use super::cloud::{AttachCall, Attachment, DeleteCall, Kind, Phase, Repeat, Seen};
use super::create::{engine_kind, find, is_of};
use super::engine::Engine;
use super::error::Error;
use super::fault::{Fault, FaultKind};
use super::journal::Entry;
use super::outcome::Why;
use super::record::{Record, State};
use super::rules::Rule;
use super::store::StoreErrorKind;
use std::time::Duration;

/// Deletes the resource of an entry; `Ok` when the journal says that it is gone.
pub(super) async fn release(engine: &Engine, entry: &mut Entry) -> Result<(), Why> {
    if entry.record().state == State::Intent {
        return gone(engine, entry).await;
    }
    check_account(engine, &entry.record().scope.account).await?;
    let was_ready = entry.record().state == State::Ready;
    let journal = engine.journal();
    let releasing = |record: &mut Record| record.state = State::Releasing;
    if let Err(error) = journal.change(entry, true, releasing).await
        && error.kind == StoreErrorKind::Fenced
    {
        // Somebody else does this. A full disk, on the other hand, is no reason to leave it there.
        return Err(Why::Store(error));
    }
    let mut releasing = Releasing {
        engine,
        record: entry.record(),
        kind: engine_kind(engine, entry.record()),
        begun: engine.clock().since_boot(),
        absent_since: None,
        shown: was_ready,
        deleting_seen: false,
        acknowledged: false,
    };
    releasing.run().await?;
    check_account(engine, &entry.record().scope.account).await?;
    gone(engine, entry).await
}

async fn gone(engine: &Engine, entry: &mut Entry) -> Result<(), Why> {
    let journal = engine.journal();
    let gone = |record: &mut Record| record.state = State::Gone;
    journal.change(entry, false, gone).await.map_err(Why::Store)
}

/// Refuses if the credentials in use now are not those of `account`.
pub(super) async fn check_account(engine: &Engine, account: &str) -> Result<(), Why> {
    if !engine.shared.rules.hold(Rule::Account) {
        return Ok(());
    }
    match engine.identity().await {
        Ok(identity) if identity.account == account => Ok(()),
        Ok(identity) => Err(Why::Account {
            found: identity.account,
        }),
        Err(Error::Fault { fault, .. }) => Err(match fault.kind {
            FaultKind::Unavailable => Why::Unavailable,
            _ => Why::Refused(fault),
        }),
        Err(Error::Deadline { last, .. }) => Err(Why::Deadline(last)),
        // `identity` fails in no other way.
        Err(_) => Err(Why::Deadline(None)),
    }
}

struct Releasing<'a> {
    engine: &'a Engine,
    record: &'a Record,
    kind: Kind,
    /// When this began.
    begun: Duration,
    /// Since when every look has found nothing.
    absent_since: Option<Duration>,
    /// It was shown, with our tags: now, or to whoever wrote down that it was ready.
    shown: bool,
    /// It was seen on its way out.
    deleting_seen: bool,
    /// A delete was answered with success. That proves nothing.
    acknowledged: bool,
}

impl Releasing<'_> {
    async fn run(&mut self) -> Result<(), Why> {
        let engine = self.engine;
        let mut backoff = engine.backoff(engine.settings().release_limit);
        loop {
            let last = match self.observe().await {
                Ok(seen) if seen.is_empty() => {
                    if self.is_gone() {
                        return Ok(());
                    }
                    let denied = self.is_denied().await;
                    if matches!(denied, Ok(true)) {
                        return Ok(());
                    }
                    // Not shown does not mean not there, and writes do not lag behind.
                    let fault = match &self.record.id {
                        Some(id) => self.delete(id).await?,
                        None => None,
                    };
                    fault.or(denied.err())
                }
                Ok(seen) => {
                    self.absent_since = None;
                    let mut last = None;
                    for seen in &seen {
                        last = self.step(seen).await?.or(last);
                    }
                    last
                }
                Err(fault) if fault.is_temporary() => Some(fault),
                Err(fault) => return Err(Why::Refused(fault)),
            };
            if self.acknowledged && !engine.shared.rules.hold(Rule::SeenGone) {
                return Ok(());
            }
            let gap = engine.settings().gone_gap;
            if !backoff.wait_at_least(gap, last.as_ref()).await {
                return Err(Why::Deadline(last));
            }
        }
    }

    /// What there is of the operation: by its id, and by its tag, since a call delivered twice may
    /// have made two where nothing prevents that.
    async fn observe(&self) -> Result<Vec<Seen>, Fault> {
        let mut found = find(self.engine, self.record).await?;
        let Some(id) = self.record.id.as_deref() else {
            return Ok(found);
        };
        if found.iter().all(|seen| seen.id != id) {
            let answer = self.engine.cloud().describe(&self.record.kind, id);
            found.extend(self.engine.call(answer).await?);
        }
        Ok(found)
    }

    /// Whether a look that found nothing, just now, is the end of it.
    fn is_gone(&mut self) -> bool {
        let now = self.engine.clock().since_boot();
        self.absent_since.get_or_insert(now);
        if !self.engine.shared.rules.hold(Rule::UnknownOutcome) {
            return true;
        }
        let known_to_all = self.is_settled(now) || (self.deleting_seen && self.is_single());
        self.is_absent_twice(now) && known_to_all
    }

    /// Whether two looks, far enough apart, have found nothing.
    fn is_absent_twice(&self, now: Duration) -> bool {
        let gap = self.engine.settings().gone_gap;
        let since = self.absent_since;
        since.is_some_and(|since| now.saturating_sub(since) >= gap)
    }

    /// Whether looks that found nothing can be believed although reads may lag behind: the path of writes
    /// knows of no such resource either.
    ///
    /// Only of one that was shown and that this process has deleted: of any other the call that makes it,
    /// or another delete, may still be on its way. A fault is no denial, whatever it is.
    async fn is_denied(&self) -> Result<bool, Fault> {
        let record = self.record;
        let is_known = self.shown && self.acknowledged && self.has_one_id();
        let (Some(id), Some(target), true) = (&record.id, &record.target, is_known) else {
            return Ok(false);
        };
        if !self.engine.shared.rules.hold(Rule::Denied) {
            return Ok(true);
        }
        if !self.is_absent_twice(self.engine.clock().since_boot()) {
            return Ok(false);
        }
        let kind = &record.kind;
        let call = AttachCall { kind, id, target };
        let is_there = self.engine.call(self.engine.cloud().is_there(call)).await?;
        Ok(is_there == Some(false))
    }

    /// Whether all calls that may have made it have made the one whose id is known.
    fn has_one_id(&self) -> bool {
        self.kind.repeat == Repeat::Token && !self.record.doubtful && self.record.id.is_some()
    }

    /// Whether what was seen is all there will ever be. A token answers for ever with the first one; a
    /// name is free again once that is deleted, and a call that got no answer may be on its way still.
    fn is_single(&self) -> bool {
        match self.kind.repeat {
            Repeat::Token => true,
            Repeat::Name => !self.record.doubtful && self.record.id.is_some(),
            Repeat::Nothing => false,
        }
    }

    /// Whether every call that may have made it has had its effect, and reads show it.
    fn is_settled(&self, now: Duration) -> bool {
        let settings = self.engine.settings();
        let wait = match self.kind.consistent {
            true if self.record.id.is_some() && self.is_single() => return true,
            true => settings.call_limit,
            false => settings.settled_after(),
        };
        self.since_called(now) >= wait
    }

    /// For how long no call that makes it can have been begun.
    fn since_called(&self, now: Duration) -> Duration {
        let me = &self.engine.shared.me;
        let called = self.record.called.as_ref();
        // Time since boot of another boot says nothing.
        let called = called.filter(|moment| moment.boot == me.boot);
        let called = called.map_or(self.begun, |moment| moment.since_boot);
        now.saturating_sub(called.min(self.begun))
    }

    /// One step towards the end of a resource that was seen.
    async fn step(&mut self, seen: &Seen) -> Result<Option<Fault>, Why> {
        if !is_of(seen, self.record) {
            // Tags may be younger than what reads show.
            let now = self.engine.clock().since_boot();
            return match self.since_called(now) < self.engine.settings().settled_after() {
                true => Ok(None),
                false => Err(Why::NotOurs),
            };
        }
        self.shown |= self.record.id.as_ref() == Some(&seen.id);
        if seen.phase == Phase::Deleting {
            self.deleting_seen = true;
            return Ok(None);
        }
        match (&seen.attachment, self.record.target.as_deref()) {
            (Attachment::Free, _) => {
                let fault = self.delete(&seen.id).await?;
                match (&fault, self.record.target.as_deref()) {
                    // Shown as free, and is not.
                    (Some(Fault { kind, .. }), Some(target)) if *kind == FaultKind::InUse => {
                        Ok(self.detach(&seen.id, target).await?.or(fault))
                    }
                    _ => Ok(fault),
                }
            }
            (Attachment::Detaching(_), _) => Ok(None),
            (Attachment::Attached(to) | Attachment::Attaching(to), Some(target))
                if to == target =>
            {
                self.detach(&seen.id, target).await
            }
            (Attachment::Attached(target) | Attachment::Attaching(target), _) => {
                let target = target.clone();
                Err(Why::Attached { target })
            }
        }
    }

    async fn detach(&self, id: &str, target: &str) -> Result<Option<Fault>, Why> {
        let kind = &self.record.kind;
        let call = AttachCall { kind, id, target };
        permanent(self.engine.call(self.engine.cloud().detach(call)).await)
    }

    async fn delete(&mut self, id: &str) -> Result<Option<Fault>, Why> {
        let kind = &self.record.kind;
        let call = DeleteCall { kind, id };
        let result = self.engine.call(self.engine.cloud().delete(call)).await;
        self.acknowledged |= result.is_ok();
        permanent(result)
    }
}

/// `Ok` with what may be over at the next try; that there is nothing of the id is what was wanted.
pub(super) fn permanent(result: Result<(), Fault>) -> Result<Option<Fault>, Why> {
    match result {
        Ok(()) => Ok(None),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) if fault.is_temporary() => Ok(Some(fault)),
        Err(fault) => Err(Why::Refused(fault)),
    }
}
