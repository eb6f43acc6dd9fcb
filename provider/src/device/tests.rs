//! Stacks of devices in a made-up `/sys`.

use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A `/sys` with devices below `devices/` and links to them, as the kernel lays it out.
struct Sys(TempDir);

impl Sys {
    fn new() -> Self {
        let sys = Self(tempfile::tempdir().unwrap());
        for directory in ["dev/block", "block", "fs/btrfs/uuid/devices"] {
            fs::create_dir_all(sys.path().join(directory)).unwrap();
        }
        sys
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[expect(clippy::disallowed_methods, reason = "the test makes its own files")]
    fn file(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// A device at `devices/name`, where `name` may be `disk/partition`.
    fn device(&self, name: &str, minor: u32) -> &Self {
        let directory = self.path().join("devices").join(name);
        fs::create_dir_all(directory.join("holders")).unwrap();
        self.file(&format!("devices/{name}/dev"), &format!("8:{minor}\n"));
        if name.contains('/') {
            self.file(&format!("devices/{name}/partition"), "1\n");
        } else {
            symlink(&directory, self.path().join("block").join(name)).unwrap();
        }
        symlink(&directory, self.path().join(format!("dev/block/8:{minor}"))).unwrap();
        self
    }

    fn holder(&self, of: &str, by: &str) -> &Self {
        let link = self
            .path()
            .join("devices")
            .join(of)
            .join("holders")
            .join(by);
        symlink(self.path().join("devices").join(by), link).unwrap();
        self
    }

    fn stack(&self, minor: u32) -> Vec<u32> {
        let mut minors: Vec<_> = (stack(self.path(), (8, minor)).into_iter())
            .map(|(_, minor)| minor)
            .collect();
        minors.sort_unstable();
        minors
    }
}

#[test]
fn partitions_and_holders_belong_to_the_stack() {
    let sys = Sys::new();
    sys.device("sda", 0)
        .device("sda/sda1", 1)
        .device("sda/sda2", 2);
    sys.device("sdb", 16)
        .device("dm-0", 100)
        .device("dm-1", 101);
    sys.holder("sda/sda1", "dm-0").holder("dm-0", "dm-1");
    sys.holder("sdb", "dm-1");
    assert_eq!(sys.stack(0), [0, 1, 2, 100, 101]);
    assert_eq!(sys.stack(16), [16, 101]);
    assert_eq!(sys.stack(101), [101]);
    // What uses the whole disk uses the partition; what uses its neighbour does not.
    assert_eq!(sys.stack(2), [0, 2]);
    sys.device("dm-2", 102).holder("sda", "dm-2");
    assert_eq!(sys.stack(2), [0, 2, 102]);
    assert!(has_holders(sys.path(), (8, 16)));
    assert!(!has_holders(sys.path(), (8, 2)));
    assert_eq!(sys.stack(77), [77]);
}

#[test]
fn holders_in_a_circle_end() {
    let sys = Sys::new();
    sys.device("dm-0", 0).device("dm-1", 1);
    sys.holder("dm-0", "dm-1").holder("dm-1", "dm-0");
    assert_eq!(sys.stack(0), [0, 1]);
}

#[test]
fn a_btrfs_brings_its_other_devices() {
    let sys = Sys::new();
    sys.device("sda", 0).device("sdb", 16).device("sdc", 32);
    for name in ["sda", "sdb"] {
        let link = sys.path().join("fs/btrfs/uuid/devices").join(name);
        symlink(sys.path().join("devices").join(name), link).unwrap();
    }
    assert_eq!(sys.stack(16), [0, 16]);
    assert_eq!(sys.stack(32), [32]);
}

#[test]
fn loop_devices_name_their_file() {
    let sys = Sys::new();
    sys.device("loop0", 0).device("loop1", 1);
    fs::create_dir(sys.path().join("devices/loop0/loop")).unwrap();
    sys.file("devices/loop0/loop/backing_file", "/a b\n");
    sys.file("devices/loop0/ro", "1\n");
    let attached = loops(sys.path());
    assert_eq!(attached.len(), 1);
    assert_eq!(attached[0].backing, Path::new("/a b"));
    assert!(attached[0].read_only);
}
