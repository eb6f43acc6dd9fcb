//! Snapshots of disks.

use super::Query;
use super::pages::{self, Page, Pages};
use crate::ecs::client::Client;
use crate::ecs::fields::{Named, flag, items, number, number_or_none, tags, text, time, word};
use crate::engine::UnixTime;
use crate::fault::Fault;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Snapshot {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub snapshot_id: String,
    /// What its maker calls it.
    #[serde(default, deserialize_with = "text")]
    pub snapshot_name: Option<String>,
    /// `progressing`, `accomplished`, `failed`.
    #[serde(deserialize_with = "word")]
    pub status: String,
    /// Whether disks can be made of it, which may be before it is accomplished.
    #[serde(default, deserialize_with = "flag")]
    pub available: bool,
    /// `42%`.
    #[serde(default, deserialize_with = "text")]
    pub progress: Option<String>,
    /// What it was taken of.
    #[serde(default, deserialize_with = "text")]
    pub source_disk_id: Option<String>,
    /// Size of the disk in GiB.
    #[serde(deserialize_with = "number")]
    pub source_disk_size: u64,
    /// `system` or `data`.
    #[serde(default, deserialize_with = "text")]
    pub source_disk_type: Option<String>,
    /// When it was taken: what was written before is in it.
    #[serde(deserialize_with = "time")]
    pub creation_time: UnixTime,
    /// Days until it is deleted; none, or very many, if it stays.
    #[serde(default, deserialize_with = "number_or_none")]
    pub retention_days: Option<u64>,
    /// Whether it is encrypted.
    #[serde(default, deserialize_with = "flag")]
    pub encrypted: bool,
    /// `Standard`, `Flash`, `Archive`.
    #[serde(default, deserialize_with = "text")]
    pub category: Option<String>,
    /// `user`, `auto`, or a service's word.
    #[serde(default, deserialize_with = "text")]
    pub snapshot_type: Option<String>,
    /// What it is a copy of.
    #[serde(default, deserialize_with = "text")]
    pub source_snapshot_id: Option<String>,
    /// Where that is.
    #[serde(default, deserialize_with = "text")]
    pub source_region_id: Option<String>,
    /// In the user's or a service's words.
    #[serde(default, deserialize_with = "text")]
    pub description: Option<String>,
    /// Tags.
    #[serde(default, deserialize_with = "tags")]
    pub tags: BTreeMap<String, String>,
    /// The set that it was taken in. No field of the answer: [`super::describe_snapshot_groups`] knows.
    #[serde(skip)]
    pub group: Option<String>,
}

impl Named for Snapshot {
    const NAME: &'static str = "Snapshot";
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::ecs) struct Answer {
    #[serde(deserialize_with = "items")]
    snapshots: Vec<Snapshot>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = Snapshot;
    const ACTION: &'static str = "DescribeSnapshots";
    const ITEMS: &'static str = "100";

    fn split(self) -> (Vec<Snapshot>, Option<String>) {
        (self.snapshots, self.next_token)
    }
}

/// Snapshots in the client's region, page by page: there may be very many. Nothing is asked yet.
pub(in crate::ecs) const fn snapshot_pages(client: &Client, query: Query) -> Pages<'_, Answer> {
    Pages::new(client, query)
}

/// Snapshots in the client's region, all at once.
///
/// # Errors
/// As [`Client::call`].
pub async fn describe_snapshots(client: &Client, query: &Query) -> Result<Vec<Snapshot>, Fault> {
    pages::all::<Answer>(client, query).await
}
