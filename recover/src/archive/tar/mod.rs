//! Tar: a header block, PAX records before it where it has no room, content in blocks of 512 bytes.
//!
//! Sources: IEEE Std 1003.1-2017, pax; the manual of GNU tar, "Storing Sparse Files" (PAX format, version 1.0);
//! star(5) for `SCHILY.*`; the `RHT.security.selinux` of GNU tar.

mod header;
mod pax;
mod sparse;

use super::content::{Content, Piece, range_len};
use super::entry::Entry;
use super::packed::Packed;
use super::report::LeftOut;
use super::run::Sink;
use super::write_failed;
use crate::error::Result;
use flr_fs::FileKind;
use flr_fs::bytes::{clamp_usize, len_u64};
use sparse::Map;
use std::io::Write;
use std::ops::Range;

/// Bytes of a block.
const BLOCK: u64 = 512;
const ZEROS: [u8; 4096] = [0; 4096];
/// What stands at the end of an archive that is not whole; shorter than a block.
const CUT: &[u8] = b"flr: this archive is not whole\n";

/// A tar archive that is being written.
pub(super) struct Tar<'a> {
    out: Packed<'a>,
    /// Content that a header promised is on its way.
    inside: bool,
}

impl<'a> Tar<'a> {
    pub(super) fn new(out: Packed<'a>) -> Self {
        Self { out, inside: false }
    }

    /// Ends an archive that is not whole. Between two entries a reader would take it for whole: what it finds instead
    /// of the next one is a part of a block.
    pub(super) fn cut(&mut self) -> Result<()> {
        match self.inside {
            true => Ok(()),
            false => self.write(CUT),
        }
    }

    pub(super) fn into_inner(self) -> Packed<'a> {
        self.out
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(write_failed)
    }

    fn zeros(&mut self, mut len: u64) -> Result<()> {
        while len > 0 {
            let piece = clamp_usize(len, ZEROS.len());
            self.write(ZEROS.get(..piece).unwrap_or_default())?;
            len = len.saturating_sub(len_u64(piece));
        }
        Ok(())
    }

    /// Fills the block that `len` bytes end in.
    fn pad(&mut self, len: u64) -> Result<()> {
        self.zeros(padding(len))
    }

    /// PAX records, if there are any, and the header.
    fn head(&mut self, entry: &Entry<'_>, map: Option<&Map>, size: u64) -> Result<()> {
        let blocks = header::blocks(entry, map, size)?;
        self.write(&blocks)
    }

    fn run(&mut self, content: &mut Content<'_>, range: Range<u64>) -> Result<()> {
        content.copy(range, &mut |piece| match piece {
            Piece::Bytes(bytes) => self.write(bytes),
            Piece::Zeros(len) => self.zeros(len),
        })
    }
}

impl Sink for Tar<'_> {
    fn takes(&self, kind: FileKind, _name: &[u8]) -> Option<LeftOut> {
        (kind == FileKind::Socket).then_some(LeftOut::Socket)
    }

    fn node(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.head(entry, None, 0)
    }

    fn file(
        &mut self,
        entry: &Entry<'_>,
        content: &mut Content<'_>,
        begun: &mut bool,
    ) -> Result<()> {
        let size = content.size();
        let Some(map) = Map::of(content)? else {
            (*begun, self.inside) = (true, true);
            self.head(entry, None, size)?;
            self.run(content, 0..size)?;
            self.pad(size)?;
            self.inside = false;
            return Ok(());
        };
        let stored = map.archived_len();
        (*begun, self.inside) = (true, true);
        self.head(entry, Some(&map), stored)?;
        map.write(content, &mut |bytes| self.write(bytes))?;
        let (mut at, mut left) = (0, map.data());
        // Looked up once more, piece by piece: a map of any length is never in memory.
        while let Some(run) = content.runs_from(at).next().transpose()? {
            left = left
                .checked_sub(range_len(&run))
                .ok_or_else(sparse::changed)?;
            at = run.end;
            self.run(content, run)?;
        }
        if left > 0 {
            return Err(sparse::changed());
        }
        self.pad(stored)?;
        self.inside = false;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.zeros(BLOCK.saturating_mul(2))
    }
}

/// Bytes that fill the block which `len` bytes end in.
fn padding(len: u64) -> u64 {
    match len.checked_rem(BLOCK) {
        Some(rest @ 1..) => BLOCK.saturating_sub(rest),
        _ => 0,
    }
}
