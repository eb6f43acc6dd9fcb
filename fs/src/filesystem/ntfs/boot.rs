//! The boot sector: geometry, and where the `$MFT` lies.
//!
//! | at    | field                                                        |
//! |-------|--------------------------------------------------------------|
//! | 0x003 | `NTFS` and four spaces                                       |
//! | 0x00b | bytes of a sector                                            |
//! | 0x00d | sectors of a cluster; from 0xe1 on 2 to the power of 256 - n |
//! | 0x028 | sectors of the volume, without the one of the copy           |
//! | 0x030 | first cluster of the `$MFT`                                  |
//! | 0x038 | first cluster of the `$MFTMirr`                              |
//! | 0x040 | clusters of a record; negative: 2 to the power of -n bytes   |
//! | 0x044 | clusters of an index block, likewise                         |
//! | 0x048 | serial number                                                |
//! | 0x1fe | 55 aa                                                        |
//!
//! The sector behind the last one of the volume, which is the last of the partition, holds a copy.
//! Bounds are those of Linux: sectors of 256 to 4096 bytes, clusters up to 2 MiB, records of 512 to
//! 4096 bytes (`fs/ntfs3/super.c`, `ntfs_init_from_boot`; ntfs-3g `libntfs-3g/bootsect.c`).

use super::codes;
use crate::bytes::{array, le_u16, le_u64};
use crate::error::{Error, Fault, Result};
use crate::source::ByteSource;

/// Bytes of the boot sector that have fields.
pub const SIZE: usize = 512;

const OEM_ID: &[u8; 8] = b"NTFS    ";
const SECTOR_SIZE_MIN: u32 = 256;
const SECTOR_SIZE_MAX: u32 = 4096;
const CLUSTER_SIZE_MAX: u32 = 2 << 20;
const RECORD_SIZE_MIN: u32 = 512;
const RECORD_SIZE_MAX: u32 = 4096;
const INDEX_BLOCK_SIZE_MAX: u32 = 64 << 10;

/// A boot sector whose fields have been checked against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootSector {
    /// Bytes of a sector: a power of two from 256 to 4096.
    pub sector_size: u32,
    /// Bytes of a cluster: a power of two from one sector to 2 MiB.
    pub cluster_size: u32,
    /// Size of the volume in bytes, without the sector of the copy.
    pub volume_size: u64,
    /// Clusters of the volume. What is left behind the last whole one is not used.
    pub clusters: u64,
    /// First cluster of the `$MFT`.
    pub mft_lcn: u64,
    /// First cluster of the `$MFTMirr`. May lie outside of the volume if the field is damaged.
    pub mirror_lcn: u64,
    /// Bytes of a record: a power of two from 512 to 4096.
    pub record_size: u32,
    /// Bytes of a directory's index block: a power of two from 512 bytes to 64 KiB.
    pub index_block_size: u32,
    /// Serial number.
    pub serial: u64,
}

impl BootSector {
    /// Whether the sector claims to be one of NTFS.
    #[must_use]
    pub fn has_signature(raw: &[u8; SIZE]) -> bool {
        array::<8, SIZE>(raw, 0x3) == *OEM_ID
    }

    /// Whether the mark at the end of the sector is there, which Windows demands and Linux does not.
    #[must_use]
    pub fn has_end_mark(raw: &[u8; SIZE]) -> bool {
        le_u16(raw, 0x1fe) == 0xaa55
    }

    /// Checks the fields. `at` is the place of the sector, for messages.
    ///
    /// # Errors
    /// [`codes::BOOT`].
    pub fn parse(raw: &[u8; SIZE], at: u64) -> Result<Self> {
        let bad = |detail: String| Error::corrupt(codes::BOOT, at, detail);
        if !Self::has_signature(raw) {
            return Err(bad("no NTFS signature in the boot sector".to_owned()));
        }
        let sector_size = u32::from(le_u16(raw, 0xb));
        if !sector_size.is_power_of_two()
            || !(SECTOR_SIZE_MIN..=SECTOR_SIZE_MAX).contains(&sector_size)
        {
            return Err(bad(format!("sectors of {sector_size} bytes")));
        }
        let [per_cluster, per_record, per_index] = [0xd, 0x40, 0x44]
            .map(|offset| array::<1, SIZE>(raw, offset))
            .map(|[byte]| byte);
        let cluster_size = sectors_of_cluster(per_cluster)
            .and_then(|sectors| sectors.checked_mul(sector_size))
            .filter(|size| *size <= CLUSTER_SIZE_MAX)
            .ok_or_else(|| bad(format!("clusters of {per_cluster:#x} sectors")))?;
        let record_size = clusters_or_exponent(per_record, cluster_size)
            .filter(|size| (RECORD_SIZE_MIN..=RECORD_SIZE_MAX).contains(size))
            .ok_or_else(|| bad(format!("records of size {per_record:#x}")))?;
        let index_block_size = clusters_or_exponent(per_index, cluster_size)
            .filter(|size| (RECORD_SIZE_MIN..=INDEX_BLOCK_SIZE_MAX).contains(size))
            .ok_or_else(|| bad(format!("index blocks of size {per_index:#x}")))?;
        let sectors = le_u64(raw, 0x28);
        let volume_size = sectors
            .checked_mul(sector_size.into())
            .filter(|size| *size > 0 && *size <= u64::MAX >> 1)
            .ok_or_else(|| bad(format!("a volume of {sectors:#x} sectors")))?;
        let clusters = volume_size.checked_div(cluster_size.into()).unwrap_or(0);
        let mft_lcn = le_u64(raw, 0x30);
        if mft_lcn == 0 || mft_lcn >= clusters {
            let detail = format!("the MFT at cluster {mft_lcn:#x} of {clusters:#x}");
            return Err(bad(detail));
        }
        Ok(Self {
            sector_size,
            cluster_size,
            volume_size,
            clusters,
            mft_lcn,
            mirror_lcn: le_u64(raw, 0x38),
            record_size,
            index_block_size,
            serial: le_u64(raw, 0x48),
        })
    }

    /// The boot sector of `source`, and a note if it is the copy.
    ///
    /// # Errors
    /// What is wrong with the first one, if there is no sound copy.
    pub fn read(source: &dyn ByteSource) -> Result<(Self, Option<Fault>)> {
        let error = match primary(source) {
            Ok(boot) => return Ok((boot, None)),
            Err(error) => error,
        };
        let Some((boot, at)) = Self::find_copy(source) else {
            return Err(error);
        };
        let detail = format!("the copy of the boot sector is used, because: {error}");
        Ok((boot, Some(Fault::new(codes::BOOT_COPY, at, detail))))
    }

    /// The copy in the last sector of `source` and its place, if there is a sound one that belongs
    /// there. Reads five sectors at most.
    #[must_use]
    pub fn find_copy(source: &dyn ByteSource) -> Option<(Self, u64)> {
        [512, 4096, 1024, 2048, 256].iter().find_map(|sector_size| {
            let at = source.size().checked_sub(*sector_size)?;
            let mut raw = [0; SIZE];
            let len = usize::try_from(*sector_size).ok()?.min(SIZE);
            source.read_at(at, raw.get_mut(..len)?).ok()?;
            let boot = Self::parse(&raw, at).ok()?;
            (boot.volume_size == at).then_some((boot, at))
        })
    }

    /// First byte of a cluster. No cluster of the volume is too far for 63 bits.
    #[must_use]
    pub fn byte_of(&self, lcn: u64) -> u64 {
        lcn.saturating_mul(self.cluster_size.into())
    }
}

fn primary(source: &dyn ByteSource) -> Result<BootSector> {
    let mut raw = [0; SIZE];
    source.read_at(0, &mut raw)?;
    BootSector::parse(&raw, 0)
}

fn sectors_of_cluster(stored: u8) -> Option<u32> {
    match stored {
        1..=0x80 => Some(u32::from(stored)).filter(|sectors| sectors.is_power_of_two()),
        // Written for clusters above 64 KiB.
        0xe1..=0xff => 1_u32.checked_shl(256_u32.checked_sub(stored.into())?),
        _ => None,
    }
}

fn clusters_or_exponent(stored: u8, cluster_size: u32) -> Option<u32> {
    match stored {
        0 => None,
        1..=0x7f => u32::from(stored)
            .checked_mul(cluster_size)
            .filter(|size| size.is_power_of_two()),
        0x80..=0xff => 1_u32.checked_shl(256_u32.checked_sub(stored.into())?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Memory;

    fn raw() -> [u8; SIZE] {
        let mut raw = [0; SIZE];
        raw[3..11].copy_from_slice(OEM_ID);
        raw[0xb..0xe].copy_from_slice(&[0, 2, 8]);
        raw[0x28] = 63;
        raw[0x30] = 4;
        raw[0x38] = 2;
        raw[0x40] = 0xf6;
        raw[0x44] = 1;
        raw
    }

    #[test]
    fn sizes_have_two_forms() {
        let with = |changes: &[(usize, u8)]| {
            let mut raw = raw();
            raw[0x29] = 0xff;
            changes.iter().for_each(|(at, value)| raw[*at] = *value);
            BootSector::parse(&raw, 0)
        };
        let boot = with(&[]).unwrap();
        let sizes = (boot.cluster_size, boot.record_size, boot.index_block_size);
        assert_eq!(sizes, (4096, 1024, 4096));
        let small = with(&[(0xd, 1), (0x40, 2), (0x44, 8)]).unwrap();
        let sizes = (
            small.cluster_size,
            small.record_size,
            small.index_block_size,
        );
        assert_eq!(sizes, (512, 1024, 4096));
        let large = with(&[(0xd, 0xf4), (0x44, 0xf4), (0x2a, 0xff)]).unwrap();
        assert_eq!(large.cluster_size, 2 << 20);
        assert_eq!(large.index_block_size, 4096);
        let tiny = with(&[(0xb, 0), (0xc, 1)]).unwrap();
        assert_eq!((tiny.sector_size, tiny.cluster_size), (256, 2048));
    }

    #[test]
    fn fields_that_do_not_fit_are_refused() {
        let wrong = [
            (0x3, b'M'),
            (0xc, 0),
            (0xc, 3),
            (0xc, 0x20),
            (0xd, 0),
            (0xd, 3),
            (0xd, 0xf3),
            (0xd, 0x90),
            (0x40, 0),
            (0x40, 2),
            (0x40, 0x81),
            (0x40, 0xf8),
            (0x44, 0),
            (0x44, 0x40),
            (0x44, 0xe0),
            (0x28, 0),
            (0x2f, 0x80),
            (0x30, 0),
            (0x30, 7),
        ];
        for (at, value) in wrong {
            let mut raw = raw();
            raw[at] = value;
            let error = BootSector::parse(&raw, 0).unwrap_err();
            assert_eq!(error.code(), codes::BOOT, "byte {at:#x} is {value:#x}");
        }
        BootSector::parse(&raw(), 0).unwrap();
    }

    #[test]
    fn the_copy_serves_where_it_belongs() {
        let mut disk = vec![0; 64 * 512];
        disk[63 * 512..].copy_from_slice(&raw());
        let (boot, note) = BootSector::read(&Memory::new(disk.clone())).unwrap();
        assert_eq!(boot.mft_lcn, 4);
        assert_eq!(note.unwrap().code, codes::BOOT_COPY);
        disk.extend([0; 8192]);
        assert!(BootSector::find_copy(&Memory::new(disk.clone())).is_none());
        let size = disk.len();
        disk[size - 512..].copy_from_slice(&raw());
        assert!(
            BootSector::find_copy(&Memory::new(disk)).is_none(),
            "a copy that says it belongs elsewhere"
        );
        assert!(BootSector::find_copy(&Memory::new([0; 16])).is_none());
    }
}
