//! A source that remembers whether a read failed on the network while it was found out what is on it.
//!
//! Discovery takes what it cannot read for a volume of its own that cannot be read. On a disk that is damaged this
//! is the best there is; where an answer was only late, the guest's view would be made of what happened to
//! come, and perhaps of the wrong filesystem.

use flr_fs::source::{ByteSource, ReadRequest, Segment};
use flr_fs::{Error, Result};
use flr_provider::Fault;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The first error of the network, if there was one.
pub(super) type Noticed = Arc<OnceLock<Error>>;

/// A source, and what went wrong with it.
#[derive(Debug)]
pub(super) struct Noticing {
    below: Arc<dyn ByteSource>,
    noticed: Noticed,
}

impl Noticing {
    pub(super) fn new(below: Arc<dyn ByteSource>, noticed: Noticed) -> Self {
        Self { below, noticed }
    }

    fn note<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && is_of_network(error)
        {
            // The first one is told.
            let _ = self.noticed.set(error.clone());
        }
        result
    }
}

/// Whether it says nothing of the bytes, only that they did not come.
fn is_of_network(error: &Error) -> bool {
    let Error::Io { source, .. } = error else {
        return false;
    };
    source.get_ref().is_some_and(|inner| inner.is::<Fault>())
}

impl ByteSource for Noticing {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.note(self.below.read_at(offset, buf))
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        self.below.read_many(reads);
        for read in reads {
            if let Err(error) = &read.result
                && is_of_network(error)
            {
                let _ = self.noticed.set(error.clone());
            }
        }
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        self.note(self.below.segment_at(range))
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        self.below.will_read(ranges);
    }

    fn granule(&self) -> NonZeroU32 {
        self.below.granule()
    }
}
