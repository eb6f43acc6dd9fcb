//! Extended attributes: in the inode behind its fields, in a block of their own, or with large values
//! in inodes of their own.
//!
//! ```text
//! entry  0 name length  1 name index  2 value offset  4 value inode  8 value size  0xc hash  0x10 name
//! ```
//!
//! In the inode a signature is followed by the entries, and offsets count from the first entry; a
//! block has a header of 32 bytes, and offsets count from the block's start. Source:
//! `fs/ext4/xattr.h` and `check_xattrs` in `fs/ext4/xattr.c` of Linux 6.18.

use super::acl;
use super::codes;
use super::disk::Disk;
use super::inode::Inode;
use crate::bytes::{array, clamp_usize, get_array, get_le_u32, le_u16, le_u32, len_u64};
use crate::error::{Error, Result};
use crate::name::XattrName;

const MAGIC: u32 = 0xea02_0000;
const ENTRY_HEADER_LEN: usize = 16;
const BLOCK_HEADER_LEN: usize = 32;

/// Index of `system.` names without a handler of their own; inline data is one.
const INDEX_SYSTEM: u8 = 7;
const INDEX_ACL_ACCESS: u8 = 2;
const INDEX_ACL_DEFAULT: u8 = 3;

/// One attribute as stored.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Stands for the name's prefix.
    pub index: u8,
    /// The name without its prefix.
    pub name: Vec<u8>,
    /// Byte offset of the entry in the filesystem.
    at: u64,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    /// The bytes themselves.
    Here(Vec<u8>),
    /// Content of an inode.
    Inode { number: u32, size: u32 },
}

/// All attributes of an inode: those in it first, then those in its block.
///
/// # Errors
/// Any damage: a list with some left out would pass for the whole.
pub(super) fn entries(disk: &Disk, inode: &Inode) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    if let Some((region, at)) = inode.attribute_region()
        && get_le_u32(region, 0) == Some(MAGIC)
    {
        let body = region.get(4..).unwrap_or_default();
        parse(body, 0, at.saturating_add(4), &mut entries)?;
    }
    if inode.file_acl != 0 {
        let block = inode.file_acl;
        if !disk.sb.has_blocks(block, 1) {
            let detail = format!("attributes at block {block} of {}", disk.sb.blocks_count);
            return Err(Error::corrupt(codes::XATTR_HEADER, inode.at, detail));
        }
        let at = disk.sb.byte_of(block);
        let bytes = disk.block(block)?;
        check_header(disk, block, &bytes, at)?;
        parse(&bytes, BLOCK_HEADER_LEN, at, &mut entries)?;
    }
    Ok(entries)
}

fn check_header(disk: &Disk, block: u64, bytes: &[u8], at: u64) -> Result<()> {
    let short = || Error::corrupt(codes::XATTR_HEADER, at, "a block of attributes too small");
    let header: [u8; BLOCK_HEADER_LEN] = get_array(bytes, 0).ok_or_else(short)?;
    let (h_magic, h_blocks) = (le_u32(&header, 0x0), le_u32(&header, 0x8));
    if h_magic != MAGIC || h_blocks != 1 {
        let detail = format!("signature {h_magic:#x}, {h_blocks} blocks");
        return Err(Error::corrupt(codes::XATTR_HEADER, at, detail));
    }
    if disk.verifies() {
        let h_checksum = le_u32(&header, 0x10);
        let head: [u8; 0x10] = array(&header, 0);
        let sum = disk
            .sb
            .checksum_seed
            .with(&block.to_le_bytes())
            .with(&head)
            .with_zeros(4);
        let computed = sum.with(bytes.get(0x14..).unwrap_or_default()).value();
        if computed != h_checksum {
            let detail =
                format!("the checksum of attributes is {h_checksum:#x}, not {computed:#x}");
            return Err(Error::corrupt(codes::XATTR_CHECKSUM, at, detail));
        }
    }
    Ok(())
}

/// Parses entries from `start` of `bytes` on; values are counted from the start of `bytes`, which
/// lie at byte `at`.
fn parse(bytes: &[u8], start: usize, at: u64, out: &mut Vec<Entry>) -> Result<()> {
    let mut offset = start;
    loop {
        let entry_at = at.saturating_add(len_u64(offset));
        let bad = |what: &str| Error::corrupt(codes::XATTR_ENTRY, entry_at, what);
        match get_le_u32(bytes, offset) {
            // Four zero bytes end the list; so does the end of the region.
            Some(0) => return Ok(()),
            None if offset == bytes.len() => return Ok(()),
            Some(_) => {}
            None => return Err(bad("a list of attributes that does not end")),
        }
        let raw: [u8; ENTRY_HEADER_LEN] =
            get_array(bytes, offset).ok_or_else(|| bad("an attribute cut off"))?;
        let [e_name_len, e_name_index, ..] = raw;
        let e_value_offs = usize::from(le_u16(&raw, 2));
        let e_value_inum = le_u32(&raw, 4);
        let e_value_size = le_u32(&raw, 8);
        let name_start = offset.saturating_add(ENTRY_HEADER_LEN);
        let name_end = name_start.saturating_add(e_name_len.into());
        let name = bytes
            .get(name_start..name_end)
            .ok_or_else(|| bad("an attribute's name cut off"))?;
        let value = if e_value_inum != 0 {
            Value::Inode {
                number: e_value_inum,
                size: e_value_size,
            }
        } else {
            let len = clamp_usize(e_value_size.into(), usize::MAX);
            let end = e_value_offs.saturating_add(len);
            let value = if len == 0 {
                Some(&[][..])
            } else {
                bytes.get(e_value_offs..end)
            };
            Value::Here(
                value
                    .ok_or_else(|| bad("an attribute's value cut off"))?
                    .to_vec(),
            )
        };
        out.push(Entry {
            index: e_name_index,
            name: name.to_vec(),
            at: entry_at,
            value,
        });
        offset = name_end.next_multiple_of(4);
    }
}

impl Entry {
    /// The part of inline data that does not fit in `i_block`, if this is it.
    pub(super) fn inline_data(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Here(value) if self.index == INDEX_SYSTEM && self.name == b"data" => Some(value),
            Value::Here(_) | Value::Inode { .. } => None,
        }
    }

    /// The name that the kernel shows; `None` for what it shows to no one.
    pub(super) fn full_name(&self) -> Option<XattrName> {
        let prefix: &[u8] = match self.index {
            1 => b"user.",
            INDEX_ACL_ACCESS => return Some(XattrName::new(*b"system.posix_acl_access")),
            INDEX_ACL_DEFAULT => return Some(XattrName::new(*b"system.posix_acl_default")),
            4 => b"trusted.",
            6 => b"security.",
            10 => b"gnu.",
            // Lustre (5), inline data (7), rich ACLs (8), encryption contexts (9).
            _ => return None,
        };
        Some(XattrName::new([prefix, &self.name].concat()))
    }

    /// The value as the kernel hands it out. `read_inode` reads the whole content of an inode that
    /// is made for values, and checks that its size is the one given.
    ///
    /// # Errors
    /// [`codes::ACL`], [`codes::XATTR_SIZE`], those of `read_inode`.
    pub(super) fn value(
        &self,
        bytes_max: u64,
        read_inode: impl FnOnce(u32, u32) -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let value = match &self.value {
            Value::Here(value) => value.clone(),
            Value::Inode { size, .. } if u64::from(*size) > bytes_max => {
                let detail = format!("an attribute of {size} bytes, at most {bytes_max}");
                return Err(Error::limit(codes::XATTR_SIZE, self.at, detail));
            }
            Value::Inode { number, size } => read_inode(*number, *size)?,
        };
        match self.index {
            INDEX_ACL_ACCESS | INDEX_ACL_DEFAULT => acl::from_disk(&value, self.at),
            _ => Ok(value),
        }
    }
}
