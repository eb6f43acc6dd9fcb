//! Snapshots of several disks that were taken at one moment.

use super::Query;
use super::pages::{self, Page};
use crate::ecs::client::Client;
use crate::ecs::fields::{Named, items, tags, text, word};
use crate::fault::Fault;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SnapshotGroup {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub snapshot_group_id: String,
    /// Of which instance.
    #[serde(default, deserialize_with = "text")]
    pub instance_id: Option<String>,
    /// `progressing`, `accomplished`, `failed`.
    #[serde(default, deserialize_with = "text")]
    pub status: Option<String>,
    /// Its snapshots.
    #[serde(deserialize_with = "items")]
    pub snapshots: Vec<Member>,
    /// Tags of the group, which are not those of its snapshots.
    #[serde(default, deserialize_with = "tags")]
    pub tags: BTreeMap<String, String>,
}

/// A snapshot of a group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Member {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub snapshot_id: String,
}

impl Named for Member {
    const NAME: &'static str = "Snapshot";
}

impl Named for SnapshotGroup {
    const NAME: &'static str = "SnapshotGroup";
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    snapshot_groups: Vec<SnapshotGroup>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = SnapshotGroup;
    const ACTION: &'static str = "DescribeSnapshotGroups";
    const ITEMS: &'static str = "100";

    fn split(self) -> (Vec<SnapshotGroup>, Option<String>) {
        (self.snapshot_groups, self.next_token)
    }
}

/// Groups in the client's region.
///
/// # Errors
/// As [`Client::call`].
pub async fn describe_snapshot_groups(
    client: &Client,
    query: &Query,
) -> Result<Vec<SnapshotGroup>, Fault> {
    pages::all::<Answer>(client, query).await
}
