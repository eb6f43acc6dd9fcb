//! Sound fixtures with the places that an input is laid over.

use crate::patch::{I_BLOCK, SUPERBLOCK};
use crate::{Overlaid, Patch};
use flr_fs::filesystem::ext::Ext;
use flr_fs::format::FilesystemDriver;
use flr_fs::{ByteSource, FileKind, Memory, NodeId, OpenContext, ReplayPolicy, StreamName};
use flr_recover::View;
use flr_recover::walk::{Next, Step, walk};
use std::collections::BTreeSet;
use std::iter::once;
use std::ops::Range;
use std::sync::Arc;

/// Blocks of a node's map or content that are laid over at most.
const BLOCK_COUNT_MAX: usize = 6;
/// Blocks of a log that are laid over at most.
const LOG_BLOCK_COUNT_MAX: usize = 40;

/// What of a fixture is laid over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Inode and first blocks of directories.
    Directory,
    /// Inode and map of files.
    Map,
    /// Inode and block of attributes.
    Xattr,
}

/// A fixture and the places in it.
#[derive(Clone, Debug)]
pub struct Template {
    /// Bytes of the fixture.
    pub image: Arc<[u8]>,
    /// Places, in the order in which an input fills them.
    pub places: Vec<Range<usize>>,
    /// The node they belong to.
    pub node: NodeId,
}

impl Template {
    /// The fixture with `input` laid over its places.
    #[must_use]
    pub fn laid(&self, input: &[u8]) -> Overlaid {
        let mut image = Overlaid::new(Arc::clone(&self.image));
        let mut rest = input;
        for place in &self.places {
            let (head, tail) = rest.split_at(place.len().min(rest.len()));
            image.put(place.start, head);
            rest = tail;
        }
        image
    }

    /// What stands in the places.
    #[must_use]
    pub fn pristine(&self) -> Vec<u8> {
        let places = self.places.iter().cloned();
        places
            .flat_map(|place| self.image[place].iter().copied())
            .collect()
    }
}

/// The template that the first byte of an input chooses, and the rest of the input.
///
/// # Panics
/// If there are no templates.
#[must_use]
pub fn choose<'t, 'i>(templates: &'t [Template], input: &'i [u8]) -> (&'t Template, u8, &'i [u8]) {
    let (first, rest) = input.split_first().unwrap_or((&0, &[]));
    let index = usize::from(first & 0x7f) % templates.len();
    (&templates[index], *first, rest)
}

/// An input for every template that changes nothing.
#[must_use]
pub fn seeds(templates: &[Template]) -> Vec<Vec<u8>> {
    let seed = |(index, template): (usize, &Template)| {
        let mut seed = vec![u8::try_from(index).expect("few templates")];
        seed.extend(template.pristine());
        seed
    };
    templates.iter().enumerate().map(seed).collect()
}

/// Templates of the nodes of a fixture that are worth most as `part`.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn nodes(fixture: &str, part: Part, count: usize) -> Vec<Template> {
    let patch = Patch::new(fixture);
    let image: Arc<[u8]> = patch.bytes.clone().into();
    let source: Arc<dyn ByteSource> = Arc::new(Memory::new(Arc::clone(&image)));
    let filesystem = Ext.open(&[source], &OpenContext::default()).expect(fixture);
    let mut nodes = BTreeSet::from([filesystem.root()]);
    let view = View::new(Arc::clone(&filesystem));
    walk(&view, view.root(), None, &mut |step| {
        if let Step::Node { node, .. } = step {
            nodes.insert(node.node);
        }
        Next::Continue
    })
    .expect(fixture);
    let per_group = patch.word(SUPERBLOCK + 0x28);
    let mut found = Vec::new();
    for node in nodes {
        let number = usize::try_from(node.0).expect("an inode");
        let kind = filesystem.metadata(node).map(|metadata| metadata.kind);
        if number > per_group {
            continue;
        }
        let blocks = match (part, kind) {
            (Part::Directory, Ok(FileKind::Directory)) => directory_blocks(&patch, number),
            (Part::Map, Ok(FileKind::File)) => {
                // Of a file that cannot be opened (encrypted) nobody reads the map.
                let open = filesystem.open(node, StreamName::Main);
                if open.is_err() {
                    continue;
                }
                map_blocks(&patch, number)
            }
            (Part::Xattr, Ok(_)) => match patch.attributes(number) {
                0 => Vec::new(),
                at => once(at..at + patch.block_size()).collect(),
            },
            _ => continue,
        };
        let names = filesystem.xattr_names(node).map_or(0, |names| names.len());
        let worth = blocks.len() * 4 + if part == Part::Xattr { names } else { 0 };
        let inode = patch.inode(number);
        let inode_size = usize::from(patch.u16(SUPERBLOCK + 0x58)).max(128);
        let mut places: Vec<_> = once(inode..inode + inode_size).collect();
        places.extend(blocks);
        let image = Arc::clone(&image);
        found.push((
            worth,
            Template {
                image,
                places,
                node,
            },
        ));
    }
    found.sort_by_key(|(worth, template)| (usize::MAX - worth, template.node));
    assert!(!found.is_empty(), "nothing in {fixture}");
    found
        .into_iter()
        .take(count)
        .map(|(_, template)| template)
        .collect()
}

fn has_extents(patch: &Patch, number: usize) -> bool {
    patch.u16(patch.inode(number) + I_BLOCK) == 0xf30a
}

fn block(patch: &Patch, number: usize) -> Option<Range<usize>> {
    let start = number.checked_mul(patch.block_size())?;
    let end = start.checked_add(patch.block_size())?;
    (start > 0 && end <= patch.bytes.len()).then_some(start..end)
}

/// Inner and leaf blocks of a map, first level first.
fn map_blocks(patch: &Patch, number: usize) -> Vec<Range<usize>> {
    let root = patch.inode(number) + I_BLOCK;
    let mut found = Vec::new();
    if has_extents(patch, number) {
        let mut nodes = vec![root];
        while let Some(node) = nodes.pop() {
            let (entries, depth) = (patch.u16(node + 2), patch.u16(node + 6));
            let children =
                (0..usize::from(entries)).map(|index| patch.word(node + 12 * index + 16));
            let children = children.filter_map(|child| block(patch, child));
            for child in children.filter(|_| depth > 0).take(BLOCK_COUNT_MAX) {
                nodes.push(child.start);
                found.push(child);
            }
        }
    } else if patch.u32(patch.inode(number) + 0x20) & 0x1000_0000 == 0 {
        for index in 12..15 {
            let mut next = block(patch, patch.word(root + 4 * index));
            for _ in 11..index {
                let Some(here) = next else { break };
                next = block(patch, patch.word(here.start));
                found.push(here);
            }
        }
    }
    found.truncate(BLOCK_COUNT_MAX);
    found
}

/// The first blocks of a directory, as far as its first extent or its direct pointers name them.
fn directory_blocks(patch: &Patch, number: usize) -> Vec<Range<usize>> {
    let root = patch.inode(number) + I_BLOCK;
    let blocks: Vec<usize> = if has_extents(patch, number) {
        let first = patch.word(root + 20);
        (first..first + usize::from(patch.u16(root + 16))).collect()
    } else if patch.u32(patch.inode(number) + 0x20) & 0x1000_0000 != 0 {
        Vec::new()
    } else {
        (0..12).map(|index| patch.word(root + 4 * index)).collect()
    };
    let blocks = blocks.into_iter().filter_map(|number| block(patch, number));
    blocks.take(BLOCK_COUNT_MAX).collect()
}

/// The template of a fixture's log: its superblock and its blocks from the first transaction on.
///
/// # Panics
/// If it has no log.
#[must_use]
pub fn log(fixture: &str) -> Template {
    let patch = Patch::new(fixture);
    let image: Arc<[u8]> = patch.bytes.clone().into();
    let source: Arc<dyn ByteSource> = Arc::new(Memory::new(Arc::clone(&image)));
    let replay = ReplayPolicy::Ignore;
    let ctx = OpenContext {
        replay,
        ..OpenContext::default()
    };
    let filesystem = Ext.open(&[source], &ctx).expect(fixture);
    // No log of the fixtures lies in more than one piece.
    let start = patch.content(8);
    let field = |at| {
        let bytes = patch.bytes[start + at..][..4]
            .try_into()
            .expect("four bytes");
        usize::try_from(u32::from_be_bytes(bytes)).expect("a small number")
    };
    let (len, first, begin) = (field(0x10), field(0x14), field(0x1c));
    let blocks = (begin..len).chain(first..begin).take(LOG_BLOCK_COUNT_MAX);
    let block_size = patch.block_size();
    let mut places: Vec<_> = once(start..start + 1024).collect();
    places.extend(blocks.map(|block| {
        let at = start + block * block_size;
        at..at + block_size
    }));
    let node = filesystem.root();
    Template {
        image,
        places,
        node,
    }
}
