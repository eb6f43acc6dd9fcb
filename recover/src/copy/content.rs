//! The bytes of one file: read in pieces, holes seeked over, unreadable ranges never made up.

use super::run::write_error;
use super::stretches::{Buffer, Stretch, Stretches};
use super::verify::{Digest, Hasher};
use crate::error::{Error, Result};
use flr_fs::bytes::len_u64;
use flr_fs::{ByteSource, Request};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Unit in which zeros are looked for, in bytes. A block of nearly every filesystem.
const ZERO_BLOCK_BYTES: usize = 4096;
const ZEROS: [u8; ZERO_BLOCK_BYTES] = [0; ZERO_BLOCK_BYTES];

/// How a file's content is copied.
pub(super) struct ContentCopy<'a> {
    pub(super) source: &'a dyn ByteSource,
    pub(super) file: &'a File,
    /// For errors.
    pub(super) path: &'a Path,
    pub(super) cancel: &'a AtomicBool,
    /// Blocks of zeros become holes also where the source stores them.
    pub(super) sparse: bool,
    /// Ranges that cannot be read become holes, and are told to `unreadable`.
    pub(super) salvage: bool,
    /// The content is hashed, holes as zeros.
    pub(super) hash: bool,
    /// Told how many bytes more are done.
    pub(super) advanced: &'a dyn Fn(u64),
    pub(super) unreadable: &'a dyn Fn(Range<u64>, &Error),
}

/// What became of a file's content, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) size: u64,
    pub(super) written: u64,
    pub(super) unreadable: u64,
    /// Of the copy, what could not be read being zeros.
    pub(super) digest: Option<Digest>,
}

/// A copy in progress.
struct Progress {
    copied: Copied,
    /// The end of the last byte written. The file has this length.
    end: u64,
    /// Unreadable bytes up to where the copy has got, not yet told, as they may go on.
    pending: Option<(Range<u64>, Error)>,
    hasher: Option<Hasher>,
}

impl Progress {
    fn hash(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    fn hash_zeros(&mut self, len: u64, cancel: &AtomicBool) -> Result<()> {
        match &mut self.hasher {
            Some(hasher) => hasher.zeros(len, cancel),
            None => Ok(()),
        }
    }
}

impl ContentCopy<'_> {
    /// Copies everything into the empty file.
    pub(super) fn run(&self, buffer: &mut Buffer) -> Result<Copied> {
        let size = self.source.size();
        let mut progress = Progress {
            copied: Copied {
                size,
                ..Copied::default()
            },
            end: 0,
            pending: None,
            hasher: self.hash.then(Hasher::default),
        };
        for stretch in Stretches::new(self.source, 0..size) {
            check_cancel(self.cancel)?;
            let len = match stretch {
                Stretch::Zeros(range) => {
                    progress.hash_zeros(range_len(&range), self.cancel)?;
                    range_len(&range)
                }
                Stretch::Data(range) => {
                    let room = buffer.room(&range);
                    match self.source.read_at(range.start, room) {
                        Ok(()) => self.write(&mut progress, range.start, room)?,
                        Err(error) => self.salvage(&mut progress, range.start, room, error)?,
                    }
                    range_len(&range)
                }
                Stretch::Missing(range, error) => {
                    let len = range_len(&range);
                    self.lose(&mut progress, range, error)?;
                    len
                }
            };
            (self.advanced)(len);
        }
        self.tell(&mut progress);
        if progress.end < size {
            rustix::fs::ftruncate(self.file, size).map_err(|errno| self.failed(errno.into()))?;
        }
        progress.copied.digest = progress.hasher.map(Hasher::finish);
        Ok(progress.copied)
    }

    /// Writes bytes at `offset`.
    fn write(&self, progress: &mut Progress, offset: u64, bytes: &[u8]) -> Result<()> {
        progress.hash(bytes);
        if !self.sparse {
            return self.write_all(progress, offset, bytes);
        }
        // Pieces start at multiples of the block, so these blocks are those of the file.
        let mut at = offset;
        let mut run: Range<usize> = 0..0;
        for block in bytes.chunks(ZERO_BLOCK_BYTES) {
            let is_zero = ZEROS.get(..block.len()) == Some(block);
            let block_end = run.end.saturating_add(block.len());
            if is_zero {
                self.write_all(progress, at, bytes.get(run).unwrap_or_default())?;
                run = block_end..block_end;
                at = offset.saturating_add(len_u64(block_end));
            } else {
                run.end = block_end;
            }
        }
        self.write_all(progress, at, bytes.get(run).unwrap_or_default())
    }

    fn write_all(&self, progress: &mut Progress, offset: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file
            .write_all_at(bytes, offset)
            .map_err(|error| self.failed(error))?;
        let len = len_u64(bytes.len());
        progress.end = offset.saturating_add(len);
        progress.copied.written = progress.copied.written.saturating_add(len);
        Ok(())
    }

    /// A read failed: with `salvage`, halves it until only the unreadable units are left out.
    fn salvage(
        &self,
        progress: &mut Progress,
        start: u64,
        room: &mut [u8],
        error: flr_fs::Error,
    ) -> Result<()> {
        if !self.salvage || is_cancelled(&error) {
            return Err(error.into());
        }
        let unit = usize::try_from(self.source.granule().get()).unwrap_or(usize::MAX);
        // Parts of `room` still to be read, the first one last. The whole is known to fail.
        let mut todo = Vec::new();
        split(0..room.len(), unit, &mut todo);
        if todo.is_empty() {
            let end = start.saturating_add(len_u64(room.len()));
            return self.lose(progress, start..end, error);
        }
        while let Some(part) = todo.pop() {
            check_cancel(self.cancel)?;
            let offset = start.saturating_add(len_u64(part.start));
            let end = start.saturating_add(len_u64(part.end));
            let bytes = room.get_mut(part.clone()).unwrap_or_default();
            match self.source.read_at(offset, bytes) {
                Ok(()) => self.write(progress, offset, bytes)?,
                Err(error) if is_cancelled(&error) => return Err(error.into()),
                Err(error) => {
                    let before = todo.len();
                    split(part, unit, &mut todo);
                    if todo.len() == before {
                        self.lose(progress, offset..end, error)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Leaves `range` out, or fails because of it.
    fn lose(&self, progress: &mut Progress, range: Range<u64>, error: flr_fs::Error) -> Result<()> {
        if !self.salvage || is_cancelled(&error) {
            return Err(error.into());
        }
        progress.hash_zeros(range_len(&range), self.cancel)?;
        let lost = &mut progress.copied.unreadable;
        *lost = lost.saturating_add(range_len(&range));
        match &mut progress.pending {
            Some((pending, _)) if pending.end == range.start => pending.end = range.end,
            _ => {
                self.tell(progress);
                progress.pending = Some((range, error.into()));
            }
        }
        Ok(())
    }

    fn tell(&self, progress: &mut Progress) {
        if let Some((range, error)) = progress.pending.take() {
            (self.unreadable)(range, &error);
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        write_error(self.path, error)
    }
}

/// Puts both halves of `part` on the stack, unless it is a single unit.
fn split(part: Range<usize>, unit: usize, todo: &mut Vec<Range<usize>>) {
    let units = part.len().div_ceil(unit.max(1));
    if units < 2 {
        return;
    }
    let middle = part.start.saturating_add((units >> 1).saturating_mul(unit));
    todo.push(middle..part.end);
    todo.push(part.start..middle);
}

/// Bytes of the source that are stored, but no more than the first ones past `limit`.
///
/// What cannot be looked up counts as stored.
pub(super) fn stored_bytes(source: &dyn ByteSource, limit: u64) -> u64 {
    let (mut at, size) = (0, source.size());
    let mut stored: u64 = 0;
    while at < size && stored <= limit {
        let (len, is_data) = match source.segment_at(at..size) {
            Ok(segment) => {
                use flr_fs::SegmentKind::{Hole, Unwritten};
                (
                    segment.len.max(1),
                    !matches!(segment.kind, Hole | Unwritten),
                )
            }
            Err(_) => (size.saturating_sub(at), true),
        };
        if is_data {
            stored = stored.saturating_add(len);
        }
        at = at.saturating_add(len);
    }
    stored
}

/// Writes `range` of `source` to `out`, holes as zeros; returns how many bytes that were.
///
/// What was written before an error stays written.
///
/// # Errors
/// [`Request::OutOfRange`]; what [`ByteSource::read_at`] says; [`Error::Write`] with the path `-`
/// (look at its kind: a broken pipe is success); [`Request::Cancelled`].
pub fn copy_to_writer(
    source: &dyn ByteSource,
    range: Range<u64>,
    out: &mut dyn Write,
    cancel: &AtomicBool,
) -> Result<u64> {
    if range.start > range.end || range.end > source.size() {
        let (offset, size) = (range.start, source.size());
        let len = range_len(&range);
        return Err(Request::OutOfRange { offset, len, size }.into());
    }
    let failed = |error| write_error(Path::new("-"), error);
    let mut buffer = Buffer::default();
    let mut written: u64 = 0;
    for stretch in Stretches::new(source, range) {
        check_cancel(cancel)?;
        match stretch {
            Stretch::Data(range) => {
                let room = buffer.room(&range);
                source.read_at(range.start, room)?;
                out.write_all(room).map_err(failed)?;
                written = written.saturating_add(range_len(&range));
            }
            Stretch::Zeros(range) => {
                let mut left = range;
                let zeros = buffer.room(&left);
                zeros.fill(0);
                while !left.is_empty() {
                    check_cancel(cancel)?;
                    let len = flr_fs::bytes::clamp_usize(range_len(&left), zeros.len());
                    out.write_all(zeros.get(..len).unwrap_or_default())
                        .map_err(failed)?;
                    left.start = left.start.saturating_add(len_u64(len));
                    written = written.saturating_add(len_u64(len));
                }
            }
            Stretch::Missing(_, error) => return Err(error.into()),
        }
    }
    out.flush().map_err(failed)?;
    Ok(written)
}

pub(super) fn check_cancel(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) {
        return Err(Request::Cancelled.into());
    }
    Ok(())
}

const fn is_cancelled(error: &flr_fs::Error) -> bool {
    matches!(error, flr_fs::Error::Request(Request::Cancelled))
}

const fn range_len(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}
