//! A clone of one file from end to end: the snapshot's name as it is now, the clone, proof that the name
//! has not moved on meanwhile, a look at what was made.

use super::super::api;
use super::super::client::Client;
use super::super::cloud::OntapCloud;
use super::super::fault::NO_FILE;
use super::super::file::{KIND, name_of};
use super::super::parameters::{OfFile, Parameters};
use super::super::place::Place;
use super::codes::{INTERRUPTED, TOO_MANY};
use super::under::Under;
use super::wire::{self, Record};
use crate::engine::{self, Item, OpId, Plan, Settings};
use crate::fault::{Fault, FaultKind};
use crate::held::{self, HeldSession};
use crate::point::OpenHow;
use crate::remote::retry_calls;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A snapshot that is renamed again and again is somebody's mistake.
const TRIES: usize = 4;

/// A clone that can be read.
#[derive(Debug)]
pub(super) struct Cloned {
    pub(super) op: OpId,
    /// Its name in the volume's root.
    pub(super) name: String,
    /// What a look at it has shown.
    pub(super) record: Record,
    /// When it was made, and how long it was promised to be there.
    made: Instant,
    ttl: Duration,
}

impl Cloned {
    /// Whether half of the promised time is over. A file's name cannot say a later one, so another clone
    /// takes its place.
    pub(super) fn is_old(&self) -> bool {
        let half = self.ttl.checked_div(2).unwrap_or_default();
        self.made.elapsed() >= half
    }
}

/// What makes clones of files of one snapshot, in a session that begins with the first one.
#[derive(Debug)]
pub(super) struct Maker {
    pub(super) under: Arc<Under>,
    place: Place,
    how: OpenHow,
    settings: Option<Settings>,
    held: OnceLock<Arc<HeldSession>>,
    opening: tokio::sync::Mutex<()>,
    closed: AtomicBool,
}

impl Maker {
    pub(super) fn new(
        under: Arc<Under>,
        place: Place,
        how: OpenHow,
        settings: Option<Settings>,
    ) -> Self {
        Self {
            under,
            place,
            how,
            settings,
            held: OnceLock::new(),
            opening: tokio::sync::Mutex::new(()),
            closed: AtomicBool::new(false),
        }
    }

    /// What the user allows and wants.
    pub(super) const fn how(&self) -> &OpenHow {
        &self.how
    }

    /// The session, if it has begun.
    pub(super) fn held(&self) -> Option<&Arc<HeldSession>> {
        self.held.get()
    }

    fn client(&self) -> &Client {
        &self.under.client
    }

    /// Begins no session any more.
    pub(super) async fn close(&self) {
        let _one = self.opening.lock().await;
        self.closed.store(true, Ordering::Relaxed);
    }

    async fn session(&self) -> Result<Arc<HeldSession>, Fault> {
        let _one = self.opening.lock().await;
        if self.closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        if let Some(held) = self.held.get() {
            return Ok(Arc::clone(held));
        }
        let settings = match &self.settings {
            Some(settings) => Ok(settings.clone()),
            None => held::settings(),
        };
        let settings = settings.map_err(|error| refused(error.to_string()))?;
        let cloud = Arc::new(OntapCloud::new(self.client().clone(), &self.place.svm));
        let engine = held::engine_with(cloud, &self.how, settings);
        let engine = engine.map_err(|error| refused(error.to_string()))?;
        let purpose = self.how.reason.clone();
        let purpose = purpose.unwrap_or_else(|| format!("files of {}", self.place));
        let session = engine.open(&purpose, self.how.keep).await;
        let session = session.map_err(fault_of)?;
        let held = Arc::new(HeldSession::new(session, Vec::new()));
        Ok(Arc::clone(self.held.get_or_init(|| held)))
    }

    /// Clones the file of this path inside the snapshot.
    ///
    /// # Errors
    /// [`FaultKind::NotFound`]: there is none at this time. Whatever was made by the time of an error is in
    /// the session.
    pub(super) async fn make(&self, path: &str) -> Result<Cloned, Fault> {
        let held = self.session().await?;
        for _ in 0..TRIES {
            if let Some(cloned) = self.once(&held, path).await? {
                return Ok(cloned);
            }
            tracing::info!(
                "{} was renamed while {path} was cloned",
                self.under.snapshot
            );
        }
        Err(refused("the snapshot is renamed again and again"))
    }

    /// The same once. `None`: the snapshot got another name meanwhile.
    async fn once(&self, held: &HeldSession, path: &str) -> Result<Option<Cloned>, Fault> {
        let before = self.now().await?;
        let made = Instant::now();
        let (op, id, ttl) = match self.create(held, path, &before).await {
            Ok(made) => made,
            // Not found under a name that it no longer has.
            Err(_) if self.now().await? != before => return Ok(None),
            Err(fault) => return Err(self.why(fault).await),
        };
        if self.now().await? != before {
            self.release(op).await.map_err(refused)?;
            return Ok(None);
        }
        let name = name_of(&id).to_owned();
        let Under { client, volume, .. } = &*self.under;
        let record = retry_calls(|| wire::stat(client, volume, &name)).await?;
        match record.filter(|record| record.is_file() && record.size().is_some()) {
            Some(record) => Ok(Some(Cloned {
                op,
                name,
                record,
                made,
                ttl,
            })),
            None => {
                self.release(op).await.map_err(refused)?;
                Err(refused("what was cloned is no file, or has no size"))
            }
        }
    }

    async fn now(&self) -> Result<String, Fault> {
        retry_calls(|| self.under.now()).await
    }

    async fn create(
        &self,
        held: &HeldSession,
        path: &str,
        snapshot: &str,
    ) -> Result<(OpId, String, Duration), Fault> {
        let parameters = Parameters {
            way: self.client().way().clone(),
            volume: self.place.volume.clone(),
            snapshot: snapshot.to_owned(),
            snapshot_uuid: self.under.snapshot.clone(),
            lun: None,
            file: Some(OfFile {
                volume_uuid: self.under.volume.clone(),
                path: path.to_owned(),
            }),
        };
        let plan = Plan {
            kind: KIND.to_owned(),
            parent: format!("{}:/{path}@{snapshot}", self.place),
            parameters: parameters.to_text(),
            needs: Vec::new(),
        };
        let mut session = held.locked().await;
        let session = session.as_mut().ok_or_else(closed)?;
        let ops = session.prepare(vec![plan]).await.map_err(fault_of)?;
        let op = ops.into_iter().next();
        let op = op.ok_or_else(|| refused("nothing was planned"))?;
        let id = session.create(op).await.map_err(fault_of)?;
        session.ready(op).await.map_err(fault_of)?;
        Ok((op, id, session.ttl()))
    }

    /// Why it could not be made: that there is no such file is believed only if it was looked for in the
    /// right volume.
    async fn why(&self, mut fault: Fault) -> Fault {
        let absent = fault.is(NO_FILE) || fault.is("4");
        if fault.kind != FaultKind::Refused || !absent {
            return fault;
        }
        let Under { client, volume, .. } = &*self.under;
        match retry_calls(|| api::volume_by_id(client, volume)).await {
            Ok(Some(volume)) if volume.name == self.place.volume => {
                fault.kind = FaultKind::NotFound;
                fault
            }
            Ok(_) => refused(format!("the volume {} was renamed meanwhile", self.place)),
            Err(other) => other,
        }
    }

    /// Deletes a clone while others are read.
    ///
    /// # Errors
    /// It remains, and why, in words. It is tried again when the session is closed.
    pub(super) async fn release(&self, op: OpId) -> Result<Item, String> {
        let held = self.held.get().ok_or_else(|| closed().message)?;
        let mut apart = match held.locked().await.as_mut() {
            Some(session) => session.part(op).map_err(|error| error.to_string())?,
            None => return Err(closed().message),
        };
        let released = apart.release().await;
        let item = apart.item();
        if let Some(session) = held.locked().await.as_mut() {
            session.rejoin(apart);
        }
        match released {
            Ok(()) => Ok(item),
            Err(why) => Err(format!("{item} could not be deleted: {why}")),
        }
    }
}

fn refused(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::Refused, message)
}

/// The fault of whoever asks for more clones than there may be.
pub(super) fn too_many(message: impl Into<String>) -> Fault {
    refused(message).with_code(TOO_MANY)
}

pub(super) fn closed() -> Fault {
    refused("the session is closed")
}

/// Why something temporary could not be made, as a fault.
fn fault_of(error: engine::Error) -> Fault {
    use engine::Error;
    match error {
        Error::Fault { doing, mut fault } => {
            fault.message = format!("cannot {doing}: {}", fault.message);
            fault
        }
        Error::Interrupted => refused("interrupted").with_code(INTERRUPTED),
        Error::Deadline { .. } => Fault::new(FaultKind::Unknown, error.to_string()),
        Error::Account { .. } => Fault::new(FaultKind::Denied, error.to_string()),
        Error::Store(_) | Error::LeaseLost { .. } | Error::Failed { .. } | Error::Misuse(_) => {
            refused(error.to_string())
        }
    }
}
