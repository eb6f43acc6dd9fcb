//! Reading a point, for which disks have to be made.

use super::BeforeClone;
use super::estimate::estimate;
use crate::ecs::client::Client;
use crate::ecs::volume::clone_owing;
use crate::error::{Error, Result};
use crate::grouped::missing_disks;
use crate::point::{AccessMode, OpenHow, OpenedPoint, PointInfo, PricedBy};
use crate::temporary::check_access;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Opens a point in the way that is asked for.
pub(super) fn open(
    client: &Client,
    checks: &[Arc<dyn BeforeClone>],
    point: &PointInfo,
    how: &OpenHow,
) -> Result<OpenedPoint> {
    check_access(point)?;
    if how.access == AccessMode::Direct {
        return Err(Error::Refused {
            what: format!(
                "{} cannot be read directly: Alibaba Cloud has no way to read a snapshot's blocks",
                point.id
            ),
            hint: Some("on an instance in its region: --access clone".to_owned()),
        });
    }
    if let Some(dollars) = estimate(point, how).dollars {
        let what = format!("a disk of {}", point.id);
        how.spend(dollars, PricedBy::Time, &what)?;
    }
    let mut notes = Vec::new();
    let mut owed = BTreeMap::new();
    for check in checks {
        let checked = check.check(client, point, how)?;
        notes.extend(checked.notes);
        owed.extend(checked.owed);
    }
    let (disks, held) = clone_owing(client, point, how, &owed)?;
    let word = match disks.len() {
        1 => "disk",
        _ => "disks",
    };
    notes.push(format!(
        "made {} temporary {word} of {} in session {}",
        disks.len(),
        point.id,
        held.session()
    ));
    notes.extend(missing_disks(point));
    Ok(OpenedPoint {
        disks,
        notes,
        held: Some(held),
    })
}
