//! What EC2 is asked, and its answers as types. One group of calls a file.
//!
//! | module | calls |
//! |---|---|
//! | [`snapshots`] | DescribeSnapshots |
//! | [`volumes`] | DescribeVolumes, CreateVolume, AttachVolume, DetachVolume, DeleteVolume |
//! | [`instances`] | DescribeInstances, ModifyInstanceAttribute |
//! | [`images`] | DescribeImages |
//! | [`regions`] | DescribeRegions |
//! | [`tags`] | CreateTags |
//! | `fields`, `pages` | how fields and lists are written |
//!
//! Each function makes one call, or one for each page of a list, and repeats nothing. What may be missing
//! is an `Option`; an answer that lacks what a decision needs is a fault, never a guess. So is one without
//! its list: no list is not an empty list.

mod fields;
pub mod images;
pub mod instances;
mod pages;
pub mod regions;
pub mod snapshots;
pub mod tags;
pub mod volumes;

pub use images::{Image, describe_images};
pub use instances::{BlockDevice, Instance, delete_on_termination, describe_instances};
pub use regions::describe_regions;
pub use snapshots::{Snapshot, describe_snapshots};
pub use tags::create_tags;
pub use volumes::{
    CreateVolume, Volume, VolumeAttachment, attach_volume, create_volume, delete_volume,
    describe_volumes, detach_volume,
};

use super::client::Params;
use serde::Deserialize;

/// Which objects are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Exactly these; the call fails if one of them is not there.
    pub ids: Vec<String>,
    /// Those that pass every filter: a name, and the values of which one must match.
    pub filters: Vec<(String, Vec<String>)>,
}

impl Query {
    /// These objects.
    #[must_use]
    pub fn ids<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Self {
            ids: ids.into_iter().map(Into::into).collect(),
            filters: Vec::new(),
        }
    }

    /// What passes one filter.
    #[must_use]
    pub fn filter(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::default().and(name, value)
    }

    /// What passes one more.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filters.push((name.into(), vec![value.into()]));
        self
    }

    /// As parameters; `id` is what the ids are called: `SnapshotId`.
    fn params(&self, id: &str) -> Params {
        let mut params = list(id, &self.ids);
        for (number, (name, values)) in (1_u32..).zip(&self.filters) {
            params.push((format!("Filter.{number}.Name"), name.clone()));
            params.extend(list(&format!("Filter.{number}.Value"), values));
        }
        params
    }
}

/// A list of values as parameters: `Name.1`, `Name.2`.
fn list(name: &str, values: &[String]) -> Params {
    let numbered = (1_u32..).zip(values);
    numbered
        .map(|(number, value)| (format!("{name}.{number}"), value.clone()))
        .collect()
}

/// Tags as parameters below `prefix`.
fn tag_params(prefix: &str, tags: &[(String, String)]) -> Params {
    let numbered = (1_u32..).zip(tags);
    let pair = |(number, (key, value)): (u32, &(String, String))| {
        [
            (format!("{prefix}Tag.{number}.Key"), key.clone()),
            (format!("{prefix}Tag.{number}.Value"), value.clone()),
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
    fn queries_are_numbered_from_one() {
        let query = Query::ids(["snap-1", "snap-2"]).and("tag:Name", "web");
        let expected = [
            ("SnapshotId.1", "snap-1"),
            ("SnapshotId.2", "snap-2"),
            ("Filter.1.Name", "tag:Name"),
            ("Filter.1.Value.1", "web"),
        ];
        let expected = expected.map(|(name, value)| pair(name, value));
        assert_eq!(query.params("SnapshotId"), expected);
        let tags = [("a".to_owned(), "b c".to_owned())];
        let expected = [pair("X.Tag.1.Key", "a"), pair("X.Tag.1.Value", "b c")];
        assert_eq!(tag_params("X.", &tags), expected);
    }
}
