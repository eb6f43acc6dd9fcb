//! A partition whose end lies past the end of the source, as in an image that was cut short.

use crate::error::{Error, Fault, Result};
use crate::source::{
    ByteSource, ReadRequest, Segment, SegmentKind, Slice, check_nonempty, check_range,
};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// The part that is there, with the size that the table records. Reads past the part that is there
/// fail with the fault: what is missing is never shown as zeros.
#[derive(Debug)]
pub struct Cut {
    stored: Slice,
    size: u64,
    fault: Fault,
}

impl Cut {
    /// `size` bytes of which only `stored` can be read; `fault` says why.
    #[must_use]
    pub const fn new(stored: Slice, size: u64, fault: Fault) -> Self {
        Self {
            stored,
            size,
            fault,
        }
    }

    fn missing(&self) -> Error {
        Error::Corrupt(self.fault.clone())
    }
}

impl ByteSource for Cut {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if check_range(offset, buf.len(), self.size)? > self.stored.size() {
            return Err(self.missing());
        }
        self.stored.read_at(offset, buf)
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        self.stored.read_many(reads);
        for read in reads {
            // The slice refuses what lies past its end; the answer is ours to give.
            match check_range(read.offset, read.buf.len(), self.size) {
                Ok(end) if end > self.stored.size() => read.result = Err(self.missing()),
                Ok(_) => {}
                Err(error) => read.result = Err(error),
            }
        }
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let len = check_nonempty(&range, self.size)?;
        if range.start < self.stored.size() {
            let end = range.end.min(self.stored.size());
            return self.stored.segment_at(range.start..end);
        }
        let kind = SegmentKind::Missing(self.fault.code);
        Ok(Segment { len, kind })
    }

    fn below(&self, member: u32) -> Option<&Arc<dyn ByteSource>> {
        self.stored.below(member)
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        let end = self.stored.size();
        let stored: Vec<_> = (ranges.iter())
            .map(|range| range.start.min(end)..range.end.min(end))
            .collect();
        self.stored.will_read(&stored);
    }

    fn granule(&self) -> NonZeroU32 {
        self.stored.granule()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Request};
    use crate::source::{Location, Memory};

    const CUT: Code = Code::new("test.cut");

    fn cut() -> Cut {
        let below = Arc::new(Memory::new((0..=255).collect::<Vec<u8>>()));
        let stored = Slice::new(below, 200, 56).unwrap();
        Cut::new(stored, 100, Fault::new(CUT, 256, "the source ends here"))
    }

    #[test]
    fn what_is_there_is_read_and_the_rest_fails() {
        let (cut, mut buf) = (cut(), [0; 4]);
        cut.read_at(52, &mut buf).unwrap();
        assert_eq!(buf, [252, 253, 254, 255]);
        for offset in [53, 56, 96] {
            assert_eq!(cut.read_at(offset, &mut buf).unwrap_err().code(), CUT);
        }
        assert!(matches!(
            cut.read_at(97, &mut buf),
            Err(Error::Request(Request::OutOfRange { size: 100, .. }))
        ));
    }

    #[test]
    fn many_reads_answer_like_single_ones() {
        let (mut a, mut b, mut c) = ([0; 4], [0; 4], [0; 4]);
        let mut reads = [
            ReadRequest::new(53, &mut a),
            ReadRequest::new(1, &mut b),
            ReadRequest::new(97, &mut c),
        ];
        cut().read_many(&mut reads);
        assert_eq!(reads[0].result.as_ref().unwrap_err().code(), CUT);
        assert!(reads[1].result.is_ok());
        assert_eq!(
            reads[2].result.as_ref().unwrap_err().code().as_str(),
            "request"
        );
        assert_eq!(b, [201, 202, 203, 204]);
    }

    #[test]
    fn the_map_names_the_missing_part() {
        let stored = cut().segment_at(50..100).unwrap();
        let location = Location {
            member: 0,
            offset: 250,
        };
        assert_eq!(stored.len, 6);
        assert_eq!(stored.kind, SegmentKind::Stored(location));
        let missing = cut().segment_at(56..100).unwrap();
        assert_eq!(missing.len, 44);
        assert_eq!(missing.kind, SegmentKind::Missing(CUT));
        assert!(cut().segment_at(56..101).is_err());
    }
}
