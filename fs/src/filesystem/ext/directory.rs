//! Directories: blocks of entries, found through the directory's map or lying in the inode itself.

use super::casefold::fold;
use super::codes;
use super::content::Content;
use super::dirent::{self, Dirent, Item};
use super::disk::Disk;
use super::fast::Names;
use super::htree;
use super::inode::{Inode, flags};
use crate::bytes::{clamp_usize, get_array, get_le_u16, len_u64};
use crate::error::{Error, Fault, Request, Result};
use crate::filesystem::DirCursor;
use crate::source::{ByteSource, SegmentKind};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of directory read at once.
const READ_LEN: usize = 64 << 10;

/// Bytes at the start of inline data that hold the parent's inode instead of entries.
const INLINE_PARENT_LEN: usize = 4;

/// A directory whose entries can be read.
#[derive(Debug)]
pub(super) struct Directory {
    disk: Arc<Disk>,
    inode: Inode,
    store: Store,
    /// What fast commits changed.
    changes: Option<Arc<Names>>,
}

/// Cursors of entries that only fast commits know. No directory on a disk is that large.
const ADDED_FROM: u64 = 1 << 62;

/// Where a directory's entries lie.
#[derive(Debug)]
enum Store {
    /// In blocks.
    Blocks(Content),
    /// In the inode: the rest of `i_block`, and the value of an attribute.
    Inline([Vec<u8>; 2]),
}

/// What a reader of a directory is given.
pub(super) enum Found<'a> {
    /// An entry in use other than `.` and `..`, and the place behind it.
    Entry(Dirent<'a>, DirCursor),
    /// A part that could not be read.
    Damaged(Fault),
}

/// Takes entries until it breaks.
type Visit<'v> = dyn FnMut(Found<'_>) -> ControlFlow<()> + 'v;

impl Directory {
    /// A directory in blocks. The content's size is that of whole blocks.
    pub(super) const fn in_blocks(disk: Arc<Disk>, inode: Inode, content: Content) -> Self {
        Self {
            disk,
            inode,
            store: Store::Blocks(content),
            changes: None,
        }
    }

    /// A directory in its inode, from the whole inline data.
    pub(super) fn inline(disk: Arc<Disk>, inode: Inode, data: &[u8], in_inode_len: usize) -> Self {
        let (head, tail) = data.split_at_checked(in_inode_len).unwrap_or((data, &[]));
        let head = head.get(INLINE_PARENT_LEN..).unwrap_or_default();
        Self {
            disk,
            inode,
            store: Store::Inline([head.to_vec(), tail.to_vec()]),
            changes: None,
        }
    }

    /// The same directory with what fast commits changed in it.
    #[must_use]
    pub(super) fn with_changes(self, changes: Option<Arc<Names>>) -> Self {
        Self { changes, ..self }
    }

    /// Hands the entries from `from` on to `visit`.
    pub(super) fn read(&self, from: DirCursor, visit: &mut Visit<'_>) {
        let Some(changes) = &self.changes else {
            return self.read_disk(from, visit);
        };
        let mut stopped = false;
        if from.0 < ADDED_FROM {
            self.read_disk(from, &mut |found| {
                if let Found::Entry(entry, _) = &found
                    && changes.is_removed(entry.name, entry.inode)
                {
                    return ControlFlow::Continue(());
                }
                let flow = visit(found);
                stopped = flow.is_break();
                flow
            });
        }
        let cursors = ADDED_FROM.saturating_add(1)..;
        for ((name, inode), next) in changes.added().iter().zip(cursors) {
            if stopped {
                return;
            }
            // Linux does not add a name that is there already.
            if next <= from.0 || matches!(self.find_on_disk(name), Ok(Some(_))) {
                continue;
            }
            let entry = Dirent {
                inode: *inode,
                len: 0,
                name,
                kind: None,
            };
            stopped = visit(Found::Entry(entry, DirCursor(next))).is_break();
        }
    }

    fn read_disk(&self, from: DirCursor, visit: &mut Visit<'_>) {
        match &self.store {
            Store::Blocks(content) => self.read_blocks(content, from.0, visit),
            Store::Inline(parts) => self.read_inline(parts, from.0, visit),
        }
    }

    /// The entry with this name, by the directory's own case rule.
    ///
    /// # Errors
    /// The first damage, if the name was not found and might have been there.
    pub(super) fn find(&self, name: &[u8]) -> Result<Option<(Vec<u8>, u32)>> {
        let on_disk = self.find_on_disk(name);
        let Some(changes) = &self.changes else {
            return on_disk;
        };
        if let Ok(Some(found)) = on_disk {
            return Ok(Some(found));
        }
        let folded = self.folds_case().then(|| fold(name));
        let is_it = |(added, _): &&(Vec<u8>, u32)| same(name, folded.as_deref(), added);
        match changes.added().iter().find(is_it) {
            Some(found) => Ok(Some(found.clone())),
            None => on_disk,
        }
    }

    fn folds_case(&self) -> bool {
        self.inode.has(flags::CASEFOLD) && !self.inode.has(flags::ENCRYPTED)
    }

    /// The same among the entries of the disk that are still there.
    fn find_on_disk(&self, name: &[u8]) -> Result<Option<(Vec<u8>, u32)>> {
        let gone = |found: &(Vec<u8>, u32)| {
            let changes = self.changes.as_ref();
            changes.is_some_and(|changes| changes.is_removed(&found.0, found.1))
        };
        let casefold = self.folds_case();
        let strict = self.disk.sb.strict_encoding;
        let folded = casefold.then(|| fold(name));
        if casefold && strict && std::str::from_utf8(name).is_err() {
            return Ok(None);
        }
        if let Some(answer) = self.find_by_hash(name, folded.as_deref()) {
            return Ok(Some(answer).filter(|found| !gone(found)));
        }
        let mut found = None;
        let mut damaged = None;
        self.read_disk(DirCursor::default(), &mut |item| {
            match item {
                Found::Entry(entry, _) => {
                    if same(name, folded.as_deref(), entry.name) {
                        found = Some((entry.name.to_vec(), entry.inode));
                        return ControlFlow::Break(());
                    }
                }
                Found::Damaged(fault) => {
                    damaged.get_or_insert(fault);
                }
            }
            ControlFlow::Continue(())
        });
        match (found, damaged) {
            (Some(found), _) => Ok(Some(found).filter(|found| !gone(found))),
            (None, Some(fault)) => Err(Error::Corrupt(fault)),
            (None, None) => Ok(None),
        }
    }

    /// A look-up through the hash tree. `None` says nothing: the tree may be damaged, or may have been
    /// made by other rules than ours, so a name that it does not find is looked for everywhere.
    fn find_by_hash(&self, name: &[u8], folded: Option<&[u8]>) -> Option<(Vec<u8>, u32)> {
        let Store::Blocks(content) = &self.store else {
            return None;
        };
        if !self.inode.has(flags::INDEX) {
            return None;
        }
        let block_len = self.disk.sb.block_len();
        let read = |block: u32| {
            let mut bytes = vec![0; block_len];
            let at = u64::from(block).checked_mul(len_u64(block_len))?;
            content.read_at(at, &mut bytes).ok()?;
            Some(bytes)
        };
        let hashed = folded.unwrap_or(name);
        let htree::Answer::Blocks(blocks) = htree::find(&self.disk.sb, hashed, read) else {
            return None;
        };
        for block in blocks {
            let bytes = read(block)?;
            for item in dirent::items(&self.disk.sb, &bytes, 0) {
                let Item::Entry(_, entry) = item else {
                    return None;
                };
                if in_use(&entry) && same(name, folded, entry.name) {
                    return Some((entry.name.to_vec(), entry.inode));
                }
            }
        }
        None
    }

    fn read_inline(&self, parts: &[Vec<u8>; 2], from: u64, visit: &mut Visit<'_>) {
        let mut base = len_u64(INLINE_PARENT_LEN);
        for part in parts {
            let at = self.inode.at;
            if self.entries(part, base, from, at, false, visit).is_break() {
                return;
            }
            base = base.saturating_add(len_u64(part.len()));
        }
    }

    fn read_blocks(&self, content: &Content, from: u64, visit: &mut Visit<'_>) {
        let block_len = self.disk.sb.block_len();
        let block_size = u64::from(self.disk.sb.block_size);
        let batch = READ_LEN.max(block_len);
        let mut offset = from.saturating_sub(from.checked_rem(block_size).unwrap_or(0));
        let mut buf = Vec::new();
        while offset < content.size() {
            let segment = match content.segment_at(offset..content.size()) {
                Ok(segment) => segment,
                Err(error) => {
                    let _ = visit(Found::Damaged(self.fault_of(&error, offset)));
                    return;
                }
            };
            let SegmentKind::Stored(location) = segment.kind else {
                let detail = format!("{} bytes without content at {offset:#x}", segment.len);
                let fault = Fault::new(codes::DIRECTORY_HOLE, self.inode.at, detail);
                if visit(Found::Damaged(fault)).is_break() {
                    return;
                }
                offset = offset.saturating_add(segment.len);
                continue;
            };
            let len = clamp_usize(segment.len, batch);
            buf.resize(len, 0);
            let whole = content.read_at(offset, &mut buf);
            for (index, block) in buf.chunks_mut(block_len).enumerate() {
                let skipped = len_u64(index.saturating_mul(block_len));
                let base = offset.saturating_add(skipped);
                let at = location.offset.saturating_add(skipped);
                // One bad sector must not hide the blocks around it.
                if whole.is_err()
                    && let Err(error) = content.read_at(base, block)
                {
                    if visit(Found::Damaged(self.fault_of(&error, at))).is_break() {
                        return;
                    }
                    continue;
                }
                if self.block(block, base, from, at, visit).is_break() {
                    return;
                }
            }
            offset = offset.saturating_add(len_u64(len));
        }
    }

    /// The entries of one block that lies at byte `at` of the disk and `base` of the directory.
    fn block(
        &self,
        block: &[u8],
        base: u64,
        from: u64,
        at: u64,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        if self.disk.verifies()
            && let Err(fault) = self.verify(block, base, at)
        {
            // What the block holds is listed all the same: names are not content, and what they lead
            // to has checksums of its own.
            visit(Found::Damaged(fault))?;
        }
        self.entries(block, base, from, at, base == 0, visit)
    }

    fn entries(
        &self,
        block: &[u8],
        base: u64,
        from: u64,
        at: u64,
        has_dots: bool,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let mut index = 0_usize;
        for item in dirent::items(&self.disk.sb, block, 0) {
            index = index.saturating_add(1);
            match item {
                Item::Entry(start, entry) => {
                    let dots = has_dots && index <= 2 && matches!(entry.name, b"." | b"..");
                    let start = base.saturating_add(len_u64(start));
                    if start < from || dots || !in_use(&entry) {
                        continue;
                    }
                    let next = start.saturating_add(len_u64(entry.len));
                    visit(Found::Entry(entry, DirCursor(next)))?;
                }
                Item::Bad(range, reason) => {
                    if base.saturating_add(len_u64(range.end)) <= from {
                        continue;
                    }
                    let at = at.saturating_add(len_u64(range.start));
                    let fault = Fault::new(codes::DIRECTORY_ENTRY, at, reason);
                    visit(Found::Damaged(fault))?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Checks the checksum of a block of entries or of a block of the hash tree.
    fn verify(&self, block: &[u8], base: u64, at: u64) -> Result<(), Fault> {
        let wrong = |what: &str| Fault::new(codes::DIRECTORY_CHECKSUM, at, what);
        let seed = self.inode.checksum_seed(&self.disk.sb);
        let indexed = self.inode.has(flags::INDEX);
        if indexed && (base == 0 || dirent::is_index_node(&self.disk.sb, block)) {
            return match index_checksum(block, base == 0, seed) {
                Some((stored, computed)) if stored == computed => Ok(()),
                _ => Err(wrong(
                    "the checksum of a block of the directory's index does not fit",
                )),
            };
        }
        let Some(stored) = dirent::tail_checksum(block) else {
            return Err(wrong("a directory block without its checksum"));
        };
        let end = block.len().saturating_sub(dirent::TAIL_LEN);
        if seed.with(block.get(..end).unwrap_or_default()).value() != stored {
            return Err(wrong("the checksum of a directory block does not fit"));
        }
        Ok(())
    }

    fn fault_of(&self, error: &Error, at: u64) -> Fault {
        match error.fault() {
            Some(fault) => fault.clone(),
            None => Fault::new(codes::DIRECTORY_READ, at, error.to_string()),
        }
    }
}

/// Stored and computed checksum of a block of the hash tree. It covers the pairs in use and the first
/// half of the tail behind the last possible pair (`ext4_dx_csum`).
fn index_checksum(
    block: &[u8],
    is_root: bool,
    seed: super::checksum::Crc32c,
) -> Option<(u32, u32)> {
    let pairs_at = htree::pairs_at(is_root);
    let limit = usize::from(get_le_u16(block, pairs_at)?);
    let count = usize::from(get_le_u16(block, pairs_at.checked_add(2)?)?);
    let tail = pairs_at.checked_add(limit.checked_mul(8)?)?;
    let used = pairs_at.checked_add(count.min(limit).checked_mul(8)?)?;
    let reserved: [u8; 4] = get_array(block, tail)?;
    let stored = u32::from_le_bytes(get_array(block, tail.checked_add(4)?)?);
    Some((
        stored,
        seed.with(block.get(..used)?)
            .with(&reserved)
            .with_zeros(4)
            .value(),
    ))
}

fn in_use(entry: &Dirent<'_>) -> bool {
    entry.inode != 0
}

fn same(name: &[u8], folded: Option<&[u8]>, stored: &[u8]) -> bool {
    name == stored || folded.is_some_and(|folded| folded == fold(stored))
}

/// The request that a node which is not a directory answers with.
pub(super) fn expect_directory(inode: &Inode) -> Result<()> {
    match inode.kind {
        crate::node::FileKind::Directory => Ok(()),
        _ => Err(Request::NotADirectory.into()),
    }
}
