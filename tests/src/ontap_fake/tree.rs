//! Where a path of the files interface leads: to files as they are, or below `.snapshot`.

use super::config::BelowSnapshot;
use super::error::{EACCES, ENOENT};
use super::files::{FileKind, FileNode, Files, base, name_inside};
use super::model::{Lun, Snapshot, SnapshotLun, Tables, Volume};
use super::state::State;
use crate::stand_in::ServiceError;
use crate::stand_in::error::{Result, error};
use std::collections::BTreeMap;

/// The directory of snapshots.
pub(crate) const SNAPSHOT: &str = ".snapshot";

/// A part of a volume, and a path in it.
#[derive(Debug)]
pub(crate) enum Place<'t> {
    /// Files as they are now.
    Now(&'t str),
    /// The directory of snapshots.
    Snapshots,
    /// A snapshot.
    Snapshot(&'t Snapshot, &'t str),
}

/// Something at a path.
#[derive(Clone, Debug)]
pub(crate) enum Thing {
    /// A file of the volume.
    Node(FileNode),
    /// A LUN, and its length in bytes.
    Lun(u64),
    /// The root of the volume, or of a snapshot.
    Root,
    /// A snapshot's directory.
    Snapshot,
    /// The directory of snapshots.
    Snapshots,
}

/// No such file.
pub(crate) fn no_such_file() -> ServiceError {
    error(404, ENOENT, "No such file or directory").because("path")
}

fn luns_now<'t>(tables: &'t Tables, volume: &Volume) -> BTreeMap<&'t str, u64> {
    let luns = tables.luns.values().filter(|lun| lun.volume == volume.uuid);
    luns.map(|lun: &Lun| (lun.path.as_str(), lun.content.len()))
        .collect()
}

impl<'t> Place<'t> {
    /// Where a path leads.
    pub(crate) fn find(state: &State, volume: &'t Volume, path: &'t str) -> Result<Self> {
        let Some(inside) = name_inside(path, SNAPSHOT) else {
            return match path {
                SNAPSHOT => below(state).map(|()| Self::Snapshots),
                _ => Ok(Self::Now(path)),
            };
        };
        below(state)?;
        let (name, path) = inside.split_once('/').unwrap_or((inside, ""));
        let snapshot = volume.snapshot(name).ok_or_else(no_such_file)?;
        Ok(Self::Snapshot(snapshot, path))
    }

    fn parts(&self, tables: &'t Tables, volume: &'t Volume) -> (&'t Files, BTreeMap<&'t str, u64>) {
        match self {
            Self::Snapshot(snapshot, _) => {
                let luns = snapshot.luns.iter();
                let len = |lun: &SnapshotLun| lun.content.len();
                let luns = luns.map(|(path, lun)| (path.as_str(), len(lun)));
                (&snapshot.files, luns.collect())
            }
            Self::Now(_) | Self::Snapshots => (&volume.files, luns_now(tables, volume)),
        }
    }

    /// What is there.
    pub(crate) fn thing(&self, tables: &'t Tables, volume: &'t Volume) -> Result<Thing> {
        let (files, luns) = self.parts(tables, volume);
        let path = match self {
            Self::Snapshots => return Ok(Thing::Snapshots),
            Self::Snapshot(_, "") => return Ok(Thing::Snapshot),
            Self::Now("") => return Ok(Thing::Root),
            Self::Snapshot(_, path) | Self::Now(path) => path,
        };
        if let Some(len) = luns.get(path) {
            return Ok(Thing::Lun(*len));
        }
        let node = files.get(path).cloned();
        node.map(Thing::Node).ok_or_else(no_such_file)
    }

    /// What is in a directory; none if it is none.
    pub(crate) fn list(
        &self,
        tables: &'t Tables,
        volume: &'t Volume,
    ) -> Option<Vec<(String, Thing)>> {
        let path = match self {
            Self::Snapshots => {
                let snapshots = volume.snapshots.iter();
                let snapshots = snapshots.map(|one| (one.name.clone(), Thing::Snapshot));
                return Some(snapshots.collect());
            }
            Self::Snapshot(_, path) | Self::Now(path) => path,
        };
        let (files, luns) = self.parts(tables, volume);
        if !files.is_directory(path) {
            return None;
        }
        let nodes = files.list(path).into_iter();
        let mut all: Vec<_> = nodes
            .map(|(name, node)| (name.to_owned(), Thing::Node(node.clone())))
            .collect();
        for (lun, len) in luns {
            let name = base(lun);
            if name_inside(lun, path) == Some(name) {
                all.push((name.to_owned(), Thing::Lun(len)));
            }
        }
        if matches!(self, Self::Now("")) && volume.snapshot_directory {
            all.push((SNAPSHOT.to_owned(), Thing::Snapshots));
        }
        Some(all)
    }
}

/// Whether there is anything below `.snapshot`.
fn below(state: &State) -> Result<()> {
    match state.settings.below_snapshot {
        BelowSnapshot::Allowed | BelowSnapshot::DataRefused => Ok(()),
        BelowSnapshot::Refused => Err(error(403, EACCES, "Permission denied").because("path")),
        BelowSnapshot::NotThere => Err(no_such_file()),
    }
}

impl Thing {
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Node(node) => node.word(),
            Self::Lun(_) => "lun",
            Self::Root | Self::Snapshot | Self::Snapshots => "directory",
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.word() == "directory"
    }

    pub(crate) const fn node(&self) -> Option<&FileNode> {
        match self {
            Self::Node(node) => Some(node),
            _ => None,
        }
    }

    pub(crate) const fn len(&self) -> u64 {
        match self {
            Self::Node(node) => node.len(),
            Self::Lun(len) => *len,
            Self::Root | Self::Snapshot | Self::Snapshots => 4096,
        }
    }

    pub(crate) fn target(&self) -> Option<&str> {
        match self.node().map(|node| &node.kind) {
            Some(FileKind::Symlink(target)) => Some(target),
            _ => None,
        }
    }
}
