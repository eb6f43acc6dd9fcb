//! What the filesystem of a destination takes and keeps, by its magic number (`include/uapi/linux/magic.h`).

use flr_fs::Timestamp;
use rustix::fd::OwnedFd;

/// `write` says here whether the bytes find room: ext, XFS, btrfs, tmpfs, ramfs, F2FS, overlay, ZFS, bcachefs,
/// FAT, exFAT, ntfs3.
const LOCAL: [u64; 12] = [
    0xef53,
    0x5846_5342,
    0x9123_683e,
    0x0102_1994,
    0x8584_58f6,
    0xf2f5_2010,
    0x794c_7630,
    0x2fc1_2fc1,
    0xca45_1a4e,
    FAT,
    EXFAT,
    NTFS3,
];

/// Windows' rules may hold here.
const FOREIGN: [u64; 7] = [FAT, EXFAT, NTFS3, FUSE, SMB, CIFS, SMB2];

const FAT: u64 = 0x4d44;
const EXFAT: u64 = 0x2011_bab0;
const NTFS3: u64 = 0x7366_746e;
const FUSE: u64 = 0x6573_5546;
const SMB: u64 = 0x517b;
const CIFS: u64 = 0xff53_4d42;
const SMB2: u64 = 0xfe53_4d42;

/// The field for a file's size has 32 bits ("FAT: General Overview of On-Disk Format", Microsoft).
const FAT_FILE_BYTES_MAX: u64 = 0xffff_ffff;

/// Units of time in nanoseconds: that of NTFS, that of exFAT, seconds, and that of FAT.
const UNITS: [u64; 4] = [100, 10_000_000, 1_000_000_000, 2_000_000_000];

/// What is known of the filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// A file must be synced for its write errors to be seen: network and FUSE filesystems may tell of them
    /// only in `close`, whose error Rust cannot see, or in `fsync`, which waits for the same.
    pub(super) must_sync: bool,
    /// Names that Windows does not take may be refused, two names may be taken for one, and what is set may be
    /// lost without an error.
    pub(super) is_foreign: bool,
    /// Names that Windows does not take are refused, or changed without an error: `dir.` becomes `dir`.
    pub(super) has_strict_names: bool,
    /// Larger files are not taken, in bytes. `None`: nothing is known of that.
    pub(super) file_bytes_max: Option<u64>,
    /// Times are cut to a multiple of one of [`UNITS`], not larger than this.
    unit_max: u64,
}

impl Kind {
    /// Asks the kernel. What it does not tell is taken for the worst that loses nothing.
    pub(super) fn of(fd: &OwnedFd) -> Self {
        let stat = rustix::fs::fstatfs(fd);
        // Magic numbers of 32 bits may come with their sign.
        let magic = stat.map_or(Ok(0), |stat| u64::try_from(stat.f_type));
        Self::known(magic.unwrap_or(0) & 0xffff_ffff)
    }

    pub(super) fn known(magic: u64) -> Self {
        let unit_max = match magic {
            NTFS3 => 100,
            EXFAT => 10_000_000,
            // A server or a program may keep the files on any of them.
            FAT | FUSE | SMB | CIFS | SMB2 => 2_000_000_000,
            _ => 0,
        };
        Self {
            must_sync: !LOCAL.contains(&magic),
            is_foreign: FOREIGN.contains(&magic),
            has_strict_names: matches!(magic, FAT | EXFAT),
            file_bytes_max: (magic == FAT).then_some(FAT_FILE_BYTES_MAX),
            unit_max,
        }
    }

    /// Whether a time that stands there is `set`, as far as it can be kept.
    pub(super) fn keeps(self, set: Timestamp, standing: Timestamp) -> bool {
        let units = UNITS.iter().filter(|unit| **unit <= self.unit_max);
        standing == set || units.into_iter().any(|unit| standing == cut(set, *unit))
    }
}

/// The last multiple of `unit` nanoseconds that is not later.
fn cut(time: Timestamp, unit: u64) -> Timestamp {
    const SECOND: u64 = 1_000_000_000;
    match unit.checked_div(SECOND) {
        Some(whole) if whole > 0 => {
            let whole = i64::try_from(whole).unwrap_or(1);
            let over = time.seconds.checked_rem_euclid(whole).unwrap_or(0);
            Timestamp {
                seconds: time.seconds.saturating_sub(over),
                nanoseconds: 0,
            }
        }
        _ => {
            let unit = u32::try_from(unit).unwrap_or(1);
            let over = time.nanoseconds.checked_rem(unit).unwrap_or(0);
            Timestamp {
                nanoseconds: time.nanoseconds.saturating_sub(over),
                ..time
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64, nanoseconds: u32) -> Timestamp {
        Timestamp {
            seconds,
            nanoseconds,
        }
    }

    #[test]
    fn times_are_cut_as_the_filesystem_cuts_them() {
        let set = time(1001, 123_456_789);
        let cases = [
            (0xef53, time(1001, 123_456_789), true),
            (0xef53, time(1001, 123_456_700), false),
            (NTFS3, time(1001, 123_456_700), true),
            (NTFS3, time(1001, 0), false),
            (EXFAT, time(1001, 120_000_000), true),
            (EXFAT, time(1001, 0), false),
            (FAT, time(1000, 0), true),
            (FAT, time(1002, 0), false),
            (FAT, time(999, 0), false),
            (FUSE, time(1001, 0), true),
        ];
        for (magic, standing, same) in cases {
            assert_eq!(
                Kind::known(magic).keeps(set, standing),
                same,
                "{standing:?}"
            );
        }
        assert!(Kind::known(FAT).keeps(time(-3, 5), time(-4, 0)));
    }
}
