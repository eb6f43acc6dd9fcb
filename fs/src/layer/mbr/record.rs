//! A boot record: sector 0 of the disk, and the first sector of each link of an extended chain.
//!
//! | offset | field |
//! |---|---|
//! | 0x000 | boot code; in a filesystem's boot sector a jump and the parameters of the filesystem |
//! | 0x1b8 | disk signature (sector 0 only) |
//! | 0x1be | four [entries](super::entry) |
//! | 0x1fe | `55 aa` |
//!
//! The boot sectors of FAT, exFAT and NTFS end in `55 aa` as well, and their code or messages lie
//! where the entries would be; [`BootRecord::is_boot_sector`] tells them apart.

use super::entry::{self, Entry};
use crate::bytes::{array, le_u16, le_u32};

/// Bytes of a record, whatever the size of a sector.
pub(super) const LEN: usize = 512;
/// Offset of the first entry.
const ENTRIES: usize = 0x1be;

/// A record that ends in `55 aa`.
#[derive(Clone, Copy, Debug)]
pub(super) struct BootRecord {
    /// All four entries, used or not.
    pub(super) entries: [Entry; 4],
    /// The disk's signature, 0 if it has none.
    pub(super) disk_signature: u32,
    /// Whether it is (also) the boot sector of a filesystem.
    pub(super) is_boot_sector: bool,
}

impl BootRecord {
    /// The record, or `None` without the signature.
    pub(super) fn parse(raw: &[u8; LEN]) -> Option<Self> {
        if le_u16(raw, 0x1fe) != 0xaa55 {
            return None;
        }
        let entry = |index: usize| Entry::parse(&array(raw, entry_offset(index)));
        Some(Self {
            entries: [entry(0), entry(1), entry(2), entry(3)],
            disk_signature: le_u32(raw, 0x1b8),
            is_boot_sector: is_boot_sector(raw),
        })
    }

    /// The index of the first entry whose flag no table has.
    pub(super) fn bad_flag(&self) -> Option<usize> {
        (self.entries.iter()).position(|entry| !matches!(entry.flag, 0 | 0x80))
    }

    /// Entries in use, with their index.
    pub(super) fn used(&self) -> impl Iterator<Item = (usize, &Entry)> {
        (self.entries.iter().enumerate()).filter(|(_, entry)| entry.is_used())
    }
}

/// Offset of an entry in its record.
pub(super) const fn entry_offset(index: usize) -> usize {
    ENTRIES.saturating_add(index.saturating_mul(entry::LEN))
}

/// A jump, and behind it either a known maker's name or parameters that make sense for FAT.
fn is_boot_sector(raw: &[u8; LEN]) -> bool {
    let jump = matches!(raw, [0xeb, _, 0x90, ..] | [0xe9, ..]);
    let name: [u8; 8] = array(raw, 3);
    // BitLocker replaces NTFS' name and keeps the rest.
    let known = matches!(&name, b"NTFS    " | b"EXFAT   " | b"-FVE-FS-");
    jump && (known || has_fat_parameters(raw))
}

/// The BIOS parameter block of FAT: bytes per sector, sectors per cluster, reserved sectors, count
/// of tables, and the media byte.
fn has_fat_parameters(raw: &[u8; LEN]) -> bool {
    let [per_cluster, tables, media]: [u8; 3] = [
        array::<1, LEN>(raw, 0xd),
        array::<1, LEN>(raw, 0x10),
        array::<1, LEN>(raw, 0x15),
    ]
    .map(|[byte]| byte);
    matches!(le_u16(raw, 0xb), 512 | 1024 | 2048 | 4096)
        && per_cluster.is_power_of_two()
        && le_u16(raw, 0xe) != 0
        && matches!(tables, 1 | 2)
        && (media == 0xf0 || media >= 0xf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fill: impl FnOnce(&mut [u8; LEN])) -> Option<BootRecord> {
        let mut raw = [0; LEN];
        raw[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
        fill(&mut raw);
        BootRecord::parse(&raw)
    }

    #[test]
    fn the_signature_is_needed() {
        assert!(record(|raw| raw[0x1ff] = 0).is_none());
        assert!(!record(|_| ()).unwrap().is_boot_sector);
    }

    #[test]
    fn boot_sectors_of_filesystems_are_told_apart() {
        let ntfs = record(|raw| raw[..11].copy_from_slice(b"\xeb\x52\x90NTFS    "));
        assert!(ntfs.unwrap().is_boot_sector);
        let fat = record(|raw| {
            raw[..11].copy_from_slice(b"\xeb\x3c\x90mkfs.fat");
            raw[0xb..0x11].copy_from_slice(&[0, 2, 4, 4, 0, 2]);
            raw[0x15] = 0xf8;
        });
        assert!(fat.unwrap().is_boot_sector);
        let grub = record(|raw| raw[..3].copy_from_slice(b"\xeb\x63\x90"));
        assert!(!grub.unwrap().is_boot_sector);
    }
}
