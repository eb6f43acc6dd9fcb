//! What power cuts leave: the kernel's ext4 writes to a disk that records, and every state the disk may
//! be in afterwards must be read as e2fsprogs would leave it, block by block.
//!
//! `FLR_CRASH_STATES` is the number of states per configuration, 50 if it is not set; `FLR_CRASH_SEED`
//! the seed of load and states.

use flr_tests::crash::{Cut, Numbers, counts, load, torn_log};
use flr_tests::e2fsprogs::mke2fs;
use flr_tests::image::scratch;
use flr_tests::jbd2::Image;
use flr_tests::judged::{Judge, number};
use flr_tests::recorder::{Recording, record};
use flr_tests::require::require;
use std::time::Instant;

const TOOLS: &[&str] = &[
    "root", "fuse", "losetup", "mke2fs", "debugfs", "mount", "python3", "unshare",
];

/// Steps of the load. The log of 1024 blocks wraps several times.
const STEPS: usize = 1500;

/// Name, arguments of `mke2fs`, options of `mount`.
type Configuration = (&'static str, &'static [&'static str], &'static str);

const SMALL: &str = "size=1";

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
    let (image, recording) = recorded(configuration, seed);
    let mut judge = Judge::new(configuration.0, image);
    let mut numbers = Numbers::new(seed);
    let (mut dropped, mut torn) = (0, 0);
    let started = Instant::now();
    for index in 0..count {
        let cut = Cut::random(&recording, &mut numbers);
        let what = format!("seed {seed}, state {index}, {cut:?}");
        judge.state(cut.disk(&recording), &what, index % 5 == 0);
        dropped += usize::from(cut.dropped.is_some());
        torn += usize::from(cut.is_torn());
    }
    println!(
        "{judge}, {dropped} with writes dropped, {torn} of them with writes torn, in {:?}",
        started.elapsed()
    );
}

/// Logs of which a disk that lies about its flushes has lost a sector.
fn torn_logs(configuration: Configuration) {
    if !require(TOOLS) {
        return;
    }
    let seed = number("FLR_CRASH_SEED", 1);
    let count = number("FLR_CRASH_STATES", 50);
    let (mut image, recording) = recorded(configuration, seed);
    let mut judge = Judge::new(configuration.0, image.clone());
    // Without checksums the log is replayed as it is, and what comes of it may not be mountable.
    judge.kernel_always = configuration.0 != "torn_without_checksum";
    let mut numbers = Numbers::new(seed);
    for index in 0..count {
        if let Some(disk) = torn_log(&recording, &mut image, &mut numbers) {
            let what = format!("seed {seed}, log {index}");
            judge.state(disk, &what, false);
        }
    }
    println!("{judge}");
    assert!(judge.states > count / 4, "{judge}");
}

macro_rules! configurations {
    ($judge:ident: $($test:ident: $mkfs:expr, $mount:expr;)*) => {
        $(#[test]
        fn $test() {
            $judge((stringify!($test), $mkfs, $mount));
        })*
    };
}

configurations! { states:
    default: &["-t", "ext4", "-b", "4096", "-J", "size=4"], "defaults";
    checksum_v1: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum", "-J", SMALL], "journal_checksum";
    checksum_v1_async: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum", "-J", SMALL], "journal_async_commit,data=writeback";
    no_checksum: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit", "-J", SMALL], "defaults";
    narrow: &["-t", "ext4", "-b", "1024", "-O", "^64bit", "-J", SMALL], "nodelalloc";
    ext3: &["-t", "ext3", "-b", "1024", "-J", SMALL], "defaults";
    data_in_the_log: &["-t", "ext4", "-b", "1024", "-J", SMALL], "data=journal";
    async_v3: &["-t", "ext4", "-b", "1024", "-O", "metadata_csum,64bit", "-J", SMALL], "journal_async_commit,journal_checksum,data=writeback";
    orphan_file: &["-t", "ext4", "-b", "1024", "-O", "orphan_file", "-J", SMALL], "defaults";
}

configurations! { torn_logs:
    torn_v3: &["-t", "ext4", "-b", "1024", "-J", SMALL], "defaults";
    torn_async_v3: &["-t", "ext4", "-b", "1024", "-J", SMALL], "journal_async_commit,journal_checksum,data=writeback";
    torn_v1: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum", "-J", SMALL], "journal_checksum";
    torn_without_checksum: &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit", "-J", SMALL], "defaults";
}
