//! What nodes are called, and where they are. The number of a node comes of its path, so that it is the
//! same whenever the snapshot is opened.

use super::codes::unknown_type;
use super::wire::Record;
use flr_fs::{Fault, FileKind, Metadata, NodeFlags, NodeId, Request, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nodes that are remembered; about 150 bytes each.
const NODES_MAX: usize = 4 << 20;
/// The largest number: a mount has no room for more bits in its own ones.
const NUMBER_MAX: u64 = (1 << 62) - 1;
/// Directories above each other.
const DEPTH_MAX: usize = 4096;

/// The root.
pub(super) const ROOT: NodeId = NodeId(0);

/// What is known of a node.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) metadata: Metadata,
    pub(super) is_lun: bool,
    /// Whether its size was told. One that was not is no file of none.
    pub(super) is_sized: bool,
}

impl Known {
    /// What a record says of something called `name`. `None`: it is a stream, which has no place in a tree.
    ///
    /// # Errors
    /// It is of a type that is not known.
    pub(super) fn of_name(record: &Record, name: &str) -> Result<Option<Self>, Fault> {
        match Self::of(record) {
            None if !record.is_stream() => Err(unknown_type(name, &record.kind)),
            known => Ok(known),
        }
    }

    /// What a record says, if it is of a type that is known.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let metadata = record.metadata()?;
        Some(Self {
            is_lun: record.is_lun(),
            is_sized: metadata.kind != FileKind::File || record.size().is_some(),
            metadata,
        })
    }

    /// A directory of which nothing else is known. Its mode is the least that lets its owner in.
    pub(super) fn directory() -> Self {
        let metadata = Metadata {
            kind: FileKind::Directory,
            mode: 0o700,
            uid: Metadata::NO_OWNER,
            gid: Metadata::NO_OWNER,
            size: 0,
            nlink: 1,
            inode: 0,
            blocks: 0,
            rdev: None,
            atime: Timestamp::default(),
            mtime: Timestamp::default(),
            ctime: Timestamp::default(),
            btime: None,
            flags: NodeFlags::default(),
            generation: 0,
            project: None,
        };
        Self {
            metadata,
            is_lun: false,
            is_sized: true,
        }
    }
}

/// A node that was seen.
#[derive(Clone, Debug)]
struct Node {
    parent: NodeId,
    name: Box<str>,
    known: Known,
}

/// All nodes that were seen.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    map: Mutex<HashMap<u64, Node>>,
}

impl Nodes {
    fn map(&self) -> MutexGuard<'_, HashMap<u64, Node>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a name in a directory; what is known of it is remembered.
    pub(super) fn add(&self, parent: NodeId, name: &str, new: &Known) -> flr_fs::Result<NodeId> {
        let id = id_of(parent, name);
        let mut map = self.map();
        let known = map.get(&id.0);
        if known.is_some_and(|node| node.parent != parent || &*node.name != name)
            || (known.is_none() && map.len() >= NODES_MAX)
            || id == ROOT
        {
            // Two names of one number, or too many: neither happens to those who mean well.
            return Err(super::codes::refused("there are too many files in it"));
        }
        let node = Node {
            parent,
            name: name.into(),
            known: new.clone(),
        };
        map.insert(id.0, node);
        Ok(id)
    }

    /// What is known of a node.
    pub(super) fn get(&self, id: NodeId) -> flr_fs::Result<Known> {
        let map = self.map();
        let node = map.get(&id.0).ok_or(Request::NoSuchNode)?;
        Ok(node.known.clone())
    }

    /// What more is known of it.
    pub(super) fn put(&self, id: NodeId, known: &Known) -> flr_fs::Result<()> {
        let mut map = self.map();
        let node = map.get_mut(&id.0).ok_or(Request::NoSuchNode)?;
        node.known = known.clone();
        Ok(())
    }

    /// What is known of a name in a directory, if it was seen.
    pub(super) fn find(&self, parent: NodeId, name: &str) -> Option<(NodeId, Known)> {
        let id = id_of(parent, name);
        let map = self.map();
        let node = map.get(&id.0)?;
        let is_it = node.parent == parent && &*node.name == name;
        is_it.then(|| (id, node.known.clone()))
    }

    /// The path of a node inside of the snapshot; that of the root is empty.
    pub(super) fn path(&self, id: NodeId) -> flr_fs::Result<String> {
        let map = self.map();
        let mut names = Vec::new();
        let mut at = id;
        while at != ROOT {
            let node = map.get(&at.0).ok_or(Request::NoSuchNode)?;
            names.push(&*node.name);
            at = node.parent;
            if names.len() > DEPTH_MAX {
                return Err(Request::NoSuchNode.into());
            }
        }
        names.reverse();
        Ok(names.join("/"))
    }
}

fn id_of(parent: NodeId, name: &str) -> NodeId {
    let digest = Sha256::digest([&parent.0.to_le_bytes()[..], name.as_bytes()].concat());
    let bytes = digest.first_chunk::<8>().copied().unwrap_or_default();
    NodeId(u64::from_le_bytes(bytes) & NUMBER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_paths_and_lasting_numbers() {
        let nodes = Nodes::default();
        let add = |parent, name: &str| nodes.add(parent, name, &Known::directory()).unwrap();
        let dir = add(ROOT, "a");
        let file = add(dir, "b.c");
        assert_eq!(nodes.path(file).unwrap(), "a/b.c");
        assert_eq!(nodes.path(ROOT).unwrap(), "");
        assert_eq!(add(ROOT, "a"), dir);
        assert_ne!(add(ROOT, "ab.c"), file);
        assert_eq!(
            Nodes::default()
                .add(ROOT, "a", &Known::directory())
                .unwrap(),
            dir
        );
        assert_eq!(nodes.find(ROOT, "a").unwrap().0, dir);
        assert!(nodes.find(ROOT, "b.c").is_none());
        assert!(nodes.path(NodeId(7)).is_err());
        assert!(nodes.get(ROOT).is_err());
        let numbers = (0..64).map(|number| add(ROOT, &number.to_string()).0);
        assert!(numbers.max().is_some_and(|number| number <= NUMBER_MAX));
    }
}
