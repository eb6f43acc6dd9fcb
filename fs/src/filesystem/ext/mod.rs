//! ext2, ext3 and ext4.
//!
//! One reader for all three: they differ in features, not in kind. Written from the kernel's own
//! sources and documentation (`fs/ext4/` and `Documentation/filesystems/ext4/` of Linux 6.18); each
//! file names the part it reads.
//!
//! | read | refused by name |
//! |---|---|
//! | every incompatible feature of Linux 6.18, blocks of 1 to 64 KiB, inodes of 128 bytes and more | `compression`, unknown features |
//! | extents, block maps, inline data, clusters (bigalloc) | a dirty journal, unless it is to be ignored |
//! | attributes in the inode, in a block, in inodes; POSIX ACLs | what only a key can read (fscrypt) |
//! | `metadata_csum`, `uninit_bg` | |

mod acl;
mod backup;
mod block_map;
mod casefold;
mod check;
mod check_copies;
mod checksum;
pub mod codes;
mod content;
mod directory;
mod dirent;
mod disk;
mod extent;
mod fast;
mod features;
mod filesystem;
mod group;
mod hash;
mod htree;
mod inode;
mod inode_scan;
mod journal;
mod mmp;
mod orphan_file;
mod runs;
mod second_reader;
mod superblock;
mod time;
mod xattr;

pub use second_reader::device as second_reader_device;

use crate::error::{Code, Error, Result};
use crate::filesystem::Filesystem;
use crate::format::{
    ChecksumPolicy, Confidence, FilesystemDriver, Format, Match, OpenContext, only_member,
};
use crate::source::ByteSource;
use std::sync::Arc;
use superblock::{PRIMARY_OFFSET, SIZE, Superblock};

/// The driver of ext2, ext3 and ext4.
#[derive(Debug)]
pub struct Ext;

impl Format for Ext {
    fn name(&self) -> &'static str {
        "ext"
    }

    fn codes(&self) -> &'static [Code] {
        codes::ALL
    }

    fn probe(&self, source: &dyn ByteSource) -> Result<Option<Match>> {
        let mut raw = [0; SIZE];
        if source.size() < PRIMARY_OFFSET.saturating_mul(2) {
            return Ok(None);
        }
        source.read_at(PRIMARY_OFFSET, &mut raw)?;
        if !Superblock::has_magic(&raw) {
            return Ok(None);
        }
        // The signature has two bytes only; the checks of the other fields make it certain.
        let confidence = match Superblock::parse(&raw, PRIMARY_OFFSET, ChecksumPolicy::Strict) {
            Ok(_) => Confidence::Certain,
            Err(Error::Unsupported(_)) => Confidence::Likely,
            Err(_) => Confidence::Weak,
        };
        Ok(Some(Match { confidence }))
    }

    fn probe_copies(&self, source: &dyn ByteSource) -> Option<Match> {
        let confidence = Confidence::Certain;
        backup::find(source).map(|_| Match { confidence })
    }
}

impl FilesystemDriver for Ext {
    fn open(
        &self,
        members: &[Arc<dyn ByteSource>],
        ctx: &OpenContext<'_>,
    ) -> Result<Arc<dyn Filesystem>> {
        Ok(Arc::new(filesystem::ExtFilesystem::open(
            only_member(members)?,
            ctx,
        )?))
    }
}

/// The device as the journal leaves it: what lies on `source`, with the newest copies of blocks that
/// the journal holds in their places. `source` itself if there is nothing to replay.
///
/// Every block of a filesystem that is opened is read from here. Nothing is written; the superblock
/// still says that there is a journal to replay.
///
/// # Errors
/// As [`FilesystemDriver::open`] of [`Ext`], as far as superblock and journal go.
pub fn replayed_device(
    source: &Arc<dyn ByteSource>,
    ctx: &OpenContext<'_>,
) -> Result<Arc<dyn ByteSource>> {
    let (sb, copy) = backup::read(source.as_ref(), ctx.checksums)?;
    let notes = &mut Vec::new();
    let device = filesystem::settle_journal(source, &sb, copy.is_some(), ctx, notes)?.device;
    Ok(device)
}
