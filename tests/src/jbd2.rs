//! Logs for tests: made by `debugfs`, changed by hand, and replayed by e2fsprogs on a copy.

#![expect(clippy::disallowed_methods, reason = "images that are made here")]

use crate::e2fsprogs::{Oracle, debugfs_output};
use flr_fs::filesystem::ext::replayed_device;
use flr_fs::{ByteSource, Error, Memory, OpenContext};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Signature of the log's own blocks.
pub const MAGIC: u32 = 0xc03b_3998;
/// Offset of the number of the first transaction in the log's superblock.
pub const S_SEQUENCE: usize = 0x18;
/// Offset of the block the log starts at in its superblock.
pub const S_START: usize = 0x1c;
/// Offset of the incompatible features in the log's superblock.
const S_FEATURE_INCOMPAT: usize = 0x28;
/// Checksums of versions 2 and 3.
const CHECKSUMS: u32 = 0x18;

/// An image with a log in its inode 8.
#[derive(Clone, Debug)]
pub struct Image {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Bytes per block.
    pub block_size: usize,
    /// Block of the image that each block of the log lies in.
    pub log: Vec<usize>,
    /// Other devices, of which one may hold the log instead.
    pub others: Vec<Arc<dyn ByteSource>>,
}

impl Image {
    /// The image at `path`.
    ///
    /// # Panics
    /// If it is none, as everything here.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("an image");
        let stat = debugfs_output(path, "stat <8>");
        let block_size = 1024 << bytes[1024 + 0x18];
        let mut log = Vec::new();
        for part in stat.split(['\n', ',']) {
            // Such as (12-267):79-334, with (IND):78 in between.
            let part = part.trim();
            let Some((from, to)) = part.strip_prefix('(').and_then(|p| p.split_once("):")) else {
                continue;
            };
            let Some((from, to)) = range(from).zip(range(to)) else {
                continue;
            };
            assert!(from.start == log.len() && from.len() == to.len(), "{stat}");
            log.extend(to);
        }
        Self {
            bytes,
            block_size,
            log,
            others: Vec::new(),
        }
    }

    /// Writes the image to a file.
    ///
    /// # Panics
    /// If there is no room.
    pub fn save(&self, path: &Path) {
        std::fs::write(path, &self.bytes).expect("room for an image");
    }

    /// The image as a source.
    #[must_use]
    pub fn source(&self) -> Arc<dyn ByteSource> {
        Arc::new(Memory::new(self.bytes.clone()))
    }

    /// Byte of a block of the log.
    #[must_use]
    pub fn at(&self, block: usize) -> usize {
        self.log[block] * self.block_size
    }

    /// 32 bits in a block of the log.
    ///
    /// # Panics
    /// Past the end.
    #[must_use]
    pub fn get(&self, block: usize, offset: usize) -> u32 {
        let at = self.at(block) + offset;
        u32::from_be_bytes(self.bytes[at..at + 4].try_into().expect("4 bytes"))
    }

    /// Writes 32 bits into a block of the log.
    pub fn put(&mut self, block: usize, offset: usize, value: u32) {
        let at = self.at(block) + offset;
        self.bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Writes a field of the log's superblock and its checksum.
    pub fn put_superblock(&mut self, offset: usize, value: u32) {
        self.put(0, offset, value);
        if self.get(0, S_FEATURE_INCOMPAT) & CHECKSUMS != 0 {
            self.put(0, 0xfc, 0);
            let at = self.at(0);
            let sum = crc32c(!0, &self.bytes[at..at + 1024]);
            self.put(0, 0xfc, sum);
        }
    }

    /// Blocks of the log, from its start on, that carry its signature: number, kind, transaction.
    #[must_use]
    pub fn own_blocks(&self) -> Vec<(usize, u32, u32)> {
        let start = usize::try_from(self.get(0, S_START)).expect("a block");
        let start = start.max(1);
        let len = self.log.len();
        (0..len - 1)
            .map(|step| 1 + (start - 1 + step) % (len - 1))
            .filter(|block| self.get(*block, 0) == MAGIC)
            .map(|block| (block, self.get(block, 4), self.get(block, 8)))
            .collect()
    }

    /// Whether transactions of the log go on at its beginning.
    #[must_use]
    pub fn wraps(&self) -> bool {
        let start = usize::try_from(self.get(0, S_START)).expect("a block");
        let mut next = self.get(0, S_SEQUENCE);
        let mut last = start;
        for (block, kind, sequence) in self.own_blocks() {
            if start == 0 || sequence != next {
                return false;
            }
            if block < last {
                return true;
            }
            last = block;
            next = next.wrapping_add(u32::from(kind == 2));
        }
        false
    }

    /// Moves the ring so that its block `start` becomes block `to`.
    pub fn rotate(&mut self, to: usize) {
        let start = usize::try_from(self.get(0, S_START)).expect("a block");
        let ring = self.log.len() - 1;
        let old = self.bytes.clone();
        for step in 0..ring {
            let from = self.at(1 + (start - 1 + step) % ring);
            let to = self.at(1 + (to - 1 + step) % ring);
            let block = &old[from..from + self.block_size];
            self.bytes[to..to + self.block_size].copy_from_slice(block);
        }
        self.put_superblock(S_START, u32::try_from(to).expect("a block"));
    }

    /// Replays the log with our reader and with e2fsprogs, and tells every block that differs, but for
    /// the log's superblock and the fields of the superblock that tell of the replay.
    ///
    /// # Errors
    /// That of our reader.
    ///
    /// # Panics
    /// If the image is not what it was before.
    pub fn judge(&self, with: Oracle) -> Result<Vec<String>, Error> {
        self.judge_against(|| with.replayed(&self.bytes))
    }

    /// As [`Image::judge`], with the bytes of the image as replay should leave it.
    ///
    /// # Errors
    /// That of our reader.
    ///
    /// # Panics
    /// If the image is not what it was before.
    pub fn judge_against(&self, theirs: impl FnOnce() -> Vec<u8>) -> Result<Vec<String>, Error> {
        let source: Arc<dyn ByteSource> = self.source();
        let before = Sha256::digest(&self.bytes);
        let ctx = OpenContext {
            others: &self.others,
            ..OpenContext::default()
        };
        let device = replayed_device(&source, &ctx)?;
        let mut ours = vec![0; self.bytes.len()];
        device.read_at(0, &mut ours)?;
        let mut after = vec![0; self.bytes.len()];
        source.read_at(0, &mut after)?;
        assert_eq!(before, Sha256::digest(&after), "the source was changed");
        Ok(self.differences(ours, theirs()))
    }

    fn differences(&self, mut ours: Vec<u8>, mut theirs: Vec<u8>) -> Vec<String> {
        if ours.len() != theirs.len() {
            return vec![format!("{} bytes, not {}", ours.len(), theirs.len())];
        }
        for bytes in [&mut ours, &mut theirs] {
            for field in REPLAY_FIELDS {
                bytes[1024 + field.start..1024 + field.end].fill(0);
            }
            if !self.log.is_empty() {
                bytes[self.at(0)..][..self.block_size].fill(0);
            }
        }
        let blocks = ours
            .chunks(self.block_size)
            .zip(theirs.chunks(self.block_size));
        let mut told = Vec::new();
        for (number, (ours, theirs)) in blocks.enumerate() {
            if ours != theirs
                && let Some(byte) = ours.iter().zip(theirs).position(|(a, b)| a != b)
            {
                told.push(format!("block {number} from byte {byte:#x}"));
            }
        }
        told
    }
}

/// Fields of the superblock that replaying tools write: times, state, the feature that tells of a log to
/// be replayed, bytes written, checksum.
const REPLAY_FIELDS: &[Range<usize>] = &[
    0x30..0x34,
    0x3a..0x3c,
    0x40..0x44,
    0x60..0x61,
    0x178..0x180,
    0x3fc..0x400,
];

fn range(text: &str) -> Option<Range<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..last.parse::<usize>().ok()? + 1)
}

/// CRC-32C without inversions, bit by bit.
#[must_use]
pub fn crc32c(register: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(register, |register, byte| {
        (0..8).fold(register ^ u32::from(*byte), |register, _| {
            (register >> 1) ^ if register & 1 == 0 { 0 } else { 0x82f6_3b78 }
        })
    })
}
