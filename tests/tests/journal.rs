//! Replay of the journal, block by block, against e2fsprogs on a copy.

use flr_tests::image::{image_bytes, scratch};
use flr_tests::jbd2::{Image, MAGIC, Oracle, S_SEQUENCE, debugfs, debugfs_output, mke2fs};
use flr_tests::require::require;
use std::path::Path;

const TOOLS: &[&str] = &["mke2fs", "debugfs", "e2fsck"];

/// How a log is made: its name, arguments of `mke2fs` and of `jo`.
type Kind = (&'static str, &'static [&'static str], &'static str);

const KINDS: &[Kind] = &[
    ("64-bit, v3", &["-t", "ext4", "-b", "1024"], "-c -v 3"),
    ("64-bit, v2", &["-t", "ext4", "-b", "1024"], "-c -v 2"),
    ("64-bit, none", &["-t", "ext4", "-b", "1024"], ""),
    (
        "32-bit, v3",
        &["-t", "ext4", "-b", "1024", "-O", "^64bit"],
        "-c -v 3",
    ),
    (
        "32-bit, v2",
        &["-t", "ext4", "-b", "1024", "-O", "^64bit"],
        "-c -v 2",
    ),
    (
        "32-bit, none",
        &["-t", "ext4", "-b", "1024", "-O", "^64bit,^metadata_csum"],
        "",
    ),
    ("ext3, block map", &["-t", "ext3", "-b", "1024"], ""),
    ("blocks of 4 KiB", &["-t", "ext4", "-b", "4096"], "-c -v 3"),
];

/// Fills blocks of a file; the first word of some is the log's signature.
fn content(dir: &Path, name: &str, blocks: usize, len: usize, seed: u8) -> String {
    let mut bytes = Vec::new();
    for block in 0..blocks {
        let mut one = vec![seed.wrapping_add(u8::try_from(block).expect("few")); len];
        if block % 3 == 1 {
            one[..4].copy_from_slice(&MAGIC.to_be_bytes());
        }
        bytes.append(&mut one);
    }
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("room");
    path.display().to_string()
}

/// A filesystem whose log, made by `debugfs`, holds several transactions: escaped blocks, blocks logged
/// twice, revoked, revoked and used again, and a transaction without its commit.
fn made(kind: Kind, sequence: Option<u32>) -> Image {
    let (_, mkfs, open) = kind;
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let path = dir.path().join("image");
    mke2fs(
        &path,
        &[
            mkfs,
            &[
                "-J",
                if kind.0.contains("4 KiB") {
                    "size=4"
                } else {
                    "size=1"
                },
            ],
        ]
        .concat(),
        "16M",
    );
    let mut image = Image::load(&path);
    if let Some(sequence) = sequence {
        image.put_superblock(S_SEQUENCE, sequence);
        image.save(&path);
    }
    let len = image.block_size;
    let file = content(dir.path(), "file", 40, len, 1);
    debugfs(&path, &[format!("write {file} file")]);
    let blocks: Vec<String> = debugfs_output(&path, "blocks file")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let list = |range: std::ops::Range<usize>| blocks[range].join(",");
    let a = content(dir.path(), "a", 20, len, 0x40);
    let b = content(dir.path(), "b", 10, len, 0x80);
    let c = content(dir.path(), "c", 3, len, 0xc0);
    debugfs(
        &path,
        &[
            format!("jo {open}"),
            format!("jw -b {} {a}", list(0..20)),
            format!("jw -b {} {b}", list(5..15)),
            format!("jw -r {} {b}", list(8..12)),
            format!("jw -b {} {c}", list(10..13)),
            format!("jw -r {} -b {} {c}", list(0..2), list(1..4)),
            format!("jw -c -b {} {c}", list(30..33)),
            "jc".into(),
        ],
    );
    Image::load(&path)
}

fn assert_same(name: &str, image: &Image) {
    for oracle in [Oracle::E2fsck, Oracle::Debugfs] {
        let told = image.judge(oracle);
        let told = told.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(told.is_empty(), "{name}, {oracle:?}: {told:#?}");
    }
}

#[test]
fn logs_of_every_kind_leave_the_blocks_e2fsprogs_leave() {
    if !require(TOOLS) {
        return;
    }
    for kind in KINDS {
        let image = made(*kind, None);
        println!("{}: {:?}", kind.0, image.own_blocks());
        assert_same(kind.0, &image);
    }
}

#[test]
fn dirty_images_leave_the_blocks_e2fsprogs_leave() {
    if !require(TOOLS) {
        return;
    }
    for name in [
        "ext3-journal",
        "ext4-journal",
        "ext4-journal-revoke",
        "ext4-journal-wrap",
        "ext4-orphan-file",
    ] {
        let file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
        std::fs::write(file.path(), image_bytes(name)).expect("room");
        let image = Image::load(file.path());
        let told = image.judge(Oracle::Debugfs).expect(name);
        assert!(told.is_empty(), "{name}: {told:#?}");
    }
}

#[test]
fn a_log_that_wraps_at_any_block_is_the_same_log() {
    if !require(TOOLS) {
        return;
    }
    for kind in [KINDS[0], KINDS[2], KINDS[6]] {
        let mut image = made(kind, None);
        let end = image.log.len();
        for to in [2, end / 2, end - 1, end - 10, end - 21, end - 35, end - 44] {
            image.rotate(to);
            assert_same(&format!("{}, from block {to}", kind.0), &image);
        }
    }
}

#[test]
fn numbers_of_transactions_wrap() {
    if !require(TOOLS) {
        return;
    }
    for kind in [KINDS[0], KINDS[2]] {
        for sequence in [u32::MAX - 3, u32::MAX - 2, u32::MAX - 1, u32::MAX] {
            let image = made(kind, Some(sequence));
            assert_same(&format!("{}, from {sequence}", kind.0), &image);
        }
    }
}

#[test]
fn a_lost_journal_inode_is_read_from_the_superblock() {
    if !require(TOOLS) {
        return;
    }
    for kind in [KINDS[0], KINDS[6]] {
        let whole = made(kind, None);
        let mut image = whole.clone();
        let table = usize::try_from(u32::from_le_bytes(
            image.bytes[2048 + 8..2048 + 12]
                .try_into()
                .expect("4 bytes"),
        ));
        let len = usize::from(u16::from_le_bytes([
            image.bytes[1024 + 0x58],
            image.bytes[1024 + 0x59],
        ]));
        let inode = table.expect("a block") * image.block_size + 7 * len;
        image.bytes[inode..inode + len].fill(0);
        // e2fsck does this for block maps only, the kernel not at all: the whole image is the measure.
        let told = image.judge_against(|| whole.replayed(Oracle::Debugfs));
        let told = told.expect(kind.0);
        let block = format!("block {} ", inode / image.block_size);
        assert!(
            told.len() == 1 && told[0].starts_with(&block),
            "{}: {told:#?}",
            kind.0
        );
    }
}
