//! The content of files: opened sources, reads, and where the holes are.
//!
//! There are no file handles. The kernel is told not to send `open` and `release` at all, and every
//! read finds its source by node: one request less per file, which is what reading many small files
//! costs. An error of opening is the error of the first read.

use crate::mounted::Failure;
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::cache::Cache;
use flr_fs::{ByteSource, Code, SegmentKind};
use flr_recover::{View, ViewNode};
use fuser::Errno;
use std::cell::RefCell;
use std::sync::Arc;

/// Opened sources kept. The filesystems cache what is costly about opening one; this only saves
/// them from being asked for every 128 KiB.
const SOURCE_COUNT_MAX: usize = 512;

/// A file's stream is not as long as its metadata says.
const SIZE_CODE: Code = Code::new("mount.size");

thread_local! {
    /// One buffer per thread that answers the kernel: a reply must be one contiguous slice.
    pub(crate) static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The sources that were read last.
#[derive(Debug)]
pub(crate) struct Sources {
    opened: Cache<ViewNode, Arc<dyn ByteSource>>,
}

impl Sources {
    pub(crate) fn new() -> Self {
        Self {
            // Counted, not weighed: nobody knows how much memory a source takes.
            opened: Cache::counted(SOURCE_COUNT_MAX),
        }
    }

    /// The content of `node`.
    pub(crate) fn open(
        &self,
        view: &View,
        node: ViewNode,
    ) -> Result<Arc<dyn ByteSource>, flr_recover::Error> {
        self.opened.get_or_insert(node, || {
            let source = view.open(node)?;
            let size = view.metadata(node)?.size;
            // The kernel takes a short reply for the end of the file and cuts what it has cached:
            // two sizes would end in bytes that are missing without an error.
            if source.size() != size {
                let detail = format!("expected {size} bytes of content, found {}", source.size());
                return Err(flr_fs::Error::corrupt(SIZE_CODE, 0, detail).into());
            }
            Ok((source, 1))
        })
    }
}

/// Reads up to `len` bytes from `offset` on into `buffer`; fewer only at the end of the file.
pub(crate) fn read<'a>(
    source: &dyn ByteSource,
    offset: u64,
    len: u32,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], flr_recover::Error> {
    let left = source.size().saturating_sub(offset);
    let len = clamp_usize(left.min(len.into()), usize::MAX);
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    let Some(part) = buffer.get_mut(..len) else {
        return Ok(&[]);
    };
    if !part.is_empty() {
        source.read_at(offset, part)?;
    }
    Ok(part)
}

/// What `lseek` looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whence {
    Data,
    Hole,
}

impl Whence {
    /// From the number in the request; the kernel deals with all others itself.
    pub(crate) const fn from_raw(whence: i32) -> Option<Self> {
        match whence {
            3 => Some(Self::Data),
            4 => Some(Self::Hole),
            _ => None,
        }
    }
}

/// The first byte at or after `offset` that is data, or that is a hole; there is a hole behind every
/// end. What cannot be read counts as data: reading it must fail, not be skipped.
pub(crate) fn seek(source: &dyn ByteSource, offset: u64, whence: Whence) -> Result<u64, Failure> {
    let size = source.size();
    if offset >= size {
        return Err(Errno::ENXIO.into());
    }
    let mut at = offset;
    while at < size {
        let segment = source.segment_at(at..size)?;
        let found = match segment.kind {
            SegmentKind::Stored(_) | SegmentKind::Opaque | SegmentKind::Missing(_) => Whence::Data,
            SegmentKind::Unwritten | SegmentKind::Hole => Whence::Hole,
        };
        if found == whence {
            return Ok(at);
        }
        // A length of 0 is against the rules of `segment_at` and must not become a loop.
        at = at.saturating_add(segment.len.max(1));
    }
    match whence {
        Whence::Data => Err(Errno::ENXIO.into()),
        Whence::Hole => Ok(size),
    }
}

/// Bytes of a value, as xattr calls hand them out: its length if `size` is 0, else itself if it fits.
pub(crate) enum Sized<'a> {
    Length(u32),
    Value(&'a [u8]),
}

/// Answers a call that may ask for the length only.
pub(crate) fn sized(value: &[u8], size: u32, max: u64) -> Result<Sized<'_>, Errno> {
    let len = match u32::try_from(value.len()) {
        Ok(len) if len_u64(value.len()) <= max => len,
        _ => return Err(Errno::E2BIG),
    };
    match size {
        0 => Ok(Sized::Length(len)),
        size if len <= size => Ok(Sized::Value(value)),
        _ => Err(Errno::ERANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_fs::source::check_nonempty;
    use flr_fs::{Memory, Segment};
    use std::ops::Range;

    /// Data in even pages, holes and unwritten space in odd ones.
    #[derive(Debug)]
    struct Striped(u64);

    impl ByteSource for Striped {
        fn size(&self) -> u64 {
            self.0
        }
        fn read_at(&self, _offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
            buf.fill(7);
            Ok(())
        }
        fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<Segment> {
            let page = range.start / 100;
            Ok(Segment {
                len: 100_u64
                    .saturating_sub(range.start % 100)
                    .min(check_nonempty(&range, self.0)?),
                kind: match page % 4 {
                    1 => SegmentKind::Hole,
                    3 => SegmentKind::Unwritten,
                    _ => SegmentKind::Opaque,
                },
            })
        }
    }

    #[test]
    fn holes_are_found_from_anywhere() {
        let file = Striped(450);
        let find = |offset, whence| seek(&file, offset, whence).ok();
        assert_eq!(find(0, Whence::Data), Some(0));
        assert_eq!(find(50, Whence::Data), Some(50));
        assert_eq!(find(150, Whence::Data), Some(200));
        assert_eq!(find(0, Whence::Hole), Some(100));
        assert_eq!(find(199, Whence::Hole), Some(199));
        assert_eq!(find(400, Whence::Hole), Some(450));
        assert_eq!(find(449, Whence::Data), Some(449));
        assert_eq!(find(450, Whence::Data), None);
        assert_eq!(seek(&Striped(400), 300, Whence::Data).ok(), None);
        assert_eq!(seek(&Striped(400), 350, Whence::Hole).ok(), Some(350));
    }

    #[test]
    fn reads_are_cut_at_the_end_and_nowhere_else() {
        let source = Memory::new((0..10).collect::<Vec<u8>>());
        let mut buffer = vec![0xff; 3];
        assert_eq!(read(&source, 0, 10, &mut buffer).unwrap().len(), 10);
        assert_eq!(read(&source, 8, 100, &mut buffer).unwrap(), [8, 9]);
        assert!(read(&source, 10, 5, &mut buffer).unwrap().is_empty());
        assert!(read(&source, u64::MAX, 5, &mut buffer).unwrap().is_empty());
    }

    #[test]
    fn values_come_by_length_and_by_size() {
        assert!(matches!(sized(b"abc", 0, 64), Ok(Sized::Length(3))));
        assert!(matches!(sized(b"abc", 3, 64), Ok(Sized::Value(b"abc"))));
        assert!(matches!(sized(b"abc", 2, 64), Err(Errno::ERANGE)));
        assert!(matches!(sized(b"abc", 0, 2), Err(Errno::E2BIG)));
    }
}
