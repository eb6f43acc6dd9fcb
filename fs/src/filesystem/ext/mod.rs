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
mod journal;
mod runs;
mod superblock;
mod time;
mod xattr;

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
