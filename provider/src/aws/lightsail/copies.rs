//! Copies of snapshots, which are what is exported. A copy has a name that only its operation has; see
//! [`names`](super::names).

use super::api::{self, Tag};
use super::names;
use crate::aws::Client;
use crate::engine::tags::EXPIRES;
use crate::engine::{Attachment, OpId, Phase, Seen, Tags};
use crate::fault::{Fault, FaultKind};
use serde_json::{Map, Value};

/// The kind of a copy of a snapshot of an instance.
pub(super) const INSTANCE: &str = "lightsail-instance-snapshot";
/// The kind of a copy of a snapshot of a disk.
pub(super) const DISK: &str = "lightsail-disk-snapshot";

/// All copies of a kind, of whatever operation.
pub(super) async fn all(client: &Client, kind: &str) -> Result<Vec<Seen>, Fault> {
    let seen = |name: &str, state: &str, tags: &[Tag]| {
        // A name of ours with tags that were spoilt is somebody else's by now.
        let tags = names::tags_with(name, &api::tag_map(tags))?;
        let pairs = tags.pairs().into_iter();
        Some(Seen {
            kind: kind.to_owned(),
            id: name.to_owned(),
            phase: phase(state),
            attachment: Attachment::Free,
            tags: pairs.map(|(key, value)| (key.to_owned(), value)).collect(),
        })
    };
    if kind == INSTANCE {
        let copies = api::instance_snapshots(client).await?;
        let copies = copies.iter();
        let ours = copies.filter_map(|copy| seen(&copy.name, &copy.state, &copy.tags));
        return Ok(ours.collect());
    }
    let copies = api::disk_snapshots(client).await?;
    let copies = copies.iter();
    let ours = copies.filter_map(|copy| seen(&copy.name, &copy.state, &copy.tags));
    Ok(ours.collect())
}

/// Copies of one operation.
pub(super) async fn of_operation(
    client: &Client,
    kind: &str,
    op: OpId,
) -> Result<Vec<Seen>, Fault> {
    let mut copies = all(client, kind).await?;
    copies.retain(|copy| names::tags_of(&copy.id).is_some_and(|tags| tags.op == op));
    Ok(copies)
}

/// The tags of the copy of this name: as they are on it, or, once it is gone, as its name has them.
pub(super) async fn tags(client: &Client, name: &str) -> Result<Option<Tags>, Fault> {
    for kind in [INSTANCE, DISK] {
        let copies = all(client, kind).await?;
        if let Some(copy) = copies.into_iter().find(|copy| copy.id == name) {
            return Ok(Tags::read(&copy.tags));
        }
    }
    Ok(names::tags_of(name))
}

fn phase(state: &str) -> Phase {
    match state {
        "available" | "completed" => Phase::Ready,
        "error" => Phase::Failed,
        _ => Phase::Pending,
    }
}

/// Makes a copy of what `source` says and gives its name.
pub(super) async fn create(
    client: &Client,
    kind: &str,
    source: Map<String, Value>,
    tags: &Tags,
) -> Result<String, Fault> {
    let name = names::name_of(tags);
    match api::copy_snapshot(client, source, &name).await {
        Ok(()) => {
            // What may be deleted is judged by tags in policies. The name says the same meanwhile, and
            // they are set again before the end.
            if let Err(fault) = api::tag_resource(client, &name, &tags.pairs()).await {
                tracing::debug!("{name} has no tags yet: {fault}");
            }
            Ok(name)
        }
        // That the name is taken has no code of its own.
        Err(fault) if fault.kind == FaultKind::Refused => {
            let copies = all(client, kind).await?;
            match copies.iter().any(|copy| copy.id == name) {
                true => Err(Fault::new(FaultKind::Exists, fault.message)),
                false => Err(fault),
            }
        }
        Err(fault) => Err(fault),
    }
}

pub(super) async fn delete(client: &Client, kind: &str, name: &str) -> Result<(), Fault> {
    // Whatever the journal says: nothing without a name of ours is ever deleted.
    let Some(tags) = names::tags_of(name) else {
        let message = format!("{name} has no name of ours");
        return Err(Fault::new(FaultKind::Refused, message));
    };
    let mut pairs = tags.pairs();
    // That may have been renewed.
    pairs.retain(|(key, _)| *key != EXPIRES);
    if let Err(fault) = api::tag_resource(client, name, &pairs).await {
        tracing::debug!("{name} is deleted without tags: {fault}");
    }
    match kind {
        INSTANCE => api::delete_instance_snapshot(client, name).await,
        _ => api::delete_disk_snapshot(client, name).await,
    }
}
