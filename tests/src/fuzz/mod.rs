//! Fuzz targets: from any bytes to an end, without a panic, within a bound of memory and time.
//!
//! An input is not a whole image but the structure under test, laid over a sound fixture
//! ([`template`]) or unpacked from the blocks that are not empty ([`packed`]), so that every
//! changed byte is one the reader looks at. The same functions run in the tests (a fixed seed, few
//! seconds), in the program `long` (millions of executions) and under libFuzzer (`fuzz/`).

pub mod codec;
pub mod hive;
pub mod mutate;
pub mod ntfs;
pub mod packed;
pub mod read;
pub mod refresh;
pub mod run;
pub mod targets;
pub mod template;
pub mod text;

/// A target: its name, what it does with an input, and inputs to begin with.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Every target, one line each.
pub const TARGETS: &[Target] = &[
    ("partitions", targets::partitions, targets::partitions_seeds),
    ("image", targets::image, targets::image_seeds),
    ("journal", targets::journal, targets::journal_seeds),
    ("directory", targets::directory, targets::directory_seeds),
    ("map", targets::map, targets::map_seeds),
    ("xattr", targets::xattr, targets::xattr_seeds),
    ("address", text::address, text::address_seeds),
    ("fstab", text::fstab, text::fstab_seeds),
    ("lznt1", codec::lznt1, codec::lznt1_seeds),
    ("xpress", codec::xpress, codec::xpress_seeds),
    ("lzx", codec::lzx, codec::lzx_seeds),
    ("wof", codec::wof, codec::wof_seeds),
    ("ntfs_image", ntfs::image, ntfs::image_seeds),
    ("ntfs_record", ntfs::record, ntfs::record_seeds),
    ("ntfs_runs", ntfs::runs, ntfs::runs_seeds),
    ("ntfs_index", ntfs::index, ntfs::index_seeds),
    ("registry", hive::registry, hive::registry_seeds),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.0 == name)
}
