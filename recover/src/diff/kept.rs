//! What two points of one disk have in common, on the word of the provider: content that lies in the same place of
//! the disk at both, where nothing changed, is the same without being read.
//!
//! A place is followed from the content down to the disk, through whatever lies between that stores bytes one to
//! one: a replayed journal, a partition, an image in an image. Where a step does not tell, the way ends, and the
//! content is read. So what a journal puts over a block leads to the log, whose place is another one or whose blocks
//! changed; what is compressed, resident or inline leads nowhere.

use super::Side;
use crate::point::Point;
use flr_fs::{ByteSource, SegmentKind};
use flr_provider::point::{CommonDisk, Unchanged};
use std::ops::Range;
use std::sync::Arc;

/// Steps from a content to its disk. A guard against a circle; images in images in images take some twenty.
const STEPS_MAX: usize = 64;

/// Disks that two points have in common. The default: none, or nobody knows.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    disks: Vec<KeptDisk>,
}

#[derive(Clone, Debug)]
struct KeptDisk {
    before: Arc<dyn ByteSource>,
    after: Arc<dyn ByteSource>,
    unchanged: Arc<dyn Unchanged>,
}

/// Where content lies.
struct Place<'a> {
    disk: &'a KeptDisk,
    offset: u64,
    len: u64,
}

impl Kept {
    /// What two points have in common. `common` counts the disks of both in the order in which they were opened.
    #[must_use]
    pub fn new(before: &Point, after: &Point, common: &[CommonDisk]) -> Self {
        let disks = common.iter().filter_map(|common| {
            Some(KeptDisk {
                before: Arc::clone(before.disks().nth(common.before)?),
                after: Arc::clone(after.disks().nth(common.after)?),
                unchanged: Arc::clone(&common.unchanged),
            })
        });
        Self {
            disks: disks.collect(),
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.disks.is_empty()
    }

    /// How many bytes from `range.start` on are alike in whether they are known to be the same in both contents, and
    /// whether they are. `range` is not empty and lies in both.
    ///
    /// # Errors
    /// Those of the look-ups, with the side they are of.
    pub(super) fn stretch(
        &self,
        before: &Arc<dyn ByteSource>,
        after: &Arc<dyn ByteSource>,
        range: &Range<u64>,
    ) -> Result<(u64, bool), (Side, flr_fs::Error)> {
        let old = self.place(before, range, |disk| &disk.before);
        let new = self.place(after, range, |disk| &disk.after);
        let (old, new) = (
            old.map_err(|error| (Side::Before, error))?,
            new.map_err(|error| (Side::After, error))?,
        );
        let len = old.len().min(new.len());
        let (Found::At(old), Found::At(new)) = (old, new) else {
            return Ok((len, false));
        };
        if !std::ptr::eq(old.disk, new.disk) || old.offset != new.offset {
            return Ok((len, false));
        }
        let end = old.offset.saturating_add(len);
        let (alike, is_same) = old.disk.unchanged.stretch(old.offset..end);
        Ok((alike.clamp(1, len), is_same))
    }

    /// Where the beginning of `range` lies.
    fn place(
        &self,
        content: &Arc<dyn ByteSource>,
        range: &Range<u64>,
        side: impl Fn(&KeptDisk) -> &Arc<dyn ByteSource>,
    ) -> flr_fs::Result<Found<'_>> {
        let mut len = range.end.saturating_sub(range.start);
        let (mut source, mut offset) = (content, range.start);
        for _ in 0..STEPS_MAX {
            let mut disks = self.disks.iter();
            if let Some(disk) = disks.find(|disk| Arc::ptr_eq(side(disk), source)) {
                return Ok(Found::At(Place { disk, offset, len }));
            }
            let end = offset.saturating_add(len);
            // What lies behind the end of its disk cannot be read, and is for the read to tell.
            if end > source.size() {
                break;
            }
            let segment = source.segment_at(offset..end)?;
            // At least one byte, whatever a driver says.
            len = len.min(segment.len.max(1));
            let SegmentKind::Stored(location) = segment.kind else {
                break;
            };
            let Some(below) = source.below(location.member) else {
                break;
            };
            (source, offset) = (below, location.offset);
        }
        Ok(Found::Nowhere(len))
    }
}

/// What following a content led to.
enum Found<'a> {
    At(Place<'a>),
    /// No disk that is known, for so many bytes.
    Nowhere(u64),
}

impl Found<'_> {
    const fn len(&self) -> u64 {
        match self {
            Self::At(place) => place.len,
            Self::Nowhere(len) => *len,
        }
    }
}
