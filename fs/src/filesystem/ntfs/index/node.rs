//! Nodes of an index: a header, then entries in the order of their keys.
//!
//! | at   | field of the header                                        |
//! |------|------------------------------------------------------------|
//! | 0x00 | offset of the first entry, from here                       |
//! | 0x04 | end of the entries, 0x08 end of the room for them          |
//! | 0x0c | 1: the node has children (8 bits)                          |
//!
//! | at   | field of an entry                                          |
//! |------|------------------------------------------------------------|
//! | 0x00 | file reference, or in view indexes offset and length of data (16 bits each) |
//! | 0x08 | length of the entry, 0x0a length of the key (16 bits each) |
//! | 0x0c | 1: has a child, 2: the last entry, which has no key        |
//! | 0x10 | key; the child's VCN stands in the entry's last 8 bytes    |
//!
//! A child holds the keys that come before the entry. Source: Linux-NTFS documentation, "Index Header"
//! and "Index Entry".

use crate::bytes::{get_le_u16, get_le_u32, get_le_u64};
use crate::filesystem::ntfs::reference::FileReference;

/// Bytes of the node's header.
pub const HEADER_LEN: usize = 0x10;
/// Bytes of an entry before its key.
const ENTRY_HEADER_LEN: usize = 0x10;
/// Bytes of a child's VCN.
const VCN_LEN: usize = 8;

const NODE_HAS_CHILDREN: u8 = 1;
const ENTRY_HAS_CHILD: u16 = 1;
const ENTRY_IS_LAST: u16 = 2;

/// The entries of one node.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    bytes: &'a [u8],
    entries_offset: usize,
    /// Whether its entries have children.
    pub has_children: bool,
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    bytes: &'a [u8],
    /// The key. Empty for the last entry.
    pub key: &'a [u8],
    /// VCN of the node with the keys before this one.
    pub child: Option<u64>,
    /// Whether this is the end of the node: it has no key and stands for nothing.
    pub is_last: bool,
}

impl<'a> Entry<'a> {
    /// What a directory's entry names.
    #[must_use]
    pub fn reference(&self) -> FileReference {
        FileReference::new(get_le_u64(self.bytes, 0).unwrap_or(0))
    }

    /// Bytes of the entry that are neither header, key nor child.
    #[must_use]
    pub fn slack(&self) -> usize {
        let child = self.child.map_or(0, |_| VCN_LEN);
        let used = ENTRY_HEADER_LEN.saturating_add(self.key.len());
        self.bytes.len().saturating_sub(used.saturating_add(child))
    }

    /// The data of an entry of a view index (`$SII`, `$SDH`), or `None` if it lies outside of the entry.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        let offset = usize::from(get_le_u16(self.bytes, 0)?);
        let len = usize::from(get_le_u16(self.bytes, 2)?);
        self.bytes.get(offset..offset.checked_add(len)?)
    }
}

/// One step through a node.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Where the entry begins, in bytes from the node's header.
    pub offset: usize,
    /// Where the next one begins.
    pub next: usize,
    /// The entry, or why there is none here.
    pub entry: Result<Entry<'a>, &'static str>,
    /// Whether the entry has a child as all entries of the node should, or has none like them.
    pub fits: bool,
}

impl<'a> Node<'a> {
    /// The node whose header and entries are `bytes`.
    ///
    /// # Errors
    /// What is wrong with the header, in words.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let field = |at| get_le_u32(bytes, at).and_then(|field| usize::try_from(field).ok());
        let (Some(start), Some(end)) = (field(0x0), field(0x4)) else {
            return Err(format!("an index node of {} bytes", bytes.len()));
        };
        let flags = bytes.get(0xc).copied().unwrap_or(0);
        let within = bytes.get(..end).filter(|within| start <= within.len());
        match within {
            Some(within) if start >= HEADER_LEN && start.is_multiple_of(8) => Ok(Self {
                bytes: within,
                entries_offset: start,
                has_children: flags & NODE_HAS_CHILDREN != 0,
            }),
            _ => {
                let room = bytes.len();
                Err(format!(
                    "index entries from {start:#x} to {end:#x} in {room} bytes"
                ))
            }
        }
    }

    /// The entries up to the last one, with it. After damage that hides where the next entry begins
    /// there is one more step, with an error.
    #[must_use]
    pub const fn steps(&self) -> Steps<'a> {
        Steps {
            bytes: self.bytes,
            offset: Some(self.entries_offset),
            has_children: self.has_children,
        }
    }
}

/// Iterator of [`Node::steps`].
#[derive(Debug)]
pub struct Steps<'a> {
    bytes: &'a [u8],
    /// `None` after the end.
    offset: Option<usize>,
    has_children: bool,
}

impl<'a> Iterator for Steps<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let offset = self.offset.take()?;
        let end = self.bytes.len();
        let fatal = |detail| {
            Some(Step {
                offset,
                next: end,
                entry: Err(detail),
                fits: true,
            })
        };
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let field = |at| get_le_u16(rest, at);
        let (Some(len), Some(key_len), Some(flags)) = (field(0x8), field(0xa), field(0xc)) else {
            return fatal("the node ends without a last entry");
        };
        let len = usize::from(len);
        let Some(bytes) = rest.get(..len) else {
            return fatal("an index entry reaches past its node");
        };
        if len < ENTRY_HEADER_LEN || !len.is_multiple_of(8) {
            return fatal("an index entry of a length that cannot be");
        }
        let next = offset.saturating_add(len);
        let is_last = flags & ENTRY_IS_LAST != 0;
        // What stands behind a last entry was written as entries of this node: its mark is wrong.
        let is_misplaced = is_last && next != end;
        if !is_last || is_misplaced {
            self.offset = Some(next);
        }
        let entry = match parse_entry(bytes, usize::from(key_len), flags) {
            Ok(_) if is_misplaced => Err("a last entry in the middle of its node"),
            other => other,
        };
        Some(Step {
            offset,
            next,
            entry,
            fits: (flags & ENTRY_HAS_CHILD != 0) == self.has_children,
        })
    }
}

fn parse_entry(bytes: &[u8], key_len: usize, flags: u16) -> Result<Entry<'_>, &'static str> {
    let is_last = flags & ENTRY_IS_LAST != 0;
    let has_child = flags & ENTRY_HAS_CHILD != 0;
    let room = bytes.get(ENTRY_HEADER_LEN..).unwrap_or_default();
    let (room, child) = match room.split_last_chunk::<VCN_LEN>() {
        Some((room, vcn)) if has_child => (room, Some(u64::from_le_bytes(*vcn))),
        None if has_child => return Err("an index entry without room for its child"),
        _ => (room, None),
    };
    let key_len = if is_last { 0 } else { key_len };
    let Some(key) = room.get(..key_len) else {
        return Err("the key of an index entry is longer than the entry");
    };
    Ok(Entry {
        bytes,
        key,
        child,
        is_last,
    })
}
