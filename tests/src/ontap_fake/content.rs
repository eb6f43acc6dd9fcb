//! What is in a LUN or a file: bytes, or an image on this host, with zeros after them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A LUN that is written to is held in memory, so it must not be long.
const WRITTEN_MAX: u64 = 256 << 20;

#[derive(Clone, Debug)]
enum Kept {
    Bytes(Arc<Vec<u8>>),
    /// A file and its length in bytes.
    File(Arc<File>, u64),
}

/// The bytes of a LUN or a file. Clones are the same bytes.
#[derive(Clone, Debug)]
pub struct Content {
    kept: Kept,
    len: u64,
}

impl Content {
    /// These bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let len = u64::try_from(bytes.len()).expect("small");
        let kept = Kept::Bytes(Arc::new(bytes));
        Self { kept, len }
    }

    /// What a file of this host has; it is read whenever it is asked for.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let kept = Kept::File(Arc::new(file), len);
        Ok(Self { kept, len })
    }

    /// The same with another length in bytes: cut, or with zeros at its end.
    #[must_use]
    pub fn with_len(mut self, len: u64) -> Self {
        self.len = len;
        self
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes from an offset, fewer at the end.
    ///
    /// # Panics
    /// If the image cannot be read.
    #[must_use]
    pub fn read(&self, offset: u64, len: u64) -> Vec<u8> {
        let len = self.len.saturating_sub(offset).min(len);
        let mut bytes = vec![0; usize::try_from(len).expect("it fits")];
        match &self.kept {
            Kept::Bytes(all) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(all.len());
                let part = &all[start..];
                let part = &part[..part.len().min(bytes.len())];
                bytes[..part.len()].copy_from_slice(part);
            }
            Kept::File(file, file_len) => {
                let there = file_len.saturating_sub(offset).min(len);
                let there = usize::try_from(there).expect("it fits");
                let read = file.read_exact_at(&mut bytes[..there], offset);
                read.expect("an image that can be read");
            }
        }
        bytes
    }

    /// The same with other bytes at an offset; none if it is too long for that, or too short.
    pub(crate) fn written(&self, offset: u64, bytes: &[u8]) -> Option<Self> {
        let end = offset.checked_add(u64::try_from(bytes.len()).ok()?)?;
        if self.len > WRITTEN_MAX || end > self.len {
            return None;
        }
        let mut all = self.read(0, self.len);
        let start = usize::try_from(offset).ok()?;
        all[start..start + bytes.len()].copy_from_slice(bytes);
        Some(Self::from_bytes(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_follow_what_there_is() {
        let content = Content::from_bytes("abc").with_len(6);
        assert_eq!(content.read(1, 10), b"bc\0\0\0");
        assert_eq!(content.read(6, 10), b"");
        let written = content.written(2, b"xyz").expect("it fits");
        assert_eq!(written.read(0, 6), b"abxyz\0");
        assert!(content.written(4, b"xyz").is_none());
    }
}
