//! POSIX ACLs: from ext4's own form to the one that the kernel hands out.
//!
//! On disk an entry of the owner, the group, the mask or the others has 4 bytes; only named users and
//! groups carry an id. The kernel's form has 8 bytes for every entry. Source: `ext4_acl_from_disk` in
//! `fs/ext4/acl.c` and `include/uapi/linux/posix_acl_xattr.h`.

use super::codes;
use crate::bytes::{get_le_u16, get_le_u32};
use crate::error::{Error, Result};

const DISK_VERSION: u32 = 1;
const KERNEL_VERSION: u32 = 2;
const UNDEFINED_ID: u32 = u32::MAX;

/// Converts a value stored at byte `at`.
///
/// # Errors
/// [`codes::ACL`].
pub(super) fn from_disk(value: &[u8], at: u64) -> Result<Vec<u8>> {
    convert(value).ok_or_else(|| {
        let detail = format!("a POSIX ACL of {} bytes that makes no sense", value.len());
        Error::corrupt(codes::ACL, at, detail)
    })
}

fn convert(value: &[u8]) -> Option<Vec<u8>> {
    if get_le_u32(value, 0)? != DISK_VERSION {
        return None;
    }
    let mut out = KERNEL_VERSION.to_le_bytes().to_vec();
    let mut left = value.get(4..)?;
    while !left.is_empty() {
        let e_tag = get_le_u16(left, 0)?;
        let e_perm = get_le_u16(left, 2)?;
        let (e_id, len) = match e_tag {
            // User and group of the file, mask, others.
            0x1 | 0x4 | 0x10 | 0x20 => (UNDEFINED_ID, 4),
            // A named user, a named group.
            0x2 | 0x8 => (get_le_u32(left, 4)?, 8),
            _ => return None,
        };
        out.extend_from_slice(&e_tag.to_le_bytes());
        out.extend_from_slice(&e_perm.to_le_bytes());
        out.extend_from_slice(&e_id.to_le_bytes());
        left = left.get(len..)?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_entries() {
        let disk = [
            &1_u32.to_le_bytes()[..],
            &[1, 0, 7, 0],
            &[2, 0, 6, 0, 0xe8, 3, 0, 0],
            &[0x10, 0, 5, 0],
        ]
        .concat();
        let kernel = [
            &2_u32.to_le_bytes()[..],
            &[1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff],
            &[2, 0, 6, 0, 0xe8, 3, 0, 0],
            &[0x10, 0, 5, 0, 0xff, 0xff, 0xff, 0xff],
        ]
        .concat();
        assert_eq!(from_disk(&disk, 0).unwrap(), kernel);
        for cut in [3, 5, 11] {
            let error = from_disk(&disk[..cut], 0).unwrap_err();
            assert_eq!(error.code(), codes::ACL);
        }
    }
}
