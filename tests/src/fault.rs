//! Sources with faults, and one that counts.

use flr_fs::source::{ByteSource, check_range};
use flr_fs::{Error, Result};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source that cannot be read in some ranges, as a disk with bad sectors.
#[derive(Debug)]
pub struct Flaky {
    below: Arc<dyn ByteSource>,
    bad: Vec<Range<u64>>,
}

impl Flaky {
    /// `below` with these ranges unreadable.
    #[must_use]
    pub fn new(below: Arc<dyn ByteSource>, bad: Vec<Range<u64>>) -> Self {
        Self { below, bad }
    }
}

impl ByteSource for Flaky {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = check_range(offset, buf.len(), self.size())?;
        match (self.bad.iter()).find(|bad| bad.start < end && offset < bad.end) {
            Some(bad) => {
                let at = bad.start.max(offset);
                Err(Error::io(at, io::Error::other("a bad sector")))
            }
            None => self.below.read_at(offset, buf),
        }
    }
}

/// A source that ends too early, as an image whose copy was cut off.
#[derive(Debug)]
pub struct Truncated {
    below: Arc<dyn ByteSource>,
    size: u64,
}

impl Truncated {
    /// The first `size` bytes of `below`, or all if it has fewer.
    #[must_use]
    pub fn new(below: Arc<dyn ByteSource>, size: u64) -> Self {
        let size = size.min(below.size());
        Self { below, size }
    }
}

impl ByteSource for Truncated {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_range(offset, buf.len(), self.size)?;
        self.below.read_at(offset, buf)
    }
}

/// A source that counts what is read from it.
#[derive(Debug)]
pub struct Counting {
    below: Arc<dyn ByteSource>,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    /// Counts what is read from `below`.
    #[must_use]
    pub fn new(below: Arc<dyn ByteSource>) -> Arc<Self> {
        Arc::new(Self {
            below,
            reads: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        })
    }

    /// Reads and bytes since the last call.
    pub fn take(&self) -> (u64, u64) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        (take(&self.reads), take(&self.bytes))
    }
}

impl ByteSource for Counting {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let len = u64::try_from(buf.len()).expect("a length");
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(len, Ordering::Relaxed);
        self.below.read_at(offset, buf)
    }
}
