//! What nodes are called, and where they are. The number of a node comes of its path, so that it is the
//! same whenever the snapshot is opened.

use flr_fs::{Metadata, NodeId, Request};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nodes that are remembered; about 150 bytes each.
const NODES_MAX: usize = 4 << 20;
/// Directories above each other.
const DEPTH_MAX: usize = 4096;

/// The root.
pub(super) const ROOT: NodeId = NodeId(0);

/// A node that was seen.
#[derive(Clone, Debug)]
struct Node {
    parent: NodeId,
    name: Box<str>,
    metadata: Metadata,
    is_lun: bool,
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
    pub(super) fn add(
        &self,
        parent: NodeId,
        name: &str,
        metadata: &Metadata,
        is_lun: bool,
    ) -> flr_fs::Result<NodeId> {
        let id = id_of(parent, name);
        let mut map = self.map();
        let known = map.get(&id.0);
        if known.is_some_and(|node| node.parent != parent || &*node.name != name)
            || (known.is_none() && map.len() >= NODES_MAX)
            || id == ROOT
        {
            // Two names of one number, or too many: neither happens to those who mean well.
            return Err(super::tree::refused("there are too many files in it"));
        }
        let node = Node {
            parent,
            name: name.into(),
            metadata: metadata.clone(),
            is_lun,
        };
        map.insert(id.0, node);
        Ok(id)
    }

    /// What is known of a node.
    pub(super) fn get(&self, id: NodeId) -> flr_fs::Result<(Metadata, bool)> {
        let map = self.map();
        let node = map.get(&id.0).ok_or(Request::NoSuchNode)?;
        Ok((node.metadata.clone(), node.is_lun))
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
    NodeId(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_fs::{FileKind, NodeFlags, Timestamp};

    fn metadata() -> Metadata {
        Metadata {
            kind: FileKind::Directory,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 0,
            nlink: 1,
            inode: 64,
            blocks: 0,
            rdev: None,
            atime: Timestamp::default(),
            mtime: Timestamp::default(),
            ctime: Timestamp::default(),
            btime: None,
            flags: NodeFlags::default(),
            generation: 0,
            project: None,
        }
    }

    #[test]
    fn nodes_have_paths_and_lasting_numbers() {
        let nodes = Nodes::default();
        let add = |parent, name| nodes.add(parent, name, &metadata(), false).unwrap();
        let dir = add(ROOT, "a");
        let file = add(dir, "b.c");
        assert_eq!(nodes.path(file).unwrap(), "a/b.c");
        assert_eq!(nodes.path(ROOT).unwrap(), "");
        assert_eq!(add(ROOT, "a"), dir);
        assert_ne!(add(ROOT, "ab.c"), file);
        assert_eq!(
            Nodes::default().add(ROOT, "a", &metadata(), false).unwrap(),
            dir
        );
        assert!(nodes.path(NodeId(7)).is_err());
        assert!(nodes.get(ROOT).is_err());
    }
}
