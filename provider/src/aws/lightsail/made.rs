//! What an export has made in EC2: an image and its snapshots, or one snapshot. One resource of the
//! engine, for the snapshots can go only after the image, and with the image goes the knowledge of them: all
//! ids are in the journal before the first of the calls that mark, or end, any of it.

use super::ec2;
use crate::aws::Client;
use crate::aws::ec2::{Image, Query, Snapshot, describe_images, describe_snapshots};
use crate::engine::{Attachment, Phase, Seen, tags};
use crate::fault::{Fault, FaultKind};
use std::collections::BTreeMap;
use std::fmt;

/// Its kind in the journal.
pub(super) const KIND: &str = "lightsail-exported";
/// The tag that everything made by an export gets beside the usual ones: the name of what was exported.
pub(super) const EXPORT_TAG: &str = "flr:export";
/// More disks than an instance can have.
const DISKS_MAX: usize = 64;

/// The ids: `ami-1+snap-2+snap-3`, or `snap-2`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) image: Option<String>,
    pub(super) snapshots: Vec<String>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ids().join("+"))
    }
}

impl Made {
    /// Reads ids, and nothing that is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut made = Self::default();
        for id in text.split('+') {
            if is_id(id, "ami-") && made.image.is_none() {
                made.image = Some(id.to_owned());
            } else if is_id(id, "snap-") && made.snapshots.len() < DISKS_MAX {
                made.snapshots.push(id.to_owned());
            } else {
                return None;
            }
        }
        Some(made)
    }

    /// An image with its snapshots.
    pub(super) fn of_image(image: &Image) -> Result<Self, Fault> {
        let disks = ec2::disks_of(image).into_iter();
        let ids = std::iter::once(image.image_id.as_str()).chain(disks.map(|(_, id)| id));
        let ids = ids.collect::<Vec<_>>().join("+");
        Self::parse(&ids).ok_or_else(|| no_id(&ids))
    }

    /// All ids, that of the image first.
    pub(super) fn ids(&self) -> Vec<String> {
        let image = self.image.iter();
        image.chain(&self.snapshots).cloned().collect()
    }

    /// What of it is there.
    pub(super) async fn look(&self, client: &Client) -> Result<Found, Fault> {
        let mut found = Found::default();
        if let Some(id) = &self.image {
            found.image = ec2::image(client, id).await?;
        }
        for id in &self.snapshots {
            found.snapshots.extend(ec2::snapshot(client, id).await?);
        }
        Ok(found)
    }

    /// As the engine sees it.
    pub(super) async fn seen(&self, client: &Client) -> Result<Option<Seen>, Fault> {
        let found = self.look(client).await?;
        let whole = found.image.is_some() == self.image.is_some()
            && found.snapshots.len() == self.snapshots.len();
        Ok(found.seen(self.to_string(), whole))
    }

    /// Deletes it: the image, then what was in it.
    pub(super) async fn delete(&self, client: &Client) -> Result<(), Fault> {
        if let Some(image) = &self.image {
            ec2::deregister_image(client, image).await?;
        }
        let mut last = Ok(());
        for snapshot in &self.snapshots {
            // The image may show as using them for a while; the others go meanwhile.
            if let Err(fault) = ec2::delete_snapshot(client, snapshot).await {
                last = Err(fault);
            }
        }
        last
    }
}

/// Whether it is an id of this kind: nothing else is ever passed on to a call that deletes.
pub(super) fn is_id(id: &str, prefix: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    let digits = id.strip_prefix(prefix);
    digits.is_some_and(|digits| matches!(digits.len(), 8 | 17) && digits.bytes().all(hex))
}

/// What was found of something made.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) image: Option<Image>,
    pub(super) snapshots: Vec<Snapshot>,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.image.is_none() && self.snapshots.is_empty()
    }

    /// All of what it is: of an image that is there, what that says; else what was found.
    pub(super) fn made(&self) -> Result<Made, Fault> {
        match &self.image {
            Some(image) => Made::of_image(image),
            None => Ok(Made {
                image: None,
                snapshots: self
                    .snapshots
                    .iter()
                    .map(|snapshot| snapshot.snapshot_id.clone())
                    .collect(),
            }),
        }
    }

    /// Its tags: those of the first that has ours.
    fn tags(&self) -> BTreeMap<String, String> {
        let image = self.image.iter().map(|image| &image.tag_set);
        let snapshots = self.snapshots.iter().map(|snapshot| &snapshot.tag_set);
        let mut all = image.chain(snapshots);
        let ours = all.find(|set| set.contains_key(tags::OP));
        ours.cloned().unwrap_or_default()
    }

    fn phase(&self, whole: bool) -> Phase {
        let image = self.image.as_ref().map(|image| image.state.as_str());
        let states = self.snapshots.iter();
        let mut states = states.map(|snapshot| snapshot.status.as_str());
        match image {
            Some("failed" | "error" | "invalid") => return Phase::Failed,
            Some("available") | None => {}
            Some(_) => return Phase::Pending,
        }
        if states.clone().any(|state| state == "error") {
            return Phase::Failed;
        }
        match whole && states.all(|state| state == "completed") {
            true => Phase::Ready,
            false => Phase::Pending,
        }
    }

    /// As the engine sees it; `whole` says that nothing of it is missing.
    fn seen(&self, id: String, whole: bool) -> Option<Seen> {
        if self.is_empty() {
            return None;
        }
        Some(Seen {
            kind: KIND.to_owned(),
            id,
            phase: self.phase(whole),
            attachment: Attachment::Free,
            tags: self.tags(),
        })
    }
}

/// Everything of this account that carries `key` (with `value`), as the engine sees it: what has the
/// same operation is one.
pub(super) async fn tagged(
    client: &Client,
    key: &str,
    value: Option<&str>,
) -> Result<Vec<Seen>, Fault> {
    let query = match value {
        Some(value) => Query::filter(format!("tag:{key}"), value),
        None => Query::filter("tag-key", key),
    };
    let mut by_op: BTreeMap<String, Found> = BTreeMap::new();
    for image in describe_images(client, &query).await? {
        let Some(op) = op_of(&image.tag_set).filter(|_| ec2::is_image_there(&image)) else {
            continue;
        };
        by_op.entry(op).or_default().image = Some(image);
    }
    for snapshot in describe_snapshots(client, &query).await? {
        if let Some(op) = op_of(&snapshot.tag_set) {
            by_op.entry(op).or_default().snapshots.push(snapshot);
        }
    }
    let mut all = Vec::new();
    for found in by_op.values() {
        all.extend(found.seen(found.made()?.to_string(), true));
    }
    Ok(all)
}

/// The operation of something that an export has made.
fn op_of(tags: &BTreeMap<String, String>) -> Option<String> {
    tags.get(EXPORT_TAG)?;
    tags.get(tags::OP).cloned()
}

/// The fault of an id that is none of this kind.
pub(super) fn no_id(text: &str) -> Fault {
    let message = format!("expected ids of an image and snapshots, got {text:?}");
    Fault::new(FaultKind::Refused, message)
}
