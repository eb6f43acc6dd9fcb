//! What the unit tests of this folder share: hexadecimal bytes, and directories made by hand.

use super::file_name::FileName;
use super::fixup::STRIDE;
use super::index::{Index, Parts};
use super::rebuild::{Parents, Records};
use super::reference::FileReference;
use super::upcase::UpCase;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::source::{ByteSource, Memory};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// Bytes written as hexadecimal digits; anything else is left out.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| u8::try_from((pair[0] << 4) | pair[1]).unwrap())
        .collect()
}

/// Record of the directory that is made, and its sequence number.
pub(super) const OWN: u64 = 40 | (3 << 48);
/// Bytes of an index block.
pub(super) const BLOCK: usize = 4096;

/// Value of a `$FILE_NAME` attribute.
pub(super) fn file_name(parent: u64, namespace: u8, name: &[u16]) -> Vec<u8> {
    let mut value = vec![0; 0x42];
    value[..8].copy_from_slice(&parent.to_le_bytes());
    value[0x38] = 0x20;
    value[0x40] = name.len().try_into().unwrap();
    value[0x41] = namespace;
    value.extend(name.iter().flat_map(|unit| unit.to_le_bytes()));
    value
}

/// An entry of an index. The last one of a node has no key.
pub(super) fn entry(reference: u64, key: Option<&[u8]>, child: Option<u64>) -> Vec<u8> {
    let mut entry = reference.to_le_bytes().to_vec();
    entry.extend([0; 8]);
    entry.extend(key.unwrap_or_default());
    entry.resize(entry.len().next_multiple_of(8), 0);
    entry.extend(child.iter().flat_map(|vcn| vcn.to_le_bytes()));
    let len = u16::try_from(entry.len()).unwrap();
    let key_len = u16::try_from(key.map_or(0, <[u8]>::len)).unwrap();
    entry[8..10].copy_from_slice(&len.to_le_bytes());
    entry[10..12].copy_from_slice(&key_len.to_le_bytes());
    entry[12] = u8::from(child.is_some()) | (u8::from(key.is_none()) << 1);
    entry
}

/// A node with its header of `header_len` bytes.
fn node(entries: &[Vec<u8>], header_len: usize, has_children: bool) -> Vec<u8> {
    let mut node = vec![0; header_len];
    node.extend(entries.concat());
    let (start, end) = (u32::try_from(header_len), u32::try_from(node.len()));
    node[..4].copy_from_slice(&start.unwrap().to_le_bytes());
    node[4..8].copy_from_slice(&end.unwrap().to_le_bytes());
    node[8..12].copy_from_slice(&end.unwrap().to_le_bytes());
    node[12] = u8::from(has_children);
    node
}

/// Value of `$INDEX_ROOT`.
pub(super) fn root(entries: &[Vec<u8>], has_children: bool) -> Vec<u8> {
    let mut root = vec![0x30, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0];
    root.extend(node(entries, 0x10, has_children));
    root
}

/// An index block with its update sequence.
pub(super) fn block(vcn: u64, entries: &[Vec<u8>], has_children: bool) -> Vec<u8> {
    let mut block = b"INDX\x28\0\x09\0".to_vec();
    block.resize(0x10, 0);
    block.extend(vcn.to_le_bytes());
    block.extend(node(entries, 0x28, has_children));
    assert!(block.len() <= BLOCK);
    block.resize(BLOCK, 0);
    for stride in 1..=BLOCK / STRIDE {
        let end = stride.wrapping_mul(STRIDE).wrapping_sub(2);
        let kept = stride.wrapping_mul(2).wrapping_add(0x28);
        block.copy_within(end..=end | 1, kept);
        block[end] = 1;
        block[end | 1] = 0;
    }
    block[0x28] = 1;
    block
}

/// A directory on its way: what its attributes hold, and the records that it leads to.
#[derive(Clone, Default)]
pub(super) struct Made {
    pub(super) root: Vec<u8>,
    pub(super) allocation: Vec<u8>,
    pub(super) bitmap: Vec<u8>,
    pub(super) volume: Volume,
}

impl Made {
    /// A directory of two levels or, with few names, one. Each name gets a record from 64 on, with
    /// sequence number 7.
    pub(super) fn of(names: &[(u8, Vec<u16>)]) -> Self {
        let upcase = UpCase::default();
        let mut sorted: Vec<_> = names.to_vec();
        sorted.sort_by(|(_, a), (_, b)| upcase.compare(a, b));
        let mut made = Self::default();
        let mut keys = Vec::new();
        for (record, (namespace, name)) in (64_u64..).zip(&sorted) {
            let key = file_name(OWN, *namespace, name);
            let reference = record | (7 << 48);
            made.volume.files.insert(record, (7, vec![key.clone()]));
            keys.push((reference, key));
        }
        made.index(&keys);
        made
    }

    /// Makes the index of these keys, 20 to a leaf, 30 leaves to an inner block.
    pub(super) fn index(&mut self, keys: &[(u64, Vec<u8>)]) {
        self.allocation.clear();
        let leaf_entry = |(reference, key): &(u64, Vec<u8>)| entry(*reference, Some(key), None);
        if keys.len() < 4 {
            let mut entries: Vec<_> = keys.iter().map(leaf_entry).collect();
            entries.push(entry(0, None, None));
            self.root = root(&entries, false);
            self.bitmap.clear();
            return;
        }
        // Leaves, and the keys between them; then the same one level up until a root holds the rest.
        let mut level: Vec<_> = keys.iter().map(|key| (key.clone(), None)).collect();
        let mut last = None;
        let mut is_leaf = true;
        while level.len() > 3 {
            let mut above = Vec::new();
            let mut node = Vec::new();
            for ((reference, key), child) in level {
                if node.len() < if is_leaf { 20 } else { 30 } {
                    node.push(entry(reference, Some(&key), child));
                    continue;
                }
                node.push(entry(0, None, child));
                above.push(((reference, key), Some(self.push(&node, !is_leaf))));
                node.clear();
            }
            node.push(entry(0, None, last));
            last = Some(self.push(&node, !is_leaf));
            level = above;
            is_leaf = false;
        }
        let mut entries: Vec<_> = (level.iter())
            .map(|((reference, key), child)| entry(*reference, Some(key), *child))
            .collect();
        entries.push(entry(0, None, last));
        self.root = root(&entries, true);
        let count = self.block_count();
        self.bitmap = vec![0; count.div_ceil(64).wrapping_mul(8)];
        for block in 0..count {
            self.bitmap[block / 8] |= 1 << (block % 8);
        }
    }

    fn push(&mut self, entries: &[Vec<u8>], has_children: bool) -> u64 {
        let vcn = u64::try_from(self.block_count()).unwrap();
        self.allocation.extend(block(vcn, entries, has_children));
        vcn
    }

    pub(super) fn block_count(&self) -> usize {
        self.allocation.len() / BLOCK
    }

    pub(super) fn open(&self) -> Result<Index> {
        self.open_on(Arc::new(Memory::new(self.allocation.clone())))
    }

    pub(super) fn open_on(&self, allocation: Arc<dyn ByteSource>) -> Result<Index> {
        let bitmap: Arc<dyn ByteSource> = Arc::new(Memory::new(self.bitmap.clone()));
        let has_blocks = !self.allocation.is_empty();
        let parts = Parts {
            root: &self.root,
            at: 0x10_0000,
            allocation: has_blocks.then_some(allocation),
            bitmap: has_blocks.then_some(bitmap),
            cluster_size: 4096,
        };
        Index::open(parts, &Limits::default())
    }
}

/// Records without a volume.
#[derive(Clone, Default)]
pub(super) struct Volume {
    /// Record: sequence number and values of `$FILE_NAME`.
    pub(super) files: BTreeMap<u64, (u16, Vec<Vec<u8>>)>,
    /// Records that cannot be read.
    pub(super) bad: BTreeSet<u64>,
    pub(super) upcase: UpCase,
    pub(super) parents: OnceLock<Arc<Parents>>,
}

impl Volume {
    fn check(&self, record: u64) -> Result<()> {
        if self.bad.contains(&record) {
            return Err(Error::io(record, std::io::Error::other("a bad sector")));
        }
        Ok(())
    }
}

impl Records for Volume {
    fn is_live(&self, reference: FileReference) -> Result<bool> {
        self.check(reference.record())?;
        let file = self.files.get(&reference.record());
        Ok(file.is_some_and(|(sequence, _)| reference.fits(*sequence)))
    }

    fn names(
        &self,
        record: u64,
        visit: &mut dyn FnMut(FileReference, &FileName<'_>),
    ) -> Result<()> {
        self.check(record)?;
        if let Some((sequence, names)) = self.files.get(&record) {
            let reference = FileReference::new(record | (u64::from(*sequence) << 48));
            for name in names {
                visit(reference, &FileName::parse(name, 0)?);
            }
        }
        Ok(())
    }

    fn record_count(&self) -> u64 {
        self.files
            .keys()
            .last()
            .map_or(0, |last| last.wrapping_add(1))
    }

    fn upcase(&self) -> &UpCase {
        &self.upcase
    }

    fn parents(&self) -> &OnceLock<Arc<Parents>> {
        &self.parents
    }
}
