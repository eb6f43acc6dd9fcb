//! Content that is hashed, and read again to be compared.

use super::content::check_cancel;
use super::options::Verify;
use super::stretches::{Buffer, PIECE_BYTES, Stretch, Stretches};
use crate::error::Result;
use flr_fs::ByteSource;
use flr_fs::bytes::{clamp_usize, len_u64};
use rustix::fs::Advice;
use sha2::Digest as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// SHA-256 of content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            if pair.starts_with('+') {
                return None;
            }
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A hash in the making.
#[derive(Debug, Default)]
pub(super) struct Hasher(sha2::Sha256);

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Adds zeros. A hole may be long: looks at `cancel`.
    pub(super) fn zeros(&mut self, mut len: u64, cancel: &AtomicBool) -> Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while len > 0 {
            check_cancel(cancel)?;
            let some = clamp_usize(len, ZEROS.len());
            self.0.update(ZEROS.get(..some).unwrap_or_default());
            len = len.saturating_sub(len_u64(some));
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The hash of the first `size` bytes of a file; `None` if it is not exactly that long, or if it was
/// cancelled.
pub(super) fn hash_file(
    file: &File,
    size: u64,
    cancel: &AtomicBool,
    buffer: &mut Buffer,
) -> io::Result<Option<Digest>> {
    let found = rustix::fs::fstat(file)?.st_size;
    if u64::try_from(found) != Ok(size) {
        return Ok(None);
    }
    let mut hasher = Hasher::default();
    let mut at = 0;
    while at < size {
        if cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let end = size.min(at.saturating_add(len_u64(PIECE_BYTES)));
        let room = buffer.room(&(at..end));
        file.read_exact_at(room, at)?;
        hasher.update(room);
        at = end;
    }
    Ok(Some(hasher.finish()))
}

/// The hash of a source.
pub(super) fn hash_source(
    source: &dyn ByteSource,
    cancel: &AtomicBool,
    buffer: &mut Buffer,
) -> Result<Digest> {
    let mut hasher = Hasher::default();
    for stretch in Stretches::new(source, 0..source.size()) {
        check_cancel(cancel)?;
        match stretch {
            Stretch::Data(range) => {
                let room = buffer.room(&range);
                source.read_at(range.start, room)?;
                hasher.update(room);
            }
            Stretch::Zeros(range) => {
                hasher.zeros(range.end.saturating_sub(range.start), cancel)?;
            }
            Stretch::Missing(_, error) => return Err(error.into()),
        }
    }
    Ok(hasher.finish())
}

/// Reads what was written and says whether it is what was hashed. `true` also if nothing is to be read.
pub(super) fn reads_back(
    file: &File,
    size: u64,
    expected: Digest,
    how: Verify,
    cancel: &AtomicBool,
    buffer: &mut Buffer,
) -> io::Result<bool> {
    match how {
        Verify::No => return Ok(true),
        Verify::Read => {}
        Verify::Disk => {
            rustix::fs::fdatasync(file)?;
            // Advice: what the kernel keeps all the same, it reads from memory.
            let _kept = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
        }
    }
    let found = hash_file(file, size, cancel, buffer)?;
    Ok(found == Some(expected) || (found.is_none() && cancel.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_back() {
        let digest = Hasher::default().finish();
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::from_hex(text), Some(digest));
        for bad in [
            "",
            "e3",
            &text.replace("e3", "+3"),
            &text.replace("e3", "zz"),
        ] {
            assert_eq!(Digest::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn holes_are_hashed_as_the_zeros_they_read_as() {
        let cancel = AtomicBool::new(false);
        let mut holes = Hasher::default();
        holes.zeros(200_001, &cancel).unwrap();
        let mut zeros = Hasher::default();
        zeros.update(&vec![0; 200_001]);
        assert_eq!(holes.finish(), zeros.finish());
    }
}
