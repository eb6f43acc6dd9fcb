//! What the targets of texts do with an input.

use super::read;
use crate::image::fixtures;
use flr_recover::address::{Address, Object, PointSpec, nearest};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The text of an address: what is read is printed, and read again as the same.
///
/// # Panics
/// If it is not.
pub fn address(input: &[u8]) {
    let text = OsStr::from_bytes(input);
    let sources = ["prod-eu".to_owned()];
    if let Ok(address) = Address::parse(text, &sources) {
        if let Ok(printed) = address.to_os_string() {
            let again = Address::parse(&printed, &sources).expect("what was printed");
            let twice = again.to_os_string().expect("what was printed once");
            assert_eq!(printed, twice, "printed another way the second time");
        }
        drop(address.child(text));
        read::reached_if(true);
    }
    drop(Object::parse(text, &sources));
    if let Ok(text) = str::from_utf8(input) {
        drop(PointSpec::parse(text));
        drop(nearest(input, ["prod-eu", "aws", "/etc/fstab"], 3));
    }
}

/// The addresses that the grammar is tested with.
#[must_use]
pub fn address_seeds() -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(fixtures().join("address-vectors.tsv")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| Some(line.split('\t').next()?.as_bytes().to_vec()))
        .collect()
}

/// The text of an fstab: whatever is mounted stands below the root.
///
/// # Panics
/// If it does not.
pub fn fstab(input: &[u8]) {
    let entries = flr_recover::fstab::parse(input);
    read::reached_if(!entries.is_empty());
    for entry in entries {
        assert!(
            entry.mount_point.starts_with(b"/") && entry.mount_point != b"/",
            "{entry:?}"
        );
    }
}

/// An fstab with a line of every sort.
#[must_use]
pub fn fstab_seeds() -> Vec<Vec<u8>> {
    let lines = [
        "# <file system> <mount point>",
        "UUID=3e6be9de-8139-11d1-9106-a43f08d823a6 / ext4 defaults 0 1",
        "LABEL=data\t/srv\\040x\text4\tnoatime",
        "/dev/vdb1 /var xfs ro 0 0",
        "PARTUUID=0f /opt auto",
        "PARTLABEL=\"a b\" /a ext2",
        "/srv /mnt/x none rbind",
        "/dev/mapper/vg-lv /lv ext3",
        "tmpfs /t tmpfs",
    ];
    vec![lines.join("\n").into_bytes()]
}
