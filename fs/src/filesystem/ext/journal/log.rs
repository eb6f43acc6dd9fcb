//! The log as a ring of blocks, wherever it lies: in a file of the filesystem or on a device of its
//! own.

use super::super::codes;
use super::superblock::{JournalSuperblock, SIZE};
use crate::bytes::{clamp_usize, len_u64};
use crate::error::{Error, Request, Result};
use crate::source::{ByteSource, SegmentKind};
use std::sync::Arc;

/// A log that can be read.
#[derive(Debug)]
pub(crate) struct Log {
    content: Arc<dyn ByteSource>,
    /// The device the log's blocks lie on, if it is another one than the filesystem's.
    external: Option<Arc<dyn ByteSource>>,
    superblock: JournalSuperblock,
}

impl Log {
    /// Opens a log: `content` is the file or the device whose blocks it numbers, with the log's
    /// superblock at byte `superblock_at`; `external` is that device, if it is one.
    ///
    /// # Errors
    /// As [`JournalSuperblock::parse`]; those of the source.
    pub(crate) fn open(
        content: Arc<dyn ByteSource>,
        external: Option<Arc<dyn ByteSource>>,
        superblock_at: u64,
        fs_block_size: u32,
    ) -> Result<Self> {
        let mut raw = [0; SIZE];
        if content.size() < superblock_at.saturating_add(len_u64(SIZE)) {
            let detail = format!("a journal of {} bytes", content.size());
            return Err(Error::corrupt(codes::JOURNAL_SUPERBLOCK, 0, detail));
        }
        content.read_at(superblock_at, &mut raw)?;
        let blocks = content
            .size()
            .checked_div(fs_block_size.into())
            .unwrap_or(0);
        let at = place(content.as_ref(), superblock_at).unwrap_or(superblock_at);
        let superblock = JournalSuperblock::parse(&raw, at, fs_block_size, blocks)?;
        Ok(Self {
            content,
            external,
            superblock,
        })
    }

    /// The log's superblock.
    pub(crate) const fn superblock(&self) -> &JournalSuperblock {
        &self.superblock
    }

    /// The device that copies of blocks are read from, if it is not the filesystem's own.
    pub(super) const fn external(&self) -> Option<&Arc<dyn ByteSource>> {
        self.external.as_ref()
    }

    /// Reads a block.
    pub(super) fn read(&self, block: u32) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.block_len()];
        self.content.read_at(self.offset(block), &mut bytes)?;
        Ok(bytes)
    }

    /// Byte offset of a block on its device.
    ///
    /// # Errors
    /// [`codes::JOURNAL_HOLE`] if the log has no such block.
    pub(super) fn place(&self, block: u32) -> Result<u64> {
        if self.external.is_some() {
            return Ok(self.offset(block));
        }
        place(self.content.as_ref(), self.offset(block)).map_err(|error| match error {
            Error::Request(Request::NotOffered) => {
                let detail = format!("block {block} of the journal is not stored anywhere");
                Error::corrupt(codes::JOURNAL_HOLE, 0, detail)
            }
            error => error,
        })
    }

    /// The block behind `block`, around the ring.
    pub(super) const fn after(&self, block: u32) -> u32 {
        let next = block.saturating_add(1);
        if next >= self.superblock.last {
            self.superblock.first
        } else {
            next
        }
    }

    /// Bytes per block as an index.
    pub(super) fn block_len(&self) -> usize {
        clamp_usize(self.superblock.block_size.into(), usize::MAX)
    }

    fn offset(&self, block: u32) -> u64 {
        u64::from(block).saturating_mul(self.superblock.block_size.into())
    }
}

/// Where a byte of the log lies on its device.
fn place(content: &dyn ByteSource, offset: u64) -> Result<u64> {
    match content.segment_at(offset..content.size())?.kind {
        SegmentKind::Stored(location) => Ok(location.offset),
        _ => Err(Request::NotOffered.into()),
    }
}
