//! Hives: the files in which Windows keeps its registry.
//!
//! | file | structure |
//! |---|---|
//! | `base_block` | the first 4 KiB |
//! | `bin`, `cell` | what everything else lies in |
//! | `key`, `subkeys` | key nodes and the lists of them |
//! | `value`, `big_data` | values |
//!
//! A hive may be a hundred megabytes; what is asked for is read, a page at a time, and a few pages
//! are kept. Every count, length and offset is checked, no list is followed twice, and nothing is
//! deeper than one list in another, so the work is bounded for any bytes.
//!
//! Not read: the logs beside a hive (`SYSTEM.LOG1`, `SYSTEM.LOG2`), which may hold newer changes
//! ([`Hive::is_dirty`]); security descriptors and class names; hives of Windows NT 3.
//! Source: Maxim Suhanov, "Windows registry file format specification".

mod base_block;
mod big_data;
mod bin;
mod cell;
pub mod codes;
mod key;
mod subkeys;
mod value;

pub use key::Key;
pub use value::Value;

use base_block::{BINS_AT, BaseBlock};
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::cache::Cache;
use flr_fs::{ByteSource, Error, Result};
use std::fmt;
use std::sync::Arc;

/// What is read at once.
const PAGE_LEN: u64 = 0x1000;
/// Bytes of pages that are kept.
const CACHE_BYTES: usize = 1 << 20;

/// A hive.
pub struct Hive {
    source: Arc<dyn ByteSource>,
    base: BaseBlock,
    pages: Cache<u64, Arc<[u8]>>,
}

impl Hive {
    /// Opens a hive. Reads its first 512 bytes.
    ///
    /// # Errors
    /// Damage of the base block, a version that is not read ([`codes::VERSION`]), errors of `source`.
    pub fn open(source: Arc<dyn ByteSource>) -> Result<Self> {
        let mut raw = [0; base_block::LEN];
        if source.size() < BINS_AT {
            let detail = "too short for a hive";
            return Err(Error::corrupt(codes::BASE, 0, detail));
        }
        source.read_at(0, &mut raw)?;
        Ok(Self {
            source,
            base: BaseBlock::parse(&raw)?,
            pages: Cache::with_shards(CACHE_BYTES, 1),
        })
    }

    /// Whether the last write to the hive did not end. Its logs, which are not read, may hold newer
    /// changes; the usual case for a system that was running.
    #[must_use]
    pub const fn is_dirty(&self) -> bool {
        self.base.dirty
    }

    /// The root key. Its own name means nothing.
    ///
    /// # Errors
    /// Damage of its key node.
    pub fn root(&self) -> Result<Key<'_>> {
        Key::read(self, self.base.root_at)
    }

    /// The place in the file of an offset from the first bin.
    const fn place(at: u64) -> u64 {
        BINS_AT.saturating_add(at)
    }

    /// Fills `buf` from `at`, counted from the first bin.
    fn read(&self, at: u64, buf: &mut [u8]) -> Result<()> {
        let end = at.saturating_add(len_u64(buf.len()));
        let bins_len = u64::from(self.base.bins_len);
        if end > bins_len || Self::place(end) > self.source.size() {
            let detail = format!("{end:#x} bytes of bins expected, there are {bins_len:#x}");
            return Err(Error::corrupt(codes::CELL, Self::place(at), detail));
        }
        let mut done = 0_usize;
        while let Some(left) = buf.get_mut(done..).filter(|left| !left.is_empty()) {
            let from = at.saturating_add(len_u64(done));
            let inside = from.checked_rem(PAGE_LEN).unwrap_or(0);
            let page = self.page(from.saturating_sub(inside))?;
            let bytes = page.get(clamp_usize(inside, usize::MAX)..);
            let bytes = bytes.unwrap_or_default();
            let len = bytes.len().min(left.len());
            // Never empty: the range has been checked against the source.
            let (Some(from), Some(to), 1..) = (bytes.get(..len), left.get_mut(..len), len) else {
                let detail = "the hive ends here";
                return Err(Error::corrupt(codes::CELL, Self::place(at), detail));
            };
            to.copy_from_slice(from);
            done = done.saturating_add(len);
        }
        Ok(())
    }

    /// The page at `at`, counted from the first bin; shorter than others at the end of the file.
    fn page(&self, at: u64) -> Result<Arc<[u8]>> {
        self.pages.get_or_insert(at, || {
            let place = Self::place(at);
            let len = self.source.size().saturating_sub(place).min(PAGE_LEN);
            let mut page = vec![0; clamp_usize(len, usize::MAX)];
            self.source.read_at(place, &mut page)?;
            let bytes = page.len();
            Ok((page.into(), bytes))
        })
    }

    /// `N` bytes at `at`, counted from the first bin.
    fn array<const N: usize>(&self, at: u64) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read(at, &mut bytes)?;
        Ok(bytes)
    }
}

impl fmt::Debug for Hive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hive")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// A name or text: Latin-1, or UTF-16 in which what is none is replaced.
fn stored_name(bytes: &[u8], is_latin: bool) -> String {
    if is_latin {
        return bytes.iter().copied().map(char::from).collect();
    }
    let (units, _) = bytes.as_chunks();
    let units = units.iter().copied().map(u16::from_le_bytes);
    char::decode_utf16(units)
        .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Whether two names are one to Windows, which compares them without regard to case.
fn same_name(one: &str, other: &str) -> bool {
    let upper = |name: &str| {
        name.chars()
            .flat_map(char::to_uppercase)
            .collect::<String>()
    };
    one.eq_ignore_ascii_case(other) || upper(one) == upper(other)
}
