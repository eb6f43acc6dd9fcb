//! What can be wrong with an MBR.

use crate::error::Code;

/// Sector 0 does not end in `55 aa`.
pub const SIGNATURE: Code = Code::new("mbr.signature");
/// A boot flag is neither 0 nor 0x80: this is boot code, not a table.
pub const FLAG: Code = Code::new("mbr.flag");
/// Sector 0 is the boot sector of a filesystem and reads as a table as well.
pub const BOOT_SECTOR: Code = Code::new("mbr.boot_sector");
/// A protective entry, and no GPT was recognised.
pub const PROTECTIVE: Code = Code::new("mbr.protective");
/// The addresses count sectors of 4096 bytes.
pub const SECTOR_SIZE: Code = Code::new("mbr.sector_size");
/// A partition starts at its own table.
pub const ENTRY_START: Code = Code::new("mbr.entry.start");
/// A partition starts past the end of the source.
pub const ENTRY_OUTSIDE: Code = Code::new("mbr.entry.outside");
/// The source ends inside of a partition.
pub const ENTRY_CUT: Code = Code::new("mbr.entry.cut");
/// A partition starts inside of another one.
pub const ENTRY_OVERLAP: Code = Code::new("mbr.entry.overlap");
/// An extended boot record lies past the end of the source.
pub const EBR_OUTSIDE: Code = Code::new("mbr.ebr.outside");
/// An extended boot record cannot be read.
pub const EBR_UNREADABLE: Code = Code::new("mbr.ebr.unreadable");
/// An extended boot record does not end in `55 aa`.
pub const EBR_SIGNATURE: Code = Code::new("mbr.ebr.signature");
/// The chain of extended boot records comes back to itself.
pub const EBR_LOOP: Code = Code::new("mbr.ebr.loop");
/// The chain is longer than [`crate::Limits::ebr_count_max`].
pub const EBR_COUNT: Code = Code::new("mbr.ebr.count");

/// All of them.
pub const ALL: &[Code] = &[
    SIGNATURE,
    FLAG,
    BOOT_SECTOR,
    PROTECTIVE,
    SECTOR_SIZE,
    ENTRY_START,
    ENTRY_OUTSIDE,
    ENTRY_CUT,
    ENTRY_OVERLAP,
    EBR_OUTSIDE,
    EBR_UNREADABLE,
    EBR_SIGNATURE,
    EBR_LOOP,
    EBR_COUNT,
];
