//! Reading the log from its start to its end: which transactions count, and which copy of each block
//! is the newest.
//!
//! The rules are those of `do_one_pass` in `fs/jbd2/recovery.c` of Linux 6.18. The log ends at the
//! first block that does not carry the number of the transaction expected next: that is how a power
//! cut looks. A block that does carry it and has a wrong checksum is damage, and damage in the log is
//! an error.

use super::super::codes;
use super::block::{self, Commit, Kind, Tag};
use super::crc32_be::crc32_be;
use super::log::Log;
use super::superblock::features;
use crate::error::{Error, Result};
use crate::limits::Limits;
use std::collections::{BTreeMap, HashMap};

/// Where the newest copy of a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    /// Byte offset on the log's device.
    pub(super) offset: u64,
    /// Whether its first four bytes are to be replaced by the log's signature.
    pub(super) escaped: bool,
}

/// What the log says.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The newest copy of every block that the log has one of, by the block's number.
    pub(super) blocks: BTreeMap<u64, Copy>,
    /// Transactions that count.
    pub(super) transactions: u64,
    /// Number of the transaction that would come next.
    pub(super) next_sequence: u32,
}

/// A copy in a transaction.
struct Logged {
    sequence: u32,
    tag: Tag,
    log_block: u32,
}

/// The transaction that is being read.
struct Open {
    copies: Vec<Logged>,
    revoked: Vec<u64>,
    /// Running checksum of version 1.
    sum: u32,
    /// A descriptor whose checksum does not fit. Old blocks left in the log look like that; whether
    /// this is one is known at the commit.
    doubtful: Option<u32>,
}

impl Open {
    const fn new() -> Self {
        Self {
            copies: Vec::new(),
            revoked: Vec::new(),
            sum: !0,
            doubtful: None,
        }
    }
}

/// Reads the log.
///
/// # Errors
/// [`codes::JOURNAL_CHECKSUM`], [`codes::JOURNAL_BLOCK`], [`codes::JOURNAL_LOOP`]; those of the source.
pub(super) fn scan(log: &Log, blocks_count: u64, limits: &Limits) -> Result<Scanned> {
    let sb = log.superblock();
    let mut reader = Reader {
        log,
        next: sb.start,
        left: sb.last.saturating_sub(sb.first),
    };
    let mut sequence = sb.sequence;
    let mut transactions = 0_u64;
    let mut copies = Vec::new();
    let mut revokes: HashMap<u64, u32> = HashMap::new();
    let mut open = Open::new();
    let mut last_time = 0;
    loop {
        let at = reader.next;
        if reader.left == 0 {
            // Every block of the ring has been read. One more commit would have been written over
            // the start of the log.
            break;
        }
        let bytes = reader.block()?;
        let Some((kind, found)) = block::header(&bytes) else {
            break;
        };
        if found != sequence {
            break;
        }
        match kind {
            Kind::Descriptor => {
                if !block::tail_fits(sb, &bytes) {
                    open.doubtful = Some(at);
                }
                read_copies(&mut reader, &mut open, sequence, &bytes)?;
                if copies.len().saturating_add(open.copies.len()) > limits.run_count_max {
                    let detail =
                        format!("more than {} blocks in the journal", limits.run_count_max);
                    return Err(Error::limit(codes::JOURNAL_BLOCK, log.place(at)?, detail));
                }
            }
            Kind::Revoke => {
                if !block::tail_fits(sb, &bytes) {
                    open.doubtful = Some(at);
                }
                match block::revoked(sb, &bytes) {
                    Some(mut blocks) => open.revoked.append(&mut blocks),
                    // It claims more records than it holds.
                    None => open.doubtful = Some(at),
                }
            }
            Kind::Commit => {
                let commit = block::commit(sb, &bytes);
                match judge(log, &commit, &open, last_time, at)? {
                    Verdict::Ends => break,
                    Verdict::Counts => {}
                }
                last_time = commit.time;
                for block in open.revoked.drain(..) {
                    revokes.insert(block, sequence);
                }
                copies.append(&mut open.copies);
                open = Open::new();
                transactions = transactions.saturating_add(1);
                sequence = sequence.wrapping_add(1);
            }
        }
    }
    let blocks = newest(log, &copies, &revokes, blocks_count)?;
    Ok(Scanned {
        blocks,
        transactions,
        next_sequence: sequence,
    })
}

/// Steps through the ring.
struct Reader<'a> {
    log: &'a Log,
    next: u32,
    /// Blocks of the ring that have not been stepped over.
    left: u32,
}

impl Reader<'_> {
    fn block(&mut self) -> Result<Vec<u8>> {
        let bytes = self.log.read(self.next)?;
        self.skip()?;
        Ok(bytes)
    }

    /// Steps over a block and returns its number.
    fn skip(&mut self) -> Result<u32> {
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

/// Notes the copies behind a descriptor, and sums them where version 1 wants that.
fn read_copies(reader: &mut Reader<'_>, open: &mut Open, sequence: u32, raw: &[u8]) -> Result<()> {
    let sb = reader.log.superblock();
    if sb.checksum_v1 {
        open.sum = crc32_be(open.sum, raw);
    }
    for tag in block::tags(sb, raw) {
        if reader.left == 0 && open.doubtful.is_some() {
            // Garbage of an earlier round; the commit it belongs to is gone.
            return Ok(());
        }
        let log_block = reader.skip()?;
        if sb.checksum_v1 {
            open.sum = crc32_be(open.sum, &reader.log.read(log_block)?);
        }
        open.copies.push(Logged {
            sequence,
            tag,
            log_block,
        });
    }
    Ok(())
}

/// Whether a transaction counts.
enum Verdict {
    Counts,
    /// It is left over from an earlier round of the log, which ends before it.
    Ends,
}

fn judge(log: &Log, commit: &Commit, open: &Open, last_time: u64, at: u32) -> Result<Verdict> {
    let sb = log.superblock();
    // A transaction older than the one before it is from an earlier round of the log that happens to
    // carry the right number.
    let older = commit.time < last_time;
    let wrong = |what: &str| -> Result<Verdict> {
        let detail = format!("the checksum of {what} in the journal does not fit");
        Err(Error::corrupt(
            codes::JOURNAL_CHECKSUM,
            log.place(at)?,
            detail,
        ))
    };
    if open.doubtful.is_some() {
        return if older {
            Ok(Verdict::Ends)
        } else {
            wrong("a descriptor")
        };
    }
    if sb.checksum_v1 {
        let unused = (0, 0, 0);
        // Kind 1 is CRC-32, of 4 bytes.
        let fits = commit.checksum_v1 == (1, 4, open.sum) || commit.checksum_v1 == unused;
        if fits {
            return Ok(Verdict::Counts);
        }
    } else if !commit.damaged {
        return Ok(Verdict::Counts);
    }
    if older {
        return Ok(Verdict::Ends);
    }
    if sb.has(features::ASYNC_COMMIT) {
        // The commit block was written beside its transaction, not after it: a power cut leaves it
        // without the rest.
        return Ok(Verdict::Ends);
    }
    wrong("a transaction")
}

/// The newest copy of each block that is not revoked by the same transaction or a later one.
fn newest(
    log: &Log,
    copies: &[Logged],
    revokes: &HashMap<u64, u32>,
    blocks_count: u64,
) -> Result<BTreeMap<u64, Copy>> {
    let sb = log.superblock();
    let mut blocks = BTreeMap::new();
    for Logged {
        sequence,
        tag,
        log_block,
    } in copies
    {
        let revoked = revokes
            .get(&tag.block)
            .is_some_and(|by| !is_after(*sequence, *by));
        if revoked {
            continue;
        }
        let offset = log.place(*log_block)?;
        if tag.block >= blocks_count {
            let detail = format!("the journal names block {} of {blocks_count}", tag.block);
            return Err(Error::corrupt(codes::JOURNAL_BLOCK, offset, detail));
        }
        if sb.has_block_checksums() && !block::copy_fits(sb, tag, *sequence, &log.read(*log_block)?)
        {
            let detail = format!("the copy of block {} in the journal is damaged", tag.block);
            return Err(Error::corrupt(codes::JOURNAL_CHECKSUM, offset, detail));
        }
        blocks.insert(
            tag.block,
            Copy {
                offset,
                escaped: tag.escaped,
            },
        );
    }
    Ok(blocks)
}

/// Whether transaction `a` comes after `b`; numbers wrap.
fn is_after(a: u32, b: u32) -> bool {
    let distance = a.wrapping_sub(b);
    distance != 0 && distance < 0x8000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap() {
        assert!(is_after(1, 0) && is_after(0, u32::MAX) && is_after(5, u32::MAX - 5));
        assert!(!is_after(0, 0) && !is_after(0, 1) && !is_after(u32::MAX, 0));
    }
}
