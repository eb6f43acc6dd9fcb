//! What ECS is asked, and its answers as types. One group of calls a file.
//!
//! | module | calls |
//! |---|---|
//! | [`snapshots`] | DescribeSnapshots |
//! | [`groups`] | DescribeSnapshotGroups |
//! | [`disks`] | DescribeDisks, CreateDisk, AttachDisk, DetachDisk, DeleteDisk |
//! | [`instances`] | DescribeInstances |
//! | [`images`] | DescribeImages |
//! | [`regions`] | DescribeRegions |
//! | [`tags`] | TagResources |
//! | `pages` | lists that come in pages |
//!
//! A function makes one call, or one for each page of a list. What may be missing is an `Option`; an
//! answer that lacks what a decision needs is a fault, never a guess. There is no function that writes to
//! a snapshot, to an instance, or to a disk's content: no such call is ever made.

pub mod disks;
pub mod groups;
pub mod images;
pub mod instances;
mod pages;
pub mod regions;
pub mod snapshots;
pub mod tags;

pub use disks::{
    CreateDisk, Disk, attach_disk, create_disk, delete_disk, describe_disks, detach_disk,
};
pub use groups::{SnapshotGroup, describe_snapshot_groups};
pub use images::{Image, describe_image};
pub use instances::{Instance, describe_instances};
pub use regions::describe_regions;
pub use snapshots::{Snapshot, describe_snapshots};
pub use tags::tag_disk;

pub(in crate::ecs) use pages::Pages;
pub(in crate::ecs) use snapshots::{Answer as SnapshotPage, snapshot_pages};

use super::client::{Client, Params};
use serde::Deserialize;

/// Which objects are asked for, beside the region: names and values of parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    params: Params,
    /// Ask each page again while that may help.
    again: bool,
}

impl Query {
    /// Everything in the region.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// What has this value of a parameter.
    #[must_use]
    pub fn by(name: &str, value: impl Into<String>) -> Self {
        Self::all().and(name, value)
    }

    /// These, as a list in JSON: `DiskIds=["d-1","d-2"]`.
    #[must_use]
    pub fn ids<T: AsRef<str>>(name: &str, ids: &[T]) -> Self {
        let ids: Vec<_> = ids.iter().map(AsRef::as_ref).collect();
        Self::by(name, serde_json::Value::from(ids).to_string())
    }

    /// What has a tag, of this value if one is given.
    #[must_use]
    pub fn tagged(key: &str, value: Option<&str>) -> Self {
        let query = Self::by("Tag.1.Key", key);
        match value {
            Some(value) => query.and("Tag.1.Value", value),
            None => query,
        }
    }

    /// What has another value besides.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl Into<String>) -> Self {
        self.params.push(pair(name, value));
        self
    }

    /// The same, each of its pages asked for again after faults that may pass.
    #[must_use]
    pub fn patiently(mut self) -> Self {
        self.again = true;
        self
    }
}

/// Parameters that every call of a region has.
fn in_region(client: &Client) -> Params {
    vec![pair("RegionId", client.region())]
}

/// Tags as parameters: `Tag.1.Key`, `Tag.1.Value`.
fn tag_params(tags: &[(String, String)]) -> Params {
    let numbered = (1_u32..).zip(tags);
    let pair = |(number, (key, value)): (u32, &(String, String))| {
        [
            (format!("Tag.{number}.Key"), key.clone()),
            (format!("Tag.{number}.Value"), value.clone()),
        ]
    };
    numbered.flat_map(pair).collect()
}

/// An answer of which nothing is needed: it says that it was done by being no error.
#[derive(Debug, Deserialize)]
struct Done {}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_ecs_wants_them() {
        let query = Query::ids("DiskIds", &["d-1", "d-\"2"]).and("Status", "All");
        let expected = [pair("DiskIds", r#"["d-1","d-\"2"]"#), pair("Status", "All")];
        assert_eq!(query.params, expected);
        let query = Query::tagged("flr:op", Some("0001"));
        let expected = [pair("Tag.1.Key", "flr:op"), pair("Tag.1.Value", "0001")];
        assert_eq!(query.params, expected);
        assert_eq!(tag_params(&[pair("flr:op", "0001")]), expected);
    }
}
