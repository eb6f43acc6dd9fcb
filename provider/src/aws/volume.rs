//! Opening a point through temporary volumes: `--access clone`.

use super::client::Client;
use super::cloud::{AwsCloud, way};
use super::device::FAMILY;
use super::ebs_volume::{EBS_VOLUME, VolumeParameters};
use super::ec2::{self, Query, volumes::is_volume_id};
use super::fault;
use super::instance::{Here, here};
use crate::attached::{APPEAR_LIMIT, Devices, Wanted};
use crate::clouds::Way;
use crate::engine::{BoxFuture, Engine, Plan};
use crate::error::{Error, Result};
use crate::fault::FaultKind;
use crate::file::FileSource;
use crate::held::engine;
use crate::point::{Disk, DiskInfo, Held, OpenHow, PointInfo};
use crate::remote::{block_on, retry_calls};
use crate::temporary::{self, TagRules, Volumes, check_access, open_point};
use std::sync::Arc;

/// What is made if nobody says otherwise. EC2's own default is older, slower and dearer.
const VOLUME_TYPE: &str = "gp3";

/// EC2 takes 50 tags for a volume; some of them are the engine's.
const TAGS: TagRules = TagRules {
    count: 40,
    key: 127,
    value: 255,
    reserved: &["aws:"],
    forbidden: &[],
};

/// Opens all disks of a point through volumes that are made for it in this instance's zone. They are
/// deleted by [`Held::close`], once all sources are dropped. Blocks, for seconds as a rule, and not
/// from within a future.
///
/// # Errors
/// This is no instance, or one of another account or region; a volume cannot be made, attached or
/// found. What was made by then is deleted, and [`Error::Leftover`] tells what could not be.
pub fn clone_disks(
    client: &Client,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    let here = prepare(client, point, how)?;
    let engine = engine(Arc::new(AwsCloud::new(client.clone())), how)?;
    clone_at(client, &engine, &here, point, how)
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
    let here = prepare(client, point, how)?;
    clone_at(client, engine, &here, point, how)
}

/// All that can be known before anything is made.
fn prepare(client: &Client, point: &PointInfo, how: &OpenHow) -> Result<Here> {
    check_tags(&how.tags)?;
    check_access(point)?;
    block_on(suitable_instance(client))
}

fn clone_at(
    client: &Client,
    engine: &Engine,
    here: &Here,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    let volumes = EbsVolumes {
        client,
        here,
        tags: &how.tags,
        way: way(client),
    };
    open_point(&volumes, engine, &here.id, point, how)
}

/// Refuses tags of the user that EC2 would not take, or that are ours.
pub(super) fn check_tags(tags: &[(String, String)]) -> Result<()> {
    temporary::check_tags(tags, TAGS)
}

/// This instance, if volumes of the client's account and region can be attached to it.
async fn suitable_instance(client: &Client) -> Result<Here> {
    let here = here().await?;
    let direct = || Some("--access direct reads it from anywhere".to_owned());
    if here.region != client.region() {
        return Err(Error::Refused {
            what: format!(
                "a volume in {} cannot be attached to {}, which is in {}",
                client.region(),
                here.id,
                here.region
            ),
            hint: direct(),
        });
    }
    let query = Query::ids([&here.id]);
    let found = match retry_calls(|| ec2::describe_instances(client, &query)).await {
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
            hint: direct(),
        }),
    }
}

/// Volumes of EBS.
#[derive(Debug)]
struct EbsVolumes<'a> {
    client: &'a Client,
    here: &'a Here,
    tags: &'a [(String, String)],
    way: Way,
}

/// A volume that is attached.
struct Attached {
    id: String,
    /// The name that EC2 has it under, if it said so.
    name: Option<String>,
}

impl Volumes for EbsVolumes<'_> {
    type Attached = Attached;

    fn plan(&self, disk: &DiskInfo, _rung: usize) -> Plan {
        let parameters = VolumeParameters {
            zone: self.here.zone.clone(),
            volume_type: VOLUME_TYPE.to_owned(),
            kms_key_id: None,
            tags: self.tags.to_vec(),
            way: self.way.clone(),
        };
        Plan {
            kind: EBS_VOLUME.to_owned(),
            parent: disk.id.clone(),
            parameters: parameters.to_text(),
            needs: Vec::new(),
        }
    }

    fn attached(&self, id: String) -> BoxFuture<'_, Result<Attached>> {
        Box::pin(async {
            let here = &self.here.id;
            let name = attached_as(self.client, &id, here).await;
            if let Some(name) = &name {
                // A belt: it goes with the instance, should that end before we do.
                let set = ec2::delete_on_termination(self.client, here, name).await;
                if let Err(fault) = set {
                    tracing::warn!("{id} would outlive {here}: {fault}");
                }
            }
            Ok(Attached { id, name })
        })
    }

    fn open(
        &self,
        attached: &Attached,
        disk: &DiskInfo,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<FileSource> {
        let id = &attached.id;
        let serial = match is_volume_id(id) {
            true => id.replace('-', ""),
            // Which is no serial number, and refused as that.
            false => String::new(),
        };
        let wanted = Wanted {
            volume_id: id,
            serial: &serial,
            size: disk.size,
            name: attached.name.as_deref(),
        };
        Devices::from_env(&FAMILY).open(wanted, APPEAR_LIMIT, go_on)
    }
}

/// The name that a volume is attached under. Only a hint: the device is known by its serial number.
async fn attached_as(client: &Client, id: &str, instance: &str) -> Option<String> {
    let volumes = ec2::describe_volumes(client, &Query::ids([id])).await;
    let volumes = match volumes {
        Ok(volumes) => volumes,
        Err(fault) => {
            tracing::warn!("the name that {id} is attached under is not known: {fault}");
            return None;
        }
    };
    let mut attachments = volumes.into_iter().flat_map(|volume| volume.attachment_set);
    let here = attachments.find(|to| to.instance_id.as_deref() == Some(instance));
    here?.device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_users_are_checked_before_anything_is_made() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        check_tags(&[tag("CostCenter", "it-42"), tag("x", "")]).unwrap();
        for tags in [
            vec![tag("", "x")],
            vec![tag("flr:session", "x")],
            vec![tag("aws:x", "x")],
            vec![tag(&"k".repeat(128), "x")],
            vec![tag("k", &"v".repeat(256))],
            vec![tag("k", "1"), tag("k", "2")],
            (0..41).map(|n| tag(&n.to_string(), "x")).collect(),
        ] {
            let error = check_tags(&tags).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{error}");
        }
    }
}
