//! The guest's own view: its root filesystem, and what its fstab mounts; of Windows, its drives.
//!
//! The root is found by its contents, never by its place. Where that gives no single answer the user
//! is asked; where a filesystem that belongs to the view cannot be read, the place it belongs to is an
//! error, not an empty folder.

use crate::error::{Ambiguous, Error, Result};
use crate::fstab::{self, Device};
use crate::shown::for_terminal;
use crate::view::{View, ViewNode};
use crate::volumes::Place;
use crate::windows;
use flr_fs::filesystem::ext;
use flr_fs::{Code, FileKind, Filesystem, Tree, VolumeId, VolumeNode};
use std::sync::Arc;

/// Codes of the guest view.
pub mod codes {
    use flr_fs::Code;

    /// No filesystem was found.
    pub const NOTHING: Code = Code::new("guest.nothing");
    /// The fstab mounts something that is not on these disks.
    pub const ABSENT: Code = Code::new("guest.absent");

    /// All of them.
    pub const ALL: &[Code] = &[NOTHING, ABSENT];
}

/// Largest fstab that is read, in bytes.
const FSTAB_LEN_MAX: u64 = 1 << 20;

/// Names in a root directory, two of which make it one beside `etc`.
const ROOT_NAMES: &[&[u8]] = &[
    b"usr", b"var", b"bin", b"sbin", b"lib", b"root", b"home", b"proc", b"dev", b"boot",
];

/// The guest's view.
#[derive(Debug)]
pub struct Guest {
    /// The tree.
    pub view: View,
    /// What the user should know of how it came about.
    pub notes: Vec<String>,
}

/// Puts the guest's view together.
///
/// # Errors
/// [`Error::Ambiguous`] if several filesystems might be meant; what stands in the way if none can be
/// read.
pub fn guest(tree: &Tree, places: &[Place]) -> Result<Guest> {
    // The journal of another filesystem holds no files of its own.
    let unread = |node: &&VolumeNode| {
        node.failure()
            .is_some_and(|error| error.code() != ext::codes::JOURNAL_DEVICE)
    };
    let failed: Vec<_> = tree.volumes().iter().filter(unread).collect();
    let roots = roots(places);
    let shared = |place: &Place| {
        tree.volume(place.volume)
            .is_some_and(|node| node.contents.len() > 1)
    };
    let root = match (roots.as_slice(), places) {
        _ if places.iter().any(shared) => {
            return Err(choose(
                places,
                "one volume holds several filesystems or tables",
            ));
        }
        ([(root, Root::Unix)], _) => *root,
        ([(root, Root::Windows)], _) => return windows::guest(tree, places, root),
        ([_, _, ..], _) => return Err(several(&roots)),
        ([], []) => return Err(nothing(&failed)),
        ([], [only]) if failed.is_empty() => only,
        // The root may be among those that cannot be read: taking another one for it would show
        // files of the wrong filesystem.
        ([], _) if !failed.is_empty() => return Err(nothing(&failed)),
        ([], _) => return Err(choose(places, "no filesystem looks like a guest's root")),
    };
    let mut guest = Guest {
        view: View::new(Arc::clone(&root.filesystem)),
        notes: Vec::new(),
    };
    if !roots.is_empty() {
        join_fstab(&mut guest, tree, places, root);
    }
    Ok(guest)
}

/// The drives of the only Windows there is, whatever else there may be beside it. This is where a path
/// that begins with a drive leads on disks with several systems.
///
/// # Errors
/// As [`guest`].
pub fn drives(tree: &Tree, places: &[Place]) -> Result<Guest> {
    let windows = roots(places).into_iter();
    let windows: Vec<_> = windows.filter(|(_, root)| *root == Root::Windows).collect();
    match windows.as_slice() {
        [(root, _)] => windows::guest(tree, places, root),
        [] => guest(tree, places),
        [..] => Err(several(&windows)),
    }
}

/// What a root is the root of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Unix,
    Windows,
}

/// The filesystems that are the root of a system.
fn roots(places: &[Place]) -> Vec<(&Place, Root)> {
    let root = |place| {
        let filesystem: &Place = place;
        let filesystem = filesystem.filesystem.as_ref();
        let is_root = [
            (looks_like_root(filesystem), Root::Unix),
            (windows::is_system(filesystem), Root::Windows),
        ];
        let found = is_root.into_iter().find(|(is_root, _)| *is_root);
        found.map(|(_, root)| (place, root))
    };
    places.iter().filter_map(root).collect()
}

fn several(roots: &[(&Place, Root)]) -> Error {
    let has = |wanted| roots.iter().any(|(_, root)| *root == wanted);
    let reason = match (has(Root::Unix), has(Root::Windows)) {
        (true, true) => "several systems, one of them Windows, whose drives are /C:/ and so on",
        (false, true) => "several filesystems hold a Windows",
        (_, false) => "several filesystems look like a guest's root",
    };
    choose(roots.iter().map(|(place, _)| *place), reason)
}

fn choose<'a>(places: impl IntoIterator<Item = &'a Place>, reason: &str) -> Error {
    let places = places.into_iter();
    let volumes = places.map(|place| place.address.clone()).collect();
    Error::Ambiguous(Ambiguous {
        reason: reason.to_owned(),
        volumes,
    })
}

/// The error for a disk on which nothing can be read: the first obstacle, or that there is nothing.
fn nothing(failed: &[&VolumeNode]) -> Error {
    match failed.iter().find_map(|node| node.failure()) {
        Some(error) => Error::Fs(error.clone()),
        None => {
            let detail = "no filesystem and no partition table that is known";
            Error::Fs(flr_fs::Error::unsupported(codes::NOTHING, 0, detail))
        }
    }
}

/// Whether a filesystem is a guest's root, by what its root directory holds.
fn looks_like_root(filesystem: &dyn Filesystem) -> bool {
    let root = filesystem.root();
    let has = |name: &&[u8]| {
        let found = filesystem.lookup(root, flr_fs::RawName::new(name));
        // A name that cannot be looked up is no sign of anything.
        found.is_ok_and(|found| found.is_some())
    };
    has(&&b"etc"[..]) && ROOT_NAMES.iter().filter(|name| has(name)).count() >= 2
}

fn join_fstab(guest: &mut Guest, tree: &Tree, places: &[Place], root: &Place) {
    let text = match read_small(&guest.view, b"/etc/fstab") {
        Ok(text) => text,
        Err(Error::NotFound(_)) => return,
        Err(error) => {
            guest.notes.push(format!(
                "/etc/fstab cannot be read, so only the root is shown: {error}"
            ));
            return;
        }
    };
    for entry in fstab::parse(&text) {
        let (at, what) = (
            for_terminal(&entry.mount_point),
            for_terminal(&entry.spelled),
        );
        let dir = match guest.view.resolve(&entry.mount_point, true) {
            Ok(dir) if dir.metadata.kind == FileKind::Directory => dir.node,
            Ok(_) | Err(Error::NotFound(_)) => {
                guest.notes.push(format!(
                    "{what} belongs at {at}, which is no folder of the guest"
                ));
                continue;
            }
            Err(error) => {
                guest.notes.push(format!(
                    "{what} belongs at {at}, which cannot be reached: {error}"
                ));
                continue;
            }
        };
        if let Device::Bind { recursive } = entry.device {
            bind(guest, &entry.spelled, dir, recursive, &at);
            continue;
        }
        match find(tree, places, &entry.device) {
            Target::Place(place) if place.address == root.address => {
                guest
                    .notes
                    .push(format!("{at} is the root once more and is not shown there"));
            }
            Target::Place(place) => {
                if let Err(error) = guest.view.join(dir, Arc::clone(&place.filesystem)) {
                    guest.notes.push(format!("{what} belongs at {at}: {error}"));
                }
            }
            Target::Failed(error) => guest.view.join_broken(dir, error),
            Target::Absent => {
                let detail = format!("{what} belongs here, which is not {}", nowhere(tree));
                guest.view.join_broken(dir, absent(codes::ABSENT, detail));
            }
        }
    }
}

/// Where something was not found. A volume that cannot be read may be the one that is looked for.
fn nowhere(tree: &Tree) -> String {
    let unread = tree
        .volumes()
        .iter()
        .filter(|node| node.failure().is_some());
    let unread: Vec<_> = unread.map(|node| node.address.as_str()).collect();
    if unread.is_empty() {
        return "on this disk".to_owned();
    }
    format!(
        "on this disk, or is what cannot be read: {}",
        unread.join(", ")
    )
}

/// Shows the directory `from` a second time at `dir`.
fn bind(guest: &mut Guest, from: &[u8], dir: ViewNode, recursive: bool, at: &str) {
    let what = for_terminal(from);
    let bound = match guest.view.resolve(from, true) {
        Ok(source) if source.metadata.kind == FileKind::Directory => {
            guest.view.bind(dir, source.node)
        }
        Ok(_) => Err(flr_fs::Request::NotADirectory.into()),
        Err(error) => Err(error),
    };
    match bound {
        Ok(()) if recursive => guest.notes.push(format!(
            "{what} is shown again at {at}, without what is mounted below it"
        )),
        Ok(()) => {}
        Err(error) => {
            let detail = format!("{what} belongs here as well: {error}");
            guest.view.join_broken(dir, absent(codes::ABSENT, detail));
        }
    }
}

fn absent(code: Code, detail: String) -> flr_fs::Error {
    flr_fs::Error::unsupported(code, 0, detail)
}

/// What an fstab's device turned out to be.
enum Target<'a> {
    Place(&'a Place),
    Failed(flr_fs::Error),
    Absent,
}

fn find<'a>(tree: &Tree, places: &'a [Place], device: &Device) -> Target<'a> {
    let by_filesystem = |wanted: &dyn Fn(&Place) -> bool| {
        places
            .iter()
            .find(|place| wanted(place))
            .map_or(Target::Absent, Target::Place)
    };
    let by_volume = |wanted: &dyn Fn(&VolumeNode) -> bool| {
        let Some(node) = tree.volumes().iter().find(|node| wanted(node)) else {
            return Target::Absent;
        };
        match (
            places.iter().find(|place| place.volume == node.id),
            node.failure(),
        ) {
            (Some(place), _) => Target::Place(place),
            (None, Some(error)) => Target::Failed(error.clone()),
            (None, None) => Target::Absent,
        }
    };
    let same = |have: &Option<String>, wanted: &[u8]| {
        have.as_ref()
            .is_some_and(|have| have.as_bytes().eq_ignore_ascii_case(wanted))
    };
    match device {
        Device::Uuid(uuid) => by_filesystem(&|place| same(&place.filesystem.info().uuid, uuid)),
        Device::Label(label) => by_filesystem(&|place| place.filesystem.info().label == *label),
        Device::PartUuid(uuid) => by_volume(&|node| same(&node.volume.uuid, uuid)),
        Device::PartLabel(label) => by_volume(&|node| {
            node.volume
                .label
                .as_ref()
                .is_some_and(|l| l.as_bytes() == label)
        }),
        Device::Partition { disk, number } => by_volume(&|node| {
            node.volume.name == format!("part/{number}") && disk_index(tree, node.id) == Some(*disk)
        }),
        Device::Bind { .. } | Device::Other => Target::Absent,
    }
}

/// Which disk a partition lies on, if it lies directly on one. Counted from 0.
fn disk_index(tree: &Tree, id: VolumeId) -> Option<usize> {
    let parent = tree.volume(id)?.parent?;
    let mut disks = tree.volumes().iter().filter(|node| node.parent.is_none());
    disks.position(|disk| disk.id == parent)
}

fn read_small(view: &View, path: &[u8]) -> Result<Vec<u8>> {
    let found = view.resolve(path, true)?;
    let source = view.open(found.node)?;
    let len = flr_fs::bytes::clamp_usize(source.size().min(FSTAB_LEN_MAX), usize::MAX);
    let mut text = vec![0; len];
    source.read_at(0, &mut text)?;
    Ok(text)
}

/// Name of the operating system on a filesystem, from its os-release file or, of Windows, from its
/// registry, if it has one.
#[must_use]
pub fn os_name(filesystem: &Arc<dyn Filesystem>) -> Option<String> {
    if windows::is_system(filesystem.as_ref()) {
        return Some(windows::product(filesystem));
    }
    let view = View::new(Arc::clone(filesystem));
    let text = [&b"/etc/os-release"[..], b"/usr/lib/os-release"]
        .into_iter()
        .find_map(|path| read_small(&view, path).ok())?;
    let value = |key: &str| {
        let text = String::from_utf8_lossy(&text);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let line = line.trim().trim_matches(['"', '\'']);
        (!line.is_empty()).then(|| line.to_owned())
    };
    value("PRETTY_NAME").or_else(|| value("NAME"))
}
