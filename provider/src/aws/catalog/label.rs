//! What a snapshot is good for, and how it can be read.

use crate::aws::ec2::Snapshot;
use crate::engine::UnixTime;
use crate::grouped::Taken;
use crate::point::{Access, Consistency};
use std::collections::BTreeMap;

/// Tags by which the makers of snapshots say that applications had written everything: VSS by the
/// Systems Manager, and the Data Lifecycle Manager's scripts around the snapshot.
const APPLICATION_TAGS: &[(&str, &str)] =
    &[("AppConsistent", "True"), ("aws:dlm:pre-script", "SUCCESS")];

/// What may be expected of its files. A snapshot of a volume is always one moment of it.
fn consistency(snapshot: &Snapshot) -> Consistency {
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
fn access(snapshot: &Snapshot) -> Access {
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

/// What it was taken of. A copy of a snapshot has a volume that never was.
pub(super) fn volume(snapshot: &Snapshot) -> Option<String> {
    let volume = snapshot.volume_id.clone();
    volume.filter(|volume| volume != "vol-ffffffff" && volume != "vol-ffffffffffffffff")
}

/// Its size in bytes.
fn bytes(snapshot: &Snapshot) -> u64 {
    snapshot.volume_size.saturating_mul(1 << 30)
}

impl Taken for Snapshot {
    const WHOLE: &'static str = "completed";

    fn id(&self) -> &str {
        &self.snapshot_id
    }

    fn time(&self) -> UnixTime {
        self.start_time
    }

    fn volume(&self) -> Option<String> {
        volume(self)
    }

    fn bytes(&self) -> u64 {
        bytes(self)
    }

    fn state(&self) -> String {
        self.status.clone()
    }

    fn consistency(&self) -> Consistency {
        consistency(self)
    }

    fn access(&self) -> Access {
        access(self)
    }

    /// When it goes back to the archive.
    fn expires(&self) -> Option<UnixTime> {
        self.restore_expiry_time
    }

    fn name(&self) -> Option<String> {
        let text = self.description.clone();
        text.filter(|text| !text.trim().is_empty())
    }

    fn account(&self) -> Option<String> {
        self.owner_id.clone()
    }

    fn tier(&self) -> Option<String> {
        self.storage_tier.clone()
    }

    fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tag_set
    }
}
