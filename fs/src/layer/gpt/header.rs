//! The header: LBA 1, and a backup in the last sector of the disk.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0x00 | Signature | `EFI PART` |
//! | 0x08 | Revision | 0x00010000 in every version of the specification |
//! | 0x0c | HeaderSize | 92 at least, a sector at most |
//! | 0x10 | HeaderCRC32 | over HeaderSize bytes, this field taken as 0 |
//! | 0x18 | MyLBA | |
//! | 0x20 | AlternateLBA | of the other header |
//! | 0x28 | FirstUsableLBA | |
//! | 0x30 | LastUsableLBA | inclusive |
//! | 0x38 | DiskGUID | |
//! | 0x48 | PartitionEntryLBA | |
//! | 0x50 | NumberOfPartitionEntries | |
//! | 0x54 | SizeOfPartitionEntry | 128 times a power of two |
//! | 0x58 | PartitionEntryArrayCRC32 | |
//!
//! Specification: UEFI 2.10, section 5.3.2.

use super::codes;
use super::crc::crc32;
use super::guid::Guid;
use crate::bytes::{array, clamp_usize, le_u32, le_u64, len_u64};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::source::ByteSource;

/// Bytes of the fields that are defined.
const LEN: usize = 92;
/// The largest sector, which holds the largest header.
const SECTOR_MAX: usize = 4096;

/// A header whose checksum fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Size of a sector in bytes.
    pub(super) sector_size: u64,
    /// Where it was read, in sectors.
    pub(super) my_lba: u64,
    pub(super) alternate_lba: u64,
    pub(super) first_usable_lba: u64,
    /// Inclusive.
    pub(super) last_usable_lba: u64,
    pub(super) disk_guid: Guid,
    pub(super) entries_lba: u64,
    pub(super) entry_count: u32,
    /// Bytes of an entry.
    pub(super) entry_size: u32,
    pub(super) entries_crc: u32,
}

/// What was found in a sector that begins with the signature.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Size of a sector in bytes, under which it was found.
    pub(super) sector_size: u64,
    /// AlternateLBA, even if the checksum does not fit.
    pub(super) alternate_lba: u64,
    /// The header, if it holds together.
    pub(super) header: Result<Header>,
}

/// Reads the header in sector `lba`. `None`: past the end, or no signature.
///
/// # Errors
/// As the source's.
pub(super) fn read(
    source: &dyn ByteSource,
    sector_size: u64,
    lba: u64,
) -> Result<Option<Candidate>> {
    let Some(at) = lba.checked_mul(sector_size) else {
        return Ok(None);
    };
    if at
        .checked_add(sector_size)
        .is_none_or(|end| end > source.size())
    {
        return Ok(None);
    }
    let mut sector = [0; SECTOR_MAX];
    let len = clamp_usize(sector_size, SECTOR_MAX);
    let Some(raw) = sector.get_mut(..len) else {
        return Ok(None);
    };
    source.read_at(at, raw)?;
    if !raw.starts_with(b"EFI PART") {
        return Ok(None);
    }
    let alternate_lba = le_u64(&sector, 0x20);
    let header = parse(&sector, sector_size, lba, at);
    Ok(Some(Candidate {
        sector_size,
        alternate_lba,
        header,
    }))
}

fn parse(raw: &[u8; SECTOR_MAX], sector_size: u64, lba: u64, at: u64) -> Result<Header> {
    let size = u64::from(le_u32(raw, 0xc));
    if size < len_u64(LEN) || size > sector_size {
        let detail = format!("header size should be {LEN} to {sector_size}, is {size}");
        return Err(Error::corrupt(codes::HEADER_SIZE, at, detail));
    }
    let expected = le_u32(raw, 0x10);
    let actual = checksum(raw, clamp_usize(size, SECTOR_MAX));
    if expected != actual {
        let detail = format!("header checksum should be {expected:#010x}, is {actual:#010x}");
        return Err(Error::corrupt(codes::HEADER_CHECKSUM, at, detail));
    }
    let header = Header {
        sector_size,
        my_lba: le_u64(raw, 0x18),
        alternate_lba: le_u64(raw, 0x20),
        first_usable_lba: le_u64(raw, 0x28),
        last_usable_lba: le_u64(raw, 0x30),
        disk_guid: array(raw, 0x38),
        entries_lba: le_u64(raw, 0x48),
        entry_count: le_u32(raw, 0x50),
        entry_size: le_u32(raw, 0x54),
        entries_crc: le_u32(raw, 0x58),
    };
    if header.my_lba != lba {
        let detail = format!("MyLBA should be {lba}, is {}", header.my_lba);
        return Err(Error::corrupt(codes::MY_LBA, at, detail));
    }
    let revision = le_u32(raw, 0x8);
    if revision >> 16 != 1 {
        let detail = format!("revision should be 0x00010000, is {revision:#010x}");
        return Err(Error::unsupported(codes::REVISION, at, detail));
    }
    Ok(header)
}

fn checksum(raw: &[u8; SECTOR_MAX], size: usize) -> u32 {
    let mut copy = *raw;
    if let Some(field) = copy.get_mut(0x10..0x14) {
        field.fill(0);
    }
    // OK to fall back: the caller has bounded the size by a sector.
    crc32(copy.get(..size).unwrap_or(&[]))
}

impl Header {
    /// Where it lies, in bytes.
    pub(super) const fn at(&self) -> u64 {
        self.my_lba.saturating_mul(self.sector_size)
    }

    /// Bytes of the array of entries. At most 4 MiB once [`Header::check`] has passed.
    pub(super) fn entries_len(&self) -> u64 {
        u64::from(self.entry_count).saturating_mul(u64::from(self.entry_size))
    }

    /// Checks what the checksum does not: a checksum can be forged.
    ///
    /// # Errors
    /// The bound that a field breaks.
    pub(super) fn check(&self, limits: &Limits) -> Result<()> {
        let at = self.at();
        if self.first_usable_lba > self.last_usable_lba {
            let detail = format!(
                "FirstUsableLBA {} lies behind LastUsableLBA {}",
                self.first_usable_lba, self.last_usable_lba
            );
            return Err(Error::corrupt(codes::USABLE, at, detail));
        }
        if !(128..=4096).contains(&self.entry_size) || !self.entry_size.is_power_of_two() {
            let detail = format!(
                "entry size should be 128 times a power of two up to 4096, is {}",
                self.entry_size
            );
            return Err(Error::corrupt(codes::ENTRY_SIZE, at, detail));
        }
        if self.entry_count > limits.gpt_entry_count_max {
            let detail = format!(
                "{} entries, at most {} are read",
                self.entry_count, limits.gpt_entry_count_max
            );
            return Err(Error::limit(codes::ENTRY_COUNT, at, detail));
        }
        Ok(())
    }

    /// Whether both describe the same table and each names the other.
    pub(super) fn agrees_with(&self, backup: &Self) -> bool {
        let table = |header: &Self| {
            let usable = (header.first_usable_lba, header.last_usable_lba);
            let entries = (header.entry_count, header.entry_size, header.entries_crc);
            (header.disk_guid, usable, entries)
        };
        table(self) == table(backup)
            && self.alternate_lba == backup.my_lba
            && backup.alternate_lba == self.my_lba
    }
}
