//! Snapshots of a running ext4: taken by reflink while the kernel writes, they must be read as
//! e2fsprogs and the kernel would leave them; where it comes to fast commits, as the kernel would.
//!
//! `FLR_SNAPSHOTS` is the number of snapshots per configuration, 5 if it is not set; `FLR_CRASH_SEED`
//! the seed of the load.

#![expect(clippy::disallowed_methods, reason = "snapshots that are taken here")]

use flr_tests::FileSource;
use flr_tests::e2fsprogs::mke2fs;
use flr_tests::image::scratch;
use flr_tests::jbd2::Image;
use flr_tests::judged::{Judge, number};
use flr_tests::kernels_tree::differences;
use flr_tests::live::Shared;
use flr_tests::require::require;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

const TOOLS: &[&str] = &[
    "root", "loop", "xfs", "losetup", "mke2fs", "debugfs", "mount", "mkfs.xfs", "python3",
    "unshare",
];

fn judge(shared: &Shared, name: &str, mkfs: &[&str], mount: &str) {
    let seed = number("FLR_CRASH_SEED", 1);
    let count = number("FLR_SNAPSHOTS", 5);
    let started = Instant::now();
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let path = dir.path().join("image");
    mke2fs(&path, mkfs, "24M");
    let image = Image::load(&path);
    let paths = shared.snapshots(&image.bytes, mount, count, seed);
    let taken = started.elapsed();
    let mut judge = Judge::new(name, image);
    let mut seen = BTreeSet::new();
    let mut unknown = 0;
    let fast = name == "fast_commit";
    for (index, path) in paths.iter().enumerate() {
        let what = format!("seed {seed}, snapshot {index}");
        let bytes = std::fs::read(path).expect("the snapshot");
        let before = Sha256::digest(&bytes);
        seen.insert(before.to_vec());
        if fast {
            // e2fsprogs 1.47.0 lose the whole log where an old fast commit lies behind it.
            judge.count(bytes.clone());
        } else {
            judge.state(bytes.clone(), &what, true);
        }
        // One by the kernel itself, which takes longer; all where only the kernel can tell.
        if fast || index == 0 {
            let file = File::open(path).expect("the snapshot");
            let told = differences(Arc::new(FileSource::new(file)), &bytes, fast);
            // Linux 6.18 cannot replay some of the fast commits that it wrote.
            assert!(
                told.is_some() || fast,
                "{name}, {what}: the kernel refuses it"
            );
            if let Some(told) = told.as_ref().filter(|told| !told.is_empty()) {
                let kept = scratch().join(format!("snapshot-{name}.img"));
                std::fs::write(&kept, &bytes).expect("room");
                panic!(
                    "{name}, {what}, kept as {}:\n{}",
                    kept.display(),
                    told.join("\n")
                );
            }
            unknown += u64::from(told.is_none());
        }
        let after = Sha256::digest(std::fs::read(path).expect("the snapshot"));
        assert_eq!(before, after, "{name}, {what}: the snapshot was changed");
    }
    println!(
        "{judge}, {unknown} unknown to the kernel; taken in {taken:?}, in all {:?}",
        started.elapsed()
    );
    assert_eq!(judge.refused, 0, "{name}: no power was cut");
    assert!(unknown < count, "{name}: the kernel refuses all");
    assert_eq!(
        seen.len(),
        paths.len(),
        "{name}: nothing was written between snapshots"
    );
    assert!(
        judge.dirty > 0,
        "{name}: no snapshot has anything to replay"
    );
}

#[test]
fn snapshots_of_a_running_filesystem_are_what_e2fsprogs_leave() {
    if !require(TOOLS) {
        return;
    }
    let shared = Shared::new();
    let all: &[(&str, &[&str], &str)] = &[
        ("default", &["-t", "ext4", "-J", "size=4"], "defaults"),
        (
            "all_features",
            &[
                "-t",
                "ext4",
                "-b",
                "4096",
                "-J",
                "size=4",
                "-O",
                ALL_FEATURES,
            ],
            "defaults",
        ),
        (
            "data_in_the_log",
            &["-t", "ext4", "-b", "4096", "-J", "size=8"],
            "data=journal",
        ),
        (
            "small_blocks",
            &[
                "-t",
                "ext4",
                "-b",
                "1024",
                "-O",
                "^metadata_csum,^64bit",
                "-J",
                "size=1",
            ],
            "nodelalloc",
        ),
        (
            "fast_commit",
            &[
                "-t",
                "ext4",
                "-b",
                "4096",
                "-O",
                "fast_commit",
                "-J",
                "size=4,fast_commit_size=1024",
            ],
            "defaults",
        ),
    ];
    for (name, mkfs, mount) in all {
        judge(&shared, name, mkfs, mount);
    }
}

const ALL_FEATURES: &str =
    "metadata_csum,metadata_csum_seed,64bit,orphan_file,inline_data,large_dir";

#[test]
fn a_failure_leaves_no_mount_and_no_device() {
    if !require(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir_in(scratch()).expect("a folder");
    let path = dir.path().join("image");
    mke2fs(&path, &["-t", "ext4"], "24M");
    let image = std::fs::read(&path).expect("the image");
    let shared = Shared::new();
    let place = shared.path().to_path_buf();
    let used = || {
        let mounts = std::fs::read_to_string("/proc/mounts").expect("mounts");
        let devices = Command::new("losetup").arg("--all").output();
        let devices = devices.expect("losetup").stdout;
        let place = place.to_str().expect("text");
        (mounts + &String::from_utf8_lossy(&devices))
            .matches(place)
            .count()
    };
    // The mount and its device.
    assert_eq!(used(), 2);
    let failed = |options: &str| {
        let snapshots = || shared.snapshots(&image, options, 3, 1).len();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(snapshots)).is_err()
    };
    assert!(failed("no-such-option"));
    assert_eq!(used(), 2);
    // No copy can be made under this name, which is known while the load is writing.
    std::fs::create_dir_all(shared.on().join("snapshot-1/image")).expect("a folder");
    assert!(failed("defaults"));
    assert_eq!(used(), 2);
    drop(shared);
    assert_eq!(used(), 0);
}
