//! Feature bits of the superblock and the names that `dumpe2fs` prints for them.
//!
//! Source: `fs/ext4/ext4.h` of Linux 6.18 and `lib/e2p/feature.c` of e2fsprogs 1.47.

use super::codes;
use crate::error::{Error, Result};

/// Bits that a reader may ignore (`s_feature_compat`).
pub(super) mod compat {
    pub(crate) const HAS_JOURNAL: u32 = 0x4;
    pub(crate) const SPARSE_SUPER2: u32 = 0x200;
    pub(crate) const ORPHAN_FILE: u32 = 0x1000;
}

/// Bits that a reader must know (`s_feature_incompat`).
pub(super) mod incompat {
    pub(crate) const FILETYPE: u32 = 0x2;
    pub(crate) const RECOVER: u32 = 0x4;
    pub(crate) const JOURNAL_DEV: u32 = 0x8;
    pub(crate) const META_BG: u32 = 0x10;
    pub(crate) const EXTENTS: u32 = 0x40;
    pub(crate) const BIT64: u32 = 0x80;
    pub(crate) const MMP: u32 = 0x100;
    pub(crate) const FLEX_BG: u32 = 0x200;
    pub(crate) const EA_INODE: u32 = 0x400;
    pub(crate) const DIRDATA: u32 = 0x1000;
    pub(crate) const CSUM_SEED: u32 = 0x2000;
    pub(crate) const LARGEDIR: u32 = 0x4000;
    pub(crate) const INLINE_DATA: u32 = 0x8000;
    pub(crate) const ENCRYPT: u32 = 0x1_0000;
    pub(crate) const CASEFOLD: u32 = 0x2_0000;

    /// What this reader knows. Compression was never merged in Linux; a journal device is not a
    /// filesystem.
    pub(crate) const READ: u32 = FILETYPE
        | RECOVER
        | META_BG
        | EXTENTS
        | BIT64
        | MMP
        | FLEX_BG
        | EA_INODE
        | DIRDATA
        | CSUM_SEED
        | LARGEDIR
        | INLINE_DATA
        | ENCRYPT
        | CASEFOLD;
}

/// Bits that only a writer must know (`s_feature_ro_compat`).
pub(super) mod ro_compat {
    pub(crate) const SPARSE_SUPER: u32 = 0x1;
    pub(crate) const LARGE_FILE: u32 = 0x2;
    pub(crate) const BTREE_DIR: u32 = 0x4;
    pub(crate) const HUGE_FILE: u32 = 0x8;
    pub(crate) const GDT_CSUM: u32 = 0x10;
    pub(crate) const METADATA_CSUM: u32 = 0x400;
    pub(crate) const PROJECT: u32 = 0x2000;
    pub(crate) const ORPHAN_PRESENT: u32 = 0x1_0000;
}

const COMPAT: &[(u32, &str)] = &[
    (0x1, "dir_prealloc"),
    (0x2, "imagic_inodes"),
    (0x4, "has_journal"),
    (0x8, "ext_attr"),
    (0x10, "resize_inode"),
    (0x20, "dir_index"),
    (0x40, "lazy_bg"),
    (0x100, "snapshot_bitmap"),
    (0x200, "sparse_super2"),
    (0x400, "fast_commit"),
    (0x800, "stable_inodes"),
    (0x1000, "orphan_file"),
];

const INCOMPAT: &[(u32, &str)] = &[
    (0x1, "compression"),
    (0x2, "filetype"),
    (0x4, "needs_recovery"),
    (0x8, "journal_dev"),
    (0x10, "meta_bg"),
    (0x40, "extent"),
    (0x80, "64bit"),
    (0x100, "mmp"),
    (0x200, "flex_bg"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x2000, "metadata_csum_seed"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x1_0000, "encrypt"),
    (0x2_0000, "casefold"),
];

const RO_COMPAT: &[(u32, &str)] = &[
    (0x1, "sparse_super"),
    (0x2, "large_file"),
    (0x4, "btree_dir"),
    (0x8, "huge_file"),
    (0x10, "uninit_bg"),
    (0x20, "dir_nlink"),
    (0x40, "extra_isize"),
    (0x80, "snapshot"),
    (0x100, "quota"),
    (0x200, "bigalloc"),
    (0x400, "metadata_csum"),
    (0x800, "replica"),
    (0x1000, "read-only"),
    (0x2000, "project"),
    (0x4000, "shared_blocks"),
    (0x8000, "verity"),
    (0x1_0000, "orphan_present"),
];

/// Refuses features that are not read. `at` is the superblock's place.
///
/// This comes before any look at the geometry: what an unknown feature makes of it is unknown, and a
/// journal device has none.
///
/// # Errors
/// [`codes::JOURNAL_DEVICE`], [`codes::FEATURE`].
pub(super) fn check(feature_incompat: u32, at: u64) -> Result<()> {
    if feature_incompat & incompat::JOURNAL_DEV != 0 {
        let detail = "the journal of another filesystem, not a filesystem";
        return Err(Error::unsupported(codes::JOURNAL_DEVICE, at, detail));
    }
    let unknown = feature_incompat & !incompat::READ;
    if unknown != 0 {
        let names = names(0, unknown, 0).join(" ");
        let detail = format!("features that are not read: {names}");
        return Err(Error::unsupported(codes::FEATURE, at, detail));
    }
    Ok(())
}

/// Names of all features set, unknown ones as `FEATURE_I20` does it in `dumpe2fs`.
pub(super) fn names(compat: u32, incompat: u32, ro_compat: u32) -> Vec<String> {
    let words = [
        ('C', compat, COMPAT),
        ('I', incompat, INCOMPAT),
        ('R', ro_compat, RO_COMPAT),
    ];
    let mut names = Vec::new();
    for (letter, bits, table) in words {
        for index in 0..u32::BITS {
            let bit = 1_u32.rotate_left(index);
            if bits & bit == 0 {
                continue;
            }
            let known = table.iter().find(|(known, _)| *known == bit);
            names.push(known.map_or_else(
                || format!("FEATURE_{letter}{index}"),
                |(_, name)| (*name).to_owned(),
            ));
        }
    }
    names
}
