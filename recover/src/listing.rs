//! A whole directory, with every name in a form that a path can hold and no two alike.
//!
//! A filesystem hands out names as they are stored: `a/b`, NUL, the empty name, the same name twice.
//! Here they become what mounts, commands and JSON show: escaped where a path cannot hold them
//! ([`RawName::shown`]), and told apart with the suffix `~flrN` where two would be equal. Nothing is
//! dropped. The same directory always gets the same names.

use crate::view::ViewNode;
use flr_fs::name::{may_be_escaped, with_suffix};
use flr_fs::{Fault, FileKind, NodeId, RawName};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Longest name that is shown whole, in bytes; with a suffix it stays below FUSE's bound of 1024.
const NAME_LEN_MAX: usize = 1000;

/// Entries that count the places of their names from a common start. Together they are far shorter than
/// 4 GiB.
const BLOCK_COUNT: usize = 1024;

/// All entries of one directory, in stored order. 13 bytes and the name for each.
#[derive(Debug, Default)]
pub struct Listing {
    nodes: Vec<NodeId>,
    /// The filesystem of the first entry, and the others' where it is another one, by index.
    filesystem: u16,
    elsewhere: Vec<(usize, u16)>,
    /// A byte for the kind and then the name, one entry behind the other.
    names: Vec<u8>,
    /// Where each entry begins in `names`, from the start of its block on, and where blocks do.
    starts: Vec<u32>,
    blocks: Vec<usize>,
    damaged: Vec<Fault>,
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
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The entry at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ListingEntry<'_>> {
        let node = *self.nodes.get(index)?;
        let end = self.start(index.checked_add(1)?);
        let end = end.unwrap_or(self.names.len());
        let (kind, name) = self.names.get(self.start(index)?..end)?.split_first()?;
        let other = self.elsewhere.binary_search_by_key(&index, |(at, _)| *at);
        let other = other.ok().and_then(|at| self.elsewhere.get(at));
        Some(ListingEntry {
            name,
            node: ViewNode {
                filesystem: other.map_or(self.filesystem, |(_, filesystem)| *filesystem),
                node,
            },
            kind: kind_of(*kind),
        })
    }

    /// All entries in stored order.
    pub fn iter(&self) -> impl Iterator<Item = ListingEntry<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
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
        let taken = [
            self.nodes.capacity().saturating_mul(size_of::<NodeId>()),
            (self.elsewhere.capacity()).saturating_mul(size_of::<(usize, u16)>()),
            self.names.capacity(),
            self.starts.capacity().saturating_mul(size_of::<u32>()),
            self.blocks.capacity().saturating_mul(size_of::<usize>()),
            size_of::<Self>(),
        ];
        taken.iter().fold(0, |sum, more| sum.saturating_add(*more))
    }

    fn start(&self, index: usize) -> Option<usize> {
        let within = usize::try_from(*self.starts.get(index)?).ok()?;
        let block = self.blocks.get(index / BLOCK_COUNT)?;
        block.checked_add(within)
    }

    fn push(&mut self, name: &[u8], node: ViewNode, kind: Option<FileKind>) {
        let (index, start) = (self.len(), self.names.len());
        if index.is_multiple_of(BLOCK_COUNT) {
            self.blocks.push(start);
        }
        let block = self.blocks.last().copied().unwrap_or(0);
        // OK to saturate: a block has 1024 names of at most 1010 bytes.
        let within = u32::try_from(start.saturating_sub(block)).unwrap_or(u32::MAX);
        if index == 0 {
            self.filesystem = node.filesystem;
        } else if node.filesystem != self.filesystem {
            self.elsewhere.push((index, node.filesystem));
        }
        self.starts.push(within);
        self.nodes.push(node.node);
        self.names.push(byte_of(kind));
        self.names.extend_from_slice(name);
    }

    fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.names.shrink_to_fit();
        self.starts.shrink_to_fit();
    }
}

/// Kinds, by the byte that stands for them; 0 is none.
const KINDS: [FileKind; 7] = [
    FileKind::File,
    FileKind::Directory,
    FileKind::Symlink,
    FileKind::CharDevice,
    FileKind::BlockDevice,
    FileKind::Fifo,
    FileKind::Socket,
];

fn byte_of(kind: Option<FileKind>) -> u8 {
    let bytes = (1_u8..).zip(KINDS);
    let found = bytes.into_iter().find(|(_, known)| Some(*known) == kind);
    found.map_or(0, |(byte, _)| byte)
}

fn kind_of(byte: u8) -> Option<FileKind> {
    KINDS.get(usize::from(byte).checked_sub(1)?).copied()
}

/// Builds a [`Listing`] entry by entry.
#[derive(Debug, Default)]
pub struct ListingBuilder {
    listing: Listing,
    /// A hash of each name, to find out whether there are two alike: as a rule there are not, and then
    /// nothing more is kept. Its keys are its own.
    hashes: Vec<u64>,
    keys: RandomState,
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
        self.hashes.push(self.keys.hash_one(shown.as_ref()));
        self.listing.push(&shown, node, kind);
    }

    /// Adds a damaged part.
    pub fn push_damaged(&mut self, fault: Fault) {
        self.listing.damaged.push(fault);
    }

    /// The listing.
    #[must_use]
    pub fn finish(mut self) -> Listing {
        self.hashes.sort_unstable();
        let next = self.hashes.iter().skip(1);
        let pairs = self.hashes.iter().zip(next);
        let mut repeated: Vec<u64> = pairs.filter(|(a, b)| a == b).map(|(a, _)| *a).collect();
        drop(std::mem::take(&mut self.hashes));
        repeated.dedup();
        let mut listing = match repeated.is_empty() {
            true => self.listing,
            false => told_apart(self.listing, &|name| {
                repeated.binary_search(&self.keys.hash_one(name)).is_ok()
            }),
        };
        listing.shrink();
        listing
    }
}

/// The same entries with no two names alike. `may_repeat` knows every name that occurs twice, and may
/// know others.
fn told_apart(listing: Listing, may_repeat: &dyn Fn(&[u8]) -> bool) -> Listing {
    let mut taken = Taken::default();
    let mut apart = Listing::default();
    for entry in listing.iter() {
        // Suffixes meet no other names but those that end in one.
        let name = match may_repeat(entry.name) || may_be_escaped(entry.name) {
            true => taken.free(entry.name),
            false => None,
        };
        let name = name.as_deref().unwrap_or(entry.name);
        apart.push(name, entry.node, entry.kind);
    }
    apart.damaged = listing.damaged;
    apart
}

/// Names that are taken, as hashes of 128 bits with keys of their own: they take less room than the
/// names, and nobody can make two names collide.
#[derive(Default)]
struct Taken {
    names: HashSet<u128>,
    /// The next number to try for names that have come before.
    suffixes: HashMap<u128, u32>,
    keys: [RandomState; 2],
}

impl Taken {
    /// Takes `shown`, or else the first name with a suffix that is free, and returns that.
    fn free(&mut self, shown: &[u8]) -> Option<Vec<u8>> {
        let hash = self.hash(shown);
        if self.names.insert(hash) {
            return None;
        }
        // Where the last one of this name stopped: a thousand of a kind take a thousand steps.
        let mut n = self.suffixes.get(&hash).copied().unwrap_or(1);
        let name = loop {
            let name = with_suffix(shown, n);
            n = n.saturating_add(1);
            if self.names.insert(self.hash(&name)) {
                break name;
            }
        };
        self.suffixes.insert(hash, n);
        Some(name)
    }

    fn hash(&self, name: &[u8]) -> u128 {
        let [low, high] = &self.keys;
        (u128::from(high.hash_one(name)) << 64) | u128::from(low.hash_one(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn every_entry_is_as_it_was_pushed() {
        let kinds: Vec<_> = KINDS.map(Some).into_iter().chain([None]).collect();
        let of = |index: usize| {
            let filesystem = if index.is_multiple_of(700) { 3 } else { 0 };
            let node = NodeId(u64::try_from(index).unwrap() << 30);
            (ViewNode { filesystem, node }, kinds[index % kinds.len()])
        };
        let mut builder = ListingBuilder::default();
        for index in 0..5000 {
            let (node, kind) = of(index);
            builder.push(RawName::new(format!("{index}").as_bytes()), node, kind);
        }
        let listing = builder.finish();
        assert_eq!((listing.len(), listing.iter().count()), (5000, 5000));
        for (index, entry) in listing.iter().enumerate() {
            assert_eq!(entry.name, format!("{index}").as_bytes());
            assert_eq!((entry.node, entry.kind), of(index));
        }
        assert!(listing.get(5000).is_none());
    }
}
