//! `ext4-view` as the second reader.
//!
//! It is given the device with the log applied, the flag that asks for that taken away and the
//! superblock's checksum made to fit: its own replay knows no revoke of earlier transactions and no log
//! that wraps. It refuses some features, and therefore whole filesystems; it takes unwritten extents for
//! data and refuses dates that do not fit 31 bits. Those are left out and counted.

use super::checksum::Crc32c;
use super::disk::Disk;
use super::features::{incompat, ro_compat};
use super::filesystem::ExtFilesystem;
use super::superblock::{PRIMARY_OFFSET, SIZE};
use crate::bytes::{clamp_usize, le_u32, len_u64};
use crate::error::Result;
use crate::filesystem::check::{Refusal, SecondFile, SecondReader, StartSecondReader};
use crate::format::OpenContext;
use crate::node::{Metadata, Timestamp};
use crate::source::{ByteSource, Segment, SegmentKind};
use ext4_view::{DirEntry, Ext4, Ext4Error, Ext4Read, File};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// Sizes that are compared. Holes cost the other reader time as data does.
const SIZE_MAX: u64 = 64 << 30;

/// Longest target that is asked for (`PATH_MAX`).
const LINK_LEN_MAX: u64 = 4096;

/// Groups of a filesystem of 128 TiB with blocks of 4 KiB.
const GROUP_COUNT_MAX: u64 = 1 << 20;

/// The device as an implementation without a journal has to see it: the log of `source` applied, and a
/// superblock that asks for nothing.
///
/// # Errors
/// As opening the filesystem.
pub fn device(source: &Arc<dyn ByteSource>, ctx: &OpenContext<'_>) -> Result<Arc<dyn ByteSource>> {
    ExtFilesystem::open(source, ctx)?.second_reader_device()
}

/// The same for an opened filesystem.
pub(super) fn settled(disk: &Disk) -> Result<Arc<dyn ByteSource>> {
    let mut raw = [0; SIZE];
    disk.source.read_at(disk.sb.at, &mut raw)?;
    let without_log = le_u32(&raw, 0x60) & !incompat::RECOVER;
    put(&mut raw, 0x60, &without_log.to_le_bytes());
    // A copy says which group it lies in; this one stands for the first.
    put(&mut raw, 0x5a, &[0; 2]);
    if disk.sb.feature_ro_compat & ro_compat::METADATA_CSUM != 0 {
        let (checked, _) = raw.split_at(0x3fc);
        let sum = Crc32c::START.with(checked).value();
        put(&mut raw, 0x3fc, &sum.to_le_bytes());
    }
    Ok(Arc::new(Settled {
        below: Arc::clone(&disk.source),
        superblock: raw,
    }))
}

fn put(raw: &mut [u8; SIZE], at: usize, bytes: &[u8]) {
    if let Some(field) = raw.get_mut(at..at.saturating_add(bytes.len())) {
        field.copy_from_slice(bytes);
    }
}

/// A device with another superblock.
struct Settled {
    below: Arc<dyn ByteSource>,
    superblock: [u8; SIZE],
}

impl ByteSource for Settled {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.below.read_at(offset, buf)?;
        let at = |index: usize| {
            let byte = offset.saturating_add(len_u64(index));
            byte.checked_sub(PRIMARY_OFFSET)
        };
        if offset >= PRIMARY_OFFSET.saturating_add(len_u64(SIZE)) {
            return Ok(());
        }
        for (index, byte) in buf.iter_mut().enumerate().take(4 * SIZE) {
            let inside = at(index).map(|at| clamp_usize(at, usize::MAX));
            if let Some(new) = inside.and_then(|at| self.superblock.get(at)) {
                *byte = *new;
            }
        }
        Ok(())
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let segment = self.below.segment_at(range.clone())?;
        let changed = range.start < PRIMARY_OFFSET.saturating_mul(2);
        Ok(Segment {
            len: segment.len,
            kind: if changed {
                SegmentKind::Opaque
            } else {
                segment.kind
            },
        })
    }

    fn granule(&self) -> NonZeroU32 {
        self.below.granule()
    }
}

impl std::fmt::Debug for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settled").finish_non_exhaustive()
    }
}

/// Starts `ext4-view` on the filesystem of `disk`.
pub(super) fn start(disk: &Arc<Disk>, has_fast_commits: bool) -> StartSecondReader {
    let disk = Arc::clone(disk);
    Box::new(move || {
        if has_fast_commits {
            // They are no part of the device that it is given.
            return Err(Refusal::NotComparable("changes in fast commits"));
        }
        // It makes room for all groups at once, and a failed allocation ends the process.
        if disk.sb.size() > disk.source.size() || disk.sb.group_count() > GROUP_COUNT_MAX {
            return Err(Refusal::NotComparable("filesystem larger than its disk"));
        }
        if disk.sb.has_metadata_csum() && disk.sb.inode_size == 128 {
            // It looks for the upper half of their checksums.
            return Err(Refusal::NotComparable("inodes of 128 bytes with checksums"));
        }
        let device = settled(&disk).map_err(|error| Refusal::Failed(error.to_string()))?;
        let filesystem = Ext4::load(Box::new(Device(device))).map_err(refusal)?;
        let coded_lengths = disk.sb.block_size == 1 << 16;
        Ok(Box::new(Other {
            filesystem,
            coded_lengths,
        }))
    })
}

/// Our device as `ext4-view` reads it.
struct Device(Arc<dyn ByteSource>);

impl Ext4Read for Device {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.0.read_at(start_byte, dst)?)
    }
}

struct Other {
    filesystem: Ext4,
    /// Entries of directories may be as long as a block of 64 KiB, which 16 bits do not hold.
    coded_lengths: bool,
}

impl SecondReader for Other {
    fn left_out(
        &self,
        metadata: &Metadata,
        content: Option<&dyn ByteSource>,
    ) -> Result<Option<&'static str>> {
        let fits = |time: &Timestamp| i32::try_from(time.seconds).is_ok_and(|s| s >= 0);
        let times = [metadata.atime, metadata.mtime, metadata.ctime];
        if !times.iter().chain(&metadata.btime).all(fits) {
            return Ok(Some(DATE));
        }
        let Some(content) = content else {
            return Ok(None);
        };
        if content.size() > SIZE_MAX {
            return Ok(Some("over 64 GiB"));
        }
        let mut at = 0;
        while at < content.size() {
            let segment = content.segment_at(at..content.size())?;
            if segment.kind == SegmentKind::Unwritten {
                return Ok(Some("unwritten extent"));
            }
            at = at.saturating_add(segment.len.max(1));
        }
        Ok(None)
    }

    fn names(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        let path = ext4_view::Path::try_from(path).map_err(|_| Refusal::NotComparable(PATH))?;
        let entries = self.filesystem.read_dir(path).map_err(refusal)?;
        let name = |entry: DirEntry| entry.file_name().as_ref().to_vec();
        let names: Result<Vec<_>, _> = entries.map(|entry| entry.map(name)).collect();
        let mut names = match names {
            Err(Ext4Error::Corrupt(_)) if self.coded_lengths => {
                return Err(Refusal::NotComparable("directory blocks of 64 KiB"));
            }
            names => names.map_err(refusal)?,
        };
        names.retain(|name| !matches!(name.as_slice(), b"." | b".."));
        Ok(names)
    }

    fn link(&self, path: &[u8]) -> Result<Vec<u8>, Refusal> {
        let path = ext4_view::Path::try_from(path).map_err(|_| Refusal::NotComparable(PATH))?;
        // It takes all 64 bits of the size for what it is, of which the kernel ignores half for a link,
        // and makes room for as much: a failed allocation would end the process.
        let metadata = self.filesystem.symlink_metadata(path).map_err(refusal)?;
        if metadata.len() > LINK_LEN_MAX {
            return Err(Refusal::NotComparable("link with a size of 64 bits"));
        }
        let target = self.filesystem.read_link(path).map_err(refusal)?;
        Ok(target.as_ref().to_vec())
    }

    fn open(&self, path: &[u8]) -> Result<Box<dyn SecondFile>, Refusal> {
        let path = ext4_view::Path::try_from(path).map_err(|_| Refusal::NotComparable(PATH))?;
        let file = self.filesystem.open(path).map_err(refusal)?;
        Ok(Box::new(OtherFile(file)))
    }
}

struct OtherFile(File);

impl SecondFile for OtherFile {
    fn size(&self) -> u64 {
        self.0.metadata().len()
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Refusal> {
        self.0.read_bytes(buf).map_err(refusal)
    }
}

const DATE: &str = "date outside of 1970 to 2038";
const PATH: &str = "path that it cannot take";

/// What an error of the other reader says about the comparison.
fn refusal(error: Ext4Error) -> Refusal {
    let text = error.to_string();
    match error {
        Ext4Error::Incompatible(_) => Refusal::NotComparable("feature that it does not read"),
        Ext4Error::Encrypted => Refusal::NotComparable("encrypted"),
        Ext4Error::PathTooLong | Ext4Error::MalformedPath => Refusal::NotComparable(PATH),
        // Some of its limits have no name of their own.
        Ext4Error::Corrupt(_) if text.contains("invalid timestamp") => Refusal::NotComparable(DATE),
        Ext4Error::Corrupt(_) if text.contains("from block 0 (") => {
            Refusal::NotComparable("hole in a block map")
        }
        Ext4Error::Corrupt(_) if text.contains("has invalid name") => {
            Refusal::NotComparable("name that no path can hold")
        }
        Ext4Error::Corrupt(_) if text.contains("invalid symlink path") => {
            Refusal::NotComparable(PATH)
        }
        _ => Refusal::Failed(text),
    }
}
