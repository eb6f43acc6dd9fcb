//! How much of a log is read to replay it.

#![expect(clippy::disallowed_methods, reason = "images that are made here")]

use flr_fs::filesystem::ext::replayed_device;
use flr_fs::{ByteSource, OpenContext};
use flr_tests::e2fsprogs::{debugfs, mke2fs};
use flr_tests::image::scratch;
use flr_tests::require::require;
use flr_tests::{Counting, FileSource};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BLOCK: usize = 4096;
/// Blocks of one transaction: what fits into a line that debugfs takes.
const BATCH: usize = 1000;

/// An image whose log of 64 MiB holds `transactions` of `blocks` blocks each.
fn logged(path: &Path, dir: &Path, open: &str, transactions: usize, blocks: usize) {
    mke2fs(path, &["-t", "ext4", "-b", "4096", "-J", "size=64"], "160M");
    let content = dir.join("content");
    std::fs::write(&content, vec![0x55; blocks * BLOCK]).expect("room");
    let content = content.display();
    let mut commands = vec![format!("jo {open}")];
    for index in 0..transactions {
        // Free blocks behind everything that mke2fs made; never read.
        let first = 20_000 + index * blocks;
        let list: Vec<_> = (first..first + blocks).map(|b| b.to_string()).collect();
        commands.push(format!("jw -b {} {content}", list.join(",")));
    }
    commands.push("jc".into());
    debugfs(path, &commands);
}

fn replay(path: &Path) -> (u64, u64, Duration) {
    let file = File::open(path).expect("the image");
    let counting = Counting::new(Arc::new(FileSource::new(file)));
    let source: Arc<dyn ByteSource> = counting.clone();
    let started = Instant::now();
    let device = replayed_device(&source, &OpenContext::default()).expect("a sound log");
    let elapsed = started.elapsed();
    let (reads, bytes) = counting.take();
    // It is a replay: the last block logged is there.
    let mut block = [0; BLOCK];
    device.read_at(20_000 * 4096, &mut block).expect("a block");
    assert_eq!(block, [0x55; BLOCK]);
    (reads, bytes, elapsed)
}

#[test]
fn only_the_used_part_of_the_log_is_read() {
    if !require(&["mke2fs", "debugfs"]) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let path = dir.path().join("image");
    // Descriptors hold 254 tags of version 3, 339 of version 2 and 340 without checksums.
    for (open, transactions, blocks, log_blocks_max) in [
        ("-c -v 3", 3, 20, 3 * 22),
        // Copies are read only where a checksum of theirs is to be seen.
        ("-c -v 3", 16, BATCH, 16 * (BATCH + 5)),
        ("", 3, 20, 3 * 22),
    ] {
        logged(&path, dir.path(), open, transactions, blocks);
        let (reads, bytes, elapsed) = replay(&path);
        println!(
            "{open:8} {transactions} transactions of {blocks} blocks: {reads} reads, {bytes} bytes, \
             {elapsed:?}"
        );
        // The superblock, the descriptors of groups, inode 8 and the log's own superblock.
        let around = 12 * BLOCK;
        let max = log_blocks_max * BLOCK + around;
        assert!(bytes <= u64::try_from(max).expect("a size"));
    }
}
