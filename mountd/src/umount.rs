//! Unmounting: the mount goes, then the process that served it, and then the image is free.
//!
//! Other tools return when the mount is gone and leave the process to end when it likes; the next
//! command then finds the image in use. Here the process is waited for, by a descriptor for it.

use crate::error::{Error, ErrorKind, Result};
use crate::holders;
use crate::mount;
use crate::mountinfo::{self, Mount};
use crate::overlap::locate;
use crate::process::Process;
use crate::registry::{Record, Registry, not_recorded};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How to unmount.
#[derive(Clone, Debug)]
pub struct UnmountOptions {
    /// Detach a mount that is in use; it ends with its last user, and is not waited for.
    pub lazy: bool,
    /// How long to wait for the serving process; `None` does not wait at all.
    pub wait: Option<Duration>,
    /// Where mounts are written down.
    pub registry: Registry,
}

/// A mount that was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it was mounted.
    pub mount_point: PathBuf,
    /// What was mounted, if that is known.
    pub address: Option<String>,
    /// Whether the process that served it has ended too: the image is free. `None`: not waited for,
    /// or not known which process that is.
    pub ended: Option<bool>,
    /// Whether it was left behind by a process that had died.
    pub was_dead: bool,
    /// Sessions whose resources it needed. If the process has ended, they are deleted, or what remains
    /// is in their journal.
    pub sessions: Vec<String>,
}

/// How much longer a process is waited for that has something to delete: a step of the clone engine has
/// a deadline of 15 minutes.
const CLEANUP_WAIT: Duration = Duration::from_secs(20 * 60);

/// The deadline for the process of a mount.
fn deadline_of(record: Option<&Record>, deadline: Option<Instant>) -> Option<Instant> {
    let deadline = deadline?;
    match record.is_some_and(|record| !record.sessions.is_empty()) {
        true => Some(deadline.checked_add(CLEANUP_WAIT).unwrap_or(deadline)),
        false => Some(deadline),
    }
}

/// Unmounts the mount of ours at `dir`.
///
/// # Errors
/// [`ErrorKind::NotMounted`] if there is none, [`ErrorKind::Busy`] if it is in use,
/// [`ErrorKind::Timeout`] if its process does not end.
pub fn unmount(dir: &Path, options: &UnmountOptions) -> Result<Outcome> {
    let deadline = options.wait.map(deadline_in);
    let point = locate(dir)?;
    let mounts = read_mounts(&point)?;
    let Some(mount) = mountinfo::top_at(&mounts, &point) else {
        return match gone_already(&point, options, deadline) {
            Some(outcome) => outcome,
            None => Err(no_mount(&point, &mounts)),
        };
    };
    if !mount.is_flr() {
        let text = format!(
            "{}: not a mount of flr but of {}",
            point.display(),
            mount.fs_type
        );
        return Err(
            Error::new(ErrorKind::NotMounted, text).hint(format!("umount {}", point.display()))
        );
    }
    let outcome = unmount_one(mount, options, deadline);
    if let Ok(mounts) = mountinfo::read() {
        options.registry.prune(&mounts);
    }
    outcome
}

/// Unmounts all mounts that the registry knows, newest first. Each has its own result.
///
/// # Errors
/// It cannot be found out what is mounted.
pub fn unmount_all(options: &UnmountOptions) -> Result<Vec<Result<Outcome>>> {
    let deadline = options.wait.map(deadline_in);
    let mounts = read_mounts(Path::new("/proc/self/mountinfo"))?;
    let records = options.registry.records();
    let ours = mounts
        .iter()
        .rev()
        .filter(|mount| records.iter().any(|record| record.is_of(mount)));
    let outcomes = ours
        .map(|mount| unmount_one(mount, options, deadline))
        .collect();
    if let Ok(mounts) = mountinfo::read() {
        options.registry.prune(&mounts);
    }
    Ok(outcomes)
}

fn unmount_one(
    mount: &Mount,
    options: &UnmountOptions,
    deadline: Option<Instant>,
) -> Result<Outcome> {
    let point = &mount.mount_point;
    let record = record_of(mount, &options.registry);
    let process = record.as_ref().map(|record| record.process.clone());
    let deadline = deadline_of(record.as_ref(), deadline);
    let was_dead = process.as_ref().is_some_and(|process| !process.is_alive());
    // A dead mount is in use by programs that have not noticed; nothing is lost by detaching it.
    let lazy = options.lazy || was_dead;
    mount::unmount(point, lazy).map_err(|error| match error.kind {
        ErrorKind::Busy => busy(point),
        _ => error,
    })?;
    let ended = match process {
        Some(process) if was_dead || !lazy => wait(point, &process, deadline)?,
        _ => None,
    };
    let (address, sessions) = record
        .map(|record| (record.address, record.sessions))
        .unzip();
    Ok(Outcome {
        mount_point: point.clone(),
        address,
        ended,
        was_dead,
        sessions: sessions.unwrap_or_default(),
    })
}

/// The mount is gone, but a process that served it there may still be ending.
fn gone_already(
    point: &Path,
    options: &UnmountOptions,
    deadline: Option<Instant>,
) -> Option<Result<Outcome>> {
    let records = options.registry.records();
    let record = records
        .into_iter()
        .find(|record| record.mount_point() == point && record.process.is_alive())?;
    let deadline = deadline_of(Some(&record), deadline);
    Some(wait(point, &record.process, deadline).map(|ended| Outcome {
        mount_point: point.to_owned(),
        address: Some(record.address),
        ended,
        was_dead: false,
        sessions: record.sessions,
    }))
}

fn wait(point: &Path, process: &Process, deadline: Option<Instant>) -> Result<Option<bool>> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    match process.wait(deadline) {
        Ok(true) => Ok(Some(true)),
        Ok(false) => Err(Error::new(
            ErrorKind::Timeout,
            format!(
                "{}: unmounted, but process {} has not ended and still holds the image",
                point.display(),
                process.pid
            ),
        )
        .hint(format!("kill {}", process.pid))),
        Err(error) => {
            tracing::debug!(%error, pid = process.pid, "process cannot be watched");
            Ok(None)
        }
    }
}

/// The record of a mount: ours, or as root that of the user who made it.
fn record_of(mount: &Mount, registry: &Registry) -> Option<Record> {
    let find = |registry: &Registry| {
        let records = registry.records();
        records.into_iter().find(|record| record.is_of(mount))
    };
    find(registry).or_else(|| {
        let other = mount.user_id().filter(|user| *user != 0)?;
        find(&Registry::of_other(other))
    })
}

fn busy(point: &Path) -> Error {
    let holders = holders::of(point);
    let by = match holders.is_empty() {
        true => "in use".to_owned(),
        false => format!("in use by {}", holders.join(", ")),
    };
    let text = format!("{}: {by}", point.display());
    Error::new(ErrorKind::Busy, text).hint(format!(
        "leave the directory and close its files, or flr umount --lazy {}",
        point.display()
    ))
}

fn no_mount(point: &Path, mounts: &[Mount]) -> Error {
    match mountinfo::containing(mounts, point) {
        Some(outer) if outer.is_flr() => {
            let outer = outer.mount_point.display();
            let text = format!("{}: lies in the mount at {outer}", point.display());
            Error::new(ErrorKind::NotMounted, text).hint(format!("flr umount {outer}"))
        }
        _ => not_recorded(point),
    }
}

fn read_mounts(point: &Path) -> Result<Vec<Mount>> {
    mountinfo::read().map_err(|error| Error::system("cannot look for mounts at", point, error))
}

fn deadline_in(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now)
}
