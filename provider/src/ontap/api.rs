//! The calls that points and clones need, typed. Fields are asked for by name: what is not asked for may be
//! missing.

use super::client::Client;
use super::job::Ended;
use crate::engine::UnixTime;
use crate::fault::{Fault, FaultKind};
use bytes::Bytes;
use reqwest::Method;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// A cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) version: Version,
    pub(super) san_optimized: bool,
    /// Of the newer kind, that has storage units instead of LUNs in volumes.
    pub(super) disaggregated: bool,
}

/// The version of its software.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    pub(super) full: String,
    pub(super) generation: u32,
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl Cluster {
    /// ASA r2: LUNs cannot be cloned there.
    pub(super) fn is_asa_r2(&self) -> bool {
        self.san_optimized && self.disaggregated
    }

    /// `9.12.1`.
    pub(super) fn release(&self) -> String {
        let Version {
            generation,
            major,
            minor,
            ..
        } = self.version;
        format!("{generation}.{major}.{minor}")
    }
}

/// A name and an id.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) uuid: String,
}

/// A volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) uuid: String,
    /// `rw`, `dp`, `ls`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// `online`, `offline`, `restricted`, `mixed`, `error`.
    pub(super) state: Option<String>,
    /// `flexvol`, `flexgroup`.
    pub(super) style: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) svm: Named,
    pub(super) nas: Nas,
    pub(super) clone: CloneOf,
    pub(super) space: Space,
}

/// Where a volume is in the namespace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Nas {
    pub(super) path: Option<String>,
}

/// What a volume is a clone of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CloneOf {
    pub(super) is_flexclone: bool,
}

/// A snapshot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Snapshot {
    pub(super) name: String,
    pub(super) uuid: String,
    #[serde(deserialize_with = "time")]
    pub(super) create_time: Option<UnixTime>,
    #[serde(deserialize_with = "time")]
    pub(super) expiry_time: Option<UnixTime>,
    /// `valid`, `invalid`, `partial`, `unknown`, `pre_conversion`; nothing outside of FlexGroups.
    pub(super) state: Option<String>,
    /// What holds it.
    pub(super) owners: Vec<String>,
    pub(super) snapmirror_label: Option<String>,
    pub(super) comment: Option<String>,
}

/// A LUN.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lun {
    /// `/vol/vol1/lun0`.
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) comment: Option<String>,
    pub(super) space: Space,
    pub(super) status: Status,
    pub(super) svm: Named,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Space {
    /// Bytes; 0 if that is not told.
    pub(super) size: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    /// `online`, `offline`, `nvfail`, `space_error`, `foreign_lun_error`.
    pub(super) state: String,
}

const VOLUME_FIELDS: &str = "name,uuid,type,state,style,comment,svm.name,svm.uuid,nas.path,\
    clone.is_flexclone,space.size";
const SNAPSHOT_FIELDS: &str =
    "name,uuid,create_time,expiry_time,owners,snapmirror_label,state,comment";
const LUN_FIELDS: &str = "name,uuid,comment,space.size,status.state,svm.name,svm.uuid";

/// Times of ONTAP are RFC 3339, with or without a colon in the offset.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<UnixTime>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.as_deref().and_then(time_of))
}

/// A time as ONTAP writes it, in whole seconds. What cannot be read is no time.
pub(super) fn time_of(text: &str) -> Option<UnixTime> {
    let time = timestamp_of(text)?;
    u64::try_from(time.as_second()).ok().map(UnixTime)
}

/// The same with all that it says.
pub(super) fn timestamp_of(text: &str) -> Option<jiff::Timestamp> {
    let offset = text.len().checked_sub(5)?;
    let (head, tail) = text.split_at_checked(offset)?;
    let digits = tail.get(1..).unwrap_or_default();
    let plain = tail.starts_with(['+', '-']) && digits.bytes().all(|b| b.is_ascii_digit());
    let text = match (plain, digits.split_at_checked(2), tail.get(..1)) {
        (true, Some((hours, minutes)), Some(sign)) => format!("{head}{sign}{hours}:{minutes}"),
        _ => text.to_owned(),
    };
    text.parse().ok()
}

/// The cluster, and its time.
pub(super) async fn cluster(client: &Client) -> Result<(Cluster, Option<UnixTime>), Fault> {
    let (cluster, time): (Cluster, _) = client.get_with_time("/cluster", &[]).await?;
    match cluster.uuid.is_empty() {
        true => Err(Fault::new(
            FaultKind::Refused,
            "the server does not say which cluster it is",
        )),
        false => Ok((cluster, time)),
    }
}

/// Names of SVMs that serve data.
pub(super) async fn svms(client: &Client) -> Result<Vec<String>, Fault> {
    let svms: Vec<Named> = client.list("/svm/svms", &[("fields", "name")]).await?;
    Ok(svms.into_iter().map(|svm| svm.name).collect())
}

/// Volumes of an SVM whose names fit; `*` stands for anything.
pub(super) async fn volumes(client: &Client, svm: &str, name: &str) -> Result<Vec<Volume>, Fault> {
    let query = [("svm.name", svm), ("name", name), ("fields", VOLUME_FIELDS)];
    let mut volumes: Vec<Volume> = client.list("/storage/volumes", &query).await?;
    // A server that takes no notice of a filter must not make others' volumes ours.
    volumes.retain(|volume| volume.svm.name == svm);
    Ok(volumes)
}

/// The volume of this name.
pub(super) async fn volume(
    client: &Client,
    svm: &str,
    name: &str,
) -> Result<Option<Volume>, Fault> {
    let volumes = volumes(client, svm, name).await?;
    Ok(volumes.into_iter().find(|volume| volume.name == name))
}

/// The volume of this id.
pub(super) async fn volume_by_id(client: &Client, uuid: &str) -> Result<Option<Volume>, Fault> {
    let path = volume_path(uuid)?;
    found(client.get(&path, &[("fields", VOLUME_FIELDS)]).await)
}

pub(super) fn volume_path(uuid: &str) -> Result<String, Fault> {
    Ok(format!("/storage/volumes/{}", checked_id(uuid)?))
}

/// An id that is one. Without one a path would name a whole collection, which may be deleted as well.
fn checked_id(uuid: &str) -> Result<&str, Fault> {
    let good = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    match (8..=64).contains(&uuid.len()) && uuid.bytes().all(good) {
        true => Ok(uuid),
        false => {
            let message = format!("{uuid:?} is no id of ONTAP");
            Err(Fault::new(FaultKind::Refused, message))
        }
    }
}

/// Snapshots of a volume.
pub(super) async fn snapshots(client: &Client, volume: &str) -> Result<Vec<Snapshot>, Fault> {
    let path = format!("{}/snapshots", volume_path(volume)?);
    client.list(&path, &[("fields", SNAPSHOT_FIELDS)]).await
}

/// The snapshot of this id, under the name that it has now.
pub(super) async fn snapshot(
    client: &Client,
    volume: &str,
    uuid: &str,
) -> Result<Option<Snapshot>, Fault> {
    let path = format!("{}/snapshots/{}", volume_path(volume)?, checked_id(uuid)?);
    found(client.get(&path, &[("fields", SNAPSHOT_FIELDS)]).await)
}

/// LUNs of an SVM whose names fit; `*` stands for anything.
pub(super) async fn luns(client: &Client, svm: &str, name: &str) -> Result<Vec<Lun>, Fault> {
    let query = [("svm.name", svm), ("name", name), ("fields", LUN_FIELDS)];
    let mut luns: Vec<Lun> = client.list("/storage/luns", &query).await?;
    luns.retain(|lun| lun.svm.name == svm);
    Ok(luns)
}

/// The LUN of this name.
pub(super) async fn lun(client: &Client, svm: &str, name: &str) -> Result<Option<Lun>, Fault> {
    let luns = luns(client, svm, name).await?;
    Ok(luns.into_iter().find(|lun| lun.name == name))
}

/// The LUN of this id.
pub(super) async fn lun_by_id(client: &Client, uuid: &str) -> Result<Option<Lun>, Fault> {
    found(
        client
            .get(&lun_path(uuid)?, &[("fields", LUN_FIELDS)])
            .await,
    )
}

fn lun_path(uuid: &str) -> Result<String, Fault> {
    Ok(format!("/storage/luns/{}", checked_id(uuid)?))
}

fn found<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Bytes of a LUN: at most 1 MB at a time.
pub(super) async fn lun_bytes(
    client: &Client,
    uuid: &str,
    offset: u64,
    len: usize,
) -> Result<Bytes, Fault> {
    let (at, size) = (offset.to_string(), len.to_string());
    let query = [("data.offset", at.as_str()), ("data.size", size.as_str())];
    client.bytes(&lun_path(uuid)?, &query, len).await
}

/// Clones a LUN that is in a snapshot. Space is not reserved, and nobody gets to see it.
pub(super) async fn clone_lun(
    client: &Client,
    svm: &str,
    name: &str,
    source: &str,
    comment: &str,
) -> Result<Ended, Fault> {
    let body = json!({
        "svm": {"name": svm},
        "name": name,
        "clone": {"source": {"name": source}},
        "space": {"guarantee": {"requested": false}},
        "comment": comment,
    });
    client
        .change(Method::POST, "/storage/luns", &[], Some(&body))
        .await
}

/// Sets the comment of a LUN.
pub(super) async fn comment_lun(client: &Client, uuid: &str, text: &str) -> Result<Ended, Fault> {
    let body = json!({"comment": text});
    client
        .change(Method::PATCH, &lun_path(uuid)?, &[], Some(&body))
        .await
}

/// Deletes a LUN; refused while it is mapped.
pub(super) async fn delete_lun(client: &Client, uuid: &str) -> Result<Ended, Fault> {
    client
        .change(Method::DELETE, &lun_path(uuid)?, &[], None)
        .await
}

/// Clones a volume as it was at a snapshot. It is mounted nowhere.
pub(super) async fn clone_volume(
    client: &Client,
    svm: &str,
    name: &str,
    (parent, snapshot): (&str, &str),
    comment: &str,
) -> Result<Ended, Fault> {
    let body = json!({
        "svm": {"name": svm},
        "name": name,
        "clone": {
            "is_flexclone": true,
            "parent_volume": {"name": parent},
            "parent_snapshot": {"name": snapshot},
        },
        "guarantee": {"type": "none"},
        "comment": comment,
    });
    client
        .change(Method::POST, "/storage/volumes", &[], Some(&body))
        .await
}

/// Changes a volume.
pub(super) async fn change_volume(
    client: &Client,
    uuid: &str,
    change: &Value,
) -> Result<Ended, Fault> {
    let path = volume_path(uuid)?;
    client.change(Method::PATCH, &path, &[], Some(change)).await
}

/// Deletes a volume for good: without `force` it stays in the recovery queue for half a day, and keeps
/// the snapshot busy meanwhile.
pub(super) async fn delete_volume(client: &Client, uuid: &str) -> Result<Ended, Fault> {
    let path = volume_path(uuid)?;
    client
        .change(Method::DELETE, &path, &[("force", "true")], None)
        .await
}

/// How many volumes of an SVM (`*`: of all) there are to be seen.
pub(super) async fn count_volumes(client: &Client, svm: &str) -> Result<usize, Fault> {
    let query = [("svm.name", svm), ("fields", "name")];
    let volumes: Vec<Named> = client.list("/storage/volumes", &query).await?;
    Ok(volumes.len())
}

/// Looks into a volume of an SVM (`*`: of any): the name of that volume. `None`: there is none that is online.
pub(super) async fn see_files(client: &Client, svm: &str) -> Result<Option<String>, Fault> {
    let query = [("svm.name", svm), ("fields", "name,uuid,state")];
    let volumes: Vec<Volume> = client.list("/storage/volumes", &query).await?;
    let is_online = |volume: &Volume| volume.state.as_deref() == Some("online");
    let Some(volume) = volumes.into_iter().find(is_online) else {
        return Ok(None);
    };
    let path = format!("{}/files", volume_path(&volume.uuid)?);
    let query = [("fields", "name"), ("name", "flr_*")];
    let _: Vec<Value> = client.list(&path, &query).await?;
    Ok(Some(volume.name))
}

/// How many LUNs of an SVM (`*`: of all) there are to be seen.
pub(super) async fn count_luns(client: &Client, svm: &str) -> Result<usize, Fault> {
    let query = [("svm.name", svm), ("fields", "name")];
    let luns: Vec<Named> = client.list("/storage/luns", &query).await?;
    Ok(luns.len())
}

/// A job that has not ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenJob {
    pub(super) description: Option<String>,
}

/// Jobs that have not ended.
pub(super) async fn open_jobs(client: &Client) -> Result<Vec<OpenJob>, Fault> {
    let query = [
        ("state", "queued|running|paused"),
        ("fields", "description,state"),
    ];
    client.list("/cluster/jobs", &query).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        // `create_time` and `expiry_time` of the example of a snapshot in the reference.
        for text in [
            "2019-02-04T19:00:00Z",
            "2019-02-04T19:00:00+00:00",
            "2019-02-04T19:00:00.000+0000",
            "2019-02-04T14:00:00-0500",
            "2019-02-04T14:00:00-05:00",
        ] {
            assert_eq!(time_of(text), Some(UnixTime(1_549_306_800)), "{text}");
        }
        for text in ["", "soon", "2019-02-04", "+0000", "é+0000"] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_collection_has_no_id() {
        let uuid = "c903a978-9bac-4ce9-8237-4a3ba8b13f08";
        assert_eq!(lun_path(uuid).unwrap(), format!("/storage/luns/{uuid}"));
        for bad in ["", ".", "..", "*", "a/b", "?name=*", "c903a978 9bac"] {
            assert_eq!(lun_path(bad).unwrap_err().kind, FaultKind::Refused);
            assert_eq!(volume_path(bad).unwrap_err().kind, FaultKind::Refused);
        }
    }

    #[test]
    fn objects_are_read_as_the_reference_shows_them() {
        let lun: Lun = serde_json::from_str(
            r#"{"uuid":"c903a978-9bac-4ce9-8237-4a3ba8b13f08",
                "svm":{"uuid":"f437533c-52b5-11e9-b5ee-005056bb5ce7","name":"svm1"},
                "name":"/vol/vol1/lun2","status":{"state":"online","read_only":false},
                "space":{"size":322163441664,"used":0},"enabled":true}"#,
        )
        .unwrap();
        assert_eq!(
            (lun.space.size, lun.svm.name.as_str()),
            (322_163_441_664, "svm1")
        );
        let cluster: Cluster = serde_json::from_str(
            r#"{"name":"C1_sti79-vsim-ucs540m_1611858445","uuid":"1cd8a442-86d1-11e0-ae1c-123478563412",
                "version":{"full":"NetApp Release 9.12.1","generation":9,"major":12,"minor":1},
                "san_optimized":false,"peering_policy":{"minimum_passphrase_length":8}}"#,
        )
        .unwrap();
        assert_eq!(cluster.release(), "9.12.1");
        assert!(!cluster.is_asa_r2());
        let snapshot: Snapshot = serde_json::from_str(
            r#"{"name":"hourly.0","uuid":"1cd8a442-86d1-11e0-ae1c-123478563412",
                "create_time":"2019-02-04T19:00:00Z","owners":["volume_clone"],
                "snapmirror_label":"hourly"}"#,
        )
        .unwrap();
        assert_eq!(snapshot.create_time, Some(UnixTime(1_549_306_800)));
        assert_eq!(snapshot.expiry_time, None);
    }
}
