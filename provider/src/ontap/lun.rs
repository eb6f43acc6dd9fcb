//! The kind `ontap-lun`: a clone of a LUN that is in a snapshot.

use super::api::{self, Lun};
use super::client::Client;
use super::comment::{self, PREFIX};
use super::parameters::Parameters;
use super::place::Place;
use crate::engine::{Attachment, Phase, Seen};
use crate::fault::{Fault, FaultKind};

/// What the journal calls it.
pub(super) const KIND: &str = "ontap-lun";

/// All clones of an SVM that are ours.
pub(super) async fn all(client: &Client, svm: &str) -> Result<Vec<Seen>, Fault> {
    let luns = api::luns(client, svm, &format!("*/{PREFIX}*")).await?;
    let ours = |seen: &Seen| !seen.tags.is_empty();
    Ok(luns.into_iter().map(seen).filter(ours).collect())
}

/// Clones of this name, wherever they are.
pub(super) async fn named(client: &Client, svm: &str, name: &str) -> Result<Vec<Seen>, Fault> {
    let luns = api::luns(client, svm, &format!("*/{name}")).await?;
    let it = |lun: &Lun| lun.name.rsplit('/').next() == Some(name);
    Ok(luns.into_iter().filter(it).map(seen).collect())
}

/// The clone of this name in its volume.
pub(super) async fn in_volume(
    client: &Client,
    svm: &str,
    volume: &str,
    name: &str,
) -> Result<Option<Seen>, Fault> {
    let lun = api::lun(client, svm, &Place::path_in(volume, name)).await?;
    Ok(lun.map(seen))
}

pub(super) async fn by_id(client: &Client, uuid: &str) -> Result<Option<Seen>, Fault> {
    Ok(api::lun_by_id(client, uuid).await?.map(seen))
}

/// As the engine sees it. Without a name and a comment of ours it has no tags.
fn seen(lun: Lun) -> Seen {
    let comment = lun.comment.unwrap_or_default();
    Seen {
        kind: KIND.to_owned(),
        phase: phase(&lun.status.state),
        // It is never mapped by us; mapped by others, the delete is refused.
        attachment: Attachment::Free,
        tags: comment::map_of(&lun.name, &comment),
        id: lun.uuid,
    }
}

fn phase(state: &str) -> Phase {
    match state {
        "online" => Phase::Ready,
        "nvfail" | "space_error" | "foreign_lun_error" => Phase::Failed,
        // On its way, or a state of later times.
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
    let Parameters {
        volume,
        snapshot,
        lun,
        ..
    } = parameters;
    let lun = lun.as_deref().ok_or_else(|| {
        let message = "a clone of a LUN is of a LUN";
        Fault::new(FaultKind::Refused, message)
    })?;
    let source = Place::path_in_snapshot(volume, snapshot, lun);
    let path = Place::path_in(volume, name);
    let there = || in_volume(client, svm, volume, name);
    match api::clone_lun(client, svm, &path, &source, comment).await {
        // Which of both it was, only the LUN itself tells.
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
    let lun = api::lun_by_id(client, uuid).await?;
    let lun = lun.ok_or_else(|| Fault::new(FaultKind::NotFound, format!("no LUN {uuid}")))?;
    let old = lun.comment.unwrap_or_default();
    let new = comment::changed(&lun.name, &old, tags).ok_or_else(|| not_ours(&lun.name))?;
    api::comment_lun(client, uuid, &new).await.map(|_| ())
}

/// Deletes it, if it is ours: whatever the journal says, nothing else is ever deleted.
pub(super) async fn delete(client: &Client, uuid: &str) -> Result<(), Fault> {
    let Some(lun) = api::lun_by_id(client, uuid).await? else {
        return Ok(());
    };
    let comment = lun.comment.unwrap_or_default();
    if comment::ours(&lun.name, &comment).is_none() {
        return Err(not_ours(&lun.name));
    }
    api::delete_lun(client, uuid).await.map(|_| ())
}

fn not_ours(name: &str) -> Fault {
    let message = format!("{name} has no name and comment of ours");
    Fault::new(FaultKind::Refused, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lun(name: &str, comment: &str, state: &str) -> Lun {
        let json = serde_json::json!({
            "name": name, "uuid": "c903a978-9bac-4ce9-8237-4a3ba8b13f08", "comment": comment,
            "status": {"state": state}, "space": {"size": 4096}, "svm": {"name": "svm1"},
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn states_of_luns() {
        // The values of `status.state` in the reference.
        let phase = |state| seen(lun("/vol/v/l", "", state)).phase;
        assert_eq!(phase("online"), Phase::Ready);
        assert_eq!(phase("offline"), Phase::Pending);
        for state in ["nvfail", "space_error", "foreign_lun_error"] {
            assert_eq!(phase(state), Phase::Failed, "{state}");
        }
    }

    #[test]
    fn what_has_not_both_is_not_ours() {
        let op = "00000000000000000000000000000002";
        let comment = format!(
            "flr:session={op},op={op},owner=alice@web-1,created=1800000000,expires=1800001800"
        );
        let tags = |name: &str, comment: &str| seen(lun(name, comment, "online")).tags;
        assert_eq!(tags(&format!("/vol/v/flr_{op}"), &comment).len(), 5);
        assert!(tags("/vol/v/lun0", &comment).is_empty());
        assert!(tags(&format!("/vol/v/flr_{op}"), "mine").is_empty());
    }
}
