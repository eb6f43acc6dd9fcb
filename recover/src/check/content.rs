//! Reading all of a file, and finding out which parts of it cannot be read.

use crate::copy::stretches::{Buffer, Stretch, Stretches};
use flr_fs::bytes::{clamp_usize, len_u64};
use flr_fs::{ByteSource, Error, Request, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Failed reads of one file after which ranges are no longer narrowed down: a dead disk would cost a
/// read, and its timeout, for every sector.
const NARROWED_MAX: u32 = 4096;

/// Reads every stored byte of `source`. Ranges that cannot be read are handed to `damaged`, neighbours
/// as one; `read` is told how many bytes were read, `passed` how far the file has got.
///
/// # Errors
/// [`Request::Cancelled`] only.
pub(super) fn read_all(
    source: &dyn ByteSource,
    buffer: &mut Buffer,
    cancel: &AtomicBool,
    tell: &mut dyn FnMut(Told),
) -> Result<()> {
    let mut reading = Reading {
        source,
        cancel,
        tell,
        failures: 0,
        pending: None,
    };
    for stretch in Stretches::new(source, 0..source.size()) {
        reading.check_cancel()?;
        let len = match stretch {
            Stretch::Zeros(range) => range.end.saturating_sub(range.start),
            Stretch::Data(range) => {
                reading.data(range.clone(), buffer)?;
                range.end.saturating_sub(range.start)
            }
            Stretch::Missing(range, error) => {
                let len = range.end.saturating_sub(range.start);
                reading.lost(range, error)?;
                len
            }
        };
        (reading.tell)(Told::Passed(len));
    }
    reading.flush();
    Ok(())
}

/// What is told while a file is read.
#[derive(Debug)]
pub(super) enum Told {
    /// Bytes that were read.
    Read(u64),
    /// Bytes that are done.
    Passed(u64),
    /// Bytes that cannot be read, and why not the first of them.
    Lost(Range<u64>, Error),
}

struct Reading<'a> {
    source: &'a dyn ByteSource,
    cancel: &'a AtomicBool,
    tell: &'a mut dyn FnMut(Told),
    failures: u32,
    /// Lost bytes that may go on.
    pending: Option<(Range<u64>, Error)>,
}

impl Reading<'_> {
    fn check_cancel(&self) -> Result<()> {
        match self.cancel.load(Ordering::Relaxed) {
            true => Err(Request::Cancelled.into()),
            false => Ok(()),
        }
    }

    /// Reads a range, halving what fails until only single units are left.
    fn data(&mut self, range: Range<u64>, buffer: &mut Buffer) -> Result<()> {
        let unit = u64::from(self.source.granule().get());
        let mut todo = vec![range];
        while let Some(part) = todo.pop() {
            self.check_cancel()?;
            let Err(error) = self.source.read_at(part.start, buffer.room(&part)) else {
                (self.tell)(Told::Read(part.end.saturating_sub(part.start)));
                continue;
            };
            self.failures = self.failures.saturating_add(1);
            let units = part.end.saturating_sub(part.start).div_ceil(unit);
            if units < 2 || self.failures > NARROWED_MAX {
                self.lost(part, error)?;
                continue;
            }
            let middle = part.start.saturating_add((units >> 1).saturating_mul(unit));
            todo.push(middle..part.end);
            todo.push(part.start..middle);
        }
        Ok(())
    }

    fn lost(&mut self, range: Range<u64>, error: Error) -> Result<()> {
        if matches!(error, Error::Request(Request::Cancelled)) {
            return Err(error);
        }
        match &mut self.pending {
            Some((pending, _)) if pending.end == range.start => pending.end = range.end,
            _ => {
                self.flush();
                self.pending = Some((range, error));
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        if let Some((range, error)) = self.pending.take() {
            (self.tell)(Told::Lost(range, error));
        }
    }
}

/// Compares two contents of `size` bytes; `other` fills as much of a buffer as it likes. The first
/// offset that differs, or `None`.
pub(super) fn first_difference<E>(
    ours: &dyn ByteSource,
    buffers: &mut [Vec<u8>; 2],
    mut other: impl FnMut(&mut [u8]) -> Result<usize, E>,
    failed: impl Fn(Error) -> E,
    cancel: &AtomicBool,
) -> Result<Option<u64>, E> {
    let [a, b] = buffers;
    a.resize(1 << 20, 0);
    b.resize(1 << 20, 0);
    let size = ours.size();
    let mut at = 0;
    while at < size {
        if cancel.load(Ordering::Relaxed) {
            return Err(failed(Request::Cancelled.into()));
        }
        let len = clamp_usize(size.saturating_sub(at), a.len());
        let (Some(a), Some(b)) = (a.get_mut(..len), b.get_mut(..len)) else {
            return Ok(Some(at));
        };
        ours.read_at(at, a).map_err(&failed)?;
        let mut filled = 0;
        while let Some(room) = b.get_mut(filled..).filter(|room| !room.is_empty()) {
            match other(room)? {
                // It ends before our file does.
                0 => return Ok(Some(at.saturating_add(len_u64(filled)))),
                more => filled = filled.saturating_add(more),
            }
        }
        if let Some(index) = a.iter().zip(b.iter()).position(|(a, b)| a != b) {
            return Ok(Some(at.saturating_add(len_u64(index))));
        }
        at = at.saturating_add(len_u64(len));
    }
    Ok(None)
}
