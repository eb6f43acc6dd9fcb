//! The kind `ontap-volume`: a FlexClone of a volume, where LUNs themselves cannot be cloned.

use super::api::{self, Volume};
use super::client::Client;
use super::comment::{self, PREFIX};
use super::parameters::Parameters;
use crate::engine::{Attachment, Phase, Seen};
use crate::fault::{Fault, FaultKind};
use serde_json::json;

/// What the journal calls it.
pub(super) const KIND: &str = "ontap-volume";

/// All clones of an SVM that are ours.
pub(super) async fn all(client: &Client, svm: &str) -> Result<Vec<Seen>, Fault> {
    let volumes = api::volumes(client, svm, &format!("{PREFIX}*")).await?;
    let ours = |seen: &Seen| !seen.tags.is_empty();
    Ok(volumes.into_iter().map(seen).filter(ours).collect())
}

/// The clone of this name.
pub(super) async fn named(client: &Client, svm: &str, name: &str) -> Result<Option<Seen>, Fault> {
    Ok(api::volume(client, svm, name).await?.map(seen))
}

pub(super) async fn by_id(client: &Client, uuid: &str) -> Result<Option<Seen>, Fault> {
    Ok(api::volume_by_id(client, uuid).await?.map(seen))
}

/// As the engine sees it. Without a name and a comment of ours, or as no clone, it has no tags.
fn seen(volume: Volume) -> Seen {
    let tags = match ours(&volume) {
        true => comment::map_of(&volume.name, volume.comment.as_deref().unwrap_or_default()),
        false => Default::default(),
    };
    Seen {
        kind: KIND.to_owned(),
        phase: phase(volume.state.as_deref().unwrap_or_default()),
        attachment: Attachment::Free,
        tags,
        id: volume.uuid,
    }
}

fn ours(volume: &Volume) -> bool {
    let comment = volume.comment.as_deref().unwrap_or_default();
    volume.clone.is_flexclone && comment::ours(&volume.name, comment).is_some()
}

fn phase(state: &str) -> Phase {
    match state {
        "online" => Phase::Ready,
        "error" => Phase::Failed,
        // On its way: also `offline`, which a delete that was begun leaves.
        _ => Phase::Pending,
    }
}

/// Makes the clone.
pub(super) async fn create(
    client: &Client,
    svm: &str,
    parameters: &Parameters,
    name: &str,
    comment: &str,
) -> Result<String, Fault> {
    let parent = (parameters.volume.as_str(), parameters.snapshot.as_str());
    let there = || named(client, svm, name);
    match api::clone_volume(client, svm, name, parent, comment).await {
        Ok(_) => super::cloud::made(there().await),
        Err(fault) => Err(super::cloud::why_not_made(fault, there).await),
    }
}

/// Sets tags in the comment.
pub(super) async fn retag(
    client: &Client,
    uuid: &str,
    tags: &[(&'static str, String)],
) -> Result<(), Fault> {
    let volume = api::volume_by_id(client, uuid).await?;
    let volume = volume.ok_or_else(|| {
        let message = format!("no volume {uuid}");
        Fault::new(FaultKind::NotFound, message)
    })?;
    let old = volume.comment.as_deref().unwrap_or_default();
    let new = comment::changed(&volume.name, old, tags);
    let new = new.ok_or_else(|| not_ours(&volume.name))?;
    let change = json!({"comment": new});
    api::change_volume(client, uuid, &change).await.map(|_| ())
}

/// Unmounts it, takes it offline and deletes it, if it is ours: whatever the journal says, nothing else is
/// ever deleted. Each step is left out where it was done already.
pub(super) async fn delete(client: &Client, uuid: &str) -> Result<(), Fault> {
    let Some(volume) = api::volume_by_id(client, uuid).await? else {
        return Ok(());
    };
    if !ours(&volume) {
        return Err(not_ours(&volume.name));
    }
    let mounted = volume.nas.path.is_some_and(|path| !path.is_empty());
    if mounted {
        api::change_volume(client, uuid, &json!({"nas": {"path": ""}})).await?;
    }
    if volume.state.as_deref() != Some("offline") {
        api::change_volume(client, uuid, &json!({"state": "offline"})).await?;
    }
    api::delete_volume(client, uuid).await.map(|_| ())
}

fn not_ours(name: &str) -> Fault {
    let message = format!("the volume {name} is no clone with a name and comment of ours");
    Fault::new(FaultKind::Refused, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str, state: &str, is_flexclone: bool) -> Volume {
        let op = "00000000000000000000000000000002";
        let comment = format!(
            "flr:session={op},op={op},owner=alice@web-1,created=1800000000,expires=1800001800"
        );
        let json = serde_json::json!({
            "name": name, "uuid": "c903a978-9bac-4ce9-8237-4a3ba8b13f08", "state": state,
            "type": "rw", "svm": {"name": "svm1"}, "comment": comment,
            "clone": {"is_flexclone": is_flexclone},
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_clones_are_ours() {
        let name = "flr_00000000000000000000000000000002";
        assert_eq!(seen(volume(name, "online", true)).tags.len(), 5);
        assert!(seen(volume(name, "online", false)).tags.is_empty());
        assert!(seen(volume("vol1", "online", true)).tags.is_empty());
    }

    #[test]
    fn states_of_volumes() {
        let phase = |state| seen(volume("v", state, true)).phase;
        assert_eq!(phase("online"), Phase::Ready);
        assert_eq!(phase("offline"), Phase::Pending);
        assert_eq!(phase("error"), Phase::Failed);
    }
}
