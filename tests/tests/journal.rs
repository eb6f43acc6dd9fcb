//! Replay of the journal, block by block, against e2fsprogs on a copy.

#![expect(clippy::disallowed_methods, reason = "images that are made here")]

use flr_tests::e2fsprogs::{KINDS, Oracle, made};
use flr_tests::image::{image as fixture, image_bytes, scratch};
use flr_tests::jbd2::Image;
use flr_tests::require::require;
use std::process::Command;

const TOOLS: &[&str] = &["mke2fs", "debugfs", "e2fsck"];

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
        let told = image.judge_against(|| Oracle::Debugfs.replayed(&whole.bytes));
        let told = told.expect(kind.0);
        let block = format!("block {} ", inode / image.block_size);
        assert!(
            told.len() == 1 && told[0].starts_with(&block),
            "{}: {told:#?}",
            kind.0
        );
    }
}

#[test]
fn a_log_on_a_device_of_its_own_leaves_the_blocks_e2fsprogs_leave() {
    if !require(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let (path, log) = (dir.path().join("image"), dir.path().join("log"));
    std::fs::write(&path, image_bytes("ext4-journal-external")).expect("room");
    std::fs::write(&log, image_bytes("ext4-journal-external-log")).expect("room");
    let mut image = Image::load(&path);
    // Found among others by its UUID.
    image.others = vec![
        fixture("ext4-2k"),
        fixture("ext4-journal-external-log"),
        fixture("ext4-journal"),
    ];
    let mut command = Command::new("e2fsck");
    command.args(["-E", "journal_only", "-y", "-j"]);
    let done = command.arg(&log).arg(&path).output().expect("e2fsck");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let replayed = std::fs::read(&path).expect("the copy");
    assert_ne!(image.bytes, replayed);
    let told = image.judge_against(|| replayed).expect("a sound log");
    assert!(told.is_empty(), "{told:#?}");
}
