//! What the targets of NTFS do with an input.

use super::packed::{pack, unpack};
use super::read::{self, Budget};
use super::template::{self, Template, choose};
use crate::image::image_bytes;
use crate::ntfs_patch::{NtfsPatch, types};
use flr_fs::filesystem::check::CheckContext;
use flr_fs::filesystem::ntfs::Ntfs;
use flr_fs::format::FilesystemDriver;
use flr_fs::{ByteSource, FileKind, Filesystem, Memory, NodeId, OpenContext};
use flr_recover::View;
use flr_recover::walk::{Next, Step, walk};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Sectors of the table of upper case.
const UPCASE_SECTORS: usize = 256;
/// Index blocks of a directory that are laid over at most.
const BLOCK_COUNT_MAX: usize = 3;
const INDEX_BLOCK_LEN: usize = 4096;

fn open(source: Arc<dyn ByteSource>) -> Option<Arc<dyn Filesystem>> {
    Ntfs.open(&[source], &OpenContext::default()).ok()
}

/// A packed volume: boot sector to walk, everything read and checked.
pub fn image(input: &[u8]) {
    let image: Arc<dyn ByteSource> = Arc::new(unpack(input));
    if let Some(filesystem) = open(Arc::clone(&image)) {
        let (steps, pieces) = (100, 100);
        let nodes = read::all(&filesystem, image.as_ref(), Budget { steps, pieces });
        read::reached_if(nodes > 0);
        let ctx = CheckContext {
            reached: &|_| false,
            cancelled: &|| false,
        };
        // OK to ignore: what it finds does not matter here, only that it ends.
        let _ = filesystem.check(&ctx, &mut |_| {});
    }
}

/// Small volumes, without the table of upper case (there is another one built in) and without the log,
/// in which nobody looks for content.
#[must_use]
pub fn image_seeds() -> Vec<Vec<u8>> {
    let names = [
        "ntfs-hibernated",
        "ntfs-special",
        "ntfs-reparse",
        "damaged-ntfs-index-loop",
    ];
    let packed = names.iter().map(|name| {
        let bytes = image_bytes(name);
        let starts = |sector: &[u8]| sector.starts_with(&[0, 0, 1, 0, 2, 0, 3, 0]);
        let upcase = bytes.chunks(512).position(starts).unwrap_or(usize::MAX);
        pack(&bytes, |index, sector| {
            let is_table = index >= upcase && index - upcase < UPCASE_SECTORS;
            !is_table && sector.iter().any(|byte| *byte != 0xff)
        })
    });
    packed.collect()
}

/// Every node of a fixture with its kind.
fn nodes(name: &str) -> (NtfsPatch, BTreeMap<NodeId, FileKind>) {
    let volume = NtfsPatch::new(name);
    let filesystem = open(Arc::new(Memory::new(volume.patch.bytes.clone()))).expect(name);
    let view = View::new(filesystem);
    let mut nodes = BTreeMap::new();
    walk(&view, view.root(), None, &mut |step| {
        if let Step::Node { node, metadata, .. } = step {
            nodes.insert(node.node, metadata.kind);
        }
        Next::Continue
    })
    .expect(name);
    (volume, nodes)
}

/// Templates of the nodes that have an attribute of this type: their records, and what else is wanted.
fn templates(fixtures: &[(&str, usize)], type_code: u32, has_blocks: bool) -> Vec<Template> {
    let mut found = Vec::new();
    for (name, count) in fixtures {
        let (volume, nodes) = nodes(name);
        let image: Arc<[u8]> = volume.patch.bytes.clone().into();
        let numbers = nodes.keys().filter_map(|node| {
            let number = usize::try_from(node.0).ok()?;
            volume.find(number, type_code)?;
            let blocks = volume.index_blocks(number);
            (blocks.is_empty() != has_blocks).then_some((number, blocks))
        });
        found.extend(numbers.take(*count).map(|(number, blocks)| {
            let record = volume.record(number);
            let record = record..record + volume.record_size();
            let mut places: Vec<_> = std::iter::once(record).collect();
            let blocks = blocks.into_iter().take(BLOCK_COUNT_MAX);
            places.extend(blocks.map(|at| at..at + INDEX_BLOCK_LEN));
            let node = NodeId(number.try_into().expect("a record"));
            let image = Arc::clone(&image);
            Template {
                image,
                places,
                node,
            }
        }));
        assert!(!found.is_empty(), "nothing in {name}");
    }
    found
}

fn run(templates: &[Template], input: &[u8]) {
    let (template, _, rest) = choose(templates, input);
    let image: Arc<dyn ByteSource> = Arc::new(template.laid(rest));
    let Some(filesystem) = open(Arc::clone(&image)) else {
        return;
    };
    let mut pieces = 64;
    let is_there = filesystem.metadata(template.node).is_ok();
    let opened = read::content(
        filesystem.as_ref(),
        template.node,
        image.as_ref(),
        &mut pieces,
    );
    read::reached_if(is_there || opened);
    read::attributes(filesystem.as_ref(), template.node);
    drop(filesystem.streams(template.node));
    drop(filesystem.read_link(template.node));
}

fn records() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| {
        let fixtures = [
            ("ntfs-special", 12),
            ("ntfs-reparse", 12),
            ("ntfs-4k", 6),
            ("ntfs-old", 4),
            ("ntfs-names", 6),
        ];
        templates(&fixtures, types::STANDARD_INFORMATION, false)
    })
}

/// The record of a file: attributes, sizes, links, special files, streams, attributes of others.
pub fn record(input: &[u8]) {
    run(records(), input);
}

/// The records as they are.
#[must_use]
pub fn record_seeds() -> Vec<Vec<u8>> {
    template::seeds(records())
}

fn mapped() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| {
        let fixtures = [
            ("ntfs-sparse", 8),
            ("ntfs-fragmented", 5),
            ("ntfs-lznt1", 8),
            ("ntfs-initialized", 4),
        ];
        templates(&fixtures, types::DATA, false)
    })
}

/// The record of a file with a run list: holes, pieces in other records, compression, unwritten ends.
pub fn runs(input: &[u8]) {
    run(mapped(), input);
}

/// The records as they are.
#[must_use]
pub fn runs_seeds() -> Vec<Vec<u8>> {
    template::seeds(mapped())
}

fn directories() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| {
        let fixtures = [
            ("ntfs-4k", 3),
            ("ntfs-512", 3),
            ("ntfs-links", 3),
            ("damaged-ntfs-index-loop", 2),
        ];
        templates(&fixtures, types::INDEX_ALLOCATION, true)
    })
}

/// The record and index blocks of a directory: listing, going on, looking up.
pub fn index(input: &[u8]) {
    let (template, _, rest) = choose(directories(), input);
    if let Some(filesystem) = open(Arc::new(template.laid(rest))) {
        let entries = read::directory(filesystem.as_ref(), template.node);
        read::reached_if(entries > 0);
    }
}

/// The directories as they are.
#[must_use]
pub fn index_seeds() -> Vec<Vec<u8>> {
    template::seeds(directories())
}
