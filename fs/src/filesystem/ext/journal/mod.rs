//! The journal (jbd2): changes that were committed to the log and not yet written to their place.
//!
//! ```text
//! log: superblock | … | descriptor, block, block, … , [revoke], commit | descriptor, …
//! ```
//!
//! A descriptor names the blocks whose new content follows it, a revoke block names blocks whose
//! earlier copies in the log must not be used, and a commit block makes the transaction count. Replay
//! writes nothing here: it gives a map from blocks to their newest copy in the log ([`overlay`]), laid
//! below everything that reads the filesystem. Only the used part of the log is read, and of the copies
//! only those whose checksums must be verified.
//!
//! A log that contradicts itself is refused as a whole: no part of it can be trusted to be complete.
//! Source: `fs/jbd2/recovery.c` and `include/linux/jbd2.h` of Linux 6.18.

mod block;
mod crc32_be;
mod fast_commit;
mod locate;
mod log;
mod overlay;
mod scan;
mod superblock;

pub(super) use fast_commit::Change;
pub(super) use locate::locate;

use crate::error::Result;
use crate::limits::Limits;
use crate::source::ByteSource;
use log::Log;
use overlay::Overlay;
use std::sync::Arc;

/// A replayed log.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The device with the log's blocks in their places.
    pub(super) source: Arc<dyn ByteSource>,
    /// Transactions that were applied.
    pub(super) transactions: u64,
    /// What fast commits changed after that, oldest first. Not part of `source`.
    pub(super) fast_commits: Vec<Change>,
}

/// Replays `log` over `device`, which has `blocks_count` blocks of the log's block size. `None` if
/// there is nothing in the log.
///
/// # Errors
/// A log that cannot be trusted, a feature that is not known, errors of the sources.
pub(super) fn replay(
    device: &Arc<dyn ByteSource>,
    log: &Log,
    blocks_count: u64,
    limits: &Limits,
) -> Result<Option<Replayed>> {
    if log.superblock().start == 0 {
        return Ok(None);
    }
    let scanned = scan::scan(log, blocks_count, limits)?;
    let fast_commits = fast_commit::read(log, scanned.next_sequence)?;
    let source = Overlay::new(Arc::clone(device), log, scanned.blocks);
    Ok(Some(Replayed {
        source: Arc::new(source),
        transactions: scanned.transactions,
        fast_commits,
    }))
}
