//! Instances.

use super::Query;
use super::pages::{self, Page};
use crate::ecs::client::Client;
use crate::ecs::fields::{Named, items, tags, text, word};
use crate::fault::Fault;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// Its id.
    #[serde(deserialize_with = "word")]
    pub instance_id: String,
    /// What its owner calls it.
    #[serde(default, deserialize_with = "text")]
    pub instance_name: Option<String>,
    /// `Running`, `Stopped`, …
    #[serde(default, deserialize_with = "text")]
    pub status: Option<String>,
    /// `linux` or `windows`.
    #[serde(default, rename = "OSType", deserialize_with = "text")]
    pub os_type: Option<String>,
    /// Its zone.
    #[serde(default, deserialize_with = "text")]
    pub zone_id: Option<String>,
    /// Tags.
    #[serde(default, deserialize_with = "tags")]
    pub tags: BTreeMap<String, String>,
}

impl Named for Instance {
    const NAME: &'static str = "Instance";
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(deserialize_with = "items")]
    instances: Vec<Instance>,
    #[serde(default, deserialize_with = "text")]
    next_token: Option<String>,
}

impl Page for Answer {
    type Item = Instance;
    const ACTION: &'static str = "DescribeInstances";
    const ITEMS: &'static str = "100";

    fn split(self) -> (Vec<Instance>, Option<String>) {
        (self.instances, self.next_token)
    }
}

/// Instances in the client's region.
///
/// # Errors
/// As [`Client::call`].
pub async fn describe_instances(client: &Client, query: &Query) -> Result<Vec<Instance>, Fault> {
    pages::all::<Answer>(client, query).await
}
