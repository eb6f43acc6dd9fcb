//! A compressed stream as a byte source (Linux-NTFS documentation, "Compression"; MS-FSCC 2.1).
//!
//! The clusters of the stream are cut into compression units, of 16 clusters as a rule:
//!
//! | clusters of the unit      | content                                            |
//! |---------------------------|----------------------------------------------------|
//! | all stored                | the bytes as they are                              |
//! | some stored, then a hole  | LZNT1                                              |
//! | a hole                    | zeros                                              |
//!
//! Bytes behind the initialised size are zeros, whatever is stored. A unit whose LZNT1 ends before its
//! content does is damaged: an encoder leaves out only what lies behind the end of the stream.
//! Not supported: other methods than LZNT1, of which there is none, and units of more than 1 MiB.

use super::codec::lznt1;
use super::codes;
use super::compression_unit::{Layout, Unit, Units};
use super::disk::Disk;
use super::stream::{Stream, Value};
use crate::bytes::{clamp_usize, len_u64};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::source::{
    ByteSource, Location, Memory, ReadRequest, Segment, SegmentKind, check_nonempty, check_range,
};
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// The method in the flags of an attribute.
const LZNT1: u16 = 1;
/// Stored bytes that are held at once, in bytes, by one call.
const BATCH_LEN: usize = 1 << 20;
/// Decompressed bytes kept of a stream, or one unit if that is longer.
const CACHE_LEN: usize = 256 << 10;
/// Units that are told to be one stretch of what must be read.
const OPAQUE_UNITS_MAX: u64 = 64;

/// The content of a compressed stream. The caller has seen to it that it is not encrypted.
///
/// # Errors
/// [`codes::COMPRESSED`] for another method than LZNT1 or units of a size that is not supported.
pub fn open(disk: &Arc<Disk>, stream: &Arc<Stream>) -> Result<Arc<dyn ByteSource>> {
    let method = stream.flags.compression();
    if method != LZNT1 {
        let detail = format!("compression method {method}");
        return Err(Error::unsupported(codes::COMPRESSED, stream.at, detail));
    }
    Ok(match &stream.value {
        // What lies in the record is never compressed.
        Value::Resident(value) => Arc::new(Memory::new(Arc::clone(value))),
        Value::Mapped(_) => Arc::new(Compressed::new(Arc::clone(disk), Arc::clone(stream))?),
    })
}

/// A mapped stream in compression units.
pub struct Compressed {
    disk: Arc<Disk>,
    stream: Arc<Stream>,
    units: Units,
    cache: Cache<u64, Arc<[u8]>>,
}

/// A part of the stream, in bytes, and how it is read.
enum Stretch {
    Zeros(SegmentKind),
    /// Byte offset on the volume.
    Stored(u64),
    Packed(Unit),
    Missing(Error),
}

/// A part of a packed unit that is wanted.
struct Job<'b> {
    owner: usize,
    unit: Unit,
    /// First byte wanted, counted in the unit.
    from: usize,
    part: &'b mut [u8],
}

/// What is read in one go.
#[derive(Default)]
struct Batch<'b> {
    /// Bytes that are stored as they are, with their owners.
    stored: Vec<(usize, ReadRequest<'b>)>,
    jobs: Vec<Job<'b>>,
    packed_len: usize,
}

impl Compressed {
    /// A mapped stream of `disk`.
    ///
    /// # Errors
    /// [`codes::COMPRESSED`].
    pub fn new(disk: Arc<Disk>, stream: Arc<Stream>) -> Result<Self> {
        let units = Units::new(&disk, &stream)?;
        let unit_len = clamp_usize(units.unit_len(), usize::MAX);
        Ok(Self {
            disk,
            stream,
            cache: Cache::with_shards(CACHE_LEN.max(unit_len), 1),
            units,
        })
    }

    /// What lies at `offset`, for at most `max` bytes.
    fn stretch(&self, offset: u64, max: u64) -> (u64, Stretch) {
        let written = self.stream.initialized_size.saturating_sub(offset);
        let unit = self.units.at(&self.stream, offset);
        let to_end = unit.end.saturating_sub(offset).min(max);
        match unit.layout {
            Layout::Hole { end } => {
                let len = end.saturating_sub(offset).min(max);
                (len, Stretch::Zeros(SegmentKind::Hole))
            }
            // Zeros, even where the map is not known.
            _ if written == 0 => (to_end, Stretch::Zeros(SegmentKind::Unwritten)),
            Layout::Stored { at, end } => {
                let len = end.saturating_sub(offset).min(max);
                (len.min(written), Stretch::Stored(at))
            }
            Layout::Packed(_) => (to_end.min(written), Stretch::Packed(unit)),
            Layout::Missing(error) => (to_end.min(written), Stretch::Missing(error)),
        }
    }

    /// Runs several reads, each with a result of its own.
    fn run(&self, reads: &mut [ReadRequest<'_>]) {
        let mut results: Vec<Result<()>> = Vec::with_capacity(reads.len());
        let mut batch = Batch::default();
        for (owner, read) in reads.iter_mut().enumerate() {
            results.push(check_range(read.offset, read.buf.len(), self.size()).map(|_| ()));
            let (mut offset, mut left) = (read.offset, &mut *read.buf);
            while !left.is_empty() && results.get(owner).is_some_and(Result::is_ok) {
                let (len, stretch) = self.stretch(offset, len_u64(left.len()));
                let (part, rest) = left.split_at_mut(clamp_usize(len, left.len()));
                let added = self.add(&mut batch, owner, offset, part, stretch);
                note(&mut results, owner, added);
                if batch.packed_len >= BATCH_LEN {
                    self.flush(&mut batch, &mut results);
                }
                offset = offset.saturating_add(len);
                left = rest;
            }
        }
        self.flush(&mut batch, &mut results);
        for (read, result) in reads.iter_mut().zip(results) {
            read.result = result;
        }
    }

    /// Fills `part` if that can be done at once, or adds it to what must be read.
    fn add<'b>(
        &self,
        batch: &mut Batch<'b>,
        owner: usize,
        offset: u64,
        part: &'b mut [u8],
        stretch: Stretch,
    ) -> Result<()> {
        match stretch {
            Stretch::Zeros(_) => part.fill(0),
            Stretch::Stored(at) => {
                self.disk.check(at, part.len())?;
                batch.stored.push((owner, ReadRequest::new(at, part)));
            }
            Stretch::Missing(error) => return Err(error),
            Stretch::Packed(unit) => {
                let from = clamp_usize(offset.saturating_sub(unit.start), usize::MAX);
                if let Some(bytes) = self.cache.get(&unit.start) {
                    return copy(&bytes, from, part, &unit);
                }
                for extent in unit.extents() {
                    self.disk.check(extent.at, extent.len)?;
                    batch.packed_len = batch.packed_len.saturating_add(extent.len);
                }
                batch.jobs.push(Job {
                    owner,
                    unit,
                    from,
                    part,
                });
            }
        }
        Ok(())
    }

    /// Reads and decompresses what was gathered.
    fn flush(&self, batch: &mut Batch<'_>, results: &mut [Result<()>]) {
        let batch = std::mem::take(batch);
        let mut packed = vec![0; batch.packed_len];
        let (mut owners, mut below): (Vec<_>, Vec<_>) = batch.stored.into_iter().unzip();
        for (owner, at, part) in coalesce(&batch.jobs, &mut packed) {
            owners.push(owner);
            below.push(ReadRequest::new(at, part));
        }
        self.disk.source.read_many(&mut below);
        for (request, owner) in below.into_iter().zip(owners) {
            note(results, owner, request.result);
        }
        let mut left = packed.as_slice();
        for job in batch.jobs {
            let (input, rest) = left.split_at(job.unit.stored_len().min(left.len()));
            left = rest;
            if results.get(job.owner).is_some_and(Result::is_ok) {
                let done = self.unpack(input, &job.unit, job.from, job.part);
                note(results, job.owner, done);
            }
        }
    }

    /// Decompresses a unit and copies what is wanted of it.
    fn unpack(&self, input: &[u8], unit: &Unit, from: usize, part: &mut [u8]) -> Result<()> {
        let written = self.stream.initialized_size.min(unit.end);
        let wanted = clamp_usize(written.saturating_sub(unit.start), usize::MAX);
        // Whole chunks go where they are wanted; an encoder need not know where the stream ends.
        let is_whole = from == 0 && part.len() == wanted;
        if is_whole && wanted.is_multiple_of(lznt1::CHUNK_LEN) {
            return decompress(input, unit, part, wanted);
        }
        let unit_len = clamp_usize(self.units.unit_len(), usize::MAX);
        let len = wanted.next_multiple_of(lznt1::CHUNK_LEN).min(unit_len);
        let mut bytes = vec![0; len];
        decompress(input, unit, &mut bytes, wanted)?;
        bytes.truncate(wanted);
        copy(&bytes, from, part, unit)?;
        if !is_whole {
            self.cache.insert(unit.start, Arc::from(bytes), wanted);
        }
        Ok(())
    }
}

/// The first error of a read stays.
fn note(results: &mut [Result<()>], owner: usize, result: Result<()>) {
    if let Some(stored) = results.get_mut(owner).filter(|stored| stored.is_ok()) {
        *stored = result;
    }
}

fn copy(bytes: &[u8], from: usize, part: &mut [u8], unit: &Unit) -> Result<()> {
    let end = from.saturating_add(part.len());
    let Some(bytes) = bytes.get(from..end) else {
        return Err(unit.damaged(format!("{:#x} bytes, not {end:#x}", bytes.len())));
    };
    part.copy_from_slice(bytes);
    Ok(())
}

/// Fills `output`, of which the first `wanted` bytes must be there.
fn decompress(input: &[u8], unit: &Unit, output: &mut [u8], wanted: usize) -> Result<()> {
    match lznt1::decompress(input, output) {
        Ok(done) if done >= wanted => Ok(()),
        Ok(done) => Err(unit.damaged(format!("it ends after {done:#x} of {wanted:#x} bytes"))),
        Err(bad) => Err(unit.damaged(bad.to_string())),
    }
}

/// Cuts `packed` into as few reads as there can be: extents that follow each other on the volume are one,
/// as long as they are for the same owner.
fn coalesce<'p>(jobs: &[Job<'_>], packed: &'p mut [u8]) -> Vec<(usize, u64, &'p mut [u8])> {
    let mut reads: Vec<(usize, u64, usize)> = Vec::new();
    for job in jobs {
        for extent in job.unit.extents() {
            match reads.last_mut() {
                Some((owner, at, len))
                    if *owner == job.owner && at.saturating_add(len_u64(*len)) == extent.at =>
                {
                    *len = len.saturating_add(extent.len);
                }
                _ => reads.push((job.owner, extent.at, extent.len)),
            }
        }
    }
    let mut left = packed;
    let mut parts = Vec::with_capacity(reads.len());
    for (owner, at, len) in reads {
        // What all extents need together is what `packed` was made for.
        let (part, rest) = left.split_at_mut(len.min(left.len()));
        parts.push((owner, at, part));
        left = rest;
    }
    parts
}

impl fmt::Debug for Compressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressed")
            .field("size", &self.stream.data_size)
            .finish_non_exhaustive()
    }
}

impl ByteSource for Compressed {
    fn size(&self) -> u64 {
        self.stream.data_size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut reads = [ReadRequest::new(offset, buf)];
        self.run(&mut reads);
        let [read] = reads;
        read.result
    }

    fn read_many(&self, reads: &mut [ReadRequest<'_>]) {
        self.run(reads);
    }

    fn segment_at(&self, range: Range<u64>) -> Result<Segment> {
        let max = check_nonempty(&range, self.size())?;
        let (mut len, stretch) = self.stretch(range.start, max);
        let kind = match stretch {
            Stretch::Zeros(kind) => kind,
            Stretch::Stored(offset) => SegmentKind::Stored(Location { member: 0, offset }),
            Stretch::Missing(error) => SegmentKind::Missing(error.code()),
            Stretch::Packed(_) => {
                for _ in 1..OPAQUE_UNITS_MAX {
                    let (at, left) = (range.start.saturating_add(len), max.saturating_sub(len));
                    match self.stretch(at, left) {
                        (more, Stretch::Packed(_)) if left > 0 => len = len.saturating_add(more),
                        _ => break,
                    }
                }
                SegmentKind::Opaque
            }
        };
        Ok(Segment { len, kind })
    }

    fn below(&self, member: u32) -> Option<&Arc<dyn ByteSource>> {
        (member == 0).then_some(&self.disk.source)
    }

    fn will_read(&self, ranges: &[Range<u64>]) {
        let mut below = Vec::new();
        for range in ranges {
            let end = range.end.min(self.size());
            let mut offset = range.start;
            while offset < end {
                let (len, stretch) = self.stretch(offset, end.saturating_sub(offset));
                match stretch {
                    Stretch::Stored(at) => below.push(at..at.saturating_add(len)),
                    Stretch::Packed(unit) => below
                        .extend((unit.extents().iter()).map(|extent| {
                            extent.at..extent.at.saturating_add(len_u64(extent.len))
                        })),
                    Stretch::Zeros(_) | Stretch::Missing(_) => {}
                }
                offset = offset.saturating_add(len.max(1));
            }
        }
        self.disk.source.will_read(&below);
    }

    /// A unit: a part of it is no easier to read than the whole.
    fn granule(&self) -> NonZeroU32 {
        let unit_len = u32::try_from(self.units.unit_len()).ok();
        unit_len
            .and_then(NonZeroU32::new)
            .unwrap_or(self.disk.source.granule())
    }
}
