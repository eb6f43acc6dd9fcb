//! Sources with holes, faults and panics, for seeing what becomes of them above.

use flr_fs::source::{ByteSource, Segment, SegmentKind, check_nonempty, check_range};
use flr_fs::{Code, Error, Result};
use std::fmt;
use std::ops::Range;

/// What a [`Patchwork`] is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// The bytes of [`expected`].
    Data,
    /// Zeros that are not stored.
    Hole,
    /// Zeros that are reserved.
    Unwritten,
    /// Reading any of it is an error.
    Bad,
    /// Reading any of it panics.
    Panic,
    /// Reading any of it never ends.
    Stall,
}

/// A source of patches.
#[derive(Clone)]
pub struct Patchwork {
    size: u64,
    patches: Vec<(Range<u64>, Patch)>,
}

/// Content of generated files repeats after this many bytes. A prime, so that no block is like the
/// one before it.
const PERIOD: usize = 65521;

/// What stands at `offset` in a [`Patch::Data`].
#[must_use]
pub fn expected(offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fill(offset, &mut bytes);
    bytes
}

fn fill(offset: u64, buf: &mut [u8]) {
    static PATTERN: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let pattern = PATTERN.get_or_init(|| {
        let mut state = 0x9e37_79b9_u32;
        let next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        };
        std::iter::repeat_with(next).take(PERIOD).collect()
    });
    let mut rest = buf;
    let period = u64::try_from(PERIOD).unwrap_or(1);
    let mut at = usize::try_from(offset.checked_rem(period).unwrap_or(0)).unwrap_or(0);
    while !rest.is_empty() {
        let from = pattern.get(at..).unwrap_or_default();
        let len = from.len().min(rest.len());
        let (head, tail) = rest.split_at_mut(len);
        head.copy_from_slice(from.get(..len).unwrap_or_default());
        rest = tail;
        at = 0;
    }
}

impl Patchwork {
    /// A source of `size` bytes, all data but for `patches`, which must not overlap.
    #[must_use]
    pub fn new(size: u64, mut patches: Vec<(Range<u64>, Patch)>) -> Self {
        patches.sort_by_key(|(range, _)| range.start);
        Self { size, patches }
    }

    fn patch_at(&self, offset: u64) -> (u64, Patch) {
        for (range, patch) in &self.patches {
            if range.contains(&offset) {
                return (range.end, *patch);
            }
            if range.start > offset {
                return (range.start, Patch::Data);
            }
        }
        (self.size, Patch::Data)
    }
}

impl fmt::Debug for Patchwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patchwork({} bytes)", self.size)
    }
}

impl ByteSource for Patchwork {
    fn size(&self) -> u64 {
        self.size
    }

    #[expect(clippy::panic, reason = "a panic is what this patch is for")]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = check_range(offset, buf.len(), self.size)?;
        let mut at = offset;
        let mut rest = buf;
        while at < end {
            let (patch_end, patch) = self.patch_at(at);
            let len = patch_end.min(end).saturating_sub(at);
            let (head, tail) = rest.split_at_mut(usize::try_from(len).unwrap_or(usize::MAX));
            match patch {
                Patch::Data => fill(at, head),
                Patch::Hole | Patch::Unwritten => head.fill(0),
                Patch::Bad => return Err(Error::io(at, std::io::Error::other("bad sector"))),
                Patch::Panic => panic!("a panic on purpose at {at:#x}"),
                Patch::Stall => loop {
                    std::thread::park();
                },
            }
            rest = tail;
            at = at.saturating_add(len);
        }
        Ok(())
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let len = check_nonempty(&range, self.size)?;
        let (end, patch) = self.patch_at(range.start);
        Ok(Segment {
            len: end.saturating_sub(range.start).min(len),
            kind: match patch {
                Patch::Data | Patch::Panic | Patch::Stall => SegmentKind::Opaque,
                Patch::Hole => SegmentKind::Hole,
                Patch::Unwritten => SegmentKind::Unwritten,
                Patch::Bad => SegmentKind::Missing(Code::new("test.bad")),
            },
        })
    }
}
