//! Look-ups in indexed directories: a small tree of hashes over ordinary directory blocks.
//!
//! ```text
//! root   0 "." and ".." as entries  0x18 reserved  0x1c hash version  0x1d info length (8)
//!        0x1e levels  0x20 limit  0x22 count  0x24 block   then (hash, block) pairs
//! node   0 a free entry             0x8 limit   0xa count   0xc block   then (hash, block) pairs
//! ```
//!
//! The lowest bit of a pair's hash says that names with this hash also lie in the block before. The
//! tree only ever speeds things up: whatever is wrong with it, the directory's blocks can be read one
//! by one. Source: `dx_probe` and `ext4_htree_next_block` in `fs/ext4/namei.c` of Linux 6.18.

use super::features::incompat;
use super::hash::{HashVersion, hash};
use super::superblock::Superblock;
use crate::bytes::{get_le_u16, get_le_u32};

const ROOT_PAIRS_AT: usize = 0x20;
const NODE_PAIRS_AT: usize = 0x8;
const PAIR_LEN: usize = 8;

/// What the tree says about a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The name can only be in these blocks of the directory.
    Blocks(Vec<u32>),
    /// The tree cannot be used.
    Unusable,
}

/// A node on the way down, and the pair that was taken.
struct Step {
    pairs: Vec<(u32, u32)>,
    taken: usize,
}

/// Finds the blocks in which `name` may be. `read` reads a block of the directory; `None` from it
/// makes the tree unusable.
pub(super) fn find(
    sb: &Superblock,
    name: &[u8],
    mut read: impl FnMut(u32) -> Option<Vec<u8>>,
) -> Answer {
    search(sb, name, &mut read).map_or(Answer::Unusable, Answer::Blocks)
}

fn search(
    sb: &Superblock,
    name: &[u8],
    read: &mut dyn FnMut(u32) -> Option<Vec<u8>>,
) -> Option<Vec<u32>> {
    let root = read(0)?;
    let (version, unsigned) = HashVersion::from_disk(*root.get(0x1c)?)?;
    let info_len = usize::from(*root.get(0x1d)?);
    let levels = usize::from(*root.get(0x1e)?);
    let levels_max = if sb.has(incompat::LARGEDIR) { 3 } else { 2 };
    if info_len != 8 || levels >= levels_max {
        return None;
    }
    let wanted = hash(version, unsigned || sb.hash_unsigned, sb.hash_seed, name);
    let mut steps = vec![step(&root, ROOT_PAIRS_AT, wanted)?];
    while steps.len() <= levels {
        let block = taken(&steps)?.1;
        steps.push(step(&read(block)?, NODE_PAIRS_AT, wanted)?);
    }
    let mut blocks = vec![taken(&steps)?.1];
    // Names with the same hash may go on in the blocks behind.
    while advance(&mut steps, levels, wanted, read)? {
        blocks.push(taken(&steps)?.1);
    }
    Some(blocks)
}

fn taken(steps: &[Step]) -> Option<(u32, u32)> {
    let step = steps.last()?;
    step.pairs.get(step.taken).copied()
}

/// Moves on to the next leaf if it goes on with names of the hash `wanted`.
fn advance(
    steps: &mut Vec<Step>,
    levels: usize,
    wanted: u32,
    read: &mut dyn FnMut(u32) -> Option<Vec<u8>>,
) -> Option<bool> {
    let followed = |step: &Step| step.taken.saturating_add(1) < step.pairs.len();
    while steps.last().is_some_and(|step| !followed(step)) {
        steps.pop();
    }
    let Some(step) = steps.last_mut() else {
        return Some(false);
    };
    step.taken = step.taken.saturating_add(1);
    let (hash, _) = *step.pairs.get(step.taken)?;
    if hash & 1 == 0 || hash & !1 != wanted {
        return Some(false);
    }
    while steps.len() <= levels {
        let block = taken(steps)?.1;
        let mut first = self::step(&read(block)?, NODE_PAIRS_AT, 0)?;
        first.taken = 0;
        steps.push(first);
    }
    Some(true)
}

/// Reads the pairs of a node and takes the last one whose hash is not above `wanted`.
fn step(block: &[u8], at: usize, wanted: u32) -> Option<Step> {
    let limit = usize::from(get_le_u16(block, at)?);
    let count = usize::from(get_le_u16(block, at.checked_add(2)?)?);
    let room = block.len().checked_sub(at)?.checked_div(PAIR_LEN)?;
    if count == 0 || count > limit || limit > room {
        return None;
    }
    let mut pairs = Vec::with_capacity(count);
    for index in 0..count {
        let pair = at.checked_add(index.checked_mul(PAIR_LEN)?)?;
        // The first pair's hash is 0; limit and count stand in its place.
        let hash = if index == 0 {
            0
        } else {
            get_le_u32(block, pair)?
        };
        // The upper four bits were once meant for a fill level.
        let child = get_le_u32(block, pair.checked_add(4)?)? & 0x0fff_ffff;
        if pairs.last().is_some_and(|(before, _)| *before > hash) {
            return None;
        }
        pairs.push((hash, child));
    }
    let taken = pairs
        .partition_point(|(hash, _)| *hash <= wanted)
        .checked_sub(1)?;
    Some(Step { pairs, taken })
}

/// Place and number of the pairs in a block of the tree, for its checksum.
pub(super) fn pairs_at(is_root: bool) -> usize {
    if is_root {
        ROOT_PAIRS_AT
    } else {
        NODE_PAIRS_AT
    }
}
