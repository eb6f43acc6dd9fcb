//! Zip: each entry behind a header of its own, and a directory of all at the end.
//!
//! Source: PKWARE APPNOTE 6.3.10; `proginfo/extrafld.txt` of Info-ZIP for the fields of Unix. Written without ever
//! going back: sizes and checksum of a file stand behind it (4.3.9), with 64 bits where 32 might not do. The
//! directory is as long as the tree has names; beyond a mebibyte it waits in a file without a name.

mod deflate;
mod directory;
mod record;

use super::content::{Content, Piece};
use super::entry::Entry;
use super::report::LeftOut;
use super::run::Sink;
use super::write_failed;
use crate::error::Result;
use deflate::Deflate;
use directory::Directory;
use flr_fs::FileKind;
use flr_fs::bytes::len_u64;
use record::{Method, Record};
use std::io::Write;

/// Longest name that the format has room for, in bytes, with the slash of a directory.
const NAME_LEN_MAX: usize = 65_535;

/// Content from here on gets sizes of 64 bits: packed, it may be a little longer than it is.
const LARGE: u64 = 0xf000_0000;

/// A zip archive that is being written.
pub(super) struct Zip<'a> {
    out: &'a mut dyn Write,
    /// Bytes written so far.
    at: u64,
    directory: Directory,
    deflate: Deflate,
}

impl<'a> Zip<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            at: 0,
            directory: Directory::default(),
            deflate: Deflate::new(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        write(self.out, &mut self.at, bytes)
    }

    /// An entry whose content is known.
    fn stored(&mut self, entry: &Entry<'_>, content: &[u8]) -> Result<()> {
        let mut record = Record::new(entry, self.at, Method::Stored);
        record.crc = deflate::crc(content);
        record.size = len_u64(content.len());
        record.packed = record.size;
        self.write(&record.local())?;
        self.write(content)?;
        self.directory.add(&record).map_err(write_failed)
    }
}

fn write(out: &mut dyn Write, at: &mut u64, bytes: &[u8]) -> Result<()> {
    out.write_all(bytes).map_err(write_failed)?;
    *at = at.saturating_add(len_u64(bytes.len()));
    Ok(())
}

impl Sink for Zip<'_> {
    fn takes(&self, kind: FileKind, name: &[u8]) -> Option<LeftOut> {
        match kind {
            FileKind::Socket => Some(LeftOut::Socket),
            FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo => Some(LeftOut::Special),
            _ if name.len() >= NAME_LEN_MAX => Some(LeftOut::Name),
            FileKind::File | FileKind::Directory | FileKind::Symlink => None,
        }
    }

    fn node(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.stored(entry, &entry.target)
    }

    fn file(
        &mut self,
        entry: &Entry<'_>,
        content: &mut Content<'_>,
        begun: &mut bool,
    ) -> Result<()> {
        let size = content.size();
        if size == 0 {
            return self.stored(entry, &[]);
        }
        let mut record = Record::new(entry, self.at, Method::Deflated);
        record.large = size >= LARGE;
        *begun = true;
        self.write(&record.local())?;
        let Self {
            out, at, deflate, ..
        } = self;
        deflate.begin();
        let before = *at;
        content.copy(0..size, &mut |piece| {
            let mut take = |packed: &[u8]| write(*out, at, packed);
            match piece {
                Piece::Bytes(bytes) => deflate.bytes(bytes, &mut take),
                Piece::Zeros(len) => deflate.zeros(len, &mut take),
            }
        })?;
        record.crc = deflate.end(&mut |packed| write(*out, at, packed))?;
        record.size = size;
        record.packed = at.saturating_sub(before);
        self.write(&record.descriptor())?;
        self.directory.add(&record).map_err(write_failed)
    }

    fn finish(&mut self) -> Result<()> {
        let Self {
            out, at, directory, ..
        } = self;
        let start = *at;
        (directory.replay(&mut |bytes| out.write_all(bytes))).map_err(write_failed)?;
        let end = directory.end(start);
        out.write_all(&end)
            .and_then(|()| out.flush())
            .map_err(write_failed)
    }
}
