//! The log's own superblock, in its first block. Big-endian, like everything in the log.
//!
//! Source: `struct journal_superblock_s` in `include/linux/jbd2.h`, `journal_load_superblock` in
//! `fs/jbd2/journal.c` of Linux 6.18.

use super::super::checksum::Crc32c;
use super::super::codes;
use crate::bytes::{array, be_u32};
use crate::error::{Error, Result};

/// Bytes of the superblock.
pub(crate) const SIZE: usize = 1024;

/// Signature of every block of the log that is not a copy.
pub(crate) const MAGIC: u32 = 0xc03b_3998;

const BLOCK_TYPE_V1: u32 = 3;
const BLOCK_TYPE_V2: u32 = 4;

/// Bits of `s_feature_incompat`.
pub(crate) mod features {
    pub(crate) const BIT64: u32 = 0x2;
    pub(crate) const ASYNC_COMMIT: u32 = 0x4;
    pub(crate) const CSUM_V2: u32 = 0x8;
    pub(crate) const CSUM_V3: u32 = 0x10;
    pub(crate) const FAST_COMMIT: u32 = 0x20;
    /// What this reader knows, with revoke records (bit 0).
    pub(crate) const KNOWN: u32 = 0x3f;
}

/// Fast commit blocks of a journal that does not say how many it has.
const FAST_COMMIT_BLOCKS_DEFAULT: u32 = 256;

/// Geometry and state of a log.
#[derive(Clone, Debug)]
pub(crate) struct JournalSuperblock {
    /// Bytes per block; that of the filesystem.
    pub(crate) block_size: u32,
    /// Blocks of the log, its superblock and fast commits included.
    pub(crate) max_len: u32,
    /// First block of the log proper.
    pub(crate) first: u32,
    /// First block behind the log proper, where it wraps.
    pub(crate) last: u32,
    /// Number of the first transaction in the log.
    pub(crate) sequence: u32,
    /// Block of the first transaction; 0 if the log holds none.
    pub(crate) start: u32,
    /// Whether transactions carry the oldest kind of checksum.
    pub(crate) checksum_v1: bool,
    /// Bits of [`features`].
    pub(crate) incompat: u32,
    /// Register that checksums of versions 2 and 3 start from.
    pub(crate) seed: Crc32c,
}

impl JournalSuperblock {
    /// Parses the first 1024 bytes of the log, which lie at byte `at` of its device. `blocks` is how
    /// many blocks the log has room for.
    ///
    /// # Errors
    /// [`codes::JOURNAL_SUPERBLOCK`], [`codes::JOURNAL_CHECKSUM`], [`codes::JOURNAL_FEATURE`].
    pub(crate) fn parse(
        raw: &[u8; SIZE],
        at: u64,
        fs_block_size: u32,
        blocks: u64,
    ) -> Result<Self> {
        let bad = |detail: String| Error::corrupt(codes::JOURNAL_SUPERBLOCK, at, detail);
        let (h_magic, h_blocktype) = (be_u32(raw, 0x0), be_u32(raw, 0x4));
        if h_magic != MAGIC || !matches!(h_blocktype, BLOCK_TYPE_V1 | BLOCK_TYPE_V2) {
            let detail = format!("journal signature {h_magic:#x}, block type {h_blocktype}");
            return Err(bad(detail));
        }
        // The first version has no features, and garbage may stand in their place.
        let feature = |at| {
            if h_blocktype == BLOCK_TYPE_V1 {
                0
            } else {
                be_u32(raw, at)
            }
        };
        let compat = feature(0x24);
        let incompat = feature(0x28);
        let unknown = incompat & !features::KNOWN;
        if unknown != 0 {
            let detail = format!("journal features {unknown:#x} are not read");
            return Err(Error::unsupported(codes::JOURNAL_FEATURE, at, detail));
        }
        let has_checksums = incompat & (features::CSUM_V2 | features::CSUM_V3) != 0;
        if has_checksums {
            verify(raw, at)?;
        }
        let s_blocksize = be_u32(raw, 0xc);
        let s_maxlen = be_u32(raw, 0x10);
        let s_first = be_u32(raw, 0x14);
        let s_start = be_u32(raw, 0x1c);
        let fast = match (incompat & features::FAST_COMMIT != 0, be_u32(raw, 0x54)) {
            (false, _) => 0,
            (true, 0) => FAST_COMMIT_BLOCKS_DEFAULT,
            (true, blocks) => blocks,
        };
        let last = s_maxlen.saturating_sub(fast);
        let sound = s_blocksize == fs_block_size
            && u64::from(s_maxlen) <= blocks
            && s_first > 0
            && s_first < last
            && s_start < last
            && (s_start == 0 || s_start >= s_first);
        if !sound {
            let detail = format!(
                "a log of {s_maxlen} blocks of {s_blocksize} bytes from {s_first}, started at \
                 {s_start}, with {fast} fast commit blocks, in room for {blocks}"
            );
            return Err(bad(detail));
        }
        let uuid: [u8; 16] = array(raw, 0x30);
        Ok(Self {
            block_size: s_blocksize,
            max_len: s_maxlen,
            first: s_first,
            last,
            sequence: be_u32(raw, 0x18),
            start: s_start,
            checksum_v1: compat & 0x1 != 0,
            incompat,
            seed: Crc32c::START.with(&uuid),
        })
    }

    /// Whether a bit of [`features`] is set.
    pub(crate) const fn has(&self, feature: u32) -> bool {
        self.incompat & feature != 0
    }

    /// Whether blocks carry checksums of version 2 or 3.
    pub(crate) const fn has_block_checksums(&self) -> bool {
        self.has(features::CSUM_V2 | features::CSUM_V3)
    }
}

fn verify(raw: &[u8; SIZE], at: u64) -> Result<()> {
    const CRC32C: u8 = 4;
    let [kind] = array(raw, 0x50);
    let stored = be_u32(raw, 0xfc);
    let (head, tail) = raw.split_at(0xfc);
    let tail = tail.get(4..).unwrap_or_default();
    let computed = Crc32c::START.with(head).with_zeros(4).with(tail).value();
    if kind != CRC32C || stored != computed {
        let detail = format!(
            "the checksum (kind {kind}) of the journal's superblock is {stored:#x}, not {computed:#x}"
        );
        return Err(Error::corrupt(codes::JOURNAL_CHECKSUM, at, detail));
    }
    Ok(())
}
