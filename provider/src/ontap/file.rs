//! The kind `ontap-file-clone`: a clone of a file that is in a snapshot, in the root of the same volume.
//!
//! A file has no comment and no tags, so its name says all of it ([`named`]): `flr_<operation>_…`. Its id is
//! the volume's id, a slash, and that name.

use super::api;
use super::client::Client;
use super::files::wire::{self, Record};
use super::parameters::Parameters;
use crate::engine::named;
use crate::engine::{Attachment, OpId, Phase, Seen, Tags};
use crate::fault::{Fault, FaultKind};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// What the journal calls it.
pub(super) const KIND: &str = "ontap-file-clone";

/// Calls at once where every volume of an SVM is looked into.
const LOOKS_MAX: usize = 8;

/// All clones in volumes of an SVM that are ours: one call for each volume that takes some.
pub(super) async fn all(client: &Client, svm: &str) -> Result<Vec<Seen>, Fault> {
    let volumes = api::volumes(client, svm, "*").await?;
    let takes = volumes.into_iter().filter(|volume| {
        volume.kind == "rw"
            && volume.style.as_deref() != Some("flexgroup")
            && volume
                .state
                .as_deref()
                .is_none_or(|state| state == "online")
    });
    let mut takes = takes.map(|volume| volume.uuid);
    let mut looks = JoinSet::new();
    let mut all = Vec::new();
    loop {
        while looks.len() < LOOKS_MAX
            && let Some(uuid) = takes.next()
        {
            let client = client.clone();
            looks.spawn(async move { in_root(&client, &uuid, "flr_*").await });
        }
        match looks.join_next().await {
            None => return Ok(all),
            Some(Ok(Ok(found))) => all.extend(found),
            // Who may not look there has made nothing there; and a volume may have gone meanwhile.
            Some(Ok(Err(fault))) if says_nothing(&fault) => {}
            Some(Ok(Err(fault))) => return Err(fault),
            Some(Err(error)) => return Err(Fault::new(FaultKind::Unknown, error.to_string())),
        }
    }
}

const fn says_nothing(fault: &Fault) -> bool {
    matches!(
        fault.kind,
        FaultKind::Denied | FaultKind::Refused | FaultKind::NotFound
    )
}

/// Clones of an operation, in whichever volume of an SVM.
pub(super) async fn of_operation(client: &Client, svm: &str, op: OpId) -> Result<Vec<Seen>, Fault> {
    let start = named::start_of(op);
    let mut found = all(client, svm).await?;
    found.retain(|seen| name_of(&seen.id).starts_with(&start));
    Ok(found)
}

/// The clone of an operation in its volume. None if there is no such volume.
pub(super) async fn in_volume(
    client: &Client,
    parameters: &Parameters,
    op: OpId,
) -> Result<Option<Seen>, Fault> {
    let uuid = &of(parameters)?.volume_uuid;
    let start = named::start_of(op);
    let found = match in_root(client, uuid, &format!("{start}*")).await {
        Ok(found) => found,
        Err(fault) if fault.kind == FaultKind::NotFound => Vec::new(),
        Err(fault) => return Err(fault),
    };
    let mut found = found.into_iter();
    Ok(found.find(|seen| name_of(&seen.id).starts_with(&start)))
}

/// What of a volume's root has a name of ours.
async fn in_root(client: &Client, volume: &str, pattern: &str) -> Result<Vec<Seen>, Fault> {
    let records = wire::named(client, volume, pattern).await?;
    let seen = records
        .into_iter()
        .filter(Record::is_file)
        .map(|record| seen(volume, &record.name));
    Ok(seen.filter(|seen| !seen.tags.is_empty()).collect())
}

pub(super) async fn by_id(client: &Client, id: &str) -> Result<Option<Seen>, Fault> {
    let (volume, name) = parts(id)?;
    let record = wire::stat(client, volume, name).await?;
    Ok(record.filter(Record::is_file).map(|_| seen(volume, name)))
}

/// As the engine sees it. Without a name of ours it has no tags.
fn seen(volume: &str, name: &str) -> Seen {
    let pairs = named::tags_of(name).map(|tags| tags.pairs());
    let pairs = pairs.into_iter().flatten();
    let tags: BTreeMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value)).collect();
    Seen {
        kind: KIND.to_owned(),
        id: id_of(volume, name),
        // It is there whole or not at all.
        phase: Phase::Ready,
        attachment: Attachment::Free,
        tags,
    }
}

fn id_of(volume: &str, name: &str) -> String {
    format!("{volume}/{name}")
}

/// Volume and name of an id.
fn parts(id: &str) -> Result<(&str, &str), Fault> {
    id.split_once('/').ok_or_else(|| {
        let message = format!("{id} is no id of a clone of a file");
        Fault::new(FaultKind::Refused, message)
    })
}

/// The name in an id.
pub(super) fn name_of(id: &str) -> &str {
    id.split_once('/').map_or("", |(_, name)| name)
}

fn of(parameters: &Parameters) -> Result<&super::parameters::OfFile, Fault> {
    parameters.file.as_ref().ok_or_else(|| {
        let message = "a clone of a file is of a file";
        Fault::new(FaultKind::Refused, message)
    })
}

/// Makes the clone.
pub(super) async fn create(
    client: &Client,
    parameters: &Parameters,
    tags: &Tags,
) -> Result<String, Fault> {
    let file = of(parameters)?;
    let name = named::name_of(tags);
    let volume = (file.volume_uuid.as_str(), parameters.volume.as_str());
    let source = format!("./.snapshot/{}/{}", parameters.snapshot, file.path);
    let there = || in_volume(client, parameters, tags.op);
    match wire::clone(client, volume, &source, &name).await {
        Ok(_) => super::cloud::made(there().await),
        Err(fault) => Err(super::cloud::why_not_made(fault, there).await),
    }
}

/// Deletes it, if it is ours: whatever the journal says, nothing else is ever deleted, and never a directory.
pub(super) async fn delete(client: &Client, id: &str) -> Result<(), Fault> {
    let (volume, name) = parts(id)?;
    if named::tags_of(name).is_none() {
        let message = format!("{name} is no name of ours");
        return Err(Fault::new(FaultKind::Refused, message));
    }
    match wire::stat(client, volume, name).await? {
        None => Ok(()),
        Some(record) if record.is_file() => wire::delete(client, volume, name).await.map(|_| ()),
        Some(_) => {
            let message = format!("{name} is no file");
            Err(Fault::new(FaultKind::Refused, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_have_tags() {
        let op = "00000000000000000000000000000002";
        let name = format!("flr_{op}_{op}_1800000000_1800001800_alice-40web");
        assert_eq!(seen("v", &name).tags.len(), 5);
        assert_eq!(name_of(&seen("v", &name).id), name);
        for other in ["flr_1", &format!("flr_{op}"), "disk.vmdk", &name[1..]] {
            assert!(seen("v", other).tags.is_empty(), "{other}");
        }
        assert!(parts("v").is_err());
    }
}
