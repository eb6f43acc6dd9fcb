//! What a mount is asked to be.

use crate::owner_table::OwnerTable;
use crate::registry::Registry;
use std::path::PathBuf;
use std::sync::Arc;

/// What to mount, where, and for whom.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// The directory to mount on. It must exist.
    pub mount_point: PathBuf,
    /// What is mounted, as the user wrote it. Shown as the source of the mount.
    pub address: String,
    /// The files that the view reads. Mounting over one of them is refused.
    pub images: Vec<PathBuf>,
    /// Sessions whose resources the view needs: they are deleted when the mount has ended.
    pub sessions: Vec<String>,
    /// Folders with state and caches. Mounting over, inside or above them is refused.
    pub state_dirs: Vec<PathBuf>,
    /// Whether users other than the one who mounts may look. The kernel then checks permissions.
    pub allow_other: bool,
    /// Owner of every node, instead of the stored one.
    pub uid: Option<u32>,
    /// Group of every node, instead of the stored one.
    pub gid: Option<u32>,
    /// Numbers for identifiers of Windows. With it, `uid` and `gid` hold for those only that it does not name.
    pub owners: Option<Arc<OwnerTable>>,
    /// Where mounts are written down.
    pub registry: Registry,
    /// How the kernel is asked to work with us.
    pub tuning: Tuning,
}

/// Choices that change speed and nothing else. [`Tuning::measured`] is what measurements chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Threads that answer the kernel; `None` is one per processor, at least two.
    pub threads: Option<usize>,
    /// Kernel readahead in KiB; set only as root, everybody else has 128.
    pub read_ahead_kib: u32,
    /// Largest request in KiB, within the system's own bound (`fs.fuse.max_pages_limit`, 1 MiB).
    pub request_kib: u32,
    /// Skip the `open` and `release` requests of files.
    pub no_open: bool,
    /// Skip the `opendir` and `releasedir` requests of directories.
    pub no_opendir: bool,
    /// Bypass the page cache.
    pub direct_io: bool,
    /// Let the kernel choose between `readdir` and `readdirplus`, instead of always the latter.
    pub readdirplus_auto: bool,
}

impl Tuning {
    /// What measurements chose; `docs/mounting.md` has the figures.
    #[must_use]
    pub const fn measured() -> Self {
        Self {
            threads: None,
            read_ahead_kib: 1024,
            request_kib: 1024,
            no_open: true,
            no_opendir: true,
            direct_io: false,
            readdirplus_auto: false,
        }
    }
}
