//! Golden trees, partition lists and expectations: `fixtures/README.md` describes the fields.

use crate::image::fixtures;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The truth about one tree.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Who said so.
    pub oracle: String,
    /// Addresses of the filesystems; several in a guest's tree.
    pub fs: Vec<String>,
    /// The nodes by path.
    pub nodes: BTreeMap<Vec<u8>, Node>,
}

/// The first line of a golden tree.
#[derive(Clone, Debug, Deserialize)]
struct Head {
    oracle: String,
    fs: Vec<String>,
}

/// The truth about one node. Unknown fields are an error, so that none is left uncompared.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fixtures/README.md describes every field")]
pub struct Node {
    pub path: Option<String>,
    pub path_b64: Option<String>,
    pub r#type: String,
    pub mode: Option<String>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub nlink: Option<u32>,
    pub inode: Option<String>,
    pub mtime_ns: Option<i128>,
    pub atime_ns: Option<i128>,
    pub ctime_ns: Option<i128>,
    pub btime_ns: Option<i128>,
    pub mtime_raw: Option<(i64, u32)>,
    pub atime_raw: Option<(i64, u32)>,
    pub ctime_raw: Option<(i64, u32)>,
    pub btime_raw: Option<(i64, u32)>,
    pub blocks: Option<u64>,
    pub rdev: Option<String>,
    pub target: Option<String>,
    pub target_b64: Option<String>,
    pub xattrs: Option<BTreeMap<String, String>>,
    pub sha256: Option<String>,
    pub sha256_from: Option<String>,
    pub data_sha256: Option<String>,
    pub data: Option<Vec<(u64, u64)>>,
    pub flags: Option<String>,
    pub generation: Option<u64>,
    pub project: Option<u32>,
    pub error: Option<String>,
    pub volume: Option<String>,
    pub name_b64: Option<String>,
    pub ends_sha256: Option<String>,
    pub attrib: Option<String>,
    pub acl_sha256: Option<String>,
    pub reparse: Option<String>,
    pub ea: Option<String>,
    pub dos_name: Option<String>,
    pub object_id: Option<String>,
    pub streams: Option<BTreeMap<String, Stream>>,
    pub elsewhere: Option<bool>,
}

/// The truth about one named stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fixtures/README.md describes every field")]
pub struct Stream {
    pub size: u64,
    pub sha256: Option<String>,
    pub ends_sha256: Option<String>,
    pub error: Option<String>,
}

impl Node {
    /// The path's bytes.
    ///
    /// # Panics
    /// If the tree is not well formed.
    #[must_use]
    pub fn path(&self) -> Vec<u8> {
        either(self.path.as_deref(), self.path_b64.as_deref()).expect("a path")
    }

    /// The target of a link, if it is known.
    #[must_use]
    pub fn target(&self) -> Option<Vec<u8>> {
        either(self.target.as_deref(), self.target_b64.as_deref())
    }
}

fn either(text: Option<&str>, coded: Option<&str>) -> Option<Vec<u8>> {
    text.map_or_else(
        || coded.map(from_base64),
        |text| Some(text.as_bytes().to_vec()),
    )
}

/// Bytes written in base64.
///
/// # Panics
/// If they are not.
#[must_use]
pub fn from_base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

impl Golden {
    /// The tree `fixtures/trees/NAME.jsonl`; `NAME` may end in `.raw`, `.part-1` and the like.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn load(name: &str) -> Self {
        let path = tree_path(name, "jsonl");
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// A tree as `fixtures/oracle` prints it.
    ///
    /// # Panics
    /// If it is not well formed.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (head, rows) = text.split_once('\n').expect("a first line");
        let head: Head = serde_json::from_str(head).expect("the first line of a tree");
        let nodes = rows.lines().map(|line| {
            let node: Node =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            (node.path(), node)
        });
        Self {
            oracle: head.oracle,
            fs: head.fs,
            nodes: nodes.collect(),
        }
    }
}

/// Whether there is a tree of this name.
#[must_use]
pub fn exists(name: &str) -> bool {
    tree_path(name, "jsonl").exists()
}

fn tree_path(name: &str, extension: &str) -> PathBuf {
    fixtures().join("trees").join(format!("{name}.{extension}"))
}

/// What stands behind a damaged image: which parts must still be there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "fixtures/README.md describes every field")]
pub struct Expect {
    pub image: String,
    pub damage: String,
    pub r#where: serde_json::Value,
    pub must: BTreeMap<String, String>,
    pub damaged: Vec<String>,
    pub may_be_lost: Vec<String>,
    pub must_list: Vec<String>,
    pub renamed: Vec<Renamed>,
    pub targets: BTreeMap<String, String>,
    pub tree: Option<String>,
    pub backup_at: Option<u64>,
    pub cut_at: Option<u64>,
    pub block: Option<u64>,
    pub offset: Option<u64>,
}

/// An entry whose name no path can hold, or that has the name of another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fixtures/README.md describes every field")]
pub struct Renamed {
    pub name_b64: String,
    pub inode: String,
    pub sha256: String,
}

impl Expect {
    /// What is expected of the damaged image `name`.
    ///
    /// # Panics
    /// If nothing is.
    #[must_use]
    pub fn load(name: &str) -> Self {
        let path = tree_path(name, "expect.json");
        let text = std::fs::read_to_string(&path).expect("an expectation");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// One row of a partition list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fixtures/README.md describes every field")]
pub struct VolumeRow {
    pub address: String,
    pub kind: String,
    pub start: u64,
    pub size: u64,
    pub r#type: String,
    pub name: Option<String>,
    pub partuuid: Option<String>,
    pub filesystem: Option<String>,
    pub label: Option<String>,
    pub uuid: Option<String>,
    pub bootable: Option<bool>,
    pub attrs: Option<String>,
}

/// The partitions of an image, and the format of its table: `gpt` or `dos`.
///
/// # Panics
/// If there is no such list.
#[must_use]
pub fn volumes(name: &str) -> (String, Vec<VolumeRow>) {
    let path = tree_path(&format!("{name}.volumes"), "jsonl");
    let text = std::fs::read_to_string(&path).expect("a list of partitions");
    let (head, rows) = text.split_once('\n').expect("a first line");
    let head: serde_json::Value = serde_json::from_str(head).expect("a first line");
    let table = head["table"].as_str().expect("a table").to_owned();
    let rows = rows
        .lines()
        .map(|line| serde_json::from_str(line).expect(line));
    (table, rows.collect())
}
