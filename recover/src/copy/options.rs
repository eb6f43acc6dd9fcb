//! What is copied, and how.

use super::filter::Filter;
use super::owners::Owners;
use super::resume::Recorded;
use super::verify::Digest;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What to do where the destination has an entry of the same name already.
///
/// A directory is never replaced by something else, nor something else by a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Leave it.
    Never,
    /// Replace it if its size or its time differs.
    IfChanged,
    /// Replace it if the source is newer.
    IfNewer,
    /// Replace it.
    Always,
}

/// Whether the content of a copy is read again and compared with what was read from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// No.
    No,
    /// Read again as any program would read it, which may be from the page cache.
    Read,
    /// Written to the disk and dropped from the page cache first. Costs a sync for each file.
    Disk,
}

/// What is copied, and how.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// What to do about entries that exist.
    pub overwrite: Overwrite,
    /// Under [`Overwrite::Never`], an entry of another size or time is a conflict that is reported,
    /// instead of being what was asked for.
    pub conflicts: bool,
    /// What an entry that is replaced is called from then on: its name with this behind it. What has that
    /// name already is never replaced.
    pub backup: Option<OsString>,
    /// Keep access and modification times.
    pub times: bool,
    /// Keep owner and group, where permitted.
    pub owner: bool,
    /// Which owners the copies get.
    pub owners: Arc<Owners>,
    /// Keep extended attributes, where permitted.
    pub xattrs: bool,
    /// Keep POSIX ACLs, where permitted.
    pub acls: bool,
    /// Keep what NTFS alone has: descriptors and flags as attributes `user.ntfs_…`, or as files
    /// `NAME.flr-ntfs_…` where those find no room, and streams that no attribute holds as files `NAME:STREAM`.
    pub windows: bool,
    /// Make further names of a file hard links, as they were.
    pub hard_links: bool,
    /// Create device nodes and FIFOs.
    pub devices: bool,
    /// Keep set-user-ID and set-group-ID bits and capabilities of files, where the owner is kept or
    /// is not to be kept.
    pub set_id: bool,
    /// Turn stored zeros into holes too. Holes of the source stay holes in any case.
    pub sparse: bool,
    /// Without `sparse`, refuse files that are larger than the free space, holes included, or that unfold
    /// to more than [`super::RATIO_MAX`] times what is stored of them.
    pub refuse_bombs: bool,
    /// Keep files of which a part cannot be read, with that part as a hole, and say so.
    pub salvage: bool,
    /// With `salvage`, put a map of what could not be read beside such a file.
    pub damage_maps: bool,
    /// SHA-256 of all content.
    pub hash: bool,
    /// Read content again. Without `hash`, nothing is.
    pub verify: Verify,
    /// What the content of every file that is copied must hash to; for copies of one file. Needs `hash`.
    pub expected: Option<Digest>,
    /// What is to be left out. `None`: nothing.
    pub filter: Option<Arc<dyn Filter>>,
    /// Go on with a copy that ended early: files that stand there are kept if their content is right, and
    /// temporary files of the earlier copy are removed. Says what is known of its files.
    pub resume: Option<Arc<dyn Recorded>>,
    /// Files copied at a time.
    pub threads: NonZeroUsize,
}

impl CopyOptions {
    /// Content, permission bits and times.
    #[must_use]
    pub fn plain() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
        Self {
            overwrite: Overwrite::Always,
            conflicts: false,
            backup: None,
            times: true,
            owner: false,
            owners: Arc::default(),
            xattrs: false,
            acls: false,
            windows: false,
            hard_links: false,
            devices: false,
            set_id: false,
            sparse: false,
            refuse_bombs: false,
            salvage: false,
            damage_maps: false,
            hash: false,
            verify: Verify::No,
            expected: None,
            filter: None,
            resume: None,
            threads: NonZeroUsize::new(cores.clamp(2, 4)).unwrap_or(NonZeroUsize::MIN),
        }
    }

    /// Also owner, extended attributes, ACLs and hard links. Not devices and set-id bits, which must
    /// be asked for by name.
    #[must_use]
    pub fn archive() -> Self {
        Self {
            owner: true,
            xattrs: true,
            acls: true,
            hard_links: true,
            ..Self::plain()
        }
    }

    /// All that an archive has and what only NTFS has; content is hashed and read again, and what exists
    /// is left and reported.
    #[must_use]
    pub fn restore() -> Self {
        Self {
            overwrite: Overwrite::Never,
            conflicts: true,
            windows: true,
            refuse_bombs: true,
            damage_maps: true,
            hash: true,
            verify: Verify::Read,
            ..Self::archive()
        }
    }
}
