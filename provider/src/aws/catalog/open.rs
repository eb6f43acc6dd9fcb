//! Reading a point: through the block interface where that is possible, else through volumes.

use super::estimate::estimate;
use crate::aws::client::Client;
use crate::aws::meter::Meter;
use crate::aws::prices::EBS_LIST;
use crate::aws::snapshot::{EbsSnapshot, SnapshotOptions};
use crate::aws::volume::clone_disks;
use crate::error::{Error, Result};
use crate::fault::FaultKind;
use crate::grouped::missing_disks;
use crate::point::{Access, AccessMode, Disk, DiskInfo, OpenHow, OpenedPoint, PointInfo, PricedBy};
use crate::remote::{self, ChunkStore, Chunked, block_on, retry_calls};
use std::sync::Arc;

/// Opens a point in the way that is asked for.
pub(super) fn open(
    client: &Client,
    reading: &remote::Settings,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<OpenedPoint> {
    match (&point.access, how.access) {
        (Access::None(why), _) => Err(Error::Refused {
            what: format!("{} cannot be read: {why}", point.id),
            hint: None,
        }),
        (Access::Clone, AccessMode::Direct) => Err(Error::Refused {
            what: format!("{} is public, and those cannot be read directly", point.id),
            hint: Some("on an instance in its region: --access clone".to_owned()),
        }),
        (_, AccessMode::Clone) | (Access::Clone, AccessMode::Auto) => clone(client, point, how),
        (Access::Direct, AccessMode::Direct) => direct(client, reading, point, how),
        (Access::Direct, AccessMode::Auto) => match direct(client, reading, point, how) {
            Err(error) if may_be_cloned(&error) => instead(client, point, how, error),
            opened => opened,
        },
    }
}

/// Whether another way may help: the block interface refuses for good, which is no word on volumes.
fn may_be_cloned(error: &Error) -> bool {
    matches!(error, Error::Remote { fault, .. }
        if matches!(fault.kind, FaultKind::Denied | FaultKind::Refused))
}

/// Through volumes, since the block interface refused. Where no volume can be attached, what it said is
/// the answer.
fn instead(
    client: &Client,
    point: &PointInfo,
    how: &OpenHow,
    refusal: Error,
) -> Result<OpenedPoint> {
    match clone(client, point, how) {
        Ok(mut opened) => {
            opened.notes.insert(0, format!("{refusal}"));
            Ok(opened)
        }
        Err(Error::Refused { .. }) => Err(refusal),
        Err(error) => Err(error),
    }
}

fn direct(
    client: &Client,
    reading: &remote::Settings,
    point: &PointInfo,
    how: &OpenHow,
) -> Result<OpenedPoint> {
    let meter = Meter::of(how);
    // The first page of each.
    for disk in &point.disks {
        let what = format!("a list of the blocks of {}", disk.id);
        how.spend(EBS_LIST, PricedBy::Calls, &what)?;
    }
    let open = |disk: &DiskInfo| {
        let (client, id) = (client.clone(), disk.id.clone());
        let options = SnapshotOptions {
            account: point.account.clone(),
            relative: relative(reading, disk),
        };
        tokio::spawn(async move {
            retry_calls(|| EbsSnapshot::open_with(&client, &id, options.clone())).await
        })
    };
    let mut disks = Vec::new();
    let stores = block_on(async {
        let mut stores = Vec::new();
        let tasks: Vec<_> = point.disks.iter().map(open).collect();
        for (task, disk) in tasks.into_iter().zip(&point.disks) {
            let doing = || format!("read {} directly", disk.id);
            let opened = match task.await {
                Ok(opened) => opened.map_err(|fault| crate::aws::fault::error(doing(), fault))?,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            stores.push(opened);
        }
        Ok::<_, Error>(stores)
    })?;
    for store in stores {
        let store: Arc<dyn ChunkStore> = match &meter {
            Some(meter) => meter.over(store),
            None => store,
        };
        disks.push(Disk {
            source: Chunked::new(store, reading),
            // A guest can write any header on a disk of its own.
            may_be_container: false,
        });
    }
    Ok(OpenedPoint {
        disks,
        notes: missing_disks(point),
        held: None,
    })
}

/// Another snapshot of the same volume of which a disk cache has blocks. Notes that this one is read.
fn relative(reading: &remote::Settings, disk: &DiskInfo) -> Option<String> {
    let (settings, volume) = (reading.disk.as_ref()?, disk.volume.as_deref()?);
    let others = remote::kin(settings, volume).into_iter();
    let relative = others.into_iter().find(|other| *other != disk.id);
    remote::remember(settings, volume, &disk.id);
    relative
}

fn clone(client: &Client, point: &PointInfo, how: &OpenHow) -> Result<OpenedPoint> {
    if let Some(dollars) = estimate(point, how, 0).dollars {
        let what = format!("a volume of {}", point.id);
        how.spend(dollars, PricedBy::Time, &what)?;
    }
    let (disks, held) = clone_disks(client, point, how)?;
    let mut notes = vec![format!(
        "made {} temporary {} of {} in session {}",
        disks.len(),
        if disks.len() == 1 {
            "volume"
        } else {
            "volumes"
        },
        point.id,
        held.session()
    )];
    notes.extend(missing_disks(point));
    Ok(OpenedPoint {
        disks,
        notes,
        held: Some(held),
    })
}
