//! Immutable random-access bytes: the one trait that carries the whole tool.

use crate::bytes::len_u64;
use crate::error::{Code, Error, Request, Result};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

mod mapped;

pub use self::mapped::MappedStream;

/// Immutable random-access bytes: a snapshot, an image, a partition, a decrypted volume, or **one
/// stream of a file**.
///
/// All calls may come from any thread at any time. Nothing here can write.
pub trait ByteSource: fmt::Debug + Send + Sync {
    /// Size in bytes. Never changes while the source is open.
    fn size(&self) -> u64;

    /// Fills all of `buf` from byte `offset` on, or fails; there are no short reads.
    ///
    /// The implementation checks the range ([`check_range`]). May block. What `buf` holds after an
    /// error is not specified and must not be shown to anyone.
    ///
    /// # Errors
    /// [`Error::Request`] outside of the source, otherwise whatever stands in the way of the bytes
    /// asked for: an unreadable range is an error, never zeros.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Several reads at once, each with a result of its own. Remote sources overlap them; the
    /// default does one after the other.
    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        for read in reads {
            read.result = self.read_at(read.offset, read.buf);
        }
    }

    /// The first stretch of `range` and what it is. Does no I/O beyond this look-up.
    ///
    /// `range` must not be empty and must lie inside of the source; the answer is at least 1 and at
    /// most `range.end - range.start` bytes long. The default says that everything must be read.
    ///
    /// # Errors
    /// As [`ByteSource::read_at`], for the structures that map the range.
    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let len = check_nonempty(&range, self.size())?;
        Ok(Segment {
            len,
            kind: SegmentKind::Opaque,
        })
    }

    /// The source that [`Location::member`] counts to: what [`SegmentKind::Stored`] says of this source lies
    /// there, byte for byte. `None`, the default: it is not told. Does no I/O.
    fn below(&self, _member: u32) -> Option<&Arc<dyn ByteSource>> {
        None
    }

    /// A hint that these ranges will be read. Never fails, never blocks; a layer passes on only what
    /// it has already mapped.
    fn will_read(&self, _ranges: &[Range<u64>]) {}

    /// The smallest unit, in bytes, worth retrying after an I/O error.
    fn granule(&self) -> NonZeroU32 {
        GRANULE_DEFAULT
    }
}

/// 512 bytes, the sector of almost everything.
const GRANULE_DEFAULT: NonZeroU32 = match NonZeroU32::new(512) {
    Some(granule) => granule,
    None => NonZeroU32::MIN,
};

/// One of several reads.
#[derive(Debug)]
pub struct ReadRequest<'a> {
    /// First byte to read.
    pub offset: u64,
    /// Where the bytes go.
    pub buf: &'a mut [u8],
    /// The outcome. A fresh request holds an error, so that one that was never run is not taken for done.
    pub result: Result<()>,
}

impl<'a> ReadRequest<'a> {
    /// A request that has not been run.
    #[must_use]
    pub fn new(offset: u64, buf: &'a mut [u8]) -> Self {
        Self {
            offset,
            buf,
            result: Err(Error::Request(Request::Cancelled)),
        }
    }
}

/// A stretch of a source and how it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Length in bytes, at least 1.
    pub len: u64,
    /// What the stretch is.
    pub kind: SegmentKind,
}

/// How a stretch of a source is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentKind {
    /// Stored one to one in the source below.
    Stored(Location),
    /// Stored in some other way (compressed, encrypted, striped, inline): it must be read.
    Opaque,
    /// Space is reserved, the content is zeros.
    Unwritten,
    /// Nothing is stored, the content is zeros.
    Hole,
    /// The content cannot be had, for the reason that the code names. Reading it is an error.
    Missing(Code),
}

/// Where stored bytes lie in the source below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Which of the sources below, counted in the order in which they were given.
    pub member: u32,
    /// Byte offset in it.
    pub offset: u64,
}

/// Checks that `offset..offset + len` lies inside of `size` bytes and returns the end.
///
/// # Errors
/// [`Request::OutOfRange`].
pub fn check_range(offset: u64, len: usize, size: u64) -> Result<u64> {
    let len = len_u64(len);
    match offset.checked_add(len) {
        Some(end) if end <= size => Ok(end),
        _ => Err(Request::OutOfRange { offset, len, size }.into()),
    }
}

/// Checks that `range` holds at least one byte and lies inside of `size` bytes; returns its length.
///
/// # Errors
/// [`Request::OutOfRange`].
pub fn check_nonempty(range: &Range<u64>, size: u64) -> Result<u64> {
    let len = range.end.saturating_sub(range.start);
    if len == 0 || range.end > size {
        return Err(Request::OutOfRange {
            offset: range.start,
            len,
            size,
        }
        .into());
    }
    Ok(len)
}

/// A part of another source: a partition, for example.
#[derive(Clone, Debug)]
pub struct Slice {
    below: Arc<dyn ByteSource>,
    offset: u64,
    size: u64,
}

impl Slice {
    /// `size` bytes of `below` from byte `offset` on.
    ///
    /// # Errors
    /// [`Request::OutOfRange`] if they do not lie inside of it.
    pub fn new(below: Arc<dyn ByteSource>, offset: u64, size: u64) -> Result<Self> {
        match offset.checked_add(size) {
            Some(end) if end <= below.size() => Ok(Self {
                below,
                offset,
                size,
            }),
            _ => Err(Request::OutOfRange {
                offset,
                len: size,
                size: below.size(),
            }
            .into()),
        }
    }

    fn below_at(&self, offset: u64, len: usize) -> Result<u64> {
        check_range(offset, len, self.size)?;
        // Cannot saturate: `offset + self.size` was checked to lie inside of `below`.
        Ok(self.offset.saturating_add(offset))
    }
}

impl ByteSource for Slice {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.below.read_at(self.below_at(offset, buf.len())?, buf)
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        let mut inside = Vec::with_capacity(reads.len());
        let mut results = Vec::with_capacity(reads.len());
        for read in reads.iter_mut() {
            match self.below_at(read.offset, read.buf.len()) {
                Ok(offset) => {
                    inside.push(ReadRequest::new(offset, read.buf));
                    results.push(&mut read.result);
                }
                Err(error) => read.result = Err(error),
            }
        }
        self.below.read_many(&mut inside);
        for (request, result) in inside.into_iter().zip(results) {
            *result = request.result;
        }
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let len = check_nonempty(&range, self.size)?;
        let offset = self.offset.saturating_add(range.start);
        Ok(Segment {
            len,
            kind: SegmentKind::Stored(Location { member: 0, offset }),
        })
    }

    fn below(&self, member: u32) -> Option<&Arc<dyn ByteSource>> {
        (member == 0).then_some(&self.below)
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        let below: Vec<_> = ranges
            .iter()
            .filter(|range| check_nonempty(range, self.size).is_ok())
            .map(|range| {
                self.offset.saturating_add(range.start)..self.offset.saturating_add(range.end)
            })
            .collect();
        self.below.will_read(&below);
    }

    fn granule(&self) -> NonZeroU32 {
        self.below.granule()
    }
}

/// Bytes held in memory: inline files, tests.
#[derive(Clone)]
pub struct Memory(Arc<[u8]>);

impl Memory {
    /// A source of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} bytes)", self.0.len())
    }
}

impl ByteSource for Memory {
    fn size(&self) -> u64 {
        len_u64(self.0.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = check_range(offset, buf.len(), self.size())?;
        let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        match range.and_then(|(start, end)| self.0.get(start..end)) {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                Ok(())
            }
            None => {
                let (len, size) = (len_u64(buf.len()), self.size());
                Err(Request::OutOfRange { offset, len, size }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> Arc<dyn ByteSource> {
        Arc::new(Memory::new((0..=255).collect::<Vec<u8>>()))
    }

    #[test]
    fn a_slice_reads_its_part_and_nothing_else() {
        let slice = Slice::new(numbered(), 100, 10).unwrap();
        let mut buf = [0; 10];
        slice.read_at(0, &mut buf).unwrap();
        assert_eq!(buf[0], 100);
        assert!(matches!(
            slice.read_at(1, &mut buf),
            Err(Error::Request(Request::OutOfRange {
                offset: 1,
                len: 10,
                size: 10
            }))
        ));
        assert!(slice.read_at(u64::MAX, &mut buf).is_err());
        assert!(Slice::new(numbered(), 250, 7).is_err());
        assert!(Slice::new(numbered(), u64::MAX, 2).is_err());
    }

    #[test]
    fn one_bad_request_of_many_does_not_spoil_the_others() {
        let slice = Slice::new(numbered(), 100, 10).unwrap();
        let (mut a, mut b, mut c) = ([0; 2], [0; 2], [0; 2]);
        let mut reads = [
            ReadRequest::new(0, &mut a),
            ReadRequest::new(9, &mut b),
            ReadRequest::new(8, &mut c),
        ];
        slice.read_many(&mut reads);
        assert!(reads[0].result.is_ok() && reads[1].result.is_err() && reads[2].result.is_ok());
        assert_eq!((a, c), ([100, 101], [108, 109]));
    }

    #[test]
    fn a_slice_tells_where_its_bytes_lie() {
        let slice = Slice::new(numbered(), 100, 10).unwrap();
        let segment = slice.segment_at(4..10).unwrap();
        assert_eq!(segment.len, 6);
        assert_eq!(
            segment.kind,
            SegmentKind::Stored(Location {
                member: 0,
                offset: 104
            })
        );
        assert!(slice.segment_at(4..4).is_err());
        assert!(slice.segment_at(4..11).is_err());
    }
}
