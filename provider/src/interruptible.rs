//! A source whose reads end when somebody wants the command to end: what was made for it has to go then.

use flr_fs::error::Request;
use flr_fs::source::{ByteSource, ReadRequest, Segment};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A source with a flag. Once that is raised each read fails with [`Request::Cancelled`].
#[derive(Debug)]
pub struct Interruptible {
    below: Arc<dyn ByteSource>,
    flag: Arc<AtomicBool>,
}

impl Interruptible {
    /// `below`, until `flag` is raised.
    #[must_use]
    pub fn new(below: Arc<dyn ByteSource>, flag: Arc<AtomicBool>) -> Self {
        Self { below, flag }
    }

    fn go_on(&self) -> flr_fs::Result<()> {
        match self.flag.load(Ordering::Relaxed) {
            true => Err(Request::Cancelled.into()),
            false => Ok(()),
        }
    }
}

impl ByteSource for Interruptible {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> flr_fs::Result<()> {
        self.go_on()?;
        self.below.read_at(offset, buf)
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        // A request that was never run holds this error already.
        if self.go_on().is_ok() {
            self.below.read_many(reads);
        }
    }

    fn segment_at(&self, range: Range<u64>) -> flr_fs::Result<Segment> {
        self.go_on()?;
        self.below.segment_at(range)
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        self.below.will_read(ranges);
    }

    fn granule(&self) -> NonZeroU32 {
        self.below.granule()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_fs::source::Memory;

    #[test]
    fn reads_end_with_the_flag() {
        let flag = Arc::new(AtomicBool::new(false));
        let below: Arc<dyn ByteSource> = Arc::new(Memory::new(vec![7; 16]));
        let source = Interruptible::new(below, Arc::clone(&flag));
        let mut buf = [0; 4];
        source.read_at(0, &mut buf).unwrap();
        assert_eq!(buf, [7; 4]);
        flag.store(true, Ordering::Relaxed);
        let cancelled = |result: flr_fs::Result<()>| {
            matches!(result, Err(flr_fs::Error::Request(Request::Cancelled)))
        };
        assert!(cancelled(source.read_at(0, &mut buf)));
        let mut reads = [ReadRequest::new(0, &mut buf)];
        source.read_many(&mut reads);
        assert!(cancelled(std::mem::replace(&mut reads[0].result, Ok(()))));
        assert!(source.segment_at(0..1).is_err());
    }
}
