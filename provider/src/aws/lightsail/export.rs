//! An export: Lightsail makes an image and snapshots in EC2 of one of its snapshots. The call takes no
//! token, no name and no tags, and what it makes carries none. What it leaves is a record, for ever, with the
//! name of the snapshot and the id of what was made.
//!
//! So the snapshot is always a copy of ours, with a name that nobody else has ([`names`](super::names)): every
//! record of that name is of our call, however often it was delivered, and whoever else exports the
//! snapshot that the copy is of. The operation's tags are those of the copy.
//!
//! What a crash leaves, and how it is found:
//!
//! | killed | what there is | found by |
//! |---|---|---|
//! | before the copy has tags | a copy | its name |
//! | while it is exported | a copy, a record that is `Started` | the record; it is waited for, for it cannot be stopped |
//! | before what was made is tagged | an image and snapshots without tags | the record, then the image |
//! | behind that | the same with tags | the journal, which has the ids; their tags |
//! | while it is deleted | some of the snapshots | the same |

use super::api::{self, ExportRecord};
use super::made::{self, EXPORT_TAG, Found, Made};
use super::names::{self, ExportId};
use super::{copies, ec2};
use crate::aws::Client;
use crate::aws::ec2::{Query, describe_snapshots};
use crate::engine::{Attachment, OpId, Phase, Seen, Tags, tags};
use crate::fault::{Fault, FaultKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Its kind in the journal.
pub(super) const KIND: &str = "lightsail-export";

/// What this process has learnt of exports, and no other needs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    shown: Mutex<BTreeMap<String, Shown>>,
    operations: Mutex<BTreeMap<String, String>>,
}

/// Whether something that a record names was there when it was looked for.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// It was, at least once.
    Yes,
    /// Never, and when that was first so.
    Never(Instant),
}

impl Memory {
    /// Remembers what an export was begun as.
    pub(super) fn begun(&self, source: &str, operation: Option<String>) {
        let begun = operation.map(|operation| (source.to_owned(), operation));
        lock(&self.operations).extend(begun);
    }

    /// What an export was begun as, if that was here.
    pub(super) fn operation(&self, source: &str) -> Option<String> {
        lock(&self.operations).get(source).cloned()
    }

    fn shown(&self, id: &str) {
        lock(&self.shown).insert(id.to_owned(), Shown::Yes);
    }

    /// Whether something that does not show may be too new to. What was seen before is gone; what was
    /// never seen shows once reads have caught up.
    fn may_be_new(&self, id: &str, window: Duration) -> bool {
        let now = Instant::now();
        let mut shown = lock(&self.shown);
        match *shown.entry(id.to_owned()).or_insert(Shown::Never(now)) {
            Shown::Yes => false,
            Shown::Never(since) => now.saturating_duration_since(since) < window,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the records and EC2 say of the exports of one snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Exports {
    /// One is being made.
    pub(super) running: bool,
    /// How many have failed.
    pub(super) failed: usize,
    /// What was made does not show, and may be too new to.
    unseen: bool,
    /// What was made and is there, one for each record.
    pub(super) found: Vec<Found>,
    /// Snapshots that carry the tag: those of an image that is gone too.
    tagged: BTreeSet<String>,
}

impl Exports {
    fn is_empty(&self) -> bool {
        !self.running && !self.unseen && self.found.is_empty() && self.tagged.is_empty()
    }

    fn phase(&self) -> Phase {
        match self.running || self.unseen {
            true => Phase::Pending,
            false => Phase::Ready,
        }
    }
}

/// What an export is looked at with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looker<'a> {
    pub(super) client: &'a Client,
    pub(super) memory: &'a Memory,
    /// How long reads may lag behind.
    pub(super) window: Duration,
}

impl Looker<'_> {
    /// The exports of a snapshot.
    pub(super) async fn look(&self, source: &str) -> Result<Exports, Fault> {
        let mut exports = Exports::default();
        for record in api::export_records(self.client).await? {
            if record.source_info.name != source {
                continue;
            }
            exports.running |= record.state == "Started";
            exports.failed = exports
                .failed
                .saturating_add((record.state == "Failed").into());
            if let Some(id) = destination(&record)? {
                let found = self.made_by(id).await?;
                match found.is_empty() {
                    true => exports.unseen |= self.memory.may_be_new(id, self.window),
                    false => exports.found.push(found),
                }
            }
        }
        let query = Query::filter(format!("tag:{EXPORT_TAG}"), source);
        let tagged = describe_snapshots(self.client, &query).await?.into_iter();
        exports.tagged = tagged.map(|snapshot| snapshot.snapshot_id).collect();
        Ok(exports)
    }

    async fn made_by(&self, id: &str) -> Result<Found, Fault> {
        let mut found = Found::default();
        if made::is_id(id, "snap-") {
            found
                .snapshots
                .extend(ec2::snapshot(self.client, id).await?);
        } else if let Some(image) = ec2::image(self.client, id).await? {
            found = Made::of_image(&image)?.look(self.client).await?;
            found.image = Some(image);
        }
        if !found.is_empty() {
            self.memory.shown(id);
        }
        Ok(found)
    }

    /// As the engine sees it, under the operation of `id`.
    pub(super) async fn seen(&self, id: &ExportId) -> Result<Option<Seen>, Fault> {
        let exports = self.look(&id.source).await?;
        if exports.is_empty() {
            return Ok(None);
        }
        let tags = copies::tags(self.client, &id.source).await?;
        Ok(tags.map(|tags| seen(id, exports.phase(), tags)))
    }

    /// One step towards the end of all that was exported from a snapshot. Each step can be repeated, and
    /// what was begun is found again: snapshots are tagged, and seen to be, before their image goes.
    pub(super) async fn delete(&self, id: &ExportId) -> Result<(), Fault> {
        let source = &id.source;
        let tags = names::tags_of(source);
        let tags = tags.ok_or_else(|| no_name(source))?;
        let exports = self.look(source).await?;
        if exports.running || exports.unseen {
            let message = format!("the export of {source} has not ended yet");
            return Err(Fault::new(FaultKind::InUse, message));
        }
        let mut snapshots = exports.tagged.clone();
        for found in &exports.found {
            let made = found.made()?;
            if made.snapshots.iter().any(|id| !exports.tagged.contains(id)) {
                let tags = Tags {
                    op: id.op,
                    ..tags.clone()
                };
                let tags = tags_of_made(&tags, source);
                ec2::create_tags(self.client, &made.ids(), &tags).await?;
                let message = format!("the tags of {made} do not show yet");
                return Err(Fault::new(FaultKind::InUse, message));
            }
            if let Some(image) = &made.image {
                ec2::deregister_image(self.client, image).await?;
            }
            snapshots.extend(made.snapshots);
        }
        let mut last = Ok(());
        for snapshot in &snapshots {
            if let Err(fault) = ec2::delete_snapshot(self.client, snapshot).await {
                last = Err(fault);
            }
        }
        last
    }

    /// Sets tags: on the copy, whose tags are those of the export.
    pub(super) async fn tag(
        &self,
        id: &ExportId,
        tags: &[(&'static str, String)],
    ) -> Result<(), Fault> {
        api::tag_resource(self.client, &id.source, tags).await
    }

    /// All exports of snapshots of ours of which something is there that has no tags: they are known by
    /// the record alone.
    pub(super) async fn untagged(&self) -> Result<Vec<Seen>, Fault> {
        let records = api::export_records(self.client).await?;
        let ours = |record: &&ExportRecord| names::tags_of(&record.source_info.name).is_some();
        let ours: Vec<_> = records.iter().filter(ours).collect();
        let (mut images, mut snapshots) = (Vec::new(), Vec::new());
        for record in &ours {
            match destination(record)? {
                Some(id) if made::is_id(id, "snap-") => snapshots.push(id.to_owned()),
                Some(id) => images.push(id.to_owned()),
                None => {}
            }
        }
        let images = ec2::images_of(self.client, &images).await?.into_iter();
        let images = images.map(|image| (image.image_id, image.tag_set));
        let snapshots = ec2::snapshots_of(self.client, &snapshots)
            .await?
            .into_iter();
        let snapshots = snapshots.map(|snapshot| (snapshot.snapshot_id, snapshot.tag_set));
        let untagged = images
            .chain(snapshots)
            .filter(|(_, tags)| !tags.contains_key(tags::OP));
        let untagged: BTreeSet<_> = untagged.map(|(id, _)| id).collect();
        let mut sources = BTreeSet::new();
        for record in ours {
            let made = destination(record)?.is_some_and(|id| untagged.contains(id));
            if made || record.state == "Started" {
                sources.insert(record.source_info.name.clone());
            }
        }
        self.seen_of(sources).await
    }

    async fn seen_of(&self, sources: BTreeSet<String>) -> Result<Vec<Seen>, Fault> {
        let mut all = Vec::new();
        for source in sources {
            if let Some(tags) = copies::tags(self.client, &source).await? {
                let op = tags.op;
                all.push(seen(&ExportId { op, source }, Phase::Ready, tags));
            }
        }
        Ok(all)
    }
}

/// The tags of what was made: those of the operation, and the name of what was exported.
pub(super) fn tags_of_made<'a>(tags: &Tags, source: &str) -> Vec<(&'a str, String)> {
    let mut pairs: Vec<(&'a str, String)> = tags.pairs();
    pairs.push((EXPORT_TAG, source.to_owned()));
    pairs
}

/// The id of an export, as its call gives it.
pub(super) fn id(op: OpId, source: &str) -> ExportId {
    let source = source.to_owned();
    ExportId { op, source }
}

fn seen(id: &ExportId, phase: Phase, tags: Tags) -> Seen {
    let tags = Tags { op: id.op, ..tags };
    let pairs = tags.pairs().into_iter();
    Seen {
        kind: KIND.to_owned(),
        id: id.to_string(),
        phase,
        attachment: Attachment::Free,
        tags: pairs.map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// The id of what a record says was made, if it says so.
fn destination(record: &ExportRecord) -> Result<Option<&str>, Fault> {
    let id = record
        .destination_info
        .as_ref()
        .map(|made| made.id.as_str());
    match id.filter(|id| !id.is_empty()) {
        None => Ok(None),
        Some(id) if made::is_id(id, "ami-") || made::is_id(id, "snap-") => Ok(Some(id)),
        Some(id) => Err(made::no_id(id)),
    }
}

fn no_name(source: &str) -> Fault {
    Fault::new(FaultKind::Refused, format!("{source} has no name of ours"))
}
