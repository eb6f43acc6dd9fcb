//! Where one must not mount: over the image, over our own state, on another mount.

use crate::error::{Error, ErrorKind, Result};
use crate::mount;
use crate::mountinfo::{self, Mount};
use crate::options::MountOptions;
use crate::registry::Registry;
use std::io;
use std::path::{Path, PathBuf};

/// Checks the mount point, repairs what a killed process left on it, and returns it as an absolute
/// path without links.
pub(crate) fn prepare(options: &MountOptions) -> Result<PathBuf> {
    let asked = &options.mount_point;
    let point = locate(asked)?;
    free_of_mounts(&point, &options.registry)?;
    check_directory(asked, &point)?;
    for image in &options.images {
        // A file that cannot be resolved (a deleted one, a URL) cannot be hidden either.
        let Ok(image) = image.canonicalize() else {
            continue;
        };
        if image.starts_with(&point) {
            return Err(refusal(asked, "would hide the image", &image));
        }
    }
    for dir in &options.state_dirs {
        let Ok(dir) = dir.canonicalize() else {
            continue;
        };
        if dir.starts_with(&point) || point.starts_with(&dir) {
            return Err(refusal(asked, "overlaps the state in", &dir));
        }
    }
    Ok(point)
}

/// The path without links. The last component is looked at as little as possible: on a mount whose
/// process has died every look is an error.
pub(crate) fn locate(path: &Path) -> Result<PathBuf> {
    let error = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => missing(path),
        _ => Error::system("cannot resolve", path, error),
    };
    let absolute = std::path::absolute(path).map_err(error)?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Ok(absolute);
    };
    if path.as_os_str().as_encoded_bytes().ends_with(b"..") {
        return path.canonicalize().map_err(error);
    }
    let place = parent.canonicalize().map_err(error)?.join(name);
    match std::fs::symlink_metadata(&place) {
        Ok(metadata) if metadata.is_symlink() => place.canonicalize().map_err(error),
        _ => Ok(place),
    }
}

/// Refuses a mount point with a mount on it, unless it is one of ours whose process has died.
fn free_of_mounts(point: &Path, registry: &Registry) -> Result<()> {
    let read = || {
        mountinfo::read().map_err(|error| Error::system("cannot look for mounts at", point, error))
    };
    let mut mounts = read()?;
    let mut repaired = None;
    while let Some(top) = mountinfo::top_at(&mounts, point) {
        if repaired == Some(top.id) {
            let text = format!("{}: the dead mount does not go away", point.display());
            return Err(Error::new(ErrorKind::Busy, text));
        }
        repair(top, registry)?;
        repaired = Some(top.id);
        mounts = read()?;
    }
    registry.prune(&mounts);
    // A mount inside of one of ours would keep that one from being unmounted.
    match mountinfo::containing(&mounts, point) {
        Some(outer) if outer.is_flr() => Err(refusal(
            point,
            "lies inside of the flr mount",
            &outer.mount_point,
        )),
        _ => Ok(()),
    }
}

/// Takes away a mount that is ours and dead; refuses every other.
fn repair(mount: &Mount, registry: &Registry) -> Result<()> {
    let point = &mount.mount_point;
    let busy = |text: String| Error::new(ErrorKind::Busy, text);
    if !mount.is_flr() {
        let text = format!("{}: {} is mounted here", point.display(), mount.fs_type);
        return Err(busy(text).hint("mount on another directory"));
    }
    let records = registry.records();
    match records.iter().find(|record| record.is_of(mount)) {
        Some(record) if record.process.is_alive() => Err(busy(format!(
            "{}: {} is mounted here by process {}",
            point.display(),
            record.address,
            record.process.pid
        ))
        .hint(format!("flr umount {}", point.display()))),
        Some(record) => {
            tracing::info!(
                point = %point.display(),
                pid = record.process.pid,
                "taking away the mount of a process that has died"
            );
            mount::unmount(point, true)
        }
        None => Err(busy(format!(
            "{}: a mount of flr that somebody else made is here",
            point.display()
        ))
        .hint("mount on another directory")),
    }
}

fn check_directory(asked: &Path, point: &Path) -> Result<()> {
    match std::fs::metadata(point) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => {
            let text = format!("{}: not a directory", asked.display());
            Err(Error::new(ErrorKind::Usage, text).hint("mount on an empty directory"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(asked)),
        Err(error) => Err(Error::system("cannot use", asked, error)),
    }
}

fn missing(path: &Path) -> Error {
    let text = format!("{}: the mount point does not exist", path.display());
    Error::new(ErrorKind::Usage, text).hint(format!("mkdir -p {}", path.display()))
}

fn refusal(point: &Path, why: &str, what: &Path) -> Error {
    let text = format!("{}: a mount here {why} {}", point.display(), what.display());
    Error::new(ErrorKind::Usage, text).hint("mount on an empty directory somewhere else")
}
