//! Points of Lightsail, what they cost, and how they are opened.

use super::cloud::LightsailCloud;
use super::export_session::{Exported, Exporting};
use super::made::Made;
use super::points::{self, Found, Listed};
use super::{disks, ec2};
use crate::aws::fault;
use crate::aws::meter::Meter;
use crate::aws::prices::{EBS_GET, EBS_LIST};
use crate::aws::{Client, ClientSettings};
use crate::engine::Settings;
use crate::error::{Error, Result};
use crate::held::{self, HeldSession};
use crate::point::{
    Access, AccessMode, Catalog, Disk, Estimate, Held, OpenHow, OpenedPoint, PointInfo,
};
use crate::remote::{self, ChunkStore, Chunked, block_on, retry_calls};
use flr_fs::ByteSource;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// For a copy, and again for an export.
const EXPORT_LIMIT: Duration = Duration::from_secs(6 * 3600);
/// Dollars for a GB of snapshots and a month, at Lightsail and at EBS.
const DOLLARS_PER_GB_MONTH: f64 = 0.05;
const HOURS_PER_MONTH: f64 = 720.0;
const BLOCK: u64 = 512 << 10;
/// Blocks on a page of a listing.
const PAGE_BLOCKS: u64 = 10_000;

/// Points of instances and disks of an account in one region.
#[derive(Debug)]
pub struct Lightsail {
    client: Client,
    reading: remote::Settings,
    /// Other limits than those of the environment.
    settings: Option<Settings>,
}

impl Lightsail {
    /// The points of the account and region that `settings` lead to. Nothing is asked yet.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn new(settings: &ClientSettings, reading: remote::Settings) -> Result<Self> {
        Ok(Self {
            client: Client::new(settings)?,
            reading,
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

    /// Asks for what there is under a name, some times if need be.
    fn list(&self, object: &str) -> Result<Listed> {
        let doing = || format!("list the snapshots of {object} in {}", self.client.region());
        let listed = block_on(retry_calls(|| points::list(&self.client, object)));
        listed.map_err(|fault| fault::error(doing(), fault))
    }

    /// The point as it is now.
    fn find(&self, point: &PointInfo) -> Result<Found> {
        let listed = self.list(&point.id)?;
        let mut all = listed.of_instance.into_iter().chain(listed.of_disk);
        let found = all.find(|found| found.info.id == point.id);
        found.ok_or_else(|| Error::NoSuch {
            what: format!("Lightsail has no snapshot {} any more", point.id),
            hint: Some(format!("flr points lightsail:{}", point.object)),
        })
    }

    /// Exports a point, and opens what came of it.
    fn export(&self, point: &Found, how: &OpenHow) -> Result<OpenedPoint> {
        let settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => held::settings()?,
        };
        let window = settings.consistency_window;
        let cloud = Arc::new(LightsailCloud::new(self.client.clone(), window));
        let look_gap = settings.look_gap;
        let limit = match &self.settings {
            Some(settings) => settings.ready_limit,
            None => EXPORT_LIMIT,
        };
        let engine = held::engine_with(Arc::<LightsailCloud>::clone(&cloud), how, settings)?;
        let info = &point.info;
        let purpose = how.reason.clone();
        let purpose = purpose.unwrap_or_else(|| format!("{} of {}", info.id, info.object));
        let mut session = block_on(engine.open(&purpose, how.keep))?;
        let exporting = Exporting {
            point: &info.id,
            cloud: &cloud,
            client: &self.client,
            interrupt: how.interrupt.as_deref(),
            look_gap,
            limit,
        };
        let exported = block_on(exporting.run(&mut session, point));
        let opened = exported.and_then(|exported| self.open_disks(info, how, exported));
        match opened {
            Ok((disks, notes)) => {
                let reader = |disk: &Disk| -> Weak<dyn ByteSource> { Arc::downgrade(&disk.source) };
                let readers = disks.iter().map(reader).collect();
                let held: Box<dyn Held> = Box::new(HeldSession::new(session, readers));
                Ok(OpenedPoint {
                    disks,
                    notes,
                    held: Some(held),
                })
            }
            Err(error) => {
                // Whoever asked for what was made to be kept has not asked for half of it.
                let cleanup = block_on(session.abandon());
                Err(error.with_leftovers(cleanup))
            }
        }
    }

    fn open_disks(
        &self,
        info: &PointInfo,
        how: &OpenHow,
        exported: Exported,
    ) -> Result<(Vec<Disk>, Vec<String>)> {
        let Exported { made, disks } = exported;
        let end = match how.keep {
            true => "it stays until it expires",
            false => "everything that was made for it is deleted at the end",
        };
        let mut notes = vec![format!("{} was exported to EC2 as {made}; {end}", info.id)];
        notes.extend(self.tag(&made, &how.tags));
        let meter = Meter::of(how);
        let mut opened = Vec::new();
        for disk in disks::in_order(info, disks)? {
            let store = disks::open(&self.client, info.account.as_deref(), &disk)?;
            let store: Arc<dyn ChunkStore> = match &meter {
                Some(meter) => meter.over(store),
                None => store,
            };
            opened.push(Disk {
                source: Chunked::new(store, &self.reading),
                // A guest can write any header on a disk of its own.
                may_be_container: false,
            });
        }
        Ok((opened, notes))
    }

    /// Sets the user's tags, which are nothing that the end depends on. A note if they cannot be set.
    fn tag(&self, made: &Made, tags: &[(String, String)]) -> Option<String> {
        if tags.is_empty() {
            return None;
        }
        let tags = tags.iter();
        let tags: Vec<_> = tags
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        let ids = made.ids();
        let set = block_on(retry_calls(|| ec2::create_tags(&self.client, &ids, &tags)));
        set.err()
            .map(|fault| format!("{made} is without the tags that were asked for: {fault}"))
    }
}

impl Catalog for Lightsail {
    fn points(&self, object: &str) -> Result<Vec<PointInfo>> {
        let listed = self.list(object)?;
        let info = |found: Vec<Found>| found.into_iter().map(|found| found.info).collect();
        match (listed.of_instance, listed.of_disk) {
            (instance, disk) if instance.is_empty() && disk.is_empty() && !listed.exists => {
                Err(Error::NoSuch {
                    what: format!(
                        "Lightsail has no instance, disk or snapshot called {object} in {}",
                        self.client.region()
                    ),
                    hint: Some("check the name, and the region with --region".into()),
                })
            }
            (instance, disk) if disk.is_empty() => Ok(info(instance)),
            (instance, disk) if instance.is_empty() => Ok(info(disk)),
            (instance, _) => {
                let example = instance.last().map_or("", |found| found.info.id.as_str());
                Err(Error::Usage {
                    what: format!("{object} is the name of an instance and of a disk"),
                    hint: Some(format!("name the snapshot: lightsail:{example}")),
                })
            }
        }
    }

    fn open(&self, point: &PointInfo, how: &OpenHow) -> Result<OpenedPoint> {
        let found = self.find(point)?;
        check(&found.info, how)?;
        self.export(&found, how)
    }

    fn cost(&self, point: &PointInfo, how: &OpenHow, bytes: u64) -> Result<Estimate> {
        let how = OpenHow {
            yes: true,
            ..how.clone()
        };
        check(point, &how)?;
        Ok(estimate(point, bytes))
    }
}

/// Refuses what cannot be read, and what was not agreed to.
fn check(point: &PointInfo, how: &OpenHow) -> Result<()> {
    let name = format!("lightsail:{}", point.id);
    if let Access::None(why) = &point.access {
        return Err(Error::Refused {
            what: format!("{name} cannot be read: {why}"),
            hint: Some(format!(
                "choose another: flr points lightsail:{}",
                point.object
            )),
        });
    }
    if how.access == AccessMode::Direct {
        return Err(Error::Refused {
            what: format!("{name} cannot be read directly: Lightsail gives no access to blocks"),
            hint: Some("have it exported to EC2 for a while: --access clone --yes".into()),
        });
    }
    crate::aws::volume::check_tags(&how.tags)?;
    if how.yes {
        return Ok(());
    }
    let hourly = match storage_dollars(point, 1.0) {
        Some(dollars) => format!("about ${dollars:.3} an hour"),
        None => "its price depends on the size of the system disk".into(),
    };
    let count = point.disks.len();
    Err(Error::Cost {
        what: format!(
            "to read {name} it has to be copied and exported to EC2: a snapshot, and {count} of EBS, \
             billed as storage until they are deleted ({hourly}); it can take long"
        ),
        hint: Some("agree with --yes".into()),
    })
}

/// What the copy and what is exported cost for some hours, if all sizes are known.
fn storage_dollars(point: &PointInfo, hours: f64) -> Option<f64> {
    let known = point.disks.iter().all(|disk| disk.size > 0);
    let gigabytes = known.then_some(point.size >> 30)?;
    let gigabytes = f64::from(u32::try_from(gigabytes).ok()?);
    Some(2.0 * gigabytes * DOLLARS_PER_GB_MONTH / HOURS_PER_MONTH * hours)
}

fn estimate(point: &PointInfo, bytes: u64) -> Estimate {
    let disks = u64::try_from(point.disks.len()).unwrap_or(u64::MAX);
    let blocks = bytes.div_ceil(BLOCK);
    let pages = blocks.div_ceil(PAGE_BLOCKS).max(1).saturating_mul(disks);
    let dollars = |count: u64, each: f64| {
        let count = u32::try_from(count).ok().map(f64::from);
        count.map(|count| count * each)
    };
    let reading = dollars(blocks, EBS_GET).zip(dollars(pages, EBS_LIST));
    let storage = storage_dollars(point, 1.0);
    let requests = [
        ("CopySnapshot", 1),
        ("ExportSnapshot", 1),
        ("CreateTags", 1),
        ("ListSnapshotBlocks", pages),
        ("GetSnapshotBlock", blocks),
        ("DeregisterImage", 1),
        ("DeleteSnapshot", disks),
    ];
    Estimate {
        requests: requests.map(|(name, count)| (name.to_owned(), count)).into(),
        bytes: blocks.saturating_mul(BLOCK),
        dollars: reading
            .zip(storage)
            .map(|((blocks, pages), storage)| blocks + pages + storage),
        duration: None,
        notes: vec![
            "it is copied and exported to EC2 first; how long that takes nobody says, minutes to hours"
                .into(),
            "storage is counted for one hour: a copy at Lightsail, and a snapshot of EBS for each disk"
                .into(),
            "everything that was made is deleted at the end".into(),
        ],
    }
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
