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
const JOURNAL: usize = 8;
const SMALL: usize = 13;
const DIR: usize = 16;
const SPARSE: usize = 19;

/// First block of the log of `ext3-journal` that is in use.
const EXT3_START: usize = 32;

/// Byte of a block of the log of `ext3-journal`. Its first 12 blocks lie before an indirect block, the
/// next 256 behind that.
fn ext3_log(p: &Patch, block: usize) -> usize {
    p.content(JOURNAL) + (block + usize::from(block >= 12)) * p.block_size()
}

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
    (JOURNAL_SUPERBLOCK, "ext3-journal", Strict, |p| {
        p.flip(ext3_log(p, 0))
    }),
    (JOURNAL_FEATURE, "ext3-journal", Strict, |p| {
        p.put(ext3_log(p, 0) + 0x28, &[0, 0, 0, 0x40])
    }),
    (JOURNAL_CHECKSUM, "ext4-journal", Strict, |p| {
        // Reserved bytes of the log's superblock, which only its checksum protects.
        p.flip(p.content(JOURNAL) + 0x80)
    }),
    (JOURNAL_BLOCK, "ext3-journal", Strict, |p| {
        // The first tag of the first descriptor.
        p.put(ext3_log(p, EXT3_START) + 12, &[0, 1, 0, 0])
    }),
    (JOURNAL_LOOP, "ext3-journal", Strict, |p| {
        // A ring of two blocks, in which a descriptor and its first copy fill all.
        let sb = ext3_log(p, 0);
        p.put(sb + 0x10, &[0, 0, 0, 34]);
        p.put(sb + 0x14, &[0, 0, 0, 32]);
    }),
    (JOURNAL_HOLE, "ext3-journal", Strict, |p| {
        // The pointer to the first copy, in the indirect block behind the twelfth block of the log.
        let indirect = p.content(JOURNAL) + 12 * p.block_size();
        p.put_u32(indirect + 4 * (EXT3_START + 1 - 12), 0);
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
    (DIRECTORY_SHARED, "ext4-2k", Strict, |p| {
        // A second extent of the directory, at the block of the first.
        let root = p.inode(DIR) + I_BLOCK;
        let extent = p.bytes[root + 12..root + 24].to_vec();
        p.put(root + 24, &extent);
        p.put_u32(root + 24, 1000);
        p.put(root + 2, &[2, 0]);
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
                && !["ext4-encrypt", "ext4-fast-commit"].contains(name)
                && !matches!(how, Limited)
        })
        .map(|(_, name, ..)| *name)
        .collect();
    for name in sound {
        let found = look(Patch::new(name).source(), Strict);
        assert!(found.codes.is_empty(), "{name}: {:?}", found.codes);
    }
}

/// Codes that reading never meets, only `flr check`: `check.rs` and `check_internal.rs` bring them
/// about.
const OF_CHECKS: &[Code] = &[
    SUPERBLOCK_COPY,
    GROUP_COPY,
    BITMAP_CHECKSUM,
    BITMAP_READ,
    INODE_READ,
    INODE_UNREACHABLE,
    ORPHAN_FILE,
    ORPHAN_CHECKSUM,
    MMP_BLOCK,
    MMP_CHECKSUM,
];

#[test]
fn every_code_has_a_recipe() {
    let tested: BTreeSet<_> = (RECIPES.iter().map(|(code, ..)| *code))
        .chain(OF_CHECKS.iter().copied())
        .chain(WRAPPED.iter().map(|(code, ..)| *code))
        .collect();
    let missing: Vec<_> = ALL.iter().filter(|code| !tested.contains(code)).collect();
    assert!(missing.is_empty(), "no recipe for {missing:?}");
}
