//! What can be wrong with a GPT.

use crate::error::Code;

/// No header begins with `EFI PART`.
pub const SIGNATURE: Code = Code::new("gpt.header.signature");
/// The header's size is below 92 bytes or above a sector.
pub const HEADER_SIZE: Code = Code::new("gpt.header.size");
/// The header's checksum does not fit.
pub const HEADER_CHECKSUM: Code = Code::new("gpt.header.checksum");
/// The header's major revision is not 1.
pub const REVISION: Code = Code::new("gpt.header.revision");
/// The header says that it lies in another sector.
pub const MY_LBA: Code = Code::new("gpt.header.my_lba");
/// The header's usable range is reversed.
pub const USABLE: Code = Code::new("gpt.header.usable");
/// The size of an entry is not 128 bytes times a power of two, or above 4096.
pub const ENTRY_SIZE: Code = Code::new("gpt.entries.size");
/// More entries than [`crate::Limits::gpt_entry_count_max`].
pub const ENTRY_COUNT: Code = Code::new("gpt.entries.count");
/// The entries lie past the end of the source.
pub const ENTRIES_OUTSIDE: Code = Code::new("gpt.entries.outside");
/// The entries' checksum does not fit.
pub const ENTRIES_CHECKSUM: Code = Code::new("gpt.entries.checksum");
/// The entries cannot be read.
pub const ENTRIES_UNREADABLE: Code = Code::new("gpt.entries.unreadable");
/// The table is damaged and no second copy confirms this entry.
pub const ENTRY_UNCONFIRMED: Code = Code::new("gpt.entry.unconfirmed");
/// A partition ends before it starts.
pub const ENTRY_REVERSED: Code = Code::new("gpt.entry.reversed");
/// A partition starts at sector 0, at its own table.
pub const ENTRY_START: Code = Code::new("gpt.entry.start");
/// A partition starts past the end of the source.
pub const ENTRY_OUTSIDE: Code = Code::new("gpt.entry.outside");
/// The source ends inside of a partition.
pub const ENTRY_CUT: Code = Code::new("gpt.entry.cut");
/// A partition leaves the range that the header calls usable.
pub const ENTRY_UNUSABLE: Code = Code::new("gpt.entry.unusable");
/// A partition starts inside of another one.
pub const ENTRY_OVERLAP: Code = Code::new("gpt.entry.overlap");
/// The primary header is bad or missing and the backup is used.
pub const PRIMARY_DAMAGED: Code = Code::new("gpt.primary.damaged");
/// The backup header is bad or missing.
pub const BACKUP_DAMAGED: Code = Code::new("gpt.backup.damaged");
/// The backup should lie past the end of the source: it has been cut short.
pub const BACKUP_OUTSIDE: Code = Code::new("gpt.backup.outside");
/// The backup is not in the last sector: the disk has grown.
pub const BACKUP_NOT_LAST: Code = Code::new("gpt.backup.not_last");
/// Primary and backup are both whole and describe different tables.
pub const BACKUP_DIFFERS: Code = Code::new("gpt.backup.differs");
/// Sector 0 holds no protective entry.
pub const NOT_PROTECTED: Code = Code::new("gpt.mbr.unprotected");
/// Sector 0 lists partitions as well; the GPT is shown.
pub const HYBRID: Code = Code::new("gpt.mbr.hybrid");

/// All of them.
pub const ALL: &[Code] = &[
    SIGNATURE,
    HEADER_SIZE,
    HEADER_CHECKSUM,
    REVISION,
    MY_LBA,
    USABLE,
    ENTRY_SIZE,
    ENTRY_COUNT,
    ENTRIES_OUTSIDE,
    ENTRIES_CHECKSUM,
    ENTRIES_UNREADABLE,
    ENTRY_UNCONFIRMED,
    ENTRY_REVERSED,
    ENTRY_START,
    ENTRY_OUTSIDE,
    ENTRY_CUT,
    ENTRY_UNUSABLE,
    ENTRY_OVERLAP,
    PRIMARY_DAMAGED,
    BACKUP_DAMAGED,
    BACKUP_OUTSIDE,
    BACKUP_NOT_LAST,
    BACKUP_DIFFERS,
    NOT_PROTECTED,
    HYBRID,
];
