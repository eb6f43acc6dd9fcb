//! Points of LUNs, what they cost, and how they are opened.

use super::api::{self, Cluster, Volume};
use super::client::Client;
use super::cloud::OntapCloud;
use super::data::CHUNK_LEN;
use super::fault;
use super::files::opening::Opening;
use super::making::{Failed, Made, Making, SINCE};
use super::place::Place;
use super::points;
use super::settings::OntapSettings;
use crate::engine::Settings;
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::held::{self, HeldSession};
use crate::point::{
    Access, AccessMode, Catalog, Disk, Estimate, Held, OpenHow, OpenedFiles, OpenedPoint, PointInfo,
};
use crate::remote::{self, ChunkStore, Chunked, block_on, retry_calls};
use flr_fs::ByteSource;
use std::future::Future;
use std::sync::{Arc, Weak};

/// Calls at once: management answers them, which has other things to do.
const CALLS_START: u32 = 8;
const CALLS_MAX: u32 = 16;
/// A snapshot that is renamed again and again is somebody's mistake.
const TRIES: usize = 4;

/// Points of LUNs of a cluster.
#[derive(Debug)]
pub struct Ontap {
    client: Client,
    reading: remote::Settings,
    /// Other limits than those of the environment.
    settings: Option<Settings>,
}

impl Ontap {
    /// The points of the cluster that `settings` lead to. Nothing is asked yet.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(settings: &OntapSettings, reading: remote::Settings) -> Result<Self> {
        Ok(Self {
            client: Client::new(settings)?,
            reading: remote::Settings {
                calls_start: CALLS_START,
                calls_max: CALLS_MAX,
                ..reading
            },
            settings: None,
        })
    }

    /// The same with other limits, for tests that cannot wait.
    #[doc(hidden)]
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Asks, some times if need be.
    fn ask<T, F>(&self, doing: impl FnOnce() -> String, call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Fault>>,
    {
        block_on(retry_calls(call)).map_err(|fault| fault::error(doing(), fault))
    }

    fn volume(&self, place: &Place) -> Result<Volume> {
        let doing = || format!("look up the volume {} of {}", place.volume, place.svm);
        let call = || api::volume(&self.client, &place.svm, &place.volume);
        self.ask(doing, call)?.ok_or_else(|| Error::NoSuch {
            what: format!("{} has no volume {}", place.svm, place.volume),
            hint: Some("check both names: volume show".to_owned()),
        })
    }

    /// Clones a LUN, and opens the clone.
    fn clone(
        &self,
        point: &PointInfo,
        place: &Place,
        lun: &str,
        how: &OpenHow,
    ) -> Result<OpenedPoint> {
        let volume = self.volume(place)?;
        let doing = || format!("ask for the release of {}", self.client.name());
        let (cluster, _) = self.ask(doing, || api::cluster(&self.client))?;
        can_clone(&cluster, &volume, place)?;
        let making = Making {
            client: &self.client,
            cluster: &cluster,
            place,
            lun,
            volume: &volume,
            snapshot: &point.id,
        };
        for _ in 0..TRIES {
            match self.once(&making, point, how) {
                Err(Failed::Renamed) => {
                    tracing::info!("{} was renamed while it was cloned", point.id);
                }
                Err(Failed::Error(error)) => return Err(error),
                Ok(opened) => return Ok(opened),
            }
        }
        Err(Error::Refused {
            what: format!("the snapshot {} is renamed again and again", point.id),
            hint: Some("try again when nothing rotates".to_owned()),
        })
    }

    fn once(
        &self,
        making: &Making<'_>,
        point: &PointInfo,
        how: &OpenHow,
    ) -> Result<OpenedPoint, Failed> {
        let settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => held::settings()?,
        };
        let cloud = Arc::new(OntapCloud::new(self.client.clone(), &making.place.svm));
        let engine = held::engine_with(cloud, how, settings)?;
        let purpose = how.reason.clone();
        let name = point.name.as_deref().unwrap_or(&point.id);
        let purpose = purpose.unwrap_or_else(|| format!("{} at {name}", point.object));
        let mut session = block_on(engine.open(&purpose, how.keep))?;
        match block_on(making.run(&mut session)) {
            Ok(Made { store, what }) => {
                let end = match how.keep {
                    true => "it stays until it expires",
                    false => "it is deleted at the end",
                };
                let note = format!("{} at {name} was cloned as {what}; {end}", point.object);
                let store: Arc<dyn ChunkStore> = store;
                let source: Arc<dyn ByteSource> = Chunked::new(store, &self.reading);
                let reader: Weak<dyn ByteSource> = Arc::downgrade(&source);
                let held: Box<dyn Held> = Box::new(HeldSession::new(session, vec![reader]));
                Ok(OpenedPoint {
                    disks: vec![Disk {
                        source,
                        // A guest can write any header on a disk of its own.
                        may_be_container: false,
                    }],
                    notes: vec![note],
                    held: Some(held),
                })
            }
            Err(failed) => {
                // Whoever asked for what was made to be kept has not asked for something else.
                let cleanup = block_on(session.abandon());
                Err(match failed {
                    Failed::Renamed if cleanup.is_clean() => Failed::Renamed,
                    Failed::Renamed => {
                        let what = format!("{} was renamed while it was cloned", point.id);
                        let error = Error::Refused { what, hint: None };
                        Failed::Error(error.with_leftovers(cleanup))
                    }
                    Failed::Error(error) => Failed::Error(error.with_leftovers(cleanup)),
                })
            }
        }
    }
}

/// Refuses what no clone can be made of, before anything is made.
fn can_clone(cluster: &Cluster, volume: &Volume, place: &Place) -> Result<()> {
    let refuse = |what: String, hint: &str| {
        Err(Error::Refused {
            what,
            hint: Some(hint.to_owned()),
        })
    };
    if cluster.is_asa_r2() {
        return refuse(
            format!(
                "{} is an ASA r2, where LUNs in snapshots cannot be cloned over this interface",
                cluster.name
            ),
            "clone the storage unit with System Manager, and read it as a device of a host",
        );
    }
    let version = &cluster.version;
    if volume.kind != "rw" && (version.generation, version.major) < SINCE {
        return refuse(
            format!(
                "{place} is a destination of SnapMirror, whose volume would have to be cloned; ONTAP {} \
                 could not delete the clone for good",
                cluster.release()
            ),
            "ONTAP 9.12.1 or later is needed, or read the source of the relationship",
        );
    }
    if volume.style.as_deref() == Some("flexgroup") && volume.kind != "rw" {
        return refuse(
            format!("{place} is in a FlexGroup that SnapMirror writes to, which cannot be cloned"),
            "read the source of the SnapMirror relationship",
        );
    }
    if let Some(state) = volume.state.as_deref().filter(|state| *state != "online") {
        return refuse(
            format!("the volume {} of {} is {state}", place.volume, place.svm),
            "bring it online first: volume online",
        );
    }
    Ok(())
}

impl Catalog for Ontap {
    fn points(&self, object: &str) -> Result<Vec<PointInfo>> {
        let place = Place::parse(object, self.client.svm())?;
        let volume = self.volume(&place)?;
        let size = match &place.lun {
            Some(lun) => {
                let name = Place::path_in(&volume.name, lun);
                let doing = || format!("look up the LUN {name}");
                let call = || api::lun(&self.client, &place.svm, &name);
                // One that is gone may still be in snapshots.
                self.ask(doing, call)?.map_or(0, |lun| lun.space.size)
            }
            None => 0,
        };
        let doing = || format!("list the snapshots of {place}");
        let snapshots = self.ask(doing, || api::snapshots(&self.client, &volume.uuid))?;
        let mut points: Vec<_> = snapshots
            .into_iter()
            .map(|snapshot| points::info(&place, snapshot, size))
            .collect();
        points::sort(&mut points);
        Ok(points)
    }

    fn open(&self, point: &PointInfo, how: &OpenHow) -> Result<OpenedPoint> {
        let place = check(point, how)?;
        match place.lun.clone() {
            Some(lun) => self.clone(point, &place, &lun, how),
            None => Err(Error::Refused {
                what: format!("{place} is a volume, which has files and is no disk"),
                hint: Some(format!("name a LUN of it: ontap:{place}/LUN")),
            }),
        }
    }

    fn open_files(&self, point: &PointInfo, how: &OpenHow) -> Result<Option<OpenedFiles>> {
        let place = check(point, how)?;
        match place.lun {
            Some(_) => Ok(None),
            None => {
                let volume = self.volume(&place)?;
                let doing = || format!("ask for the release of {}", self.client.name());
                let (cluster, _) = self.ask(doing, || api::cluster(&self.client))?;
                let opening = Opening {
                    client: &self.client,
                    cluster: &cluster,
                    volume: &volume,
                    place: &place,
                    point,
                };
                let (reading, settings) = (&self.reading, self.settings.clone());
                opening.open(how, reading, settings).map(Some)
            }
        }
    }

    fn cost(&self, point: &PointInfo, how: &OpenHow, bytes: u64) -> Result<Estimate> {
        let place = check(point, how)?;
        match place.lun {
            Some(_) => Ok(estimate(bytes)),
            None => Ok(estimate_files(bytes, how.access)),
        }
    }
}

/// Refuses what cannot be read, or not in the way that was asked for.
fn check(point: &PointInfo, how: &OpenHow) -> Result<Place> {
    let name = format!("ontap:{}", point.object);
    if let Access::None(why) = &point.access {
        return Err(Error::Refused {
            what: format!("{name} at {} cannot be read: {why}", point.id),
            hint: Some(format!("choose another: flr points {name}")),
        });
    }
    // What was listed names its SVM.
    let place = Place::parse(&point.object, None)?;
    if place.lun.is_some() && how.access == AccessMode::Direct {
        return Err(Error::Refused {
            what: format!("{name} cannot be read directly: a LUN in a snapshot has to be cloned"),
            hint: Some("have it cloned for a while: --access clone".to_owned()),
        });
    }
    Ok(place)
}

fn estimate_files(bytes: u64, access: AccessMode) -> Estimate {
    let chunk = u64::from(CHUNK_LEN.get());
    let reads = bytes.div_ceil(chunk);
    let looks = match access {
        AccessMode::Clone => 0,
        AccessMode::Auto | AccessMode::Direct => reads,
    };
    let requests = [
        ("GET /storage/volumes/files (data)", reads),
        ("GET /storage/volumes/snapshots", looks),
    ];
    let each = "a clone of a file takes a POST, a DELETE, about twelve GETs and no room";
    let notes = match access {
        AccessMode::Clone => vec!["each file is read through a clone of it".to_owned(), each.to_owned()],
        AccessMode::Direct => vec!["files are read where they are, and nothing is made".to_owned()],
        AccessMode::Auto => vec![
            "files are read where they are, and nothing is made; where the cluster refuses bytes below \
             .snapshot, each file is read through a clone of it"
                .to_owned(),
            each.to_owned(),
        ],
    };
    Estimate {
        requests: requests
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
        bytes,
        dollars: None,
        duration: None,
        notes,
    }
}

fn estimate(bytes: u64) -> Estimate {
    let chunk = u64::from(CHUNK_LEN.get());
    let reads = bytes.div_ceil(chunk);
    let requests = [
        ("POST /storage/luns", 1),
        ("GET /storage/luns (data)", reads.saturating_add(1)),
        ("DELETE /storage/luns", 1),
    ];
    Estimate {
        requests: requests.map(|(name, count)| (name.to_owned(), count)).into(),
        bytes: reads.saturating_mul(chunk),
        dollars: None,
        duration: None,
        notes: vec![
            "the LUN is cloned inside its volume, which takes no room, and the clone deleted at the end"
                .to_owned(),
            "bytes come through the cluster's management: right for files, slow for whole disks"
                .to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_clone_can_be_made_of_is_refused_before() {
        let place = Place::parse("svm1/vol1/lun0", None).unwrap();
        let volume = |json| serde_json::from_value::<Volume>(json).unwrap();
        let plain = serde_json::json!({"type": "rw", "state": "online", "style": "flexvol"});
        let mut cluster = Cluster::default();
        (cluster.version.generation, cluster.version.major) = SINCE;
        can_clone(&cluster, &volume(plain.clone()), &place).unwrap();
        let r2 = Cluster {
            san_optimized: true,
            disaggregated: true,
            ..Cluster::default()
        };
        let error = can_clone(&r2, &volume(plain), &place).unwrap_err();
        assert!(error.to_string().contains("ASA r2"), "{error}");
        let old = Cluster::default();
        let dp = serde_json::json!({"type": "dp", "state": "online", "style": "flexvol"});
        can_clone(&cluster, &volume(dp.clone()), &place).unwrap();
        can_clone(&old, &volume(dp), &place).unwrap_err();
        for json in [
            serde_json::json!({"type": "dp", "state": "online", "style": "flexgroup"}),
            serde_json::json!({"type": "rw", "state": "offline", "style": "flexvol"}),
        ] {
            can_clone(&cluster, &volume(json), &place).unwrap_err();
        }
    }

    #[test]
    fn reads_are_counted() {
        let estimate = estimate(CHUNK_LEN.get().into());
        assert_eq!(estimate.requests[1].1, 2);
        assert_eq!(estimate.bytes, u64::from(CHUNK_LEN.get()));
    }
}
