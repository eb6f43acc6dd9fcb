//! Opening a point through temporary disks.

use super::api::{self, Query, disks::is_disk_id};
use super::client::Client;
use super::cloud::{EcsCloud, way};
use super::device::FAMILY;
use super::disk::{DiskParameters, ECS_DISK, LADDER, is_category_refused};
use super::fault;
use super::metadata::Here;
use crate::attached::{APPEAR_LIMIT, Devices, Wanted};
use crate::clouds::Way;
use crate::engine::{self, BoxFuture, Engine, Owed, Plan};
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::file::FileSource;
use crate::held::engine;
use crate::point::{Disk, DiskInfo, Held, OpenHow, PointInfo};
use crate::remote::{block_on, retry_calls};
use crate::temporary::{self, TagRules, Volumes, check_access, open_point};
use std::collections::BTreeMap;
use std::sync::Arc;

/// ECS takes 20 tags for a disk; some of them are the engine's.
const TAGS: TagRules = TagRules {
    count: 14,
    key: 128,
    value: 128,
    reserved: &["aliyun", "acs:"],
    forbidden: &["http://", "https://"],
};

/// Opens all disks of a point through disks that are made for it in this instance's zone. They are
/// deleted by [`Held::close`], once all sources are dropped. Blocks, for a minute as a rule, and not from
/// within a future.
///
/// # Errors
/// This is no instance, or one of another account or region; a disk cannot be made, attached or found.
/// What was made by then is deleted, and [`Error::Leftover`] tells what could not be.
pub fn clone_disks(
    client: &Client,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    clone_owing(client, point, how, &BTreeMap::new())
}

/// The same with what the making of a disk leaves to be done, by the snapshot that it is made of. Each is
/// in the journal before the call.
///
/// # Errors
/// As [`clone_disks`].
pub fn clone_owing(
    client: &Client,
    point: &PointInfo,
    how: &OpenHow,
    owed: &BTreeMap<String, Owed>,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    let here = prepare(client, point, how)?;
    let engine = engine(Arc::new(EcsCloud::new(client.clone())), how)?;
    clone_at(client, &engine, (&here, owed), point, how)
}

/// The same with an engine that tests have put together.
///
/// # Errors
/// As [`clone_disks`].
#[doc(hidden)]
pub fn clone_with(
    client: &Client,
    engine: &Engine,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    clone_owing_with(client, engine, point, how, &BTreeMap::new())
}

/// The same as [`clone_owing`] with an engine that tests have put together.
///
/// # Errors
/// As [`clone_disks`].
#[doc(hidden)]
pub fn clone_owing_with(
    client: &Client,
    engine: &Engine,
    point: &PointInfo,
    how: &OpenHow,
    owed: &BTreeMap<String, Owed>,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    let here = prepare(client, point, how)?;
    clone_at(client, engine, (&here, owed), point, how)
}

/// All that can be known before anything is made.
fn prepare(client: &Client, point: &PointInfo, how: &OpenHow) -> Result<Here> {
    temporary::check_tags(&how.tags, TAGS)?;
    check_access(point)?;
    block_on(suitable_instance(client))
}

fn clone_at(
    client: &Client,
    engine: &Engine,
    (here, owed): (&Here, &BTreeMap<String, Owed>),
    point: &PointInfo,
    how: &OpenHow,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    let disks = EcsDisks {
        client,
        here,
        owed,
        tags: &how.tags,
        way: way(client),
    };
    open_point(&disks, engine, &here.id, point, how)
}

/// This instance, if disks of the client's account and region can be attached to it.
pub(super) async fn suitable_instance(client: &Client) -> Result<Here> {
    let here = client.metadata().here().await?;
    if here.region != client.region() {
        return Err(Error::Refused {
            what: format!(
                "a disk in {} cannot be attached to {}, which is in {}",
                client.region(),
                here.id,
                here.region
            ),
            hint: Some(format!("run flr on an instance in {}", client.region())),
        });
    }
    let query = Query::ids("InstanceIds", &[&here.id]);
    let found = match retry_calls(|| api::describe_instances(client, &query)).await {
        Ok(found) => found,
        Err(fault) if fault.kind == FaultKind::NotFound => Vec::new(),
        Err(fault) => return Err(fault::error(format!("look up {}", here.id), fault)),
    };
    match found.iter().any(|instance| instance.instance_id == here.id) {
        true => Ok(here),
        false => Err(Error::Refused {
            what: format!(
                "this instance, {}, is not one of the account that the credentials are of",
                here.id
            ),
            hint: Some("name credentials of its account with --profile".to_owned()),
        }),
    }
}

/// Disks of ECS.
#[derive(Debug)]
struct EcsDisks<'a> {
    client: &'a Client,
    here: &'a Here,
    owed: &'a BTreeMap<String, Owed>,
    tags: &'a [(String, String)],
    way: Way,
}

/// A disk that is attached.
struct Attached {
    id: String,
    serial: String,
}

impl Volumes for EcsDisks<'_> {
    type Attached = Attached;

    fn rungs(&self) -> usize {
        LADDER.len()
    }

    fn plan(&self, disk: &DiskInfo, rung: usize) -> Plan {
        let (category, level) = LADDER
            .get(rung)
            .copied()
            .unwrap_or(("cloud_efficiency", None));
        let parameters = DiskParameters {
            zone: self.here.zone.clone(),
            category: category.to_owned(),
            performance_level: level.map(str::to_owned),
            tags: self.tags.to_vec(),
            way: self.way.clone(),
        };
        Plan {
            kind: ECS_DISK.to_owned(),
            parent: disk.id.clone(),
            parameters: parameters.to_text(),
            needs: Vec::new(),
        }
    }

    fn owed(&self, disk: &DiskInfo) -> Option<Owed> {
        self.owed.get(&disk.id).cloned()
    }

    fn next_rung(&self, fault: &Fault) -> bool {
        is_category_refused(fault)
    }

    fn attached(&self, id: String) -> BoxFuture<'_, Result<Attached>> {
        Box::pin(async move {
            let doing = format!("look up the serial number of {id}");
            let query = Query::ids("DiskIds", &[&id]);
            let found = retry_calls(|| api::describe_disks(self.client, &query)).await;
            let found = found.map_err(|fault| fault::error(doing, fault))?;
            let found = found.into_iter().find(|disk| disk.disk_id == id);
            match found.and_then(|disk| disk.serial_number) {
                Some(serial) => Ok(Attached { id, serial }),
                None => Err(Error::Refused {
                    what: format!(
                        "{id} has no serial number, so its device cannot be told from others"
                    ),
                    hint: Some("run flr on an instance of a current type".to_owned()),
                }),
            }
        })
    }

    fn open(
        &self,
        attached: &Attached,
        disk: &DiskInfo,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<FileSource> {
        let wanted = Wanted {
            volume_id: &attached.id,
            serial: match is_disk_id(&attached.id) {
                true => &attached.serial,
                // Which is none, and refused as that.
                false => "",
            },
            size: disk.size,
            name: None,
        };
        Devices::from_env(&FAMILY).open(wanted, APPEAR_LIMIT, go_on)
    }

    fn told(&self, error: engine::Error) -> Error {
        match error {
            engine::Error::Fault { doing, fault } => fault::error(doing, fault),
            error => Error::Engine(error),
        }
    }
}
