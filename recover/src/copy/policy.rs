//! What is done about an entry that stands in the place of one that is to be made.

use super::kind::Kind;
use super::options::{CopyOptions, Overwrite};
use super::report::KeepReason;
use super::run::Verdict;
use flr_fs::{FileKind, Metadata, Timestamp};
use rustix::fs::{FileType, Stat};

/// The verdict about a standing entry that is no directory, on a filesystem of that kind. `same_target`: both
/// are symbolic links, and lead to the same.
pub(super) fn verdict(
    options: &CopyOptions,
    (stat, kind): (&Stat, Kind),
    metadata: &Metadata,
    same_target: bool,
) -> Verdict {
    let alike = same_target || is_unchanged((stat, kind), metadata);
    match options.overwrite {
        Overwrite::Always => Verdict::Replace,
        Overwrite::Never => Verdict::Keep(match (options.conflicts, alike) {
            (false, _) => KeepReason::Exists,
            (true, true) => KeepReason::Unchanged,
            (true, false) => KeepReason::Differs,
        }),
        Overwrite::IfChanged if alike => Verdict::Keep(KeepReason::Unchanged),
        Overwrite::IfNewer if alike || metadata.mtime <= modified(stat) => {
            Verdict::Keep(KeepReason::NotOlder)
        }
        Overwrite::IfChanged | Overwrite::IfNewer => Verdict::Replace,
    }
}

/// Whether kind, size and modification time are the same, as far as the filesystem keeps them.
pub(super) fn is_unchanged((stat, kind): (&Stat, Kind), metadata: &Metadata) -> bool {
    file_type(metadata.kind) == FileType::from_raw_mode(stat.st_mode)
        && u64::try_from(stat.st_size) == Ok(metadata.size)
        && kind.keeps(metadata.mtime, modified(stat))
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
