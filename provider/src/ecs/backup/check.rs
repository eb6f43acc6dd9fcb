//! Before a disk is made of a snapshot: whether Cloud Backup manages it, and would let go of it.

use super::ask::Subject;
use super::duty::owed;
use super::known::{Backups, asked};
use super::signs::sign;
use crate::ecs::api::{Query, Snapshot, describe_snapshots};
use crate::ecs::catalog::{BeforeClone, Checked};
use crate::ecs::client::Client;
use crate::ecs::fault;
use crate::engine::UnixTime;
use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::point::{OpenHow, PointInfo};
use crate::remote::block_on;
use std::time::Duration;

/// Ids that one call takes.
const IDS_MAX: usize = 100;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of a snapshot.
const EFFECT: &str = "Cloud Backup lets go of a snapshot that a disk is made of: it never expires then, \
                      and is paid for until somebody deletes it";

/// The check for snapshots that Cloud Backup manages. Where it cannot be asked, and a snapshot has signs
/// of it, that counts as much.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloudBackup;

impl BeforeClone for CloudBackup {
    fn check(&self, client: &Client, point: &PointInfo, how: &OpenHow) -> Result<Checked> {
        block_on(check(client, point, how.yes))
    }
}

async fn check(client: &Client, point: &PointInfo, yes: bool) -> Result<Checked> {
    let managed = match asked(client, &subject(point), PATIENCE).await {
        Ok(backups) => managed(point, &backups),
        Err(why) => return without_answer(client, point, yes, why).await,
    };
    let Some((first, _, _)) = managed.first() else {
        return Ok(Checked::default());
    };
    if !yes {
        let told: Vec<_> = managed.iter().map(told).collect();
        return Err(Error::Cost {
            what: format!("{} {}. {EFFECT}", told.join(", "), {
                match managed.len() {
                    1 => "is managed by Cloud Backup",
                    _ => "are managed by Cloud Backup",
                }
            }),
            hint: Some(hint(first)),
        });
    }
    let mut checked = Checked::default();
    for one in &managed {
        let (snapshot, _, expires) = one;
        checked.notes.push(format!(
            "{} leaves the care of Cloud Backup; `flr gc` tells of it until it is deleted",
            told(one)
        ));
        let owed = owed(client, snapshot, *expires);
        checked.owed.insert((*snapshot).to_owned(), owed);
    }
    Ok(checked)
}

/// What has to be asked about a point.
fn subject(point: &PointInfo) -> Subject {
    let disks = point.disks.iter().filter_map(|disk| disk.volume.clone());
    let instance = Some(point.object.clone()).filter(|object| object.starts_with("i-"));
    Subject {
        instance,
        disks: disks.collect(),
        everything: point.disks.iter().any(|disk| disk.volume.is_none()),
    }
}

/// Snapshots of a point that Cloud Backup manages, with its own point and when that ends.
fn managed<'a>(
    point: &'a PointInfo,
    backups: &Backups,
) -> Vec<(&'a str, String, Option<UnixTime>)> {
    let disks = point.disks.iter();
    let found = disks.filter_map(|disk| {
        let backup = backups.of(&disk.id)?;
        Some((disk.id.as_str(), backup.snapshot_id.clone(), backup.expires))
    });
    found.collect()
}

fn told((snapshot, backup, expires): &(&str, String, Option<UnixTime>)) -> String {
    match expires {
        Some(expires) => format!("{snapshot} (backup point {backup}, which expires {expires})"),
        None => format!("{snapshot} (backup point {backup}, without an expiry)"),
    }
}

fn hint(snapshot: &str) -> String {
    format!(
        "--yes does it all the same, and `flr gc` tells when {snapshot} may be deleted; or restore in the \
         console of Cloud Backup"
    )
}

/// Cloud Backup does not say whether it manages them.
async fn without_answer(
    client: &Client,
    point: &PointInfo,
    yes: bool,
    why: Fault,
) -> Result<Checked> {
    let may_pass = matches!(why.kind, FaultKind::Unknown | FaultKind::Throttled);
    if may_pass && !yes {
        return Err(Error::Remote {
            doing: format!("ask Cloud Backup whether it manages {}", point.id),
            fault: why,
            hint: Some(
                "try again; --yes goes on without an answer, if it is known not to be one of its snapshots"
                    .to_owned(),
            ),
        });
    }
    let mut checked = Checked::default();
    for snapshot in described(client, point).await? {
        let Some(sign) = sign(&snapshot) else {
            continue;
        };
        let id = &snapshot.snapshot_id;
        if !yes {
            return Err(Error::Cost {
                what: format!(
                    "{id} seems to be managed by Cloud Backup, by {sign}, and Cloud Backup does not say \
                     so or otherwise: {why}. {EFFECT}"
                ),
                hint: Some(format!(
                    "allow hbr:DescribeUdmSnapshots, as `flr policy aliyun` prints it; {}",
                    hint(id)
                )),
            });
        }
        checked.notes.push(format!(
            "{id} leaves the care of Cloud Backup, if it was in it, as {sign} seems to say; `flr gc` \
             tells of it until it is deleted"
        ));
        checked.owed.insert(id.clone(), owed(client, id, None));
    }
    if checked.owed.is_empty() {
        checked.notes.push(format!(
            "whether Cloud Backup manages {} is not known, and it has no sign of that: {why}",
            point.id
        ));
    }
    Ok(checked)
}

/// The snapshots of a point, as ECS has them.
async fn described(client: &Client, point: &PointInfo) -> Result<Vec<Snapshot>> {
    let ids: Vec<_> = point.disks.iter().map(|disk| disk.id.clone()).collect();
    let mut all = Vec::new();
    for some in ids.chunks(IDS_MAX) {
        let query = Query::ids("SnapshotIds", some).patiently();
        let found = describe_snapshots(client, &query).await;
        let doing = || format!("look at the snapshots of {}", point.id);
        all.extend(found.map_err(|why| fault::error(doing(), why))?);
    }
    all.retain(|snapshot| ids.contains(&snapshot.snapshot_id));
    Ok(all)
}
