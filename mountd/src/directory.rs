//! Directories: whole listings, held while they are being read.
//!
//! The kernel reads a directory piece by piece, with offsets that we choose: 0 is the start, `.` ends
//! at 1, `..` at 2, and entry `i` of the listing at `i + 3`. A listing is built once, at offset 0.
//! There are no directory handles (the kernel is told not to send `opendir`), so the listings being
//! read are held here; the view's own cache does not take very large ones.

use crate::mounted::Failure;
use flr_fs::bytes::len_u64;
use flr_fs::cache::Cache;
use flr_recover::{Listing, View, ViewNode};
use std::sync::{Arc, Mutex, PoisonError};

/// Listings held at a time: programs that read directories at once.
const HELD_COUNT_MAX: usize = 16;

/// Memory that the held listings may take together; the newest is held in any case.
const HELD_BYTES_MAX: usize = 64 << 20;

/// Parents of directories that are remembered.
const PARENT_COUNT_MAX: usize = 1 << 14;

/// Ends of directories that are remembered.
const END_COUNT_MAX: usize = 1 << 10;

/// Where an entry of a listing begins.
const FIRST_ENTRY: u64 = 2;

/// Listings being read, and parents of directories.
#[derive(Debug)]
pub(crate) struct Directories {
    held: Mutex<Vec<(ViewNode, Arc<Listing>)>>,
    parents: Cache<ViewNode, ViewNode>,
    /// Offsets behind the last entries. The kernel asks once more there, and a listing of a million
    /// names must not be built again to tell it that nothing follows.
    ends: Cache<ViewNode, u64>,
}

impl Directories {
    pub(crate) fn new() -> Self {
        Self {
            held: Mutex::default(),
            parents: Cache::counted(PARENT_COUNT_MAX),
            ends: Cache::counted(END_COUNT_MAX),
        }
    }

    /// The listing of `dir`, for reading it from `offset` on.
    pub(crate) fn listing(&self, view: &View, dir: ViewNode) -> Result<Arc<Listing>, Failure> {
        if let Some(listing) = self.take_to_front(dir) {
            return Ok(listing);
        }
        // Built without the lock: it reads the source.
        let listing = view.listing(dir)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(0, (dir, Arc::clone(&listing)));
        held.truncate(HELD_COUNT_MAX);
        let mut bytes = 0_usize;
        let mut newest = true;
        held.retain(|(_, listing)| {
            bytes = bytes.saturating_add(listing.bytes());
            std::mem::take(&mut newest) || bytes <= HELD_BYTES_MAX
        });
        Ok(listing)
    }

    /// Whether `offset` is known to lie behind the last entry of `dir`.
    pub(crate) fn is_end(&self, dir: ViewNode, offset: u64) -> bool {
        self.ends.get(&dir) == Some(offset)
    }

    /// Says that `dir` has been read to its end, and what offset that is.
    pub(crate) fn done(&self, dir: ViewNode, listing: &Listing) {
        let end = FIRST_ENTRY.saturating_add(len_u64(listing.len()));
        self.ends.insert(dir, end, 1);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(node, _)| *node != dir);
    }

    /// Remembers that the directory `child` was found in `dir`.
    pub(crate) fn set_parent(&self, child: ViewNode, dir: ViewNode) {
        self.parents.insert(child, dir, 1);
    }

    /// The directory that `dir` was found in; itself for the root, or if that has been forgotten.
    pub(crate) fn parent(&self, dir: ViewNode) -> ViewNode {
        self.parents.get(&dir).unwrap_or(dir)
    }

    fn take_to_front(&self, dir: ViewNode) -> Option<Arc<Listing>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let index = held.iter().position(|(node, _)| *node == dir)?;
        let entry = held.remove(index);
        let listing = Arc::clone(&entry.1);
        held.insert(0, entry);
        Some(listing)
    }
}

/// One thing to tell the kernel about a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    /// `.`
    Itself,
    /// `..`
    Parent,
    /// An entry.
    Entry(flr_recover::ListingEntry<'a>),
}

/// The items of a directory from `offset` on, each with the offset behind it.
pub(crate) fn items(listing: &Listing, offset: u64) -> impl Iterator<Item = (u64, Item<'_>)> {
    let dots = [(1, Item::Itself), (FIRST_ENTRY, Item::Parent)];
    let first = usize::try_from(offset.saturating_sub(FIRST_ENTRY)).unwrap_or(usize::MAX);
    let entries = (first..listing.len())
        .filter_map(|index| {
            Some((
                FIRST_ENTRY.checked_add(len_u64(index))?,
                listing.get(index)?,
            ))
        })
        .map(|(before, entry)| (before.saturating_add(1), Item::Entry(entry)));
    dots.into_iter()
        .filter(move |(behind, _)| *behind > offset)
        .chain(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flr_fs::{NodeId, RawName};
    use flr_recover::listing::ListingBuilder;

    #[test]
    fn reading_goes_on_at_every_offset() {
        let mut builder = ListingBuilder::default();
        let long = "x".repeat(1025);
        for (id, name) in (0..).zip(["a", "b", &long, "c"]) {
            let node = ViewNode {
                filesystem: 0,
                node: NodeId(id),
            };
            builder.push(RawName::new(name.as_bytes()), node, None);
        }
        let listing = builder.finish();
        let from = |offset| {
            let name = |item| match item {
                Item::Itself => ".",
                Item::Parent => "..",
                Item::Entry(entry) => std::str::from_utf8(entry.name).unwrap(),
            };
            let items = items(&listing, offset);
            items
                .map(|(behind, item)| (behind, name(item)))
                .collect::<Vec<_>>()
        };
        // A listing cuts names that are longer than FUSE allows.
        let cut = format!("{}~flr0", "x".repeat(1000));
        let all = [
            (1, "."),
            (2, ".."),
            (3, "a"),
            (4, "b"),
            (5, cut.as_str()),
            (6, "c"),
        ];
        assert_eq!(from(0), all);
        for (taken, (behind, _)) in (1..).zip(all) {
            assert_eq!(from(behind), all[taken..]);
        }
        assert_eq!(from(u64::MAX), []);
    }
}
