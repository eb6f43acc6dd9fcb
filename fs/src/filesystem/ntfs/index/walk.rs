//! All entries of an index, in the order in which they lie.
//!
//! A place in an index is a number of bytes: those of the root come first, then those of the
//! allocation. It says the same whenever the index is opened.

use super::node::{Entry, Node};
use super::{CHILD_MISFIT, Index, ROOT_NODE_OFFSET, block};
use crate::bytes::len_u64;
use crate::error::{Code, Fault};
use crate::filesystem::ntfs::codes;
use std::ops::ControlFlow;

/// Places from here on are bytes of the allocation. A root lies in a record, which is smaller.
const BLOCKS_FROM: u64 = 1 << 20;
/// Bytes read at once.
const READ_LEN: usize = 64 << 10;

/// What a walk meets.
#[derive(Debug)]
pub enum Item<'a> {
    /// An entry with a key, and the place behind it.
    Entry {
        /// The entry.
        entry: Entry<'a>,
        /// Byte offset of the entry's node on the volume, for messages.
        at: u64,
        /// Where it is.
        place: u64,
        /// Where to go on after it.
        next: u64,
    },
    /// Damage.
    Damaged {
        /// What and where.
        fault: Fault,
        /// Whether entries may be missing because of it.
        lost: bool,
    },
}

/// Takes items until it breaks.
type Visit<'v> = dyn FnMut(Item<'_>) -> ControlFlow<()> + 'v;

impl Index {
    /// Hands the entries from the place `from` on to `visit`, and between them the damage that was met.
    pub fn walk(&self, from: u64, visit: &mut Visit<'_>) -> ControlFlow<()> {
        if from < BLOCKS_FROM {
            match self.root_node() {
                Ok(node) => self.node(&node, len_u64(ROOT_NODE_OFFSET), from, self.at, visit)?,
                Err(detail) => lost(codes::INDEX_ROOT, self.at, detail, visit)?,
            }
        }
        self.walk_blocks(from, visit)
    }

    fn walk_blocks(&self, from: u64, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let size = u64::from(self.block_size);
        let inside = from.saturating_sub(BLOCKS_FROM);
        let first = inside.checked_div(size).unwrap_or(0);
        let Ok(mut number) = u32::try_from(first) else {
            return ControlFlow::Continue(());
        };
        let bitmap = self.read_bitmap(from, visit)?;
        if from <= BLOCKS_FROM {
            self.tell_orphans(&bitmap, visit)?;
        }
        while number < self.block_count {
            if !self.tree().reached.has(number) {
                number = number.saturating_add(1);
                continue;
            }
            let run = self.reached_run(number);
            let whole = self.read_blocks(number, run);
            let block_len = usize::try_from(self.block_size).unwrap_or(usize::MAX);
            for index in 0..run {
                let mut bytes = match &whole {
                    Ok(bytes) => {
                        let start = index.saturating_mul(block_len);
                        let end = start.saturating_add(block_len);
                        bytes.get(start..end).unwrap_or_default().to_vec()
                    }
                    // One bad sector must not hide the blocks around it.
                    Err(_) => match self.read_blocks(number, 1) {
                        Ok(bytes) => bytes,
                        Err(error) => {
                            let fault = self.fault_of(&error, number);
                            visit(Item::Damaged { fault, lost: true })?;
                            number = number.saturating_add(1);
                            continue;
                        }
                    },
                };
                self.block(number, &mut bytes, &bitmap, from, visit)?;
                number = number.saturating_add(1);
            }
        }
        ControlFlow::Continue(())
    }

    /// How many blocks from `number` on, all reached, are read at once.
    fn reached_run(&self, number: u32) -> usize {
        let most = u32::try_from(READ_LEN)
            .ok()
            .and_then(|len| len.checked_div(self.block_size))
            .unwrap_or(1)
            .max(1);
        let end = number.saturating_add(most).min(self.block_count);
        (number..end)
            .take_while(|block| self.tree().reached.has(*block))
            .count()
    }

    /// Names the blocks that are counted as used and that the tree does not reach. Names may have been in
    /// them: an entry that led there may be damaged.
    fn tell_orphans(&self, bitmap: &Bitmap, visit: &mut Visit<'_>) -> ControlFlow<()> {
        let reached = &self.tree().reached;
        let is_orphan = |block: &u32| bitmap.is_used(*block) == Some(true) && !reached.has(*block);
        let Some(first) = (0..self.block_count).find(is_orphan) else {
            return ControlFlow::Continue(());
        };
        let count = (first..self.block_count).filter(is_orphan).count();
        let detail =
            format!("no entry leads to {count} index blocks in use, of which {first} is the first");
        lost(codes::INDEX_ORPHAN, self.place_of(first), detail, visit)
    }

    fn block(
        &self,
        number: u32,
        bytes: &mut [u8],
        bitmap: &Bitmap,
        from: u64,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let place = BLOCKS_FROM.saturating_add(self.offset_of(number));
        let is_told = from > place;
        let at = self.place_of(number);
        let node = match block::open(bytes, self.vcn_of(number), at) {
            Ok(node) => node,
            Err(fault) => return visit(Item::Damaged { fault, lost: true }),
        };
        let tree = self.tree();
        if !is_told {
            if tree.repeated.has(number) {
                let detail = format!("more than one entry leads to index block {number}");
                lost(codes::INDEX_BLOCK, at, detail, visit)?;
            }
            if tree.inner.has(number) != node.has_children {
                let detail = format!(
                    "index block {number} has children where its level has none, or the reverse"
                );
                lost(codes::INDEX_BLOCK, at, detail, visit)?;
            }
            if bitmap.is_used(number) == Some(false) {
                let detail = format!("index block {number} is in the tree and not counted as used");
                let fault = Fault::new(codes::INDEX_BITMAP, at, detail);
                visit(Item::Damaged { fault, lost: false })?;
            }
        }
        let base = place.saturating_add(len_u64(block::NODE_OFFSET));
        self.node(&node, base, from, at, visit)
    }

    /// The entries of a node whose header has the place `base`.
    fn node(
        &self,
        node: &Node<'_>,
        base: u64,
        from: u64,
        at: u64,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let mut is_told = from > base;
        for step in node.steps() {
            let place = base.saturating_add(len_u64(step.offset));
            if place < from {
                continue;
            }
            if !step.fits && !is_told {
                is_told = true;
                let at = at.saturating_add(len_u64(step.offset));
                lost(codes::INDEX_ENTRY, at, CHILD_MISFIT.to_owned(), visit)?;
            }
            let entry = match step.entry {
                Ok(entry) => entry,
                Err(detail) => {
                    let at = at.saturating_add(len_u64(step.offset));
                    lost(codes::INDEX_ENTRY, at, detail.to_owned(), visit)?;
                    continue;
                }
            };
            if let Some(Err(detail)) = entry.child.map(|vcn| self.block_of(vcn)) {
                lost(codes::INDEX_ENTRY, at, detail, visit)?;
            }
            if !entry.is_last {
                let next = base.saturating_add(len_u64(step.next));
                visit(Item::Entry {
                    entry,
                    at,
                    place,
                    next,
                })?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The bits of the blocks. One that cannot be had is named as damage at the first block.
    fn read_bitmap(&self, from: u64, visit: &mut Visit<'_>) -> ControlFlow<(), Bitmap> {
        let needed = usize::try_from(self.block_count.div_ceil(8)).unwrap_or(usize::MAX);
        if needed == 0 {
            return ControlFlow::Continue(Bitmap(None));
        }
        let mut bytes = vec![0; needed];
        let problem = match &self.bitmap {
            None => "an index with blocks and without a bitmap".to_owned(),
            Some(bitmap) if bitmap.size() < len_u64(needed) => {
                let size = bitmap.size();
                format!("an index bitmap of {size} bytes, of {needed}")
            }
            Some(bitmap) => match bitmap.read_at(0, &mut bytes) {
                Ok(()) => return ControlFlow::Continue(Bitmap(Some(bytes))),
                Err(error) => error.to_string(),
            },
        };
        if from <= BLOCKS_FROM {
            lost(codes::INDEX_BITMAP, self.at, problem, visit)?;
        }
        ControlFlow::Continue(Bitmap(None))
    }
}

fn lost(code: Code, at: u64, detail: String, visit: &mut Visit<'_>) -> ControlFlow<()> {
    let fault = Fault::new(code, at, detail);
    visit(Item::Damaged { fault, lost: true })
}

/// Which blocks are in use, if that is known.
struct Bitmap(Option<Vec<u8>>);

impl Bitmap {
    fn is_used(&self, block: u32) -> Option<bool> {
        let byte = usize::try_from(block / 8).ok()?;
        let byte = self.0.as_ref()?.get(byte)?;
        Some(byte.checked_shr(block % 8)? & 1 != 0)
    }
}
