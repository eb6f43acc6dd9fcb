//! What reading every file does not verify: spare copies beside sound originals, the bitmaps of clusters
//! and records, records that nobody leads to, and whether the pieces of a file agree with each other.
//!
//! One pass over the `$MFT` does most of it; of indexes only those are asked that a walk has not been in,
//! or that a file with several names says it stands in. In memory are one bit for each cluster and a few
//! numbers. Nothing is assumed of the order of anything.
//!
//! Maps, link counts and names change in several writes, which the log of Windows joins. The log is not
//! replayed here. So on a volume that was not closed what it may bring in order is a remark, and on one
//! that was closed it is damage. That two files own one cluster is damage on both: one of them shows
//! bytes of the other. What Windows leaves behind when it is cut off, space that is counted as used and
//! that nobody owns, is a remark always.

mod bits;
mod clusters;
mod copies;
mod names;
mod records;

use self::bits::Bits;
use super::filesystem::NtfsFilesystem;
use super::mft::Mft;
use crate::error::{Error, Fault, Request, Result};
use crate::filesystem::check::{CheckContext, CheckItem};

/// Checks everything that the head of this file names. The number of checksums is 0: NTFS has none.
///
/// # Errors
/// [`Request::Cancelled`].
pub(super) fn check(
    volume: &NtfsFilesystem,
    mft: &Mft,
    is_closed: bool,
    ctx: &CheckContext<'_>,
    report: &mut dyn FnMut(CheckItem),
) -> Result<u64> {
    let mut checker = Checker {
        volume,
        mft,
        is_closed,
        ctx,
        report,
        unreachable: names::Unreachable::new(mft.record_count()),
        overflow: Bits::default(),
        unread: 0,
    };
    checker.copies();
    checker.clusters()?;
    Ok(0)
}

/// A check in progress.
struct Checker<'a> {
    volume: &'a NtfsFilesystem,
    mft: &'a Mft,
    /// Whether the log has nothing that is not in place.
    is_closed: bool,
    ctx: &'a CheckContext<'a>,
    report: &'a mut dyn FnMut(CheckItem),
    unreachable: names::Unreachable,
    /// Records with overflow that no file was seen to own, or the reverse.
    overflow: Bits,
    /// Records that could not be read.
    unread: u64,
}

impl Checker<'_> {
    fn damaged(&mut self, fault: Fault) {
        (self.report)(CheckItem::Damaged(fault));
    }

    fn remark(&mut self, fault: Fault) {
        (self.report)(CheckItem::Remark(fault));
    }

    /// What the log may bring in order, if there is something in it.
    fn unsettled(&mut self, fault: Fault) {
        match self.is_closed {
            true => self.damaged(fault),
            false => self.remark(fault),
        }
    }

    /// An error met on the way. A request for what is not there is none.
    fn failed(&mut self, error: &Error) {
        if !matches!(error, Error::Request(_)) {
            self.damaged(fault_of(error));
        }
    }

    fn go_on(&self) -> Result<()> {
        match (self.ctx.cancelled)() {
            true => Err(Request::Cancelled.into()),
            false => Ok(()),
        }
    }
}

/// The error as a fault.
fn fault_of(error: &Error) -> Fault {
    match (error.fault(), error) {
        (Some(fault), _) => fault.clone(),
        (None, Error::Io { at, .. }) => Fault::new(error.code(), *at, error.to_string()),
        (None, _) => Fault::new(error.code(), 0, error.to_string()),
    }
}
