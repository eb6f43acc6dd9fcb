//! The volume view: the disks' volumes as a tree of folders, with their filesystems joined in.
//!
//! `part/2` is a folder if a filesystem lies in the partition, a file with the raw bytes if nothing
//! is known of them. `raw` is the whole disk, `fs/UUID` a filesystem that lies in no partition of its
//! own or shares its volume with something else.

use crate::error::Result;
use crate::folders::Folders;
use crate::view::{View, ViewNode};
use flr_fs::{
    ByteSource, CaseRule, Error, Filesystem, FsInfo, Opened, RawName, Tree, VolumeId, VolumeNode,
};
use std::sync::Arc;

/// A filesystem of a tree, and how it is addressed.
#[derive(Clone, Debug)]
pub struct Place {
    /// What stands behind `::`.
    pub address: String,
    /// The volume it lies in.
    pub volume: VolumeId,
    /// The filesystem.
    pub filesystem: Arc<dyn Filesystem>,
}

/// Every filesystem of `tree` with its address. No two addresses are alike.
///
/// A filesystem that has a partition to itself is addressed by the partition; others by UUID, by label
/// if they have no UUID, or by a number if they have neither.
#[must_use]
pub fn places(tree: &Tree) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for node in tree.volumes() {
        let alone = node.contents.len() == 1 && node.parent.is_some();
        for filesystem in node.filesystems() {
            let wanted = if alone {
                node.address.clone()
            } else {
                own_address(filesystem.info())
            };
            let taken = |address: &str| places.iter().any(|place| place.address == address);
            let mut address = wanted.clone();
            let mut n = 2_u32;
            while taken(&address) {
                address = format!("{wanted}~{n}");
                n = n.saturating_add(1);
            }
            let filesystem = Arc::clone(filesystem);
            places.push(Place {
                address,
                volume: node.id,
                filesystem,
            });
        }
    }
    places
}

fn own_address(info: &FsInfo) -> String {
    let name = match (&info.uuid, info.label.as_slice()) {
        (Some(uuid), _) => uuid.clone(),
        (None, b"") => info.kind.to_owned(),
        (None, label) => String::from_utf8_lossy(&RawName::new(label).shown()).into_owned(),
    };
    format!("fs/{name}")
}

/// The place that `path`, which begins with a volume's address, lies in, and the path inside of it.
///
/// `fs/UUID`, `fs/LABEL` and `fs/UUID-in-capitals` name every filesystem, also one that has a
/// partition's address. A label that several have names none of them.
#[must_use]
pub fn place_of<'p>(places: &'p [Place], path: &[u8]) -> Option<(&'p Place, Vec<u8>)> {
    let mut parts = path.splitn(3, |byte| *byte == b'/');
    if parts.next() == Some(b"fs")
        && let Some(name) = parts.next()
    {
        let matches = |place: &&Place| {
            let info = place.filesystem.info();
            let by_uuid = info
                .uuid
                .as_ref()
                .is_some_and(|u| name.eq_ignore_ascii_case(u.as_bytes()));
            let by_label = !info.label.is_empty() && *name == *RawName::new(&info.label).shown();
            let by_address = place.address.as_bytes().strip_prefix(b"fs/") == Some(name);
            by_uuid || by_label || by_address
        };
        let mut found = places.iter().filter(matches);
        if let (Some(place), None) = (found.next(), found.next()) {
            return Some((place, rooted(parts.next().unwrap_or_default())));
        }
    }
    let inside = |place: &'p Place| {
        let rest = path.strip_prefix(place.address.as_bytes())?;
        (rest.is_empty() || rest.starts_with(b"/")).then(|| (place, rooted(rest)))
    };
    let found = places.iter().filter_map(inside);
    found.max_by_key(|(place, _)| place.address.len())
}

fn rooted(path: &[u8]) -> Vec<u8> {
    let mut rooted = vec![b'/'];
    rooted.extend_from_slice(path.strip_prefix(b"/").unwrap_or(path));
    rooted
}

/// The view that `X::` names.
///
/// # Errors
/// As [`View::join`].
pub fn view(tree: &Tree, places: &[Place]) -> Result<View> {
    let mut folders = Folders::new("volumes", CaseRule::Sensitive);
    let mut joins = Vec::new();
    let mut broken = Vec::new();
    for node in tree.volumes() {
        let here = places.iter().filter(|place| place.volume == node.id);
        for place in here {
            joins.push((
                folders.folder(&place.address),
                Arc::clone(&place.filesystem),
            ));
        }
        match content_of(node) {
            Shown::Nothing => {}
            Shown::Bytes(source) => folders.file(&node.address, source),
            Shown::Broken(error) => broken.push((folders.folder(&node.address), error)),
        }
    }
    let mut view = View::new(Arc::new(folders));
    for (node, filesystem) in joins {
        view.join(
            ViewNode {
                filesystem: 0,
                node,
            },
            filesystem,
        )?;
    }
    for (node, error) in broken {
        view.join_broken(
            ViewNode {
                filesystem: 0,
                node,
            },
            error,
        );
    }
    Ok(view)
}

/// What stands at a volume's own address.
enum Shown {
    /// Its filesystem or its volumes, which have their own places.
    Nothing,
    Bytes(Arc<dyn ByteSource>),
    Broken(Error),
}

fn content_of(node: &VolumeNode) -> Shown {
    let source = match &node.volume.source {
        Ok(source) => Arc::clone(source),
        Err(error) => return Shown::Broken(error.clone()),
    };
    if node.parent.is_none() {
        return Shown::Bytes(source);
    }
    if let Some(error) = node.failure() {
        return Shown::Broken(error.clone());
    }
    let inside = |opened: &Opened| matches!(opened, Opened::Filesystem(_) | Opened::Layer(_));
    match node.contents.iter().any(|content| inside(&content.opened)) {
        true => Shown::Nothing,
        false => Shown::Bytes(source),
    }
}
