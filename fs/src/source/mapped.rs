//! Streams that are mapped in runs: the content of files on most formats.
//!
//! A format says what lies where ([`MappedStream`]); reading, reading many at once and hints are the same
//! for all of them, and are here.

use super::{ByteSource, ReadRequest, Segment, SegmentKind, check_nonempty, check_range};
use crate::bytes::{clamp_usize, len_u64};
use crate::error::{Error, Request, Result};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// A stream whose map is known: every one is a [`ByteSource`].
///
/// Runs are counted in the order of the stream. No call reads anything.
pub trait MappedStream: fmt::Debug + Send + Sync {
    /// Length of the content in bytes.
    fn stream_size(&self) -> u64;

    /// The source that stored stretches lie in.
    fn device(&self) -> &Arc<dyn ByteSource>;

    /// Checks that the source below has `len` bytes at `at`.
    ///
    /// # Errors
    /// That of an image that was cut short.
    fn check_below(&self, at: u64, len: usize) -> Result<()>;

    /// The run to begin with for byte `offset`: none before it holds that byte. A binary search.
    fn first_run(&self, offset: u64) -> usize;

    /// What lies at byte `offset`, which is inside of the stream, for at most `max` bytes and at least
    /// one. `run` is where to start looking and is moved on, so that reading on does not search again.
    fn stretch(&self, offset: u64, max: u64, run: &mut usize) -> Segment;

    /// Why the byte at `offset`, which lies in a stretch that is [`SegmentKind::Missing`], cannot be had.
    /// Formats that have no such stretches need not say.
    fn missing(&self, offset: u64) -> Error {
        let size = self.stream_size();
        let len = 1;
        Request::OutOfRange { offset, len, size }.into()
    }

    /// As [`ByteSource::granule`].
    fn unit(&self) -> NonZeroU32;
}

/// Calls `take` with each stored stretch of `buf`, which starts at `offset` of the stream: its place in
/// the source below, and the bytes that it fills. The others are filled with zeros.
fn each_stored<'b>(
    stream: &(impl MappedStream + ?Sized),
    offset: u64,
    buf: &'b mut [u8],
    take: &mut dyn FnMut(u64, &'b mut [u8]) -> Result<()>,
) -> Result<()> {
    check_range(offset, buf.len(), stream.stream_size())?;
    let mut run = stream.first_run(offset);
    let (mut offset, mut left) = (offset, buf);
    while !left.is_empty() {
        let stretch = stream.stretch(offset, len_u64(left.len()), &mut run);
        let (part, rest) = left.split_at_mut(clamp_usize(stretch.len, left.len()));
        match stretch.kind {
            SegmentKind::Stored(location) => {
                stream.check_below(location.offset, part.len())?;
                take(location.offset, part)?;
            }
            SegmentKind::Hole | SegmentKind::Unwritten => part.fill(0),
            SegmentKind::Missing(_) | SegmentKind::Opaque => return Err(stream.missing(offset)),
        }
        offset = offset.saturating_add(stretch.len);
        left = rest;
    }
    Ok(())
}

impl<M: MappedStream> ByteSource for M {
    fn size(&self) -> u64 {
        self.stream_size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let device = self.device();
        each_stored(self, offset, buf, &mut |at, part| device.read_at(at, part))
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        let mut below = Vec::with_capacity(reads.len());
        let mut owners = Vec::with_capacity(reads.len());
        let mut results: Vec<Result<()>> = Vec::with_capacity(reads.len());
        for (owner, read) in reads.iter_mut().enumerate() {
            results.push(each_stored(self, read.offset, read.buf, &mut |at, part| {
                below.push(ReadRequest::new(at, part));
                owners.push(owner);
                Ok(())
            }));
        }
        self.device().read_many(&mut below);
        for (request, owner) in below.into_iter().zip(owners) {
            if let Some(result) = results.get_mut(owner).filter(|result| result.is_ok()) {
                *result = request.result;
            }
        }
        for (read, result) in reads.iter_mut().zip(results) {
            read.result = result;
        }
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let max = check_nonempty(&range, self.stream_size())?;
        let mut run = self.first_run(range.start);
        Ok(self.stretch(range.start, max, &mut run))
    }

    fn below(&self, member: u32) -> Option<&Arc<dyn ByteSource>> {
        (member == 0).then_some(self.device())
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        let mut below = Vec::new();
        for range in ranges {
            let end = range.end.min(self.stream_size());
            let mut offset = range.start;
            let mut run = self.first_run(offset);
            while offset < end {
                let stretch = self.stretch(offset, end.saturating_sub(offset), &mut run);
                if let SegmentKind::Stored(location) = stretch.kind {
                    below.push(location.offset..location.offset.saturating_add(stretch.len));
                }
                offset = offset.saturating_add(stretch.len);
            }
        }
        self.device().will_read(&below);
    }

    fn granule(&self) -> NonZeroU32 {
        self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::source::{Location, Memory};
    use std::sync::Mutex;

    const LOST: Code = Code::new("test.lost");
    const CUT: Code = Code::new("test.cut");

    /// Runs of ten bytes of numbers from 0 to 99: each is stored somewhere, or is something else.
    #[derive(Debug)]
    struct Tens {
        below: Arc<Noted>,
        /// The same.
        device: Arc<dyn ByteSource>,
        runs: Vec<SegmentKind>,
        size: u64,
    }

    #[derive(Debug)]
    struct Noted {
        bytes: Memory,
        hints: Mutex<Vec<Range<u64>>>,
    }

    impl ByteSource for Noted {
        fn size(&self) -> u64 {
            self.bytes.size()
        }

        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
            self.bytes.read_at(offset, buf)
        }

        fn will_read(&self, ranges: &[Range<u64>]) {
            self.hints.lock().unwrap().extend(ranges.to_vec());
        }
    }

    impl MappedStream for Tens {
        fn stream_size(&self) -> u64 {
            self.size
        }

        fn device(&self) -> &Arc<dyn ByteSource> {
            &self.device
        }

        fn check_below(&self, at: u64, len: usize) -> Result<()> {
            let missing = at.saturating_add(len_u64(len)) > self.below.size();
            match missing {
                true => Err(Error::corrupt(CUT, at, "")),
                false => Ok(()),
            }
        }

        fn first_run(&self, offset: u64) -> usize {
            usize::try_from(offset / 10).unwrap()
        }

        fn stretch(&self, offset: u64, max: u64, run: &mut usize) -> Segment {
            *run = usize::try_from(offset / 10).unwrap();
            let kind = match self.runs[*run] {
                SegmentKind::Stored(location) => SegmentKind::Stored(Location {
                    member: 0,
                    offset: location.offset.saturating_add(offset % 10),
                }),
                kind => kind,
            };
            let len = 10_u64.saturating_sub(offset % 10).min(max);
            Segment { len, kind }
        }

        fn missing(&self, offset: u64) -> Error {
            Error::corrupt(LOST, offset, "")
        }

        fn unit(&self) -> NonZeroU32 {
            NonZeroU32::MIN
        }
    }

    fn tens() -> Tens {
        let stored = |offset| SegmentKind::Stored(Location { member: 0, offset });
        let below = Arc::new(Noted {
            bytes: Memory::new((0..100).collect::<Vec<u8>>()),
            hints: Mutex::default(),
        });
        Tens {
            device: Arc::<Noted>::clone(&below),
            below,
            runs: vec![
                stored(50),
                SegmentKind::Hole,
                stored(20),
                SegmentKind::Unwritten,
                SegmentKind::Missing(LOST),
                stored(95),
            ],
            size: 55,
        }
    }

    #[test]
    fn many_reads_are_what_single_ones_are() {
        let stream = tens();
        for start in 0..=55_u64 {
            for len in 0..=usize::try_from(56 - start).unwrap() {
                let (mut one, mut many) = (vec![0xff; len], vec![0xff; len]);
                let single = stream.read_at(start, &mut one);
                let mut reads = [ReadRequest::new(start, &mut many)];
                stream.read_many(&mut reads);
                let [ReadRequest { result, .. }] = reads;
                let code = |result: &Result<()>| result.as_ref().err().map(Error::code);
                assert_eq!(code(&single), code(&result), "{len} bytes at {start}");
                if single.is_ok() {
                    assert_eq!(one, many, "{len} bytes at {start}");
                }
            }
        }
        let mut buf = [0xff; 30];
        stream.read_at(5, &mut buf).unwrap();
        let expected = [55, 56, 57, 58, 59]
            .into_iter()
            .chain([0; 10])
            .chain(20..30);
        assert_eq!(buf[..25], expected.collect::<Vec<u8>>());
        assert_eq!(buf[25..], [0; 5]);
    }

    #[test]
    fn one_bad_read_does_not_spoil_the_others() {
        let stream = tens();
        let [mut a, mut b, mut c, mut d] = [[0; 4]; 4];
        let mut reads = [
            ReadRequest::new(0, &mut a),
            ReadRequest::new(38, &mut b),
            ReadRequest::new(54, &mut c),
            ReadRequest::new(20, &mut d),
        ];
        stream.read_many(&mut reads);
        let codes = reads.map(|read| read.result.err().map(|error| error.code()));
        assert_eq!(codes[0], None);
        assert_eq!(codes[1], Some(LOST));
        assert!(codes[2].is_some_and(|code| code != LOST));
        assert_eq!(codes[3], None);
        assert_eq!((a, d), ([50, 51, 52, 53], [20, 21, 22, 23]));
    }

    #[test]
    fn what_an_image_that_was_cut_lacks_is_no_wrong_request() {
        let mut stream = tens();
        stream.size = 60;
        let mut buf = [0; 10];
        assert_eq!(stream.read_at(50, &mut buf).unwrap_err().code(), CUT);
        let mut reads = [ReadRequest::new(50, &mut buf)];
        stream.read_many(&mut reads);
        let [read] = reads;
        assert_eq!(read.result.unwrap_err().code(), CUT);
    }

    #[test]
    fn hints_name_what_is_stored() {
        let stream = tens();
        stream.will_read(&[5..12, 15..25, 30..99]);
        let hints = stream.below.hints.lock().unwrap().clone();
        assert_eq!(hints, [55..60, 20..25, 95..100]);
        let segment = stream.segment_at(13..40).unwrap();
        assert_eq!((segment.len, segment.kind), (7, SegmentKind::Hole));
        assert!(stream.segment_at(13..56).is_err());
    }
}
