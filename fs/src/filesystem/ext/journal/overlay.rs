//! A device with the newest copies of the log in their places. Nothing is written: reads of a block
//! that the log has a copy of go to the copy.

use super::log::Log;
use super::scan::Copy;
use super::superblock::MAGIC;
use crate::bytes::{clamp_usize, len_u64};
use crate::error::Result;
use crate::source::{ByteSource, Location, Segment, SegmentKind, check_nonempty, check_range};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// The replayed device.
pub(super) struct Overlay {
    device: Arc<dyn ByteSource>,
    /// Where the copies lie: the device itself, or that of an external journal.
    copies_on: Arc<dyn ByteSource>,
    external: bool,
    block_size: u64,
    /// Block and copy, in order of blocks.
    blocks: Box<[(u64, Copy)]>,
}

/// Part of a read, as far as it is of one sort.
struct Stretch {
    len: u64,
    copy: Option<Copy>,
    /// First byte in the block, for a copy.
    within: u64,
}

impl Overlay {
    pub(super) fn new(device: Arc<dyn ByteSource>, log: &Log, blocks: BTreeMap<u64, Copy>) -> Self {
        let copies_on = log.external().unwrap_or(&device);
        Self {
            copies_on: Arc::clone(copies_on),
            external: log.external().is_some(),
            device,
            block_size: log.superblock().block_size.into(),
            blocks: blocks.into_iter().collect(),
        }
    }

    /// What lies at `offset`, for at most `max` bytes. `index` is the first entry of `blocks` that has
    /// not been passed, and is moved on.
    fn stretch(&self, offset: u64, max: u64, index: &mut usize) -> Stretch {
        let block = offset.checked_div(self.block_size).unwrap_or(0);
        while self
            .blocks
            .get(*index)
            .is_some_and(|(copied, _)| *copied < block)
        {
            *index = index.saturating_add(1);
        }
        match self.blocks.get(*index) {
            Some((copied, copy)) if *copied == block => {
                let within = offset.saturating_sub(block.saturating_mul(self.block_size));
                let len = self.block_size.saturating_sub(within).min(max);
                Stretch {
                    len,
                    copy: Some(*copy),
                    within,
                }
            }
            Some((copied, _)) => {
                let start = copied.saturating_mul(self.block_size);
                Stretch {
                    len: start.saturating_sub(offset).min(max),
                    copy: None,
                    within: 0,
                }
            }
            None => Stretch {
                len: max,
                copy: None,
                within: 0,
            },
        }
    }

    fn first(&self, offset: u64) -> usize {
        let block = offset.checked_div(self.block_size).unwrap_or(0);
        self.blocks.partition_point(|(copied, _)| *copied < block)
    }
}

impl ByteSource for Overlay {
    fn size(&self) -> u64 {
        self.device.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = check_range(offset, buf.len(), self.size())?;
        let mut index = self.first(offset);
        let (mut offset, mut left) = (offset, buf);
        while offset < end {
            let stretch = self.stretch(offset, end.saturating_sub(offset), &mut index);
            let (part, rest) = left.split_at_mut(clamp_usize(stretch.len, left.len()));
            match stretch.copy {
                None => self.device.read_at(offset, part)?,
                Some(copy) => {
                    let at = copy.offset.saturating_add(stretch.within);
                    self.copies_on.read_at(at, part)?;
                    if copy.escaped {
                        unescape(part, stretch.within);
                    }
                }
            }
            offset = offset.saturating_add(stretch.len);
            left = rest;
        }
        Ok(())
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let max = check_nonempty(&range, self.size())?;
        let mut index = self.first(range.start);
        let stretch = self.stretch(range.start, max, &mut index);
        let kind = match stretch.copy {
            None => SegmentKind::Stored(Location {
                member: 0,
                offset: range.start,
            }),
            // Not the bytes as they are stored.
            Some(Copy { escaped: true, .. }) => SegmentKind::Opaque,
            Some(copy) => {
                let offset = copy.offset.saturating_add(stretch.within);
                SegmentKind::Stored(Location {
                    member: u32::from(self.external),
                    offset,
                })
            }
        };
        Ok(Segment {
            len: stretch.len,
            kind,
        })
    }

    fn below(&self, member: u32) -> Option<&Arc<dyn ByteSource>> {
        match (member, self.external) {
            (0, _) => Some(&self.device),
            (1, true) => Some(&self.copies_on),
            _ => None,
        }
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        self.device.will_read(ranges);
    }

    fn granule(&self) -> NonZeroU32 {
        self.device.granule()
    }
}

/// Puts the signature back at the start of a block of which `part` begins at byte `within`.
fn unescape(part: &mut [u8], within: u64) {
    let magic = MAGIC.to_be_bytes();
    for (index, byte) in part.iter_mut().enumerate().take(magic.len()) {
        let at = within.saturating_add(len_u64(index));
        if let Some(original) = usize::try_from(at).ok().and_then(|at| magic.get(at)) {
            *byte = *original;
        }
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay")
            .field("blocks", &self.blocks.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Memory;

    fn overlay() -> Overlay {
        let mut device = vec![0xaa; 8 * 1024];
        device[6 * 1024..7 * 1024].fill(0xbb);
        device[7 * 1024..].fill(0xcc);
        let device: Arc<dyn ByteSource> = Arc::new(Memory::new(device));
        let at = |offset, escaped| Copy { offset, escaped };
        Overlay {
            copies_on: Arc::clone(&device),
            device,
            external: false,
            block_size: 1024,
            blocks: [(1, at(6 * 1024, false)), (3, at(7 * 1024, true))].into(),
        }
    }

    #[test]
    fn reads_of_any_shape_see_the_copies() {
        let overlay = overlay();
        let mut whole = vec![0; 5 * 1024];
        overlay.read_at(0, &mut whole).unwrap();
        let mut expected = vec![0xaa; 5 * 1024];
        expected[1024..2048].fill(0xbb);
        expected[3072..4096].fill(0xcc);
        expected[3072..3076].copy_from_slice(&MAGIC.to_be_bytes());
        assert_eq!(whole, expected);
        for start in 1000..3100 {
            for len in [1, 2, 3, 5, 100, 1024, 1100] {
                let mut part = vec![0; len];
                overlay.read_at(len_u64(start), &mut part).unwrap();
                assert_eq!(part, expected[start..start + len], "{start}+{len}");
            }
        }
        assert!(overlay.read_at(8 * 1024 - 1, &mut [0; 2]).is_err());
    }

    #[test]
    fn the_map_leads_to_the_copies() {
        let overlay = overlay();
        let kind = |start| overlay.segment_at(start..5 * 1024).unwrap();
        let stored = |offset| SegmentKind::Stored(Location { member: 0, offset });
        assert_eq!(
            kind(0),
            Segment {
                len: 1024,
                kind: stored(0)
            }
        );
        assert_eq!(
            kind(1030),
            Segment {
                len: 1018,
                kind: stored(6 * 1024 + 6)
            }
        );
        assert_eq!(
            kind(3072),
            Segment {
                len: 1024,
                kind: SegmentKind::Opaque
            }
        );
        assert_eq!(
            kind(4096),
            Segment {
                len: 1024,
                kind: stored(4096)
            }
        );
    }
}
