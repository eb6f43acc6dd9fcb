//! One of the four entries of a boot record.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x0 | boot_ind | 0x80 active, 0 not; the kernel takes anything else for boot code |
//! | 0x1 | CHS of the first sector | not read: it stops at 8 GB and lies on everything newer |
//! | 0x4 | sys_ind | type |
//! | 0x5 | CHS of the last sector | not read |
//! | 0x8 | start_sect | logical sectors; relative to another sector in extended records |
//! | 0xc | nr_sects | logical sectors, 0 in an unused entry |
//!
//! Specification: Linux `block/partitions/msdos.c`, `include/linux/msdos_partition.h`.

use crate::bytes::le_u32;

/// Bytes of an entry.
pub(super) const LEN: usize = 16;

/// An entry as it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// 0 or 0x80 in a valid table.
    pub(super) flag: u8,
    /// The partition's type.
    pub(super) kind: u8,
    /// First sector.
    pub(super) start: u32,
    /// Count of sectors.
    pub(super) count: u32,
}

impl Entry {
    pub(super) fn parse(raw: &[u8; LEN]) -> Self {
        let [boot_ind, _, _, _, sys_ind, ..] = *raw;
        Self {
            flag: boot_ind,
            kind: sys_ind,
            start: le_u32(raw, 0x8),
            count: le_u32(raw, 0xc),
        }
    }

    /// Whether the entry describes anything. As in the kernel the count decides, not the type.
    pub(super) const fn is_used(&self) -> bool {
        self.count != 0
    }

    /// Whether it holds a chain of further records: DOS, Windows 98 (LBA) or Linux.
    pub(super) const fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }

    /// Whether it only guards a GPT.
    pub(super) const fn is_protective(&self) -> bool {
        self.kind == 0xee
    }

    /// The type in words, the way `sfdisk` names it where it is common.
    pub(super) fn type_name(&self) -> String {
        let name = match self.kind {
            0x00 => "Empty",
            0x01 => "FAT12",
            0x04 => "FAT16 <32M",
            0x06 => "FAT16",
            0x07 => "HPFS/NTFS/exFAT",
            0x0b => "W95 FAT32",
            0x0c => "W95 FAT32 (LBA)",
            0x0e => "W95 FAT16 (LBA)",
            0x11 => "Hidden FAT12",
            0x12 => "Compaq diagnostics",
            0x14 => "Hidden FAT16 <32M",
            0x16 => "Hidden FAT16",
            0x17 => "Hidden HPFS/NTFS",
            0x1b => "Hidden W95 FAT32",
            0x1c => "Hidden W95 FAT32 (LBA)",
            0x1e => "Hidden W95 FAT16 (LBA)",
            0x27 => "Hidden NTFS WinRE",
            0x39 => "Plan 9",
            0x41 => "PPC PReP Boot",
            0x42 => "SFS (Windows dynamic disk)",
            0x82 => "Linux swap / Solaris",
            0x83 => "Linux",
            0x88 => "Linux plaintext",
            0x8e => "Linux LVM",
            0xa5 => "FreeBSD",
            0xa6 => "OpenBSD",
            0xa8 => "Darwin UFS",
            0xa9 => "NetBSD",
            0xab => "Darwin boot",
            0xaf => "HFS / HFS+",
            0xbe => "Solaris boot",
            0xbf => "Solaris",
            0xda => "Non-FS data",
            0xde => "Dell Utility",
            0xea => "Linux extended boot",
            0xeb => "BeOS fs",
            0xee => "GPT",
            0xef => "EFI (FAT-12/16/32)",
            0xfb => "VMware VMFS",
            0xfc => "VMware VMKCORE",
            0xfd => "Linux raid autodetect",
            other => return format!("type 0x{other:02x}"),
        };
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_the_kernel_has_them() {
        let raw = [
            0x80, 1, 1, 0, 0x83, 9, 9, 9, 0x00, 0x08, 0, 0, 0xff, 0xff, 0xff, 0xff,
        ];
        let entry = Entry::parse(&raw);
        assert_eq!(
            entry,
            Entry {
                flag: 0x80,
                kind: 0x83,
                start: 2048,
                count: u32::MAX
            }
        );
        assert_eq!(entry.type_name(), "Linux");
        assert_eq!(
            Entry {
                kind: 0x77,
                ..entry
            }
            .type_name(),
            "type 0x77"
        );
    }
}
