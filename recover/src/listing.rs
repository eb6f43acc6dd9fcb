//! A whole directory, with every name in a form that a path can hold and no two alike.
//!
//! A filesystem hands out names as they are stored: `a/b`, NUL, the empty name, the same name twice.
//! Here they become what mounts, commands and JSON show: escaped where a path cannot hold them
//! ([`RawName::shown`]), and told apart with the suffix `~flrN` where two would be equal. Nothing is
//! dropped. The same directory always gets the same names.

use crate::view::ViewNode;
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::name::with_suffix;
use flr_fs::{Fault, FileKind, NodeId, RawName};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

/// Longest name that is shown whole, in bytes; with a suffix it stays below FUSE's bound of 1024.
const NAME_LEN_MAX: usize = 1000;

/// All entries of one directory, in stored order.
#[derive(Debug, Default)]
pub struct Listing {
    entries: Vec<Slot>,
    names: Vec<u8>,
    damaged: Vec<Fault>,
}

/// Where an entry's name lies in the arena, and what it names: 24 bytes, since a directory may have millions.
#[derive(Clone, Copy, Debug)]
struct Slot {
    node: NodeId,
    /// The low 32 bits of where the name begins; the next 8 follow below.
    name_start: u32,
    name_len: u16,
    filesystem: u16,
    kind: Option<FileKind>,
    name_start_high: u8,
}

impl Slot {
    fn name(&self) -> Range<usize> {
        let start = (u64::from(self.name_start_high) << 32) | u64::from(self.name_start);
        let start = clamp_usize(start, usize::MAX);
        start..start.saturating_add(usize::from(self.name_len))
    }
}

/// One entry of a [`Listing`].
#[derive(Clone, Copy, Debug)]
pub struct ListingEntry<'a> {
    /// The name as shown.
    pub name: &'a [u8],
    /// What it names.
    pub node: ViewNode,
    /// The kind that the directory claims.
    pub kind: Option<FileKind>,
}

impl Listing {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ListingEntry<'_>> {
        self.entries.get(index).map(|slot| self.entry(slot))
    }

    /// All entries in stored order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ListingEntry<'_>> {
        self.entries.iter().map(|slot| self.entry(slot))
    }

    /// The entry with this shown name. Takes time in proportion to the directory.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<ListingEntry<'_>> {
        self.iter().find(|entry| entry.name == name)
    }

    /// Parts of the directory that could not be read: what stood there is not known.
    #[must_use]
    pub fn damaged(&self) -> &[Fault] {
        &self.damaged
    }

    /// Memory taken, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let slots = self.entries.capacity().saturating_mul(size_of::<Slot>());
        slots
            .saturating_add(self.names.capacity())
            .saturating_add(size_of::<Self>())
    }

    fn entry(&self, slot: &Slot) -> ListingEntry<'_> {
        ListingEntry {
            name: self.names.get(slot.name()).unwrap_or_default(),
            node: ViewNode {
                filesystem: slot.filesystem,
                node: slot.node,
            },
            kind: slot.kind,
        }
    }
}

/// Builds a [`Listing`] entry by entry.
#[derive(Debug, Default)]
pub struct ListingBuilder {
    listing: Listing,
    /// Names that are taken, as hashes of 128 bits with keys of their own: a directory of a million
    /// names takes 35 MiB less than with the names, and nobody can make two names collide.
    taken: HashSet<u128>,
    /// The next number to try for names that have come before.
    suffixes: HashMap<u128, u32>,
    keys: [RandomState; 2],
}

impl ListingBuilder {
    /// Adds an entry with the name as stored.
    pub fn push(&mut self, stored: RawName<'_>, node: ViewNode, kind: Option<FileKind>) {
        let shown = stored.shown();
        // Only escapes make a name this long. FUSE refuses a directory with a longer one in it.
        let shown = match shown.get(..NAME_LEN_MAX) {
            Some(cut) if shown.len() > NAME_LEN_MAX => with_suffix(cut, 0).into(),
            _ => shown,
        };
        let hash = self.hash(&shown);
        if self.taken.insert(hash) {
            return self.append(&shown, node, kind);
        }
        // Where the last one of this name stopped: a thousand of a kind take a thousand steps.
        let mut n = self.suffixes.get(&hash).copied().unwrap_or(1);
        let name = loop {
            let name = with_suffix(&shown, n);
            n = n.saturating_add(1);
            if self.taken.insert(self.hash(&name)) {
                break name;
            }
        };
        self.suffixes.insert(hash, n);
        self.append(&name, node, kind);
    }

    fn hash(&self, name: &[u8]) -> u128 {
        let [low, high] = &self.keys;
        (u128::from(high.hash_one(name)) << 64) | u128::from(low.hash_one(name))
    }

    /// Adds a damaged part.
    pub fn push_damaged(&mut self, fault: Fault) {
        self.listing.damaged.push(fault);
    }

    /// The listing.
    #[must_use]
    pub fn finish(mut self) -> Listing {
        self.listing.entries.shrink_to_fit();
        self.listing.names.shrink_to_fit();
        self.listing
    }

    fn append(&mut self, name: &[u8], node: ViewNode, kind: Option<FileKind>) {
        let start = len_u64(self.listing.names.len());
        self.listing.names.extend_from_slice(name);
        // Names are shorter than 64 KiB, and 1 TiB of them finds no room.
        self.listing.entries.push(Slot {
            node: node.node,
            name_start: u32::try_from(start & u64::from(u32::MAX)).unwrap_or(u32::MAX),
            name_len: u16::try_from(name.len()).unwrap_or(u16::MAX),
            filesystem: node.filesystem,
            kind,
            name_start_high: u8::try_from(start >> 32).unwrap_or(u8::MAX),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_24_bytes() {
        assert_eq!(size_of::<Slot>(), 24);
        let slot = Slot {
            node: NodeId(1),
            name_start: 5,
            name_len: 7,
            filesystem: 0,
            kind: None,
            name_start_high: 2,
        };
        assert_eq!(slot.name(), 0x2_0000_0005..0x2_0000_000c);
    }

    #[test]
    fn no_two_names_are_alike_and_none_is_lost() {
        let mut builder = ListingBuilder::default();
        let raw: [&[u8]; 8] = [b"a/b", br"a\x2fb", b"x", b"x", b"x~flr1", b"", b".", b"x"];
        for (i, name) in raw.iter().enumerate() {
            let node = ViewNode {
                filesystem: 0,
                node: NodeId(i.try_into().unwrap()),
            };
            builder.push(RawName::new(name), node, None);
        }
        let listing = builder.finish();
        let names: Vec<_> = listing
            .iter()
            .map(|e| e.name.escape_ascii().to_string())
            .collect();
        assert_eq!(
            names,
            [
                r"a\\x2fb",
                r"a\\x2fb~flr1",
                "x",
                "x~flr1",
                "x~flr1~flr1",
                r"\\x00",
                r"\\x2e",
                "x~flr2"
            ]
        );
        assert_eq!(listing.find(b"x~flr2").unwrap().node.node, NodeId(7));
    }
}
