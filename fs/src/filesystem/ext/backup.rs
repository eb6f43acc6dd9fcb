//! Copies of the superblock, for when the first one is damaged.
//!
//! Group 1 always starts with a copy, whatever rule thins them out further on. Where group 1 starts
//! depends on the block size and the blocks per group, which only the superblock knows; but both are
//! powers of two for everything that `mke2fs` makes unless it is told otherwise, so few places are
//! possible. A copy is believed only if it says itself that it belongs where it was found.

use super::codes;
use super::superblock::{PRIMARY_OFFSET, SIZE, Superblock};
use crate::error::{Error, Fault, Result};
use crate::format::ChecksumPolicy;
use crate::source::{ByteSource, ReadRequest};

/// Smallest and largest start of group 1 that is looked at: 256 blocks of 1 KiB (the fewest `mke2fs`
/// makes), 524 288 blocks of 64 KiB.
const LOG_MIN: u32 = 18;
const LOG_MAX: u32 = 35;
/// With blocks of 1 KiB group 0 starts at block 1, and group 1 one block later than a power of two; such
/// groups have at most 8192 blocks.
const LOG_MAX_SHIFTED: u32 = 23;

/// The superblock to use, and a note if it is a copy.
///
/// # Errors
/// What is wrong with the first superblock, if no copy is sound.
pub(super) fn read(
    source: &dyn ByteSource,
    checksums: ChecksumPolicy,
) -> Result<(Superblock, Option<Fault>)> {
    let error = match primary(source, checksums) {
        Ok(sb) => return Ok((sb, None)),
        // A sound superblock with a feature that is not read: a copy from before that feature was
        // turned on would be read wrongly.
        Err(error @ Error::Unsupported(_)) => return Err(error),
        Err(error) => error,
    };
    let Some(sb) = find(source) else {
        return Err(error);
    };
    let detail = format!("a copy of the superblock is used, because: {error}");
    let note = Fault::new(codes::SUPERBLOCK_BACKUP, sb.at, detail);
    Ok((sb, Some(note)))
}

fn primary(source: &dyn ByteSource, checksums: ChecksumPolicy) -> Result<Superblock> {
    let mut raw = [0; SIZE];
    source.read_at(PRIMARY_OFFSET, &mut raw)?;
    Superblock::parse(&raw, PRIMARY_OFFSET, checksums)
}

/// Checks that a device whose journal was replayed still begins with a superblock.
///
/// A log without checksums that lost a sector can put anything anywhere. Where it lands on the
/// superblock the kernel gives up, and a copy of the superblock says nothing of what else was hit.
///
/// # Errors
/// [`codes::JOURNAL_BLOCK`] if there is none; errors of the source.
pub(super) fn expect_superblock(replayed: &dyn ByteSource) -> Result<()> {
    match primary(replayed, ChecksumPolicy::Ignore) {
        Err(Error::Corrupt(fault)) => {
            let detail = format!("the journal would destroy the superblock: {}", fault.detail);
            Err(Error::corrupt(codes::JOURNAL_BLOCK, PRIMARY_OFFSET, detail))
        }
        other => other.map(drop),
    }
}

/// The copy in group 1, if there is a sound one. Reads 24 KiB at most.
pub(super) fn find(source: &dyn ByteSource) -> Option<Superblock> {
    let plain = (LOG_MIN..=LOG_MAX).map(|log| 1_u64 << log);
    let shifted = (LOG_MIN..=LOG_MAX_SHIFTED).map(|log| (1_u64 << log).saturating_add(1024));
    let places: Vec<u64> = plain.chain(shifted).collect();
    let mut copies: Vec<_> = places.iter().map(|at| (*at, [0_u8; SIZE])).collect();
    let mut reads: Vec<_> = copies
        .iter_mut()
        .map(|(at, raw)| ReadRequest::new(*at, raw))
        .collect();
    source.read_many(&mut reads);
    // A place that cannot be read, or lies behind the end, has no copy for us.
    let read: Vec<bool> = reads.iter().map(|read| read.result.is_ok()).collect();
    copies.iter().zip(read).find_map(|((at, raw), read)| {
        let sb = Superblock::parse(raw, *at, ChecksumPolicy::Strict).ok()?;
        let belongs = sb.group == 1 && sb.byte_of(sb.group_start(1)) == *at;
        (read && belongs).then_some(sb)
    })
}
