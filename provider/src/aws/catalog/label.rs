//! What a snapshot is good for, and how it can be read.

use crate::aws::ec2::Snapshot;
use crate::point::{Access, Consistency, DiskInfo};

/// Tags by which the makers of snapshots say that applications had written everything: VSS by the
/// Systems Manager, and the Data Lifecycle Manager's scripts around the snapshot.
const APPLICATION_TAGS: &[(&str, &str)] =
    &[("AppConsistent", "True"), ("aws:dlm:pre-script", "SUCCESS")];

/// What may be expected of its files. A snapshot of a volume is always one moment of it.
pub(super) fn consistency(snapshot: &Snapshot) -> Consistency {
    let tagged = |(key, value): &(&str, &str)| {
        let found = snapshot.tag_set.get(*key);
        found.is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    match APPLICATION_TAGS.iter().any(tagged) {
        true => Consistency::Application,
        false => Consistency::Crash,
    }
}

/// How it can be read, or why not.
pub(super) fn access(snapshot: &Snapshot) -> Access {
    let id = &snapshot.snapshot_id;
    let none = |why: String| Access::None(why);
    match snapshot.status.as_str() {
        "completed" => {}
        "pending" => {
            let progress = snapshot.progress.as_deref().unwrap_or("not finished");
            return none(format!("it is still being taken ({progress})"));
        }
        "recoverable" => {
            return none(format!(
                "it is in the recycle bin: aws ec2 restore-snapshot-from-recycle-bin --snapshot-id {id}"
            ));
        }
        status => {
            let why = snapshot
                .status_message
                .as_deref()
                .unwrap_or("no reason is given");
            return none(format!("its state is {status}: {why}"));
        }
    }
    let archived = snapshot.storage_tier.as_deref() == Some("archive");
    if archived && snapshot.restore_expiry_time.is_none() {
        return none(format!(
            "it is archived; to read it for a day (this takes up to 72 hours): \
             aws ec2 restore-snapshot-tier --snapshot-id {id} --temporary-restore-days 1"
        ));
    }
    if snapshot.outpost_arn.is_some() {
        return none("it lies on an Outpost, where snapshots cannot be read directly".to_owned());
    }
    match snapshot.owner_alias.as_deref() {
        // Public ones cannot be read directly, whoever asks.
        Some(_) => Access::Clone,
        None => Access::Direct,
    }
}

/// The disk that it is of.
pub(super) fn disk(snapshot: &Snapshot, device: Option<String>) -> DiskInfo {
    DiskInfo {
        id: snapshot.snapshot_id.clone(),
        volume: volume(snapshot),
        device,
        size: bytes(snapshot),
    }
}

/// What it was taken of. A copy of a snapshot has a volume that never was.
pub(super) fn volume(snapshot: &Snapshot) -> Option<String> {
    let volume = snapshot.volume_id.clone();
    volume.filter(|volume| volume != "vol-ffffffff" && volume != "vol-ffffffffffffffff")
}

/// Its size in bytes.
pub(super) fn bytes(snapshot: &Snapshot) -> u64 {
    snapshot.volume_size.saturating_mul(1 << 30)
}
