//! The inode: everything about a file but its name.
//!
//! 128 bytes, in newer filesystems 256 or more, of which `i_extra_isize` bytes behind the first 128
//! are fields and the rest holds extended attributes. Source: `struct ext4_inode` in `fs/ext4/ext4.h`
//! and `__ext4_iget` in `fs/ext4/inode.c` of Linux 6.18.

use super::checksum::Crc32c;
use super::codes;
use super::disk::{Disk, Piece};
use super::features::{incompat, ro_compat};
use super::group::{Groups, inode_seed};
use super::superblock::{JournalBackup, ROOT_INODE, Superblock};
use super::time;
use crate::bytes::{get_array, get_le_u16, get_le_u32, join_u32};
use crate::error::{Error, Request, Result};
use crate::node::{DeviceNumber, FileKind, Metadata, NodeFlags, Timestamp};

/// Bytes of every inode before the optional fields.
const GOOD_OLD_SIZE: usize = 128;
/// Bytes of `i_block`.
pub(super) const BLOCK_AREA_LEN: usize = 60;

/// Bits of `i_flags`.
pub(super) mod flags {
    pub(crate) const COMPRESSED: u32 = 0x4;
    pub(crate) const IMMUTABLE: u32 = 0x10;
    pub(crate) const APPEND: u32 = 0x20;
    pub(crate) const NO_DUMP: u32 = 0x40;
    pub(crate) const ENCRYPTED: u32 = 0x800;
    pub(crate) const INDEX: u32 = 0x1000;
    pub(crate) const HUGE_FILE: u32 = 0x4_0000;
    pub(crate) const EXTENTS: u32 = 0x8_0000;
    pub(crate) const VERITY: u32 = 0x10_0000;
    pub(crate) const EA_INODE: u32 = 0x20_0000;
    pub(crate) const INLINE_DATA: u32 = 0x1000_0000;
    pub(crate) const CASEFOLD: u32 = 0x4000_0000;
}

/// A parsed inode.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    /// Its number.
    pub number: u32,
    /// Byte offset of the inode in the filesystem.
    pub at: u64,
    pub kind: FileKind,
    /// Permission bits, 0 to 0o7777.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Content in bytes.
    pub size: u64,
    pub links_count: u16,
    /// Space taken in units of 512 bytes.
    pub sectors: u64,
    pub flags: u32,
    pub generation: u32,
    /// Block of extended attributes, or 0.
    pub file_acl: u64,
    pub atime: Timestamp,
    pub mtime: Timestamp,
    pub ctime: Timestamp,
    pub btime: Option<Timestamp>,
    pub project: Option<u32>,
    /// `i_block`: an extent tree's root, a block map, inline data, a short link, or a device number.
    pub block: [u8; BLOCK_AREA_LEN],
    raw: Piece,
    extra_size: usize,
}

impl Inode {
    /// Reads an inode.
    ///
    /// # Errors
    /// [`codes::INODE_NUMBER`], [`codes::INODE_CHECKSUM`], [`codes::INODE_FIELD`],
    /// [`codes::INODE_DELETED`]; those of the source.
    pub(super) fn read(disk: &Disk, groups: &Groups, number: u32) -> Result<Self> {
        let sb = &disk.sb;
        let at = groups.inode_at(sb, number)?;
        if number != ROOT_INODE && number < sb.first_inode {
            let detail = format!("inode {number} is reserved");
            return Err(Error::corrupt(codes::INODE_NUMBER, at, detail));
        }
        Self::read_any(disk, number, at)
    }

    /// Reads an inode at a known place, reserved ones too.
    ///
    /// # Errors
    /// As [`Inode::read`].
    pub(super) fn read_any(disk: &Disk, number: u32, at: u64) -> Result<Self> {
        let raw = disk.piece(at, usize::from(disk.sb.inode_size))?;
        let fixed: [u8; GOOD_OLD_SIZE] =
            get_array(&raw, 0).ok_or(Error::Request(Request::NoSuchNode))?;
        if disk.verifies() {
            verify(&disk.sb, number, at, &raw)?;
        }
        Self::parse(&disk.sb, number, at, &fixed, raw)
    }

    /// An inode with other bytes than the disk has at its place. They carry no checksum of their own;
    /// whoever made them has checked theirs.
    ///
    /// # Errors
    /// As [`Inode::read`].
    pub(super) fn from_bytes(sb: &Superblock, number: u32, at: u64, raw: Vec<u8>) -> Result<Self> {
        let fixed: [u8; GOOD_OLD_SIZE] =
            get_array(&raw, 0).ok_or(Error::Request(Request::NoSuchNode))?;
        Self::parse(sb, number, at, &fixed, Piece::from(raw))
    }

    /// The journal's inode, put together from the superblock's copy of its map.
    ///
    /// # Errors
    /// As [`Inode::read`].
    pub(super) fn of_journal(disk: &Disk, number: u32, backup: &JournalBackup) -> Result<Self> {
        let mut fixed = [0; GOOD_OLD_SIZE];
        let mut put = |at: usize, bytes: &[u8]| {
            let field = fixed.get_mut(at..at.saturating_add(bytes.len()));
            if let Some(field) = field {
                field.copy_from_slice(bytes);
            }
        };
        let [a, b, c, d, e, f, g, h] = backup.size.to_le_bytes();
        let mapped_by_extents = get_le_u16(&backup.block, 0) == Some(0xf30a);
        let i_flags = if mapped_by_extents { flags::EXTENTS } else { 0 };
        put(0x0, &0o100_600_u16.to_le_bytes());
        put(0x4, &[a, b, c, d]);
        put(0x1a, &1_u16.to_le_bytes());
        put(0x20, &i_flags.to_le_bytes());
        put(0x28, &backup.block);
        put(0x6c, &[e, f, g, h]);
        let raw = Piece::from(fixed.to_vec());
        Self::parse(&disk.sb, number, disk.sb.at, &fixed, raw)
    }

    fn parse(
        sb: &Superblock,
        number: u32,
        at: u64,
        fixed: &[u8; GOOD_OLD_SIZE],
        raw: Piece,
    ) -> Result<Self> {
        use crate::bytes::{array, le_u16, le_u32};
        let bad = |detail: String| Error::corrupt(codes::INODE_FIELD, at, detail);
        let i_mode = le_u16(fixed, 0x0);
        let i_links_count = le_u16(fixed, 0x1a);
        if i_links_count == 0 {
            let detail = format!("inode {number} is not in use");
            return Err(Error::corrupt(codes::INODE_DELETED, at, detail));
        }
        let kind = kind_of_mode(i_mode)
            .ok_or_else(|| bad(format!("inode {number} has mode {i_mode:#o}")))?;
        let extra = Extra::new(&raw, number, at)?;

        let low = le_u32(fixed, 0x4);
        let wide_size =
            kind == FileKind::File || (kind == FileKind::Directory && sb.has(incompat::LARGEDIR));
        let size = join_u32(low, if wide_size { le_u32(fixed, 0x6c) } else { 0 });
        if i64::try_from(size).is_err() {
            return Err(bad(format!("inode {number} has size {size:#x}")));
        }
        let i_flags = le_u32(fixed, 0x20);
        let huge = sb.feature_ro_compat & ro_compat::HUGE_FILE != 0;
        let blocks_high = if huge { le_u16(fixed, 0x74) } else { 0 };
        let blocks = join_u32(le_u32(fixed, 0x1c), blocks_high.into());
        let unit = match huge && i_flags & flags::HUGE_FILE != 0 {
            true => u64::from(sb.block_size >> 9),
            false => 1,
        };
        let wide = sb.has(incompat::BIT64);
        let file_acl_high = if wide { le_u16(fixed, 0x76) } else { 0 };
        let project = sb.feature_ro_compat & ro_compat::PROJECT != 0;
        Ok(Self {
            number,
            at,
            kind,
            mode: u32::from(i_mode & 0o7777),
            uid: u32::from(le_u16(fixed, 0x2)) | (u32::from(le_u16(fixed, 0x78)) << 16),
            gid: u32::from(le_u16(fixed, 0x18)) | (u32::from(le_u16(fixed, 0x7a)) << 16),
            size,
            links_count: i_links_count,
            sectors: blocks.saturating_mul(unit),
            flags: i_flags,
            generation: le_u32(fixed, 0x64),
            file_acl: join_u32(le_u32(fixed, 0x68), file_acl_high.into()),
            atime: time::decode(le_u32(fixed, 0x8), extra.field(0x8c)),
            mtime: time::decode(le_u32(fixed, 0x10), extra.field(0x88)),
            ctime: time::decode(le_u32(fixed, 0xc), extra.field(0x84)),
            btime: extra
                .field(0x90)
                .map(|base| time::decode(base, extra.field(0x94))),
            project: extra.field(0x9c).filter(|_| project),
            block: array(fixed, 0x28),
            extra_size: extra.stored,
            raw,
        })
    }

    /// Whether a bit of [`flags`] is set.
    pub(super) const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The bytes behind the fields, where extended attributes may lie, and their offset in the
    /// filesystem. `None` if the inode has no such region.
    pub(super) fn attribute_region(&self) -> Option<(&[u8], u64)> {
        // With no extra fields the kernel treats the whole rest as unused.
        let start = GOOD_OLD_SIZE
            .checked_add(self.extra_size)
            .filter(|_| self.extra_size > 0)?;
        let region = self.raw.get(start..)?;
        let at = self.at.saturating_add(crate::bytes::len_u64(start));
        (region.len() >= 4).then_some((region, at))
    }

    /// Register that checksums of this inode's blocks start from.
    pub(super) fn checksum_seed(&self, sb: &Superblock) -> Crc32c {
        inode_seed(sb, self.number, self.generation)
    }

    /// Device number, for device nodes: the old coding in the first word, the new one in the second.
    pub(super) fn device(&self) -> Option<DeviceNumber> {
        if !matches!(self.kind, FileKind::CharDevice | FileKind::BlockDevice) {
            return None;
        }
        let [old, new] = [0, 4].map(|at| get_le_u32(&self.block, at).unwrap_or(0));
        Some(if old != 0 {
            DeviceNumber {
                major: (old >> 8) & 0xff,
                minor: old & 0xff,
            }
        } else {
            DeviceNumber {
                major: (new & 0xf_ff00) >> 8,
                minor: (new & 0xff) | ((new >> 12) & 0xf_ff00),
            }
        })
    }

    /// What `stat` shows.
    pub(super) fn metadata(&self) -> Metadata {
        let known = [
            (flags::IMMUTABLE, NodeFlags::IMMUTABLE),
            (flags::APPEND, NodeFlags::APPEND_ONLY),
            (flags::ENCRYPTED, NodeFlags::ENCRYPTED),
            (flags::COMPRESSED, NodeFlags::COMPRESSED),
            (flags::CASEFOLD, NodeFlags::CASE_INSENSITIVE),
            (flags::VERITY, NodeFlags::VERITY),
            (flags::NO_DUMP, NodeFlags::NO_DUMP),
            (flags::INLINE_DATA, NodeFlags::INLINE),
        ];
        let set = known.iter().filter(|(bit, _)| self.has(*bit));
        // A file in its inode has no blocks; the kernel counts its bytes all the same, so that
        // programs which look for holes do not take it for one (`ext4_file_getattr`).
        let inline_sectors = if self.kind == FileKind::File && self.has(flags::INLINE_DATA) {
            self.size.div_ceil(512)
        } else {
            0
        };
        Metadata {
            kind: self.kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            nlink: self.links_count.into(),
            inode: self.number.into(),
            blocks: self.sectors.saturating_add(inline_sectors),
            rdev: self.device(),
            atime: self.atime,
            mtime: self.mtime,
            ctime: self.ctime,
            btime: self.btime,
            flags: set.fold(NodeFlags::default(), |all, (_, flag)| all.with(*flag)),
            generation: self.generation.into(),
            project: self.project,
        }
    }
}

/// The fields behind the first 128 bytes, as far as the inode has them.
struct Extra<'a> {
    raw: &'a [u8],
    /// Bytes of fields that the inode says it has.
    stored: usize,
    /// End of the fields, counted from the start of the inode.
    end: usize,
}

impl<'a> Extra<'a> {
    fn new(raw: &'a [u8], number: u32, at: u64) -> Result<Self> {
        if raw.len() <= GOOD_OLD_SIZE {
            return Ok(Self {
                raw,
                stored: 0,
                end: GOOD_OLD_SIZE,
            });
        }
        let stored = usize::from(get_le_u16(raw, GOOD_OLD_SIZE).unwrap_or(0));
        let end = GOOD_OLD_SIZE.saturating_add(stored);
        if end > raw.len() || stored & 3 != 0 {
            let detail = format!("inode {number} has {stored} bytes of extra fields");
            return Err(Error::corrupt(codes::INODE_FIELD, at, detail));
        }
        // An inode made when inodes were small and moved since has no extra fields yet; the kernel
        // reads the (zeroed) bytes there all the same.
        let end = if stored == 0 { 160 } else { end };
        Ok(Self { raw, stored, end })
    }

    /// A 32-bit field at this offset of the inode, if the inode has it.
    fn field(&self, offset: usize) -> Option<u32> {
        let end = offset.checked_add(4)?;
        (end <= self.end)
            .then(|| get_le_u32(self.raw, offset))
            .flatten()
    }
}

/// Checks `i_checksum`, of which the upper half lies in the extra fields.
fn verify(sb: &Superblock, number: u32, at: u64, raw: &[u8]) -> Result<()> {
    let half = |offset| get_le_u16(raw, offset).unwrap_or(0);
    let part = |range: std::ops::Range<usize>| raw.get(range).unwrap_or_default();
    let generation = get_le_u32(raw, 0x64).unwrap_or(0);
    let mut sum = inode_seed(sb, number, generation)
        .with(part(0..0x7c))
        .with_zeros(2);
    sum = sum.with(part(0x7e..GOOD_OLD_SIZE));
    let mut has_high = false;
    if raw.len() > GOOD_OLD_SIZE {
        has_high = half(0x80) >= 4;
        sum = sum.with(part(0x80..0x82));
        sum = if has_high {
            sum.with_zeros(2)
        } else {
            sum.with(part(0x82..0x84))
        };
        sum = sum.with(part(0x84..raw.len()));
    }
    let (stored, computed) = if has_high {
        (
            u32::from(half(0x7c)) | (u32::from(half(0x82)) << 16),
            sum.value(),
        )
    } else {
        (u32::from(half(0x7c)), u32::from(sum.low16()))
    };
    // A slot that was never used is all zeros, and has no checksum either.
    if stored == computed || (generation == 0 && raw.iter().all(|byte| *byte == 0)) {
        return Ok(());
    }
    let detail = format!("the checksum of inode {number} is {stored:#x}, not {computed:#x}");
    Err(Error::corrupt(codes::INODE_CHECKSUM, at, detail))
}

/// The kind in the upper four bits of `i_mode`.
fn kind_of_mode(i_mode: u16) -> Option<FileKind> {
    Some(match i_mode >> 12 {
        0x1 => FileKind::Fifo,
        0x2 => FileKind::CharDevice,
        0x4 => FileKind::Directory,
        0x6 => FileKind::BlockDevice,
        0x8 => FileKind::File,
        0xa => FileKind::Symlink,
        0xc => FileKind::Socket,
        _ => return None,
    })
}
