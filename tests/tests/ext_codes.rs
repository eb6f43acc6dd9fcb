//! Every code of the ext reader, and the bytes that bring it about.

use flr_fs::filesystem::ext::codes::*;
use flr_fs::{ByteSource, ChecksumPolicy, Code, Limits, OpenContext};
use flr_tests::exercise::Outcome;
use flr_tests::patch::{I_BLOCK, SUPERBLOCK};
use flr_tests::{Flaky, Patch, Truncated, exercise};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How an image is opened.
#[derive(Clone, Copy)]
enum How {
    /// With its checksums.
    Strict,
    /// Without: the change would be told by a checksum first.
    Ignore,
    /// With bounds that it meets.
    Limited,
}
use How::{Ignore, Limited, Strict};

/// What is done to the image.
type Change = fn(&mut Patch);
/// What is put around the source of the changed image.
type Wrap = fn(&Patch, Arc<dyn ByteSource>) -> Arc<dyn ByteSource>;

const NONE: Change = |_| {};

/// Inodes of the fixtures.
const ROOT: usize = 2;
const SMALL: usize = 13;
const DIR: usize = 16;
const SPARSE: usize = 19;

/// A code, an image, how it is opened, and what is changed in it.
const RECIPES: &[(Code, &str, How, Change)] = &[
    (SUPERBLOCK_FIELD, "ext2-1k", Strict, |p| {
        p.put_u32(SUPERBLOCK + 0x18, 9)
    }),
    (SUPERBLOCK_CHECKSUM, "ext4-128", Strict, |p| {
        p.flip(SUPERBLOCK + 0x78)
    }),
    (SUPERBLOCK_BACKUP, "damaged-superblock", Strict, NONE),
    (FEATURE, "ext4-2k", Strict, |p| p.flip(SUPERBLOCK + 0x60)),
    (JOURNAL_DEVICE, "ext4-journal-external-log", Strict, NONE),
    (JOURNAL_MISSING, "ext4-journal-external", Strict, NONE),
    (JOURNAL_INODE, "ext3-journal", Strict, |p| {
        p.put_u32(SUPERBLOCK + 0xe0, 2);
        // And no copy of the journal's map.
        p.put(SUPERBLOCK + 0xfd, &[0])
    }),
    (JOURNAL_REPLAYED, "ext3-journal", Strict, NONE),
    (STATE, "ext4-2k", Strict, |p| {
        p.put(SUPERBLOCK + 0x3a, &[0, 0])
    }),
    (ORPHANS, "ext4-2k", Strict, |p| {
        p.put_u32(SUPERBLOCK + 0xe8, 12)
    }),
    (GROUP_BACKUP, "damaged-descriptors", Strict, NONE),
    (GROUP_CHECKSUM, "ext4-2k", Strict, |p| {
        p.flip(p.descriptor() + 0x1e)
    }),
    (GROUP_TABLE, "ext2-1k", Strict, |p| {
        p.put_u32(p.descriptor() + 8, 0)
    }),
    (INODE_NUMBER, "ext4-2k", Strict, |p| {
        p.put_u32(p.entry(ROOT, "small"), 99_999)
    }),
    (INODE_CHECKSUM, "damaged-inode-csum", Strict, NONE),
    (INODE_FIELD, "ext4-2k", Strict, |p| {
        p.put(p.inode(SMALL), &[0, 0])
    }),
    (INODE_DELETED, "ext4-2k", Strict, |p| {
        p.put(p.inode(SMALL) + 0x1a, &[0, 0])
    }),
    (EXTENT_HEADER, "ext4-2k", Strict, |p| {
        p.flip(p.inode(SMALL) + I_BLOCK)
    }),
    (EXTENT_DEPTH, "ext4-2k", Strict, |p| {
        p.put(p.inode(SMALL) + I_BLOCK + 6, &[6, 0])
    }),
    (EXTENT_ORDER, "ext4-2k", Strict, |p| {
        p.put_u32(p.inode(SPARSE) + I_BLOCK + 24, 0)
    }),
    (EXTENT_RANGE, "ext4-2k", Strict, |p| {
        p.put_u32(p.inode(SMALL) + I_BLOCK + 20, 99_999)
    }),
    (EXTENT_LOOP, "ext4-2k", Strict, |p| {
        // The root of /frag gets a second pointer to its only leaf.
        let root = p.inode(29) + I_BLOCK;
        let pointer = p.bytes[root + 12..root + 24].to_vec();
        p.put(root + 24, &pointer);
        p.put_u32(root + 24, 1000);
        p.put(root + 2, &[2, 0]);
    }),
    (EXTENT_CHECKSUM, "ext4-extents", Strict, |p| {
        let node = p.word(p.inode(14) + I_BLOCK + 16) * p.block_size();
        p.flip(node + p.block_size() - 1);
    }),
    (BLOCK_MAP_RANGE, "ext2-1k", Strict, |p| {
        p.put_u32(p.inode(SMALL) + I_BLOCK, 99_999)
    }),
    (BLOCK_MAP_LOOP, "ext2-1k", Strict, |p| {
        let single = p.u32(p.inode(31) + I_BLOCK + 48);
        p.put_u32(p.inode(31) + I_BLOCK + 52, single);
    }),
    (RUN_COUNT, "ext4-2k", Limited, NONE),
    (DIRECTORY_ENTRY, "damaged-dirblock", Strict, NONE),
    (DIRECTORY_CHECKSUM, "ext4-128", Strict, |p| {
        p.flip(p.content(ROOT) + p.block_size() - 1)
    }),
    (DIRECTORY_HOLE, "ext4-2k", Strict, |p| {
        p.put_u32(p.inode(ROOT) + 4, 4096)
    }),
    (DIRECTORY_SIZE, "ext4-2k", Strict, |p| {
        p.put_u32(p.inode(DIR) + 4, 0)
    }),
    (INLINE_DATA, "ext4-inline", Ignore, |p| {
        p.put_u32(p.inode(15) + 4, 200)
    }),
    (SYMLINK_SIZE, "damaged-symlink", Strict, NONE),
    (XATTR_HEADER, "ext4-xattr", Ignore, |p| {
        p.flip(p.attributes(30))
    }),
    (XATTR_ENTRY, "ext4-xattr", Ignore, |p| {
        p.put_u32(p.attributes(30) + 32 + 8, 99_999)
    }),
    (XATTR_CHECKSUM, "ext4-xattr", Strict, |p| {
        p.flip(p.attributes(30) + 0x3ff)
    }),
    (XATTR_INODE, "ext4-xattr", Ignore, |p| {
        p.put_u32(p.inline_attributes(36) + 4, 12)
    }),
    (XATTR_SIZE, "ext4-xattr", Limited, NONE),
    (ACL, "ext4-xattr", Ignore, |p| {
        let first = p.inline_attributes(41);
        let value = first + usize::from(p.u16(first + 2));
        p.put_u32(value, 9);
    }),
    (ENCRYPTED, "ext4-encrypt", Strict, NONE),
    (COMPRESSED, "ext4-2k", Strict, |p| {
        let flags = p.inode(SMALL) + 0x20;
        p.put(flags, &[p.bytes[flags] | 4]);
    }),
];

/// Codes that come from the source below rather than from the image's bytes.
const WRAPPED: &[(Code, &str, Wrap)] = &[
    (SUPERBLOCK_SIZE, "ext4-2k", |_, source| {
        Arc::new(Truncated::new(source, 3 << 20))
    }),
    (GROUP_READ, "ext4-2k", |p, source| {
        bad(source, p.descriptor())
    }),
    (DIRECTORY_READ, "ext4-2k", |p, source| {
        bad(source, p.content(ROOT))
    }),
];

fn bad(source: Arc<dyn ByteSource>, at: usize) -> Arc<dyn ByteSource> {
    let at = u64::try_from(at).expect("a place");
    let sector = std::iter::once(at..at + 512).collect();
    Arc::new(Flaky::new(source, sector))
}

fn look(source: Arc<dyn ByteSource>, how: How) -> Outcome {
    let limits = match how {
        Limited => Limits {
            run_count_max: 2,
            xattr_value_bytes_max: 1000,
            ..Limits::default()
        },
        Strict | Ignore => Limits::default(),
    };
    let checksums = match how {
        Ignore => ChecksumPolicy::Ignore,
        Strict | Limited => ChecksumPolicy::Strict,
    };
    let ctx = OpenContext {
        limits,
        checksums,
        ..OpenContext::default()
    };
    exercise(source, &ctx)
}

#[test]
fn every_code_is_brought_about_by_its_recipe() {
    for (code, name, how, change) in RECIPES {
        let mut patch = Patch::new(name);
        change(&mut patch);
        let found = look(patch.source(), *how);
        assert!(
            found.codes.contains(code),
            "{code} on {name}: {:?}",
            found.codes
        );
    }
    for (code, name, wrap) in WRAPPED {
        let patch = Patch::new(name);
        let found = look(wrap(&patch, patch.clone().source()), Strict);
        assert!(
            found.codes.contains(code),
            "{code} on {name}: {:?}",
            found.codes
        );
    }
}

#[test]
fn what_is_changed_is_sound_before() {
    let sound: BTreeSet<_> = RECIPES
        .iter()
        .filter(|(_, name, how, _)| {
            !name.starts_with("damaged-")
                && !name.contains("journal")
                && *name != "ext4-encrypt"
                && !matches!(how, Limited)
        })
        .map(|(_, name, ..)| *name)
        .collect();
    for name in sound {
        let found = look(Patch::new(name).source(), Strict);
        assert!(found.codes.is_empty(), "{name}: {:?}", found.codes);
    }
}

#[test]
fn every_code_has_a_recipe() {
    let tested: BTreeSet<_> = (RECIPES.iter().map(|(code, ..)| *code))
        .chain(WRAPPED.iter().map(|(code, ..)| *code))
        .collect();
    let missing: Vec<_> = ALL.iter().filter(|code| !tested.contains(code)).collect();
    assert!(missing.is_empty(), "no recipe for {missing:?}");
}
