//! What the targets of images and their parts do with an input.

use super::packed::{SECTOR_LEN, pack, unpack};
use super::read::{self, Budget};
use super::refresh;
use super::template::{self, Part, Template, choose};
use crate::image::image_bytes;
use flr_fs::filesystem::ext::Ext;
use flr_fs::format::FilesystemDriver;
use flr_fs::registry::{FILESYSTEMS, LAYERS};
use flr_fs::{
    ByteSource, ChecksumPolicy, Filesystem, FsState, OpenContext, Opened, Volume, discover,
};
use std::sync::{Arc, OnceLock};

/// Sectors at both ends of a disk that are its partition table.
const TABLE_SECTORS: usize = 80;

fn context(checksums: ChecksumPolicy) -> OpenContext<'static> {
    OpenContext {
        checksums,
        ..OpenContext::default()
    }
}

fn open(source: Arc<dyn ByteSource>, checksums: ChecksumPolicy) -> Option<Arc<dyn Filesystem>> {
    Ext.open(&[source], &context(checksums)).ok()
}

/// A packed disk: discovery, and both ends of what it finds.
pub fn partitions(input: &[u8]) {
    let disk = unpack(input);
    let tree = discover(
        vec![Volume::disk(Arc::new(disk))],
        LAYERS,
        FILESYSTEMS,
        &context(ChecksumPolicy::Strict),
    );
    read::reached_if(tree.volumes().len() > 1);
    for node in tree.volumes() {
        if let Ok(source) = &node.volume.source {
            // A partition may claim more than its disk has; reading that is an error.
            for at in [0, source.size().saturating_sub(1)] {
                drop(source.read_at(at, &mut [0; 1]));
            }
        }
        for content in &node.contents {
            if let Opened::Filesystem(filesystem) = &content.opened {
                drop(filesystem.metadata(filesystem.root()));
            }
        }
    }
}

/// The partition tables of the fixtures.
#[must_use]
pub fn partitions_seeds() -> Vec<Vec<u8>> {
    let names = [
        "gpt-512",
        "gpt-4096",
        "gpt-backup",
        "gpt-hybrid",
        "mbr-primary",
        "mbr-extended",
        "mbr-ebr-loop",
    ];
    let pack = |name: &&str| {
        let bytes = image_bytes(name);
        let count = bytes.len() / SECTOR_LEN;
        pack(&bytes, |index, sector| {
            let is_table = index < TABLE_SECTORS || index + TABLE_SECTORS >= count;
            is_table || sector.ends_with(&[0x55, 0xaa])
        })
    };
    names.iter().map(pack).collect()
}

/// A packed image of an ext filesystem: superblock to walk, everything read. The last bit of the
/// size, which no sound image has set, asks for checksums to be obeyed.
pub fn image(input: &[u8]) {
    let image: Arc<dyn ByteSource> = Arc::new(unpack(input));
    let strict = input.first().is_some_and(|byte| byte & 1 != 0);
    let checksums = if strict {
        ChecksumPolicy::Strict
    } else {
        ChecksumPolicy::Ignore
    };
    if let Some(filesystem) = open(Arc::clone(&image), checksums) {
        let nodes = read::all(&filesystem, image.as_ref(), Budget::default());
        read::reached_if(nodes > 0);
    }
}

/// Small fixtures with unlike features.
#[must_use]
pub fn image_seeds() -> Vec<Vec<u8>> {
    let names = [
        "ext2-nofiletype",
        "ext4-128",
        "ext4-32bit",
        "ext4-hash-unsigned",
        "ext4-times",
        "ext4-inline",
        "ext4-bigalloc-64k",
        "ext4-encrypt",
        "damaged-htree",
    ];
    names
        .iter()
        .map(|name| pack(&image_bytes(name), |_, _| true))
        .collect()
}

fn logs() -> &'static [Template] {
    static LOGS: OnceLock<Vec<Template>> = OnceLock::new();
    LOGS.get_or_init(|| {
        let names = [
            "ext3-journal",
            "ext4-journal-revoke",
            "ext4-fast-commit",
            "ext4-journal-wrap",
            "ext4-orphan-file",
        ];
        names.iter().map(|name| template::log(name)).collect()
    })
}

/// The log of a filesystem; with the highest bit of the first byte, its checksums are made right.
pub fn journal(input: &[u8]) {
    let (template, first, rest) = choose(logs(), input);
    let mut image = template.laid(rest);
    if first & 0x80 != 0 {
        refresh::log(&mut image, &template.places);
    }
    let image: Arc<dyn ByteSource> = Arc::new(image);
    if let Some(filesystem) = open(Arc::clone(&image), ChecksumPolicy::Ignore) {
        let (steps, pieces) = (40, 0);
        read::all(&filesystem, image.as_ref(), Budget { steps, pieces });
        read::reached_if(matches!(filesystem.info().state, FsState::Replayed));
    }
}

/// Every log twice: with its checksums, and with those made anew.
#[must_use]
pub fn journal_seeds() -> Vec<Vec<u8>> {
    let mut seeds = template::seeds(logs());
    let mut refreshed = seeds.clone();
    refreshed.iter_mut().for_each(|seed| seed[0] |= 0x80);
    seeds.append(&mut refreshed);
    seeds
}

fn templates(fixtures: &[&str], part: Part, count: usize) -> Vec<Template> {
    let all = fixtures.iter();
    all.flat_map(|name| template::nodes(name, part, count))
        .collect()
}

fn directories() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| {
        let names = [
            "ext2-nofiletype",
            "ext2-rev0",
            "ext4-128",
            "ext4-hash-signed",
            "ext4-hash-unsigned",
            "ext4-dirs",
            "ext4-inline",
            "ext4-casefold",
        ];
        templates(&names, Part::Directory, 3)
    })
}

/// Inode and blocks of a directory: listing, going on, looking up.
pub fn directory(input: &[u8]) {
    let (template, _, rest) = choose(directories(), input);
    let image: Arc<dyn ByteSource> = Arc::new(template.laid(rest));
    if let Some(filesystem) = open(image, ChecksumPolicy::Ignore) {
        let entries = read::directory(filesystem.as_ref(), template.node);
        read::reached_if(entries > 0);
    }
}

/// The directories as they are.
#[must_use]
pub fn directory_seeds() -> Vec<Vec<u8>> {
    template::seeds(directories())
}

fn maps() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| {
        let names = [
            "ext2-1k",
            "ext3",
            "ext4-4k",
            "ext4-bigalloc",
            "ext4-nodes",
            "ext4-inline",
            "ext2-64k",
        ];
        templates(&names, Part::Map, 4)
    })
}

/// Inode and map of a file: extents, block maps, inline data.
pub fn map(input: &[u8]) {
    let (template, _, rest) = choose(maps(), input);
    let image: Arc<dyn ByteSource> = Arc::new(template.laid(rest));
    if let Some(filesystem) = open(Arc::clone(&image), ChecksumPolicy::Ignore) {
        let mut pieces = 64;
        let opened = read::content(
            filesystem.as_ref(),
            template.node,
            image.as_ref(),
            &mut pieces,
        );
        read::reached_if(opened);
        drop(filesystem.read_link(template.node));
    }
}

/// The maps as they are.
#[must_use]
pub fn map_seeds() -> Vec<Vec<u8>> {
    template::seeds(maps())
}

fn attributes() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| {
        let names = [
            "ext4-xattr",
            "ext4-inline",
            "ext4-inline-wide",
            "ext4-nodes",
        ];
        templates(&names, Part::Xattr, 6)
    })
}

/// Inode and block of attributes.
pub fn xattr(input: &[u8]) {
    let (template, _, rest) = choose(attributes(), input);
    let image: Arc<dyn ByteSource> = Arc::new(template.laid(rest));
    if let Some(filesystem) = open(image, ChecksumPolicy::Ignore) {
        let count = read::attributes(filesystem.as_ref(), template.node);
        read::reached_if(count > 0);
        drop(filesystem.metadata(template.node));
    }
}

/// The attributes as they are.
#[must_use]
pub fn xattr_seeds() -> Vec<Vec<u8>> {
    template::seeds(attributes())
}
