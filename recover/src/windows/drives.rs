//! The view of a Windows: a root that lists the drives, and behind each its filesystem.

use super::hive;
use super::letters::{Candidate, Drive, Letters, assign};
use super::mounted_devices::{self, Mapping};
use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::guest::{Guest, codes};
use crate::view::{View, ViewNode};
use crate::volumes::Place;
use flr_fs::{CaseRule, Filesystem, NodeId, Opened, RawName, Tree, VolumeNode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Types of partitions that get a letter when Windows sees them for the first time. Those of systems,
/// recovery and makers get none.
const TYPES_WITH_LETTER: &[&str] = &[
    "Microsoft basic data",
    "HPFS/NTFS/exFAT",
    "W95 FAT32",
    "W95 FAT32 (LBA)",
    "W95 FAT16 (LBA)",
    "FAT16",
    "FAT16 <32M",
    "FAT12",
];

/// The view of the Windows on `root`.
///
/// # Errors
/// As [`View::join`].
pub(crate) fn guest(tree: &Tree, places: &[Place], root: &Place) -> Result<Guest> {
    let nodes: Vec<_> = (tree.volumes().iter())
        .filter(|node| node.parent.is_some() || place_of(places, node).is_some())
        .collect();
    let system = nodes.iter().position(|node| node.id == root.volume);
    let candidates = nodes.iter().enumerate().map(|(index, node)| {
        let takes_letter = Some(index) == system || takes_letter(places, node);
        candidate(tree, node, takes_letter)
    });
    let candidates: Vec<_> = candidates.collect();
    let mut notes = Vec::new();
    let mapped = mapped(&root.filesystem, &mut notes);
    let system = system.unwrap_or_default();
    let mut letters = assign(&candidates, system, mapped.as_deref().ok());
    if let Err(reason) = mapped {
        notes.push(in_order(&reason, &letters, &candidates));
    }
    notes.append(&mut letters.notes);
    let view = view(tree, places, &nodes, &letters)?;
    Ok(Guest { view, notes })
}

/// What the registry says, or why it says nothing.
fn mapped(
    root: &Arc<dyn Filesystem>,
    notes: &mut Vec<String>,
) -> std::result::Result<Vec<Mapping>, String> {
    let what = r"\Windows\System32\config\SYSTEM";
    let read = hive(root, "SYSTEM").and_then(|system| {
        let mapped = mounted_devices::read(&system)?;
        Ok((system.is_dirty(), mapped))
    });
    let (is_dirty, mapped) = match read {
        Ok(read) => read,
        Err(Error::NotFound(_)) => return Err(format!("{what} is not there")),
        Err(error) => return Err(format!("{what} cannot be read ({error})")),
    };
    if is_dirty {
        notes.push(format!(
            "{what} has changes in its logs that are not read: drive letters may be older than the disk"
        ));
    }
    let (mapped, unread) = mapped.ok_or_else(|| format!("{what} has no MountedDevices"))?;
    if let Some(error) = unread.first() {
        let count = unread.len();
        notes.push(format!(
            "{count} of the MountedDevices in {what} cannot be read: {error}"
        ));
    }
    Ok(mapped)
}

/// The note for letters that are not those of the registry.
fn in_order(reason: &str, letters: &Letters, candidates: &[Candidate]) -> String {
    let drives = letters.drives.iter().filter_map(|(letter, drive)| {
        let Drive::Volume(index) = drive else {
            return None;
        };
        Some(format!("{letter}: {}", candidates.get(*index)?.address))
    });
    let drives: Vec<_> = drives.collect();
    format!(
        "{reason}: the volume with Windows is shown as C:, others in their order, which may not be their letters: {}",
        drives.join(", ")
    )
}

fn place_of<'p>(places: &'p [Place], node: &VolumeNode) -> Option<&'p Place> {
    places.iter().find(|place| place.volume == node.id)
}

fn candidate(tree: &Tree, node: &VolumeNode, takes_letter: bool) -> Candidate {
    let mut disk = node;
    while let Some(parent) = disk.parent.and_then(|parent| tree.volume(parent)) {
        disk = parent;
    }
    let disk = tree.volumes().iter().position(|other| other.id == disk.id);
    Candidate {
        address: node.address.clone(),
        partuuid: node.volume.uuid.clone(),
        start: node.volume.offset,
        disk: disk.unwrap_or_default(),
        takes_letter,
    }
}

/// Whether Windows gives a letter to a volume like this one when it sees it for the first time. One
/// that cannot be read counts: the letters of those behind it depend on it.
fn takes_letter(places: &[Place], node: &VolumeNode) -> bool {
    let type_name = node.volume.type_name.as_deref();
    if type_name.is_some_and(|name| !TYPES_WITH_LETTER.contains(&name)) {
        return false;
    }
    match place_of(places, node).map(|place| place.filesystem.as_ref()) {
        Some(filesystem) => filesystem.info().kind == "ntfs" && !is_boot_partition(filesystem),
        None => type_name.is_some() && node.failure().is_some(),
    }
}

/// Whether a filesystem is what starts the Windows on another one: "System Reserved".
fn is_boot_partition(filesystem: &dyn Filesystem) -> bool {
    let boot = filesystem.lookup(filesystem.root(), RawName::new(b"Boot"));
    // A name that cannot be looked up is no sign of anything.
    let Ok(Some(boot)) = boot else {
        return false;
    };
    let store = filesystem.lookup(boot.node, RawName::new(b"BCD"));
    store.is_ok_and(|store| store.is_some())
}

/// A root with a folder for each letter. What has none is found under `Volume{GUID}`, where links lead.
fn view(tree: &Tree, places: &[Place], nodes: &[&VolumeNode], letters: &Letters) -> Result<View> {
    let mut folders = Folders::new("drives", CaseRule::Insensitive);
    let mut shown: Vec<(NodeId, Shown)> = Vec::new();
    let mut by_volume: BTreeMap<usize, NodeId> = BTreeMap::new();
    for (letter, drive) in &letters.drives {
        let folder = folders.folder(&format!("{letter}:"));
        shown.push(match drive {
            Drive::Volume(index) => {
                by_volume.entry(*index).or_insert(folder);
                (folder, shown_of(places, nodes.get(*index)))
            }
            Drive::Absent(words) => {
                let detail = format!("{letter}: is {words}, which is not {}", nowhere(tree));
                let error = flr_fs::Error::unsupported(codes::ABSENT, 0, detail);
                (folder, Shown::Broken(error))
            }
        });
    }
    for (name, index) in &letters.volumes {
        let folder = *by_volume.entry(*index).or_insert_with(|| {
            let folder = folders.hidden_folder();
            shown.push((folder, shown_of(places, nodes.get(*index))));
            folder
        });
        folders.alias(name.clone(), folder);
    }
    let mut view = View::new(Arc::new(folders));
    for (node, shown) in shown {
        let filesystem = 0;
        let at = ViewNode { filesystem, node };
        match shown {
            Shown::Filesystem(filesystem) => view.join(at, filesystem)?,
            Shown::Broken(error) => view.join_broken(at, error),
        }
    }
    Ok(view)
}

/// Where a partition was not found. It may lie on a disk whose table cannot be read.
fn nowhere(tree: &Tree) -> String {
    let unread = (tree.volumes().iter())
        .filter(|node| node.failure().is_some() && node.volume.uuid.is_none());
    let unread: Vec<_> = unread.map(|node| node.address.as_str()).collect();
    match unread.is_empty() {
        true => "on these disks".to_owned(),
        false => format!(
            "on these disks, or in {}, which cannot be read",
            unread.join(", ")
        ),
    }
}

/// What stands at a drive.
enum Shown {
    Filesystem(Arc<dyn Filesystem>),
    Broken(flr_fs::Error),
}

fn shown_of(places: &[Place], node: Option<&&VolumeNode>) -> Shown {
    let place = node.and_then(|node| place_of(places, node));
    if let Some(place) = place {
        return Shown::Filesystem(Arc::clone(&place.filesystem));
    }
    let failure = node.and_then(|node| node.failure().cloned());
    Shown::Broken(failure.unwrap_or_else(|| {
        let layers = |node: &&&VolumeNode| {
            let mut contents = node.contents.iter();
            contents.any(|content| matches!(content.opened, Opened::Layer(_)))
        };
        let detail = match node.filter(layers) {
            Some(_) => "volumes inside of this one, and no filesystem",
            None => "no filesystem that is known",
        };
        flr_fs::Error::unsupported(codes::NOTHING, 0, detail)
    }))
}
