//! One clone from end to end: the snapshot's name as it is now, the clone, proof that the name has not
//! moved on meanwhile, the size, a first read.
//!
//! A clone is made of a snapshot by name, and rotation renames snapshots. If the name before the clone and after it
//! leads to the same id, the clone is of that snapshot; else it is deleted, and made anew.

use super::api::{self, Cluster, Lun, Snapshot, Volume};
use super::client::Client;
use super::data::{LunStore, Origin};
use super::fault::{self, NO_SPACE};
use super::parameters::Parameters;
use super::place::Place;
use super::{comment, lun, multipart, volume};
use crate::engine::{self, Clock, OpId, Plan, Session};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::remote::{TokioClock, retry_calls};
use std::sync::Arc;
use std::time::Duration;

/// A sector: what is read first, to see whether this cluster hands out bytes at all.
const PROBE_LEN: usize = 512;
/// Reading over REST is documented from this release on, and so is deleting a volume for good.
pub(super) const SINCE: (u32, u32) = (9, 12);
/// For a LUN to show in a volume that was just cloned.
const SHOWN_LIMIT: Duration = Duration::from_secs(60);
const SHOWN_GAP: Duration = Duration::from_millis(500);

/// What is to be cloned.
#[derive(Debug)]
pub(super) struct Making<'a> {
    pub(super) client: &'a Client,
    pub(super) cluster: &'a Cluster,
    pub(super) place: &'a Place,
    /// The LUN's path inside the volume.
    pub(super) lun: &'a str,
    pub(super) volume: &'a Volume,
    /// Id of the snapshot.
    pub(super) snapshot: &'a str,
}

/// Why there is no clone to read.
#[derive(Debug)]
pub(super) enum Failed {
    /// The snapshot got another name meanwhile: from the start again.
    Renamed,
    /// For good.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// A clone that can be read.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) store: Arc<LunStore>,
    /// What was made, for people.
    pub(super) what: String,
}

impl Making<'_> {
    /// Clones. Whatever was made by the time of an error is in the session.
    pub(super) async fn run(&self, session: &mut Session) -> Result<Made, Failed> {
        let before = self.snapshot().await?;
        let kind = match self.volume.kind.as_str() {
            "rw" => lun::KIND,
            _ => volume::KIND,
        };
        let op = self.clone(session, kind, &before).await?;
        let after = self.snapshot().await?;
        if after.name != before.name {
            return Err(Failed::Renamed);
        }
        let id = session.record(op).and_then(|record| record.id.clone());
        let id = id.ok_or(engine::Error::Misuse("the clone was not made"))?;
        let (lun, what) = match kind {
            lun::KIND => {
                let lun = retry_calls(|| api::lun_by_id(self.client, &id)).await;
                let lun = lun.map_err(|fault| self.remote(fault))?;
                let lun = lun.ok_or_else(|| self.vanished())?;
                let what = format!("LUN {}", lun.name);
                (lun, what)
            }
            _ => {
                let name = comment::name_of(op);
                let lun = self.lun_in(&name, &before.name).await?;
                (lun, format!("volume {name}"))
            }
        };
        self.probe(&lun).await?;
        let origin = Origin {
            cluster: &self.cluster.uuid,
            volume: &self.volume.uuid,
            snapshot: self.snapshot,
            lun: self.lun,
        };
        let name = format!("ontap:{}@{}", self.place, before.name);
        let store = LunStore::new(self.client, (&lun.uuid, lun.space.size), name, &origin);
        Ok(Made { store, what })
    }

    /// The snapshot, under the name that it has now.
    async fn snapshot(&self) -> Result<Snapshot> {
        let found =
            retry_calls(|| api::snapshot(self.client, &self.volume.uuid, self.snapshot)).await;
        let found = found.map_err(|fault| self.remote(fault))?;
        found.ok_or_else(|| Error::NoSuch {
            what: format!(
                "the snapshot {} of {} was deleted meanwhile",
                self.snapshot, self.place
            ),
            hint: Some(format!("flr points ontap:{}", self.place)),
        })
    }

    async fn clone(
        &self,
        session: &mut Session,
        kind: &str,
        snapshot: &Snapshot,
    ) -> Result<OpId, Failed> {
        let parameters = Parameters {
            way: self.client.way().clone(),
            volume: self.volume.name.clone(),
            snapshot: snapshot.name.clone(),
            snapshot_uuid: self.snapshot.to_owned(),
            lun: (kind == lun::KIND).then(|| self.lun.to_owned()),
            file: None,
        };
        let plan = Plan {
            kind: kind.to_owned(),
            parent: format!("{}@{}", self.place, snapshot.name),
            parameters: parameters.to_text(),
            needs: Vec::new(),
        };
        let ops = session.prepare(vec![plan]).await?;
        let op = ops.into_iter().next();
        let op = op.ok_or(engine::Error::Misuse("nothing was planned"))?;
        if let Err(error) = session.create(op).await {
            // Not found under a name that it no longer has.
            if self.snapshot().await?.name != snapshot.name {
                return Err(Failed::Renamed);
            }
            return Err(self.why_not_made(error, snapshot).into());
        }
        if let Err(error) = session.ready(op).await {
            let id = session.record(op).and_then(|record| record.id.clone());
            return Err(self.why_not_ready(error, kind, id).await.into());
        }
        Ok(op)
    }

    /// Why a clone could not be made, in words that lead on.
    fn why_not_made(&self, error: engine::Error, snapshot: &Snapshot) -> Error {
        let engine::Error::Fault { doing, fault } = error else {
            return error.into();
        };
        let words = fault.message.to_ascii_lowercase();
        let absent = ["not found", "not exist", "doesn't exist", "no such"];
        let absent = absent.iter().any(|text| words.contains(text));
        if fault.kind == FaultKind::Refused && absent {
            return Error::NoSuch {
                what: format!(
                    "there is no LUN {} in the snapshot {} of {}/{}: {fault}",
                    self.lun, snapshot.name, self.place.svm, self.place.volume
                ),
                hint: Some("lun show in the volume lists the LUNs that there are now".to_owned()),
            };
        }
        fault::error(doing, fault)
    }

    /// Why a clone that was made cannot be used: the state says it.
    async fn why_not_ready(&self, error: engine::Error, kind: &str, id: Option<String>) -> Error {
        let (true, Some(id)) = (kind == lun::KIND, id) else {
            return error.into();
        };
        match api::lun_by_id(self.client, &id).await {
            Ok(Some(lun)) if lun.status.state == "space_error" => {
                let message = format!("the clone is in the state space_error: {} is full", {
                    &self.place.volume
                });
                let fault = Fault::new(FaultKind::Quota, message).with_code(NO_SPACE);
                fault::error(format!("read {}", self.place), fault)
            }
            Ok(Some(lun)) => Error::Refused {
                what: format!(
                    "the clone of {} cannot be read: its state is {}",
                    self.place, lun.status.state
                ),
                hint: Some("try again, or look at the cluster's events".to_owned()),
            },
            _ => error.into(),
        }
    }

    /// The LUN in a volume that was just cloned.
    async fn lun_in(&self, volume: &str, snapshot: &str) -> Result<Lun> {
        let name = Place::path_in(volume, self.lun);
        let deadline = TokioClock.since_boot().saturating_add(SHOWN_LIMIT);
        loop {
            let found = retry_calls(|| api::lun(self.client, &self.place.svm, &name)).await;
            if let Some(lun) = found.map_err(|fault| self.remote(fault))? {
                return Ok(lun);
            }
            if TokioClock.since_boot() >= deadline {
                return Err(Error::NoSuch {
                    what: format!(
                        "there is no LUN {} in the snapshot {snapshot} of {}/{}",
                        self.lun, self.place.svm, self.place.volume
                    ),
                    hint: Some(format!("flr points ontap:{}", self.place)),
                });
            }
            TokioClock.sleep(SHOWN_GAP).await;
        }
    }

    /// Reads the first sector: a cluster of an older release answers with something else.
    async fn probe(&self, lun: &Lun) -> Result<()> {
        if lun.space.size < 512 {
            return Err(Error::Refused {
                what: format!("{} has {} bytes", self.place, lun.space.size),
                hint: None,
            });
        }
        let read = retry_calls(|| api::lun_bytes(self.client, &lun.uuid, 0, PROBE_LEN)).await;
        let Err(fault) = read else { return Ok(()) };
        let version = &self.cluster.version;
        let old = (version.generation, version.major) < SINCE;
        let no_data = fault.is(multipart::NO_DATA) || fault.kind == FaultKind::Refused;
        match old && no_data {
            true => Err(Error::Refused {
                what: format!(
                    "ONTAP {} hands out no bytes of a LUN over REST: {fault}",
                    self.cluster.release()
                ),
                hint: Some("ONTAP 9.12.1 or later is needed".to_owned()),
            }),
            false => Err(self.remote(fault)),
        }
    }

    fn remote(&self, fault: Fault) -> Error {
        fault::error(format!("read ontap:{}", self.place), fault)
    }

    fn vanished(&self) -> Error {
        Error::Refused {
            what: format!("the clone of {} was deleted by somebody else", self.place),
            hint: Some("try again".to_owned()),
        }
    }
}
