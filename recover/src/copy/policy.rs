//! What is done about an entry that stands in the place of one that is to be made.

use super::options::{CopyOptions, Overwrite};
use super::report::KeepReason;
use super::run::Verdict;
use flr_fs::{FileKind, Metadata, Timestamp};
use rustix::fs::{FileType, Stat};

/// The verdict about a standing entry that is no directory. `same_target`: both are symbolic links, and
/// lead to the same.
pub(super) fn verdict(
    options: &CopyOptions,
    stat: &Stat,
    metadata: &Metadata,
    same_target: bool,
) -> Verdict {
    let alike = same_target || is_unchanged(stat, metadata);
    match options.overwrite {
        Overwrite::Always => Verdict::Replace,
        Overwrite::Never => Verdict::Keep(match (options.conflicts, alike) {
            (false, _) => KeepReason::Exists,
            (true, true) => KeepReason::Unchanged,
            (true, false) => KeepReason::Differs,
        }),
        Overwrite::IfChanged if alike => Verdict::Keep(KeepReason::Unchanged),
        Overwrite::IfNewer if metadata.mtime <= modified(stat) => {
            Verdict::Keep(KeepReason::NotOlder)
        }
        Overwrite::IfChanged | Overwrite::IfNewer => Verdict::Replace,
    }
}

/// Whether kind, size and modification time are the same.
pub(super) fn is_unchanged(stat: &Stat, metadata: &Metadata) -> bool {
    file_type(metadata.kind) == FileType::from_raw_mode(stat.st_mode)
        && u64::try_from(stat.st_size) == Ok(metadata.size)
        && modified(stat) == metadata.mtime
}

pub(super) const fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::File => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::CharDevice => FileType::CharacterDevice,
        FileKind::BlockDevice => FileType::BlockDevice,
        FileKind::Fifo => FileType::Fifo,
        FileKind::Socket => FileType::Socket,
    }
}

pub(super) fn modified(stat: &Stat) -> Timestamp {
    Timestamp {
        seconds: stat.st_mtime,
        nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
    }
}
