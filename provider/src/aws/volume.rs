//! Opening a point through temporary volumes: `--access clone`.
//!
//! ```text
//! this instance? ─► its account? ─► journal ─► create ─► ready ─► attach ─► device ─► open
//!                                      └───────── any failure: detach, delete, see gone ──┘
//! ```

use super::client::Client;
use super::cloud::{AwsCloud, way};
use super::device::{APPEAR_LIMIT, Devices, Wanted};
use super::ebs_volume::{EBS_VOLUME, VolumeParameters};
use super::ec2::{self, Query};
use super::fault;
use super::instance::{Here, here};
use crate::clouds::Way;
use crate::engine::{self, Engine, OpId, Plan, Session};
use crate::error::{Error, Result};
use crate::fault::FaultKind;
use crate::held::{HeldSession, engine};
use crate::interruptible::Interruptible;
use crate::point::{Access, Disk, DiskInfo, Held, OpenHow, PointInfo};
use crate::remote::{block_on, retry_calls};
use flr_fs::ByteSource;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// What is made if nobody says otherwise. EC2's own default is older, slower and dearer.
const VOLUME_TYPE: &str = "gp3";

/// EC2 takes 50 tags for a volume; some of them are the engine's.
const TAGS_MAX: usize = 40;
const TAG_KEY_MAX: usize = 127;
const TAG_VALUE_MAX: usize = 255;

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
    if let Access::None(why) = &point.access {
        return Err(Error::Refused {
            what: format!("{} cannot be read: {why}", point.id),
            hint: None,
        });
    }
    block_on(suitable_instance(client))
}

fn clone_at(
    client: &Client,
    engine: &Engine,
    here: &Here,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<(Vec<Disk>, Box<dyn Held>)> {
    let plans = plans(point, how, here, &way(client));
    let purpose = how.reason.clone();
    let purpose = purpose.unwrap_or_else(|| format!("{} of {}", point.id, point.object));
    let mut session = block_on(engine.open(&purpose, how.keep))?;
    let opened = make(client, &mut session, plans, point, here)
        .and_then(|volumes| open(client, &mut session, &volumes, point, how));
    match opened {
        Ok(disks) => {
            let reader = |disk: &Disk| -> Weak<dyn ByteSource> { Arc::downgrade(&disk.source) };
            let readers = disks.iter().map(reader).collect();
            Ok((disks, Box::new(HeldSession::new(session, readers))))
        }
        Err(error) => {
            // Whoever asked for volumes to be kept has not asked for broken ones.
            let cleanup = block_on(session.abandon());
            Err(error.with_leftovers(cleanup))
        }
    }
}

/// Refuses tags of the user that EC2 would not take, or that are ours.
pub(super) fn check_tags(tags: &[(String, String)]) -> Result<()> {
    let usage = |what: String| {
        Err(Error::Usage {
            what,
            hint: Some("a tag is KEY=VALUE".to_owned()),
        })
    };
    if tags.len() > TAGS_MAX {
        let count = tags.len();
        return usage(format!("expected at most {TAGS_MAX} tags, not {count}"));
    }
    for (key, value) in tags {
        if key.is_empty() || key.len() > TAG_KEY_MAX || value.len() > TAG_VALUE_MAX {
            return usage(format!(
                "the tag {key:?} is too long for a volume, or empty"
            ));
        }
        if key.starts_with("flr:") || key.starts_with("aws:") {
            return usage(format!("the tag {key:?} is not for users to set"));
        }
        if tags.iter().filter(|(other, _)| other == key).count() > 1 {
            return usage(format!("the tag {key:?} is given twice"));
        }
    }
    Ok(())
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

fn plans(point: &PointInfo, how: &OpenHow, here: &Here, way: &Way) -> Vec<Plan> {
    let parameters = VolumeParameters {
        zone: here.zone.clone(),
        volume_type: VOLUME_TYPE.to_owned(),
        kms_key_id: None,
        tags: how.tags.clone(),
        way: way.clone(),
    };
    let disks = point.disks.iter();
    disks
        .map(|disk| Plan {
            kind: EBS_VOLUME.to_owned(),
            parent: disk.id.clone(),
            parameters: parameters.to_text(),
            needs: Vec::new(),
        })
        .collect()
}

/// A volume that is attached.
struct Attached {
    id: String,
    /// The name that EC2 has it under, if it said so.
    name: Option<String>,
}

/// Makes and attaches a volume for each plan.
fn make(
    client: &Client,
    session: &mut Session,
    plans: Vec<Plan>,
    point: &PointInfo,
    here: &Here,
) -> Result<Vec<Attached>> {
    tracing::debug!("{} volumes are made for {}", plans.len(), point.id);
    block_on(async {
        let ops = session.prepare(plans).await?;
        let mut ids = Vec::new();
        for op in &ops {
            ids.push(session.create(*op).await?);
        }
        for op in &ops {
            session.ready(*op).await?;
        }
        let mut attached = Vec::new();
        for (op, id) in ops.iter().zip(ids) {
            attached.push(attach(client, session, *op, id, here).await?);
        }
        Ok(attached)
    })
}

async fn attach(
    client: &Client,
    session: &mut Session,
    op: OpId,
    id: String,
    here: &Here,
) -> Result<Attached> {
    if session.wants_renewal() {
        session.renew().await?;
    }
    session.attach(op, &here.id).await?;
    let name = attached_as(client, &id, &here.id).await;
    if let Some(name) = &name {
        // A belt: it goes with the instance, should that end before we do.
        let set = ec2::delete_on_termination(client, &here.id, name).await;
        if let Err(fault) = set {
            tracing::warn!("{id} would outlive {}: {fault}", here.id);
        }
    }
    Ok(Attached { id, name })
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

/// Opens the devices of volumes.
fn open(
    client: &Client,
    session: &mut Session,
    volumes: &[Attached],
    point: &PointInfo,
    how: &OpenHow,
) -> Result<Vec<Disk>> {
    let devices = Devices::from_env();
    let go_on = || match &how.interrupt {
        Some(flag) if flag.load(Ordering::Relaxed) => {
            Err(Error::Engine(engine::Error::Interrupted))
        }
        _ => Ok(()),
    };
    let open_one = |(volume, disk): (&Attached, &DiskInfo)| {
        let wanted = Wanted {
            volume_id: &volume.id,
            size: disk.size,
            name: volume.name.as_deref(),
        };
        let device = devices.open(wanted, APPEAR_LIMIT, go_on)?;
        let source: Arc<dyn ByteSource> = match &how.interrupt {
            Some(flag) => Arc::new(Interruptible::new(Arc::new(device), Arc::clone(flag))),
            None => Arc::new(device),
        };
        Ok(Disk {
            source,
            may_be_container: false,
        })
    };
    let disks = volumes.iter().zip(&point.disks).map(open_one);
    let disks = disks.collect::<Result<Vec<_>>>()?;
    if session.wants_renewal() {
        block_on(session.renew())?;
    }
    tracing::debug!("{} volumes are read in {}", disks.len(), client.region());
    Ok(disks)
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
