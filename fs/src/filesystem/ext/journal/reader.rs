//! Stepping through the ring, once around at most.

use super::super::codes;
use super::log::Log;
use crate::error::{Error, Result};

/// Steps through the ring.
pub(super) struct Reader<'a> {
    pub(super) log: &'a Log,
    /// The block that comes next.
    pub(super) next: u32,
    /// Blocks of the ring that have not been stepped over.
    pub(super) left: u32,
}

impl<'a> Reader<'a> {
    /// At the start of the log.
    pub(super) const fn new(log: &'a Log) -> Self {
        let sb = log.superblock();
        Self {
            log,
            next: sb.start,
            left: sb.last.saturating_sub(sb.first),
        }
    }

    /// Reads the next block and steps over it.
    ///
    /// # Errors
    /// As [`Log::read`] and [`Reader::skip`].
    pub(super) fn block(&mut self) -> Result<Vec<u8>> {
        let bytes = self.log.read(self.next)?;
        self.skip()?;
        Ok(bytes)
    }

    /// Steps over a block and returns its number.
    ///
    /// # Errors
    /// [`codes::JOURNAL_LOOP`] once all of the ring has been stepped over.
    pub(super) fn skip(&mut self) -> Result<u32> {
        let block = self.next;
        let Some(left) = self.left.checked_sub(1) else {
            let detail = "a transaction longer than the journal";
            return Err(Error::corrupt(
                codes::JOURNAL_LOOP,
                self.log.place(block)?,
                detail,
            ));
        };
        self.left = left;
        self.next = self.log.after(block);
        Ok(block)
    }
}
