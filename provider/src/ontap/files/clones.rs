//! The clones of files that there are at a time: few, each shared by all that read the same file, and deleted
//! when another one needs the room.
//!
//! A source of bytes holds no clone. It has one lent for each read, so that a mount with hundreds of open
//! files has no more clones than a copy of one file after another.

use super::making::{Cloned, Maker, closed, too_many};
use super::wire;
use crate::engine::{Cleanup, Item};
use crate::fault::{Fault, FaultKind};
use crate::point::{AccessMode, Held};
use crate::remote::block_on;
use crate::remote::runtime::handle;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Clones at once.
const AT_ONCE: usize = 8;
/// Clones that a command makes unless somebody has agreed to more.
const UNASKED_MAX: u32 = 64;

/// What came of making one; nothing as long as it goes on.
type Outcome = Option<Result<Arc<Cloned>, Fault>>;

/// Clones of files of one snapshot.
#[derive(Debug)]
pub(super) struct Clones {
    maker: Maker,
    slots: Mutex<Slots>,
    /// Told of whenever a slot becomes free.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Slots {
    list: Vec<Slot>,
    /// Clones on their way out, which still count.
    leaving: usize,
    /// So many were made, or are being made.
    made: u32,
    clock: u64,
    closed: bool,
    /// Why a clone could not be deleted: nothing more is made then.
    stuck: Option<String>,
    gone: Vec<Item>,
}

#[derive(Debug)]
struct Slot {
    key: u64,
    path: String,
    users: usize,
    /// When it was used last.
    used: u64,
    outcome: watch::Receiver<Outcome>,
}

impl Slot {
    /// The clone, if there is one that nobody reads.
    fn idle(&self) -> Option<Arc<Cloned>> {
        match (self.users, &*self.outcome.borrow()) {
            (0, Some(Ok(cloned))) => Some(Arc::clone(cloned)),
            _ => None,
        }
    }
}

/// Somebody who reads a clone, or waits for it.
struct User {
    clones: Arc<Clones>,
    key: u64,
}

impl Drop for User {
    fn drop(&mut self) {
        let mut slots = self.clones.slots();
        if let Some(slot) = slots.list.iter_mut().find(|slot| slot.key == self.key) {
            slot.users = slot.users.saturating_sub(1);
        }
        drop(slots);
        self.clones.changed.notify_waiters();
    }
}

/// What comes next for somebody who wants a clone.
enum Step {
    /// There is one, or will be.
    Use(User, watch::Receiver<Outcome>),
    /// This one has to go first.
    Leave(Arc<Cloned>),
    /// One has to become free.
    Wait,
}

impl Clones {
    pub(super) fn new(maker: Maker) -> Arc<Self> {
        Arc::new(Self {
            maker,
            slots: Mutex::default(),
            changed: Notify::new(),
        })
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clone of a file, made if there is none.
    ///
    /// # Errors
    /// As [`Maker::make`]; too many were made already.
    pub(super) async fn clone_of(self: &Arc<Self>, path: &str) -> Result<Arc<Cloned>, Fault> {
        self.lend(path).await.map(|(_, cloned)| cloned)
    }

    async fn lend(self: &Arc<Self>, path: &str) -> Result<(User, Arc<Cloned>), Fault> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.step(path)? {
                Step::Wait => changed.await,
                Step::Leave(cloned) => {
                    handle().spawn(Arc::clone(self).leave(cloned));
                }
                Step::Use(user, mut outcome) => {
                    let told = outcome.wait_for(Option::is_some).await;
                    let told = told.ok().and_then(|told| told.clone());
                    let ended = || Fault::new(FaultKind::Unknown, "the making has ended early");
                    return Ok((user, told.unwrap_or_else(|| Err(ended()))?));
                }
            }
        }
    }

    fn step(self: &Arc<Self>, path: &str) -> Result<Step, Fault> {
        let mut slots = self.slots();
        if slots.closed {
            return Err(closed());
        }
        slots.clock = slots.clock.saturating_add(1);
        let now = slots.clock;
        let keep = self.maker.how().keep;
        if let Some(at) = slots.list.iter().position(|slot| slot.path == path) {
            let idle = slots.list.get(at).and_then(Slot::idle);
            if let Some(cloned) = idle.filter(|cloned| cloned.is_old() && !keep) {
                slots.list.remove(at);
                slots.leaving = slots.leaving.saturating_add(1);
                return Ok(Step::Leave(cloned));
            }
            let slot = slots.list.get_mut(at).ok_or_else(closed)?;
            slot.users = slot.users.saturating_add(1);
            slot.used = now;
            let (key, outcome) = (slot.key, slot.outcome.clone());
            return Ok(Step::Use(self.user(key), outcome));
        }
        self.check(&slots)?;
        if slots.list.len().saturating_add(slots.leaving) >= AT_ONCE {
            let idle = slots.list.iter().enumerate();
            let idle = idle.filter_map(|(at, slot)| Some((slot.used, at, slot.idle()?)));
            return Ok(match idle.min_by_key(|(used, ..)| *used) {
                Some((_, at, cloned)) => {
                    slots.list.remove(at);
                    slots.leaving = slots.leaving.saturating_add(1);
                    Step::Leave(cloned)
                }
                None => Step::Wait,
            });
        }
        slots.made = slots.made.saturating_add(1);
        let outcome = self.begin(path, now);
        slots.list.push(Slot {
            key: now,
            path: path.to_owned(),
            users: 1,
            used: now,
            outcome: outcome.clone(),
        });
        Ok(Step::Use(self.user(now), outcome))
    }

    /// Refuses to make one more.
    fn check(&self, slots: &Slots) -> Result<(), Fault> {
        if let Some(why) = &slots.stuck {
            return Err(Fault::new(FaultKind::Refused, why.clone()));
        }
        let how = self.maker.how();
        if how.keep && slots.list.len() >= AT_ONCE {
            let what = format!("{AT_ONCE} clones of files are kept already");
            return Err(too_many(what));
        }
        let agreed = how.access == AccessMode::Clone || how.yes;
        match !agreed && slots.made >= UNASKED_MAX {
            true => Err(too_many(format!(
                "{UNASKED_MAX} files were cloned already, and each is made in the volume and deleted again"
            ))),
            false => Ok(()),
        }
    }

    fn user(self: &Arc<Self>, key: u64) -> User {
        let clones = Arc::clone(self);
        User { clones, key }
    }

    /// Makes a clone whoever waits for it: what was begun is in the journal, and is brought to its end.
    fn begin(self: &Arc<Self>, path: &str, key: u64) -> watch::Receiver<Outcome> {
        let (tell, told) = watch::channel(None);
        let (clones, path) = (Arc::clone(self), path.to_owned());
        handle().spawn(async move {
            let made = clones.maker.make(&path).await.map(Arc::new);
            if made.is_err() {
                let mut slots = clones.slots();
                slots.list.retain(|slot| slot.key != key);
                slots.made = slots.made.saturating_sub(1);
            }
            tell.send_replace(Some(made));
            clones.changed.notify_waiters();
        });
        told
    }

    async fn leave(self: Arc<Self>, cloned: Arc<Cloned>) {
        let released = self.maker.release(cloned.op).await;
        let mut slots = self.slots();
        slots.leaving = slots.leaving.saturating_sub(1);
        match released {
            Ok(item) => slots.gone.push(item),
            Err(why) => slots.stuck = Some(why),
        }
        drop(slots);
        self.changed.notify_waiters();
    }

    /// Bytes of a file of `size` bytes.
    pub(super) async fn read(
        self: &Arc<Self>,
        path: &str,
        size: u64,
        range: (u64, usize),
    ) -> Result<Bytes, Fault> {
        let (user, cloned) = self.lend(path).await?;
        if cloned.record.size() != Some(size) {
            let found = cloned.record.size().unwrap_or(0);
            let what = format!("expected a clone of {size} bytes, found {found}");
            return Err(Fault::new(FaultKind::Refused, what));
        }
        let under = &self.maker.under;
        let read = wire::bytes(&under.client, &under.volume, &cloned.name, range).await;
        match read {
            Err(fault) if fault.kind == FaultKind::NotFound => {
                drop(user);
                self.lose(&cloned);
                let what = format!("{} was deleted by somebody else: {fault}", cloned.name);
                Err(Fault::new(FaultKind::Unknown, what))
            }
            read => read,
        }
    }

    /// A clone that is not there any more: the next read makes another one.
    fn lose(self: &Arc<Self>, cloned: &Arc<Cloned>) {
        let mut slots = self.slots();
        let is_it = |slot: &Slot| match &*slot.outcome.borrow() {
            Some(Ok(other)) => other.op == cloned.op,
            _ => false,
        };
        let Some(at) = slots.list.iter().position(is_it) else {
            return;
        };
        slots.list.remove(at);
        slots.leaving = slots.leaving.saturating_add(1);
        drop(slots);
        handle().spawn(Arc::clone(self).leave(Arc::clone(cloned)));
    }

    /// Lets nothing more be made, and deletes what nobody wanted to keep. Returns when all of it has ended.
    async fn drain(self: &Arc<Self>) -> Vec<Item> {
        self.maker.close().await;
        self.slots().closed = true;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(gone) = self.let_go() {
                return gone;
            }
            changed.await;
        }
    }

    /// Begins to delete what is not wanted any more, once nothing is being made; what is gone, once all is.
    fn let_go(self: &Arc<Self>) -> Option<Vec<Item>> {
        let mut slots = self.slots();
        let made = |slot: &Slot| slot.outcome.borrow().clone();
        if slots.list.iter().any(|slot| made(slot).is_none()) {
            return None;
        }
        if !self.maker.how().keep {
            let all = std::mem::take(&mut slots.list);
            let all = all.iter().filter_map(|slot| made(slot)?.ok());
            for cloned in all {
                slots.leaving = slots.leaving.saturating_add(1);
                handle().spawn(Arc::clone(self).leave(cloned));
            }
        }
        (slots.leaving == 0).then(|| slots.gone.clone())
    }
}

/// The clones' session, as whoever opened the point holds it.
#[derive(Debug)]
pub(super) struct HeldClones(pub(super) Arc<Clones>);

impl Held for HeldClones {
    fn session(&self) -> String {
        let held = self.0.maker.held();
        held.map(|held| held.session()).unwrap_or_default()
    }

    fn close(&self) -> Cleanup {
        let gone = block_on(self.0.drain());
        let held = self.0.maker.held();
        let mut cleanup = held.map(|held| held.close()).unwrap_or_default();
        cleanup.add(Cleanup {
            gone,
            ..Cleanup::default()
        });
        cleanup
    }
}
