//! What power cuts leave: the kernel's ext4 writes to a disk that records, and every state the disk may
//! be in afterwards must be read as e2fsprogs would leave it, block by block.
//!
//! `FLR_CRASH_STATES` is the number of states per configuration, 50 if it is not set; `FLR_CRASH_SEED`
//! the seed of load and states.

use flr_fs::{Memory, OpenContext};
use flr_tests::crash::{Cut, Numbers, counts, load};
use flr_tests::e2fsprogs::{Oracle, mke2fs};
use flr_tests::exercise;
use flr_tests::image::scratch;
use flr_tests::jbd2::Image;
use flr_tests::recorder::{Recording, record};
use flr_tests::require::require;
use std::sync::Arc;
use std::time::Instant;

const TOOLS: &[&str] = &["root", "fuse", "losetup", "mke2fs", "debugfs", "mount"];

/// Steps of the load. The log of 1024 blocks wraps several times.
const STEPS: usize = 1500;

/// Name, arguments of `mke2fs`, options of `mount`.
type Configuration = (&'static str, &'static [&'static str], &'static str);

const SMALL: &str = "size=1";

fn number(variable: &str, otherwise: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(otherwise, |value| value.parse().expect("a number"))
}

fn recorded((name, mkfs, mount): Configuration, seed: u64) -> (Image, Recording) {
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let path = dir.path().join("image");
    mke2fs(&path, mkfs, "12M");
    let image = Image::load(&path);
    let started = Instant::now();
    let recording = record(image.bytes.clone(), mount, |root| load(root, STEPS, seed));
    let (writes, flushes) = counts(&recording);
    println!(
        "{name}: {writes} writes, {flushes} flushes in {:?}",
        started.elapsed()
    );
    assert!(
        writes > 500 && flushes > 50,
        "{name}: {writes} writes, {flushes} flushes"
    );
    (image, recording)
}

fn states(configuration: Configuration) {
    if !require(TOOLS) {
        return;
    }
    let seed = number("FLR_CRASH_SEED", 1);
    let count = number("FLR_CRASH_STATES", 50);
    let (mut image, recording) = recorded(configuration, seed);
    let mut numbers = Numbers::new(seed);
    let (mut dirty, mut dropped, mut wrapped) = (0, 0, 0);
    let started = Instant::now();
    for index in 0..count {
        let cut = Cut::random(&recording, &mut numbers);
        image.bytes = cut.disk(&recording);
        let what = format!("{}, seed {seed}, state {index}, {cut:?}", configuration.0);
        let replayed = Oracle::Debugfs.replayed(&image.bytes);
        let told = image.judge_against(|| replayed.clone());
        if !matches!(&told, Ok(told) if told.is_empty()) {
            // The kernel's own timing is in the recording: the seed alone does not bring it back.
            let kept = scratch().join(format!("crash-{}.img", configuration.0));
            image.save(&kept);
            panic!("{what}, kept as {}: {told:#?}", kept.display());
        }
        dirty += usize::from(image.get(0, 0x1c) != 0);
        wrapped += usize::from(image.wraps());
        dropped += usize::from(cut.dropped.is_some());
        if index % 5 == 0 {
            let ctx = OpenContext::default();
            let ours = exercise(image.source(), &ctx);
            let theirs = exercise(Arc::new(Memory::new(replayed)), &ctx);
            assert_eq!(ours.nodes, theirs.nodes, "{what}");
        }
    }
    println!(
        "{}: {count} states ({dirty} to be replayed, {wrapped} around the end of the log, \
         {dropped} with writes dropped) in {:?}",
        configuration.0,
        started.elapsed()
    );
}

macro_rules! configurations {
    ($($test:ident: $mkfs:expr, $mount:expr;)*) => {
        $(#[test]
        fn $test() {
            states((stringify!($test), $mkfs, $mount));
        })*
    };
}

configurations! {
    default: &["-t", "ext4", "-b", "4096", "-J", "size=4"], "defaults";
    checksum_v1: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum", "-J", SMALL], "journal_checksum";
    checksum_v1_async: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum", "-J", SMALL], "journal_async_commit,data=writeback";
    no_checksum: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit", "-J", SMALL], "defaults";
    narrow: &["-t", "ext4", "-b", "1024", "-O", "^64bit", "-J", SMALL], "nodelalloc";
    ext3: &["-t", "ext3", "-b", "1024", "-J", SMALL], "defaults";
    data_in_the_log: &["-t", "ext4", "-b", "1024", "-J", SMALL], "data=journal";
    orphan_file: &["-t", "ext4", "-b", "1024", "-O", "orphan_file", "-J", SMALL], "defaults";
}
