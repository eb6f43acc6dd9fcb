//! Damaged logs: refused where the kernel refuses to mount, and where the kernel takes the damage for
//! the end of the log, the same blocks.

#![expect(
    clippy::disallowed_methods,
    reason = "the load of a disk that is thrown away"
)]

use flr_fs::Error;
use flr_tests::e2fsprogs::{KINDS, debugfs, made, mke2fs, replayed_by_kernel};
use flr_tests::image::scratch;
use flr_tests::jbd2::Image;
use flr_tests::recorder::record;
use flr_tests::require::require;

const TOOLS: &[&str] = &["root", "mke2fs", "debugfs", "mount", "umount"];

/// Bytes that are turned: signature, kind, number, the first tag, checksum and time of a commit, what
/// lies behind its header, and the checksum at the end.
const BYTES: &[usize] = &[0, 7, 11, 0xf, 0x13, 0x1b, 0x37, 100, 1023];

/// What became of a damaged log.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    Replayed(Vec<String>),
}

fn ours(image: &Image, theirs: Vec<u8>) -> Outcome {
    match image.judge_against(|| theirs) {
        Ok(mut told) => {
            // The superblock of an image with blocks of 1 KiB: mounting writes to it.
            told.retain(|line| !line.starts_with("block 1 "));
            Outcome::Replayed(told)
        }
        Err(Error::Corrupt(_)) => Outcome::Refused,
        Err(error) => panic!("{error}"),
    }
}

fn damage_everywhere(name: &str, whole: &Image) {
    let own = whole.own_blocks();
    let (first, last) = (own[0].0, own[own.len() - 1].0);
    let (mut refused, mut replayed, mut wrong) = (0, 0, Vec::new());
    for block in first..=last + 3 {
        let is_own = own.iter().any(|(own, ..)| *own == block);
        let bytes = if is_own { BYTES } else { &[7][..] };
        for byte in bytes {
            let mut image = whole.clone();
            let at = image.at(block) + byte;
            image.bytes[at] ^= 0x10;
            let kernel = replayed_by_kernel(&image.bytes);
            let expected = match &kernel {
                Some(_) => Outcome::Replayed(Vec::new()),
                None => Outcome::Refused,
            };
            let found = ours(&image, kernel.unwrap_or_else(|| image.bytes.clone()));
            match &found {
                Outcome::Refused => refused += 1,
                Outcome::Replayed(_) => replayed += 1,
            }
            if found != expected {
                wrong.push(format!(
                    "block {block}, byte {byte:#x}: {found:?}, not {expected:?}"
                ));
            }
        }
    }
    println!("{}: {refused} refused, {replayed} replayed; {own:?}", name);
    assert!(
        wrong.is_empty(),
        "{}: {} {:#?}",
        name,
        wrong.len(),
        &wrong[..wrong.len().min(9)]
    );
    assert!(refused > 30 && replayed > 10);
}

#[test]
fn damage_with_checksums_of_version_3_is_what_the_kernel_says() {
    if require(TOOLS) {
        damage_everywhere(KINDS[0].0, &made(KINDS[0], None));
    }
}

#[test]
fn damage_with_checksums_of_version_2_is_what_the_kernel_says() {
    if require(TOOLS) {
        damage_everywhere(KINDS[4].0, &made(KINDS[4], None));
    }
}

#[test]
fn damage_with_checksums_of_version_1_is_what_the_kernel_says() {
    if !require(TOOLS) || !require(&["fuse", "losetup"]) {
        return;
    }
    // Only the kernel writes logs of this kind.
    let file = tempfile::NamedTempFile::new_in(scratch()).expect("a file");
    let features = "^metadata_csum";
    let args = ["-t", "ext4", "-b", "1024", "-O", features, "-J", "size=1"];
    mke2fs(file.path(), &args, "6M");
    let mut image = Image::load(file.path());
    let recording = record(image.bytes.clone(), "journal_checksum", |root| {
        for name in ["a", "b", "c"] {
            let path = root.join(name);
            std::fs::write(&path, name.repeat(3000)).expect("room");
            let file = std::fs::File::open(&path).expect("a file");
            file.sync_all().expect("room");
        }
    });
    image.bytes = recording.prefix(recording.events.len());
    damage_everywhere("v1", &image);
}

#[test]
fn a_log_that_would_destroy_the_superblock_is_refused() {
    if !require(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let path = dir.path().join("image");
    mke2fs(&path, &["-t", "ext4", "-b", "1024", "-J", "size=1"], "12M");
    let zeros = dir.path().join("zeros");
    std::fs::write(&zeros, [0; 1024]).expect("room");
    let write = format!("jw -b 1 {}", zeros.display());
    debugfs(&path, &["jo -c -v 3".into(), write, "jc".into()]);
    let image = Image::load(&path);
    assert!(replayed_by_kernel(&image.bytes).is_none());
    let replayed = image.judge_against(|| image.bytes.clone());
    assert!(
        matches!(&replayed, Err(Error::Corrupt(fault)) if fault.detail.contains("superblock")),
        "{replayed:?}"
    );
}
