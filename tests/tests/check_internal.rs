//! `flr check` and what no file needs: the MMP block and the orphan file. What e2fsprogs and the kernel
//! complain of is told, at the same block, and nothing else.

#![expect(clippy::disallowed_methods, reason = "images that are made here")]

use flr_fs::filesystem::ext::codes::*;
use flr_fs::{ByteSource, Code, Volume};
use flr_recover::check::{Event, Options, Severity, check_point};
use flr_recover::{OpenOptions, Point};
use flr_tests::e2fsprogs::{Oracle, debugfs_output, mke2fs, replayed_by_kernel};
use flr_tests::image::{image_bytes, scratch};
use flr_tests::jbd2::crc32c;
use flr_tests::patch::SUPERBLOCK;
use flr_tests::require::require;
use flr_tests::{Flaky, Patch};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Code, place and words of everything that is damaged.
fn damage(source: Arc<dyn ByteSource>) -> Vec<(Code, usize, String)> {
    let point = Point::open(vec![Volume::disk(source)], &OpenOptions::default());
    let mut told = Vec::new();
    let counts = check_point(&point, &Options::default(), &mut |event| {
        if let Event::Found(finding) = event
            && finding.severity == Severity::Damaged
        {
            let at = usize::try_from(finding.at.expect("a place")).expect("a place");
            told.push((finding.code, at, finding.detail.to_string()));
        }
    });
    counts.expect("a check that nobody ends");
    told
}

/// The one thing that is damaged.
fn only(source: Arc<dyn ByteSource>) -> (Code, usize, String) {
    let mut told = damage(source);
    assert_eq!(told.len(), 1, "{told:#?}");
    told.remove(0)
}

/// What `e2fsck` complains of, changing nothing.
fn e2fsck(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    std::fs::write(file.path(), bytes).expect("room");
    let mut command = Command::new("e2fsck");
    let done = command.arg("-fn").arg(file.path()).output();
    String::from_utf8_lossy(&done.expect("e2fsck").stdout).into_owned()
}

fn with_superblock_checksum(mut patch: Patch) -> Patch {
    let sum = crc32c(!0, &patch.bytes[SUPERBLOCK..SUPERBLOCK + 0x3fc]);
    patch.put_u32(SUPERBLOCK + 0x3fc, sum);
    patch
}

/// The blocks of the orphan file, inode 12, by `debugfs`.
fn orphan_blocks(path: &Path) -> Vec<usize> {
    debugfs_output(path, "blocks <12>")
        .split_whitespace()
        .map(|block| block.parse().expect("a block"))
        .collect()
}

/// A clean filesystem with an orphan file of 32 blocks, and where they lie.
fn orphan_file() -> (Patch, Vec<usize>) {
    let file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    let args = ["-t", "ext4", "-b", "1024", "-O", "orphan_file"];
    mke2fs(file.path(), &args, "6M");
    let bytes = std::fs::read(file.path()).expect("the image");
    let blocks = orphan_blocks(file.path());
    assert_eq!(blocks.len(), 32);
    (Patch { bytes }, blocks)
}

#[test]
fn damage_of_the_orphan_file_is_where_e2fsck_sees_it() {
    if !require(&["mke2fs", "debugfs", "e2fsck"]) {
        return;
    }
    let (sound, blocks) = orphan_file();
    assert!(!e2fsck(&sound.bytes).contains("not clean"));
    assert_eq!(damage(sound.clone().source()), []);
    for index in [0, 2, 31] {
        let at = blocks[index] * 1024;
        // A number, the signature, the checksum.
        for (byte, code) in [
            (5, ORPHAN_CHECKSUM),
            (1016, ORPHAN_FILE),
            (1021, ORPHAN_CHECKSUM),
        ] {
            let mut patch = sound.clone();
            patch.flip(at + byte);
            let theirs = e2fsck(&patch.bytes);
            let complaint = format!("Orphan file (inode 12) block {index} is not clean.");
            assert!(theirs.contains(&complaint), "{theirs}");
            let (found, place, detail) = only(patch.source());
            assert_eq!((found, place), (code, at), "{detail}");
            let named = format!("block {index} of the orphan file, inode 12");
            assert!(detail.starts_with(&named), "{detail}");
        }
    }
}

#[test]
fn an_orphan_file_in_use_is_judged_as_the_kernel_does() {
    if !require(&["root", "debugfs", "losetup", "mount"]) {
        return;
    }
    // As the kernel wrote it, with the numbers of three files that are deleted and still open.
    let bytes = Oracle::Debugfs.replayed(&image_bytes("ext4-orphan-file"));
    let file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    std::fs::write(file.path(), &bytes).expect("room");
    let sound = Patch { bytes };
    let used = orphan_blocks(file.path())
        .into_iter()
        .find(|block| sound.u32(block * 1024) != 0);
    let at = used.expect("a block with numbers") * 1024;
    assert!(replayed_by_kernel(&sound.bytes).is_some());
    assert_eq!(damage(sound.clone().source()), []);
    let mut patch = sound;
    patch.flip(at + 500);
    assert!(replayed_by_kernel(&patch.bytes).is_none());
    let (code, place, detail) = only(patch.source());
    assert_eq!((code, place), (ORPHAN_CHECKSUM, at), "{detail}");
}

#[test]
fn an_orphan_file_that_cannot_be_read_is_told() {
    if !require(&["mke2fs", "debugfs"]) {
        return;
    }
    let (sound, blocks) = orphan_file();
    let at = u64::try_from(blocks[3] * 1024).expect("a place");
    let bad = std::iter::once(at..at + 512).collect();
    let (code, place, detail) = only(Arc::new(Flaky::new(sound.clone().source(), bad)));
    assert_eq!((code, place), (ORPHAN_FILE, blocks[3] * 1024), "{detail}");
    // No such inode, a directory, and a file that no machine would make so long.
    for inode in [99_999, 2, 11] {
        let mut patch = sound.clone();
        patch.put_u32(SUPERBLOCK + 0x280, inode);
        let told = damage(with_superblock_checksum(patch).source());
        assert!(
            told.iter().any(|(code, ..)| *code == ORPHAN_FILE),
            "{inode}: {told:?}"
        );
    }
}

#[test]
fn damage_of_the_mmp_block_is_what_e2fsck_sees() {
    if !require(&["e2fsck", "dumpe2fs"]) {
        return;
    }
    let sound = Patch::new("ext4-32bit");
    let file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    std::fs::write(file.path(), &sound.bytes).expect("room");
    let mut command = Command::new("dumpe2fs");
    let told = command
        .arg("-h")
        .arg(file.path())
        .output()
        .expect("dumpe2fs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let block: usize = told
        .lines()
        .find_map(|line| line.strip_prefix("MMP block number:"))
        .and_then(|number| number.trim().parse().ok())
        .expect("a block");
    let at = block * sound.block_size();
    assert!(!e2fsck(&sound.bytes).contains("MMP"));
    assert_eq!(damage(sound.clone().source()), []);
    for (byte, code, complaint) in [
        (0x20, MMP_CHECKSUM, "MMP block checksum does not match"),
        (0x3fd, MMP_CHECKSUM, "MMP block checksum does not match"),
        (1, MMP_BLOCK, "invalid MMP magic"),
    ] {
        let mut patch = sound.clone();
        patch.flip(at + byte);
        let theirs = e2fsck(&patch.bytes);
        assert!(theirs.contains(complaint), "{theirs}");
        let (found, place, detail) = only(patch.source());
        assert_eq!((found, place), (code, at), "{detail}");
    }
    let mut patch = sound.clone();
    patch.put_u32(SUPERBLOCK + 0x168, 99_999);
    let patch = with_superblock_checksum(patch);
    assert!(e2fsck(&patch.bytes).contains("invalid MMP block"));
    let (code, place, _) = only(patch.source());
    assert_eq!((code, place), (MMP_BLOCK, SUPERBLOCK));
    let start = u64::try_from(at).expect("a place");
    let bad = std::iter::once(start..start + 512).collect();
    let (code, place, _) = only(Arc::new(Flaky::new(sound.source(), bad)));
    assert_eq!((code, place), (MMP_BLOCK, at));
}
