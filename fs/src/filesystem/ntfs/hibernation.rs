//! `hiberfil.sys`: memory of a Windows that sleeps and still holds changes of this volume.
//!
//! The first four bytes say it: `hibr` (Windows XP, Vista) or `HIBR` (since) while it sleeps, `WAKE` or
//! zeros once it has woken. Fast startup sleeps as well when a user shuts Windows down. A file smaller
//! than its header has come from a Windows on another volume that sleeps. Source: ntfs-3g, `volume.c`,
//! `ntfs_volume_check_hiberfile`.

use super::codes;
use crate::error::Fault;

/// Name of the file, in the root directory.
pub const NAME: &[u8] = b"hiberfil.sys";
/// Bytes of the file's beginning that are looked at.
pub const HEADER_BYTES: usize = 4096;

/// The remark for a volume whose Windows sleeps, from the first [`HEADER_BYTES`] of `hiberfil.sys`, or
/// fewer if it is shorter. `at` is where the file's record lies.
#[must_use]
pub fn note(header: &[u8], at: u64) -> Option<Fault> {
    let sleeps =
        header.len() < HEADER_BYTES || header.starts_with(b"hibr") || header.starts_with(b"HIBR");
    let detail = "Windows is hibernated or was shut down with fast startup: changes that it keeps in \
                  memory are not shown";
    sleeps.then(|| Fault::new(codes::HIBERNATED, at, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(start: &[u8]) -> Vec<u8> {
        let mut header = start.to_vec();
        header.resize(HEADER_BYTES, 0);
        header
    }

    #[test]
    fn a_sleeping_windows_is_told() {
        for start in [&b"hibr"[..], b"HIBR"] {
            assert_eq!(note(&header(start), 3).unwrap().code, codes::HIBERNATED);
        }
        assert!(note(b"", 0).is_some());
        assert!(note(&[0; HEADER_BYTES - 1], 0).is_some());
    }

    #[test]
    fn a_woken_one_is_not() {
        for start in [&b""[..], b"WAKE", b"wake", b"hib", b"RSTR"] {
            assert_eq!(note(&header(start), 0), None);
        }
    }
}
