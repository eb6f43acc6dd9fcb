//! What is owed once a disk was made of a snapshot of Cloud Backup: somebody has to delete it some day.

use crate::ecs::api::{Query, describe_snapshots};
use crate::ecs::client::Client;
use crate::engine::{Duty, Owed, UnixTime};
use crate::fault::{Fault, FaultKind};

/// What duties are about.
const SNAPSHOT: &str = "snapshot";

/// The duty for a snapshot of which a disk is about to be made. `expires` is Cloud Backup's word, as long
/// as it has one.
pub(super) fn owed(client: &Client, snapshot: &str, expires: Option<UnixTime>) -> Owed {
    let region = client.region();
    let delete = format!("aliyun ecs DeleteSnapshot --RegionId {region} --SnapshotId {snapshot}");
    let settle = match expires {
        Some(_) => delete,
        // Nobody must take it for due.
        None => format!("{delete}  # not before the console of Cloud Backup shows it as expired"),
    };
    Owed {
        kind: SNAPSHOT.to_owned(),
        id: snapshot.to_owned(),
        what:
            "a disk was made of it, or about to be: Cloud Backup does not delete it any more then, and it is \
               paid for"
                .to_owned(),
        settle,
        due: expires,
    }
}

/// Whether the snapshot of a duty is gone.
pub(in crate::ecs) async fn is_settled(client: &Client, duty: &Duty) -> Result<bool, Fault> {
    if duty.kind != SNAPSHOT {
        let words = format!("this version knows nothing of {} {}", duty.kind, duty.id);
        return Err(Fault::new(FaultKind::Refused, words));
    }
    match describe_snapshots(client, &Query::ids("SnapshotIds", &[&duty.id])).await {
        Ok(found) => Ok(found.iter().all(|one| one.snapshot_id != duty.id)),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(true),
        Err(fault) => Err(fault),
    }
}
